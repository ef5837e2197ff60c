import { marks } from "@flotilla/base";
import { bestVoter } from "./commit.ts";
import type { NodeId } from "./message.ts";
import { NO_NODE } from "./message.ts";
import type { Raft } from "./raft.ts";
import { becomeFollower } from "./roles.ts";

/** Handing leadership over (raft thesis §3.10). Meanwhile nothing new is appended, or the target might never catch up. */

export function transferLeadership(r: Raft, to: NodeId): boolean {
	if (r.role !== "leader") return false;
	if (to === r.id) return true;
	const slot = r.members.slotOf(to);
	if (!r.members.isIncomingVoter(slot) || r.progress.get(slot)?.state === "snapshot") return false;
	if (r.transferee === to) return true;
	endTransfer(r, "replaced");
	r.transferee = to;
	r.transferSent = false;
	r.transferTicksLeft = r.config.electionTicks;
	r.emit("transferStarted", r.log.lastIndex, { to });
	return true;
}

/** Tells the target to campaign once it holds everything; the others that its predecessor expects to be followed. */
export function maybeHandOver(r: Raft): void {
	if (r.transferee === NO_NODE || r.transferSent) return;
	if (r.progress.match[r.members.slotOf(r.transferee)] !== r.log.lastIndex) return;
	marks.transferSent++;
	r.transferSent = true;
	r.emit("handedOver", r.log.lastIndex, { to: r.transferee });
	r.send({ kind: "timeoutNow", from: r.id, to: r.transferee, term: r.term });
	for (const slot of r.members.targets) {
		const to = r.members.idOf(slot);
		if (to !== r.transferee) r.send({ kind: "goodbye", from: r.id, to, term: r.term, successor: r.transferee });
	}
}

/** The target did not take over in time: this leader goes on. A late campaign of it disturbs and harms nothing. */
export function ageTransfer(r: Raft): void {
	if (r.transferee === NO_NODE || --r.transferTicksLeft > 0) return;
	marks.transferTimedOut++;
	endTransfer(r, "timeout");
	if (r.diskStalled) becomeFollower(r, r.term, NO_NODE, { reason: "diskStalled", keepTimer: false });
}

/** A leader that cannot write must not stay one because its heartbeats still flow. */
export function abdicate(r: Raft): void {
	if (r.role !== "leader") return;
	marks.diskStalledAbdicates++;
	const { progress } = r;
	const successor = bestVoter(r, (slot) => progress.get(slot)?.recentActive === true && progress.get(slot)?.state !== "snapshot");
	if (successor === NO_NODE) becomeFollower(r, r.term, NO_NODE, { reason: "diskStalled", keepTimer: false });
	else transferLeadership(r, successor);
}

function endTransfer(r: Raft, outcome: "timeout" | "replaced"): void {
	if (r.transferee === NO_NODE) return;
	r.emit("transferEnded", r.log.lastIndex, { to: r.transferee, outcome });
	r.transferee = NO_NODE;
}
