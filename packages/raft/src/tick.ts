import { marks } from "@flotilla/base";
import { campaign } from "./campaign.ts";
import { broadcastHeartbeat, clearActive, isQuorumActive } from "./heartbeats.ts";
import { ageStickyRequests } from "./hints.ts";
import { answerStickyAnew, loseLeader } from "./lost-leader.ts";
import { NO_NODE } from "./message.ts";
import type { Raft } from "./raft.ts";
import { endSnapshot } from "./replicate.ts";
import { becomeFollower, setLeader } from "./roles.ts";
import { drawRetryTicks, isRoundUnwritten } from "./round-spans.ts";
import { ageTransfer } from "./transfer.ts";

export function tick(r: Raft): void {
	ageStickyRequests(r);
	if (r.role === "leader") tickLeader(r);
	else tickFollower(r);
}

function tickFollower(r: Raft): void {
	r.electionElapsed++;
	if (r.hintTicksLeft > 0) r.hintTicksLeft--;
	if (r.goodbyeTicksLeft > 0 && --r.goodbyeTicksLeft === 0 && r.leader !== NO_NODE && r.heldLostLeader === r.leader) loseLeader(r);
	if (r.campaignInTicks > 0 && --r.campaignInTicks === 0) {
		if (!isRoundUnwritten(r)) {
			campaign(r, r.hintTicksLeft > 0 ? "connectionLost" : r.campaignReason);
			return;
		}
		r.campaignInTicks = drawRetryTicks(r);
	}
	if (r.electionElapsed < r.electionDrawTicks) return;
	r.electionElapsed = 0;
	if (r.promotable && !r.diskStalled) {
		campaign(r, "timeout");
		return;
	}
	// It may not follow, but it should not believe in a silent leader for ever: reads would be sent into the void.
	setLeader(r, NO_NODE, "silence");
}

function tickLeader(r: Raft): void {
	r.heartbeatElapsed++;
	r.electionElapsed++;
	if (isQuorumCheckDue(r) && !isQuorumActive(r)) {
		marks.quorumLost++;
		becomeFollower(r, r.term, NO_NODE, { reason: "quorumLost", keepTimer: false });
		answerStickyAnew(r);
		return;
	}
	if (r.electionElapsed >= r.config.electionTicks) {
		r.electionElapsed = 0;
		if (r.quorumCheckInTicks === 0) clearActive(r);
	}
	if (r.quorumCheckInTicks > 0) r.quorumCheckInTicks--;
	ageTransfer(r);
	if (r.role !== "leader") return;
	ageSnapshots(r);
	if (r.heartbeatElapsed >= r.config.heartbeatTicks) broadcastHeartbeat(r);
}

/** Each election timeout, unless an early check is under way: that one has cleared the flags and decides sooner. */
function isQuorumCheckDue(r: Raft): boolean {
	if (!r.config.checkQuorum) return false;
	if (r.quorumCheckInTicks > 0) return r.quorumCheckInTicks === 1;
	return r.electionElapsed >= r.config.electionTicks;
}

function ageSnapshots(r: Raft): void {
	for (const slot of r.members.targets) {
		const peer = r.progress.get(slot);
		if (peer?.state !== "snapshot" || ++peer.snapshotTicks < r.config.snapshotTimeoutTicks) continue;
		endSnapshot(peer, r.progress.match[slot] as number, 0);
	}
}
