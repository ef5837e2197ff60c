import { marks } from "@flotilla/base";
import { raiseCommit } from "./configuration.ts";
import { SELF } from "./members.ts";
import type { LogIndex } from "./message.ts";
import { NO_NODE } from "./message.ts";
import { quorumValue } from "./quorum.ts";
import type { Raft, UnreportedConfig } from "./raft.ts";
import { confirmReads, releaseWaitingReads } from "./reads.ts";
import { becomeFollower } from "./roles.ts";

/**
 * Commits what a quorum holds durably. Only entries of the own term commit by counting (raft thesis §3.6.2, figure 3.7): an
 * older entry on a majority can still be overwritten by a leader that has not seen it.
 */
export function maybeCommit(r: Raft): void {
	const before = r.log.commit;
	const confBefore = r.members.index;
	for (;;) {
		const index = quorumValue(r.members.voters, r.members.outgoing, r.progress.match, r.scratch);
		if (index <= r.log.commit || r.log.termAt(index) !== r.term) break;
		// May put another configuration in force, under which more is committed.
		raiseCommit(r, index);
	}
	if (r.log.commit !== before) releaseWaitingReads(r);
	// Under the new one fewer echoes may do.
	if (r.members.index !== confBefore) confirmReads(r);
}

/**
 * A change counts as done when a quorum of the new configuration holds durably that it is committed (rule C3); a newer one
 * that is done settles all before it. Until then removed peers are still fed, and a leader that removed itself stays.
 */
export function settleConfigs(r: Raft): void {
	const configs = r.unreportedConfigs;
	let done = configs.length;
	while (done > 0 && !isReported(r, configs[done - 1] as UnreportedConfig)) done--;
	if (done === 0) return;
	for (const { index, term } of configs.splice(0, done)) {
		r.output.membershipDone.push({ index, term });
		for (const slot of r.members.releaseDeparted(index)) r.progress.drop(slot);
	}
	if (configs.length === 0 && !r.members.selfIsVoter) leave(r);
}

function isReported(r: Raft, config: UnreportedConfig): boolean {
	return quorumValue(config.voters, config.outgoing, r.progress.durableCommit, r.scratch) >= config.index;
}

/**
 * Up to here a change may be answered: a quorum of the configuration in force holds durably that it is committed (rule C3).
 * After a change that only added a voter a quorum of those before does as well: it meets every quorum of the new ones, so
 * whoever campaigns finds the commit. And it has to do: what is added to a single voter reports nothing before it was
 * started, and is started only after the answer.
 */
export function settledCommit(r: Raft): LogIndex {
	if (r.role !== "leader") return 0;
	const { durableCommit } = r.progress;
	const settled = quorumValue(r.members.voters, r.members.outgoing, durableCommit, r.scratch);
	const votersBefore = r.unreportedConfigs.at(-1)?.votersBefore ?? null;
	return votersBefore === null ? settled : Math.max(settled, quorumValue(votersBefore, [], durableCommit, r.scratch));
}

/** This leader was removed, and the others know it for good: the best of them should not wait for a time-out. */
function leave(r: Raft): void {
	marks.leaderRemovedItself++;
	const successor = bestVoter(r, () => true);
	if (successor !== NO_NODE) r.send({ kind: "timeoutNow", from: r.id, to: successor, term: r.term });
	becomeFollower(r, r.term, NO_NODE, { reason: "removed", keepTimer: false });
}

/** The other voter that holds most of the log, the lowest id among equals; NO_NODE when there is none. */
export function bestVoter(r: Raft, isFit: (slot: number) => boolean): bigint {
	let best = SELF;
	for (const slot of r.members.targets) {
		if (!r.members.isIncomingVoter(slot) || !isFit(slot)) continue;
		if (best === SELF || (r.progress.match[slot] as number) > (r.progress.match[best] as number)) best = slot;
	}
	return best === SELF ? NO_NODE : r.members.idOf(best);
}
