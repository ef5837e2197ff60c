import { fail, marks } from "@flotilla/base";
import { changedConf, isJoint, isWellFormed } from "./conf-change.ts";
import { confChangeOfEntry } from "./conf-codec.ts";
import type { CommitMark, ConfState, Entry, LogIndex, SnapshotMeta } from "./message.ts";
import { EntryKind, NO_NODE } from "./message.ts";
import type { RestoredLog } from "./output.ts";
import type { PendingConfig, Raft } from "./raft.ts";
import { becomeFollower } from "./roles.ts";
import { drawRetryTicks } from "./round-spans.ts";

/**
 * When a configuration takes effect (rules C1 and C4): the one in force is that of the newest configuration entry at or
 * below F = max(commit, applied, snapshot index, index of the last configuration entry but one in the log). A second
 * configuration entry proves the first one committed, because a leader appends none while another is uncommitted; so F
 * raises commit, and the rule becomes: commit passes an entry, and its configuration is in force within the same step.
 */

/** More are taken, with a warning: each write then waits for a majority of them. */
const VOTERS_ADVISED = 7;

/** At start: the configuration in force is derived from the log, never read back from anywhere (rule C1). */
export function startFrom(r: Raft, restored: RestoredLog): void {
	const { base, entries, hardState, applied } = restored;
	const lastIndex = base.index + entries.length;
	if (hardState.commit > lastIndex) fail("the log must reach its durable commit", { commit: hardState.commit, lastIndex });
	if (applied < base.index || applied > lastIndex) fail("the log must hold what was applied", { applied, base: base.index, lastIndex });
	if (!isWellFormed(base.confState)) fail("the configuration of the base must be well-formed", { index: base.index });
	r.members.install(base.confState, base.index, false);
	appendToLog(r, entries);
	r.log.stableTo(lastIndex);
	if (r.log.lastTerm > r.term) fail("the log must not be ahead of the durable term", { lastTerm: r.log.lastTerm, term: r.term });
	raiseCommit(r, Math.max(hardState.commit, applied));
}

/** Replaces the whole log: what lies beyond the snapshot is unverified or contradicts it. */
export function installSnapshot(r: Raft, meta: SnapshotMeta): void {
	marks.snapshotInstalled++;
	if (isJoint(meta.confState)) marks.snapshotWhileJoint++;
	r.work.noteSnapshot(meta, Math.min(r.log.stable, r.log.commit));
	r.log.restore(meta);
	r.pendingConfigs = [];
	r.members.install(meta.confState, meta.index, false);
	r.output.config = { index: meta.index, confState: meta.confState };
	r.emit("snapshotRestored", meta.index, { generation: meta.generation });
}

/** The only way in which commit rises. */
export function raiseCommit(r: Raft, index: LogIndex): void {
	if (index <= r.log.commit) return;
	r.log.commitTo(index);
	while (r.pendingConfigs.length > 0 && (r.pendingConfigs[0] as PendingConfig).index <= index) {
		putInForce(r, r.pendingConfigs.shift() as PendingConfig);
	}
}

/** Appends to the log in memory. */
export function appendToLog(r: Raft, entries: readonly Entry[]): void {
	r.log.append(entries);
	for (const entry of entries) if (entry.kind === EntryKind.config) r.pendingConfigs.push({ index: entry.index, data: entry.data });
	const lastButOne = r.pendingConfigs[r.pendingConfigs.length - 2];
	if (lastButOne !== undefined) raiseCommit(r, lastButOne.index);
}

/** Removes the log from `index` on, in memory; the next item for the disk says so. */
export function truncateLog(r: Raft, index: LogIndex): void {
	r.log.truncateFrom(index);
	r.work.noteTruncation(index);
	while (r.pendingConfigs.length > 0 && (r.pendingConfigs[r.pendingConfigs.length - 1] as PendingConfig).index >= index) {
		r.pendingConfigs.pop();
	}
}

/**
 * Whoever holds exactly the entry that another node knows to be committed knows it too (rule C4). Without this a commit
 * known to a few could be forgotten by an election, and with it the configuration that it brought.
 */
export function takeCommitMark(r: Raft, mark: CommitMark): void {
	if (mark.commit > r.log.commit && r.log.matches(mark.commit, mark.commitTerm)) {
		marks.commitByMark++;
		raiseCommit(r, mark.commit);
	}
}

export function commitMark(r: Raft): CommitMark {
	return { commit: r.log.commit, commitTerm: r.log.termAt(r.log.commit) };
}

function putInForce(r: Raft, pending: PendingConfig): void {
	const request = confChangeOfEntry(pending.data);
	const before = r.members.conf;
	const conf = changedConf(before, request);
	if (conf === null) fail("a committed configuration change must fit the configuration before it", { index: pending.index });
	r.members.install(conf, pending.index, r.role === "leader");
	r.work.syncCommit();
	r.output.config = { index: pending.index, confState: conf };
	r.emit("configChanged", pending.index, { voters: conf.voters.length, learners: conf.learners.length, joint: r.members.joint });
	if (conf.voters.length > VOTERS_ADVISED) r.emit("manyVoters", pending.index, { voters: conf.voters.length });
	switch (r.role) {
		case "leader":
			adoptAsLeader(r, pending.index, before);
			return;
		case "candidate":
		case "preCandidate":
			marks.candidateMetConfig++;
			// The votes were asked for under a configuration that is no longer in force: ask again soon.
			becomeFollower(r, r.term, NO_NODE, { reason: "configChanged", keepTimer: false });
			r.campaignInTicks = drawRetryTicks(r);
			return;
		case "follower":
			return;
	}
}

function adoptAsLeader(r: Raft, index: LogIndex, before: ConfState): void {
	const { members, progress } = r;
	for (const slot of members.targets) {
		// Counted as active at first: adding a member must not make the next quorum check fail.
		if (progress.get(slot) === null) progress.add(members.idOf(slot), slot, r.log.lastIndex + 1, true);
	}
	r.lostBy.fill(0);
	const votersBefore = onlyAdds(before, members.conf) ? before.voters.map((id) => members.slotOf(id)) : null;
	r.unreportedConfigs.push({ index, term: r.log.termAt(index), voters: members.voters, outgoing: members.outgoing, votersBefore });
	if (r.transferee !== NO_NODE && !members.isIncomingVoter(members.slotOf(r.transferee))) {
		r.emit("transferEnded", r.log.lastIndex, { to: r.transferee, outcome: "notVoter" });
		r.transferee = NO_NODE;
	}
}

/** One voter more and none less: any quorum of the one configuration meets any quorum of the other. */
function onlyAdds(before: ConfState, conf: ConfState): boolean {
	if (isJoint(before) || isJoint(conf) || conf.voters.length !== before.voters.length + 1) return false;
	return before.voters.every((id) => conf.voters.includes(id));
}
