import { fail, marks } from "@flotilla/base";
import { maybeCommit, settleConfigs } from "./commit.ts";
import { UNSCHEDULED } from "./heartbeats.ts";
import type { AppendResp, HeartbeatResp, LogIndex } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { confirmReads } from "./reads.ts";

/** What a leader learns from the answers of a peer (raft thesis §3.5, §3.6). */

export function onAppendResp(r: Raft, m: AppendResp, slot: number): void {
	const peer = r.progress.get(slot);
	if (peer === null) return;
	peer.recentActive = true;
	if (m.reject) onReject(r, peer, m);
	else onAcknowledged(r, peer, m);
	// Last: it may end this leadership.
	noteDurableCommit(r, slot, m.commit);
}

export function onHeartbeatResp(r: Raft, m: HeartbeatResp, slot: number): void {
	const peer = r.progress.get(slot);
	if (peer === null) return;
	peer.recentActive = true;
	const { match, readPosition } = r.progress;
	if (m.readPosition > (readPosition[slot] as number)) {
		readPosition[slot] = m.readPosition;
		confirmReads(r);
	}
	if (m.sequence === UNSCHEDULED) return;
	peer.probeSent = false;
	const owesCommit = r.unreportedConfigs.some((config) => config.index > (r.progress.durableCommit[slot] as number));
	if ((match[slot] as number) < r.log.lastIndex || owesCommit) peer.appendDue = true;
}

function onAcknowledged(r: Raft, peer: Progress, m: AppendResp): void {
	const { slot } = peer;
	if (m.index > r.log.lastIndex) {
		fail("a peer must not acknowledge entries that do not exist", { peer: peer.id, index: m.index, lastIndex: r.log.lastIndex });
	}
	const { match } = r.progress;
	const updated = m.index > (match[slot] as number);
	if (updated) match[slot] = m.index;
	if (peer.next <= m.index) peer.next = m.index + 1;
	if (!updated && !(peer.state === "probe" && match[slot] === m.index)) return;
	advance(r, peer, match[slot] as number);
	if (!updated || m.index <= r.log.commit || !r.members.isVoter(slot)) return;
	r.emit("peerDurable", m.index, peer.named);
	maybeCommit(r);
}

/** The peer's log equals ours up to `match`. */
function advance(r: Raft, peer: Progress, match: LogIndex): void {
	switch (peer.state) {
		case "probe":
			peer.becomeReplicate(match + 1);
			return;
		case "snapshot":
			// Whatever the transfer says: what follows can be had from the log again.
			if (match + 1 >= r.log.firstIndex) peer.becomeReplicate(match + 1);
			return;
		case "replicate":
			peer.inflights.freeUpto(match);
			return;
	}
}

/**
 * The peer holds another entry at the anchor, or none. Its hint is the newest place at which its terms do not exceed the
 * anchor's; ours bounds it by the same argument from our side. Together at most one round trip for each distinct term.
 */
function onReject(r: Raft, peer: Progress, m: AppendResp): void {
	const match = r.progress.match[peer.slot] as number;
	if (peer.state === "replicate") {
		// Either: a refusal of an append that a later acknowledgement has overtaken.
		if (m.index > match) peer.becomeProbe(match + 1, false);
		return;
	}
	// Either: an answer to an earlier probe.
	if (peer.state !== "probe" || m.index !== peer.next - 1) return;
	const hint = m.hintTerm > 0 ? boundHint(r, m.hintIndex, m.hintTerm) : m.hintIndex;
	peer.becomeProbe(Math.max(Math.min(m.index, hint + 1), match + 1), false);
}

function boundHint(r: Raft, hintIndex: LogIndex, hintTerm: number): LogIndex {
	const index = r.log.lastIndexWithTermAtMost(hintIndex, hintTerm);
	if (index >= 0 && index < hintIndex) marks.hintBoundByLeader++;
	// All remembered terms are newer: look just below them, where the WAL or a snapshot has to help.
	return index >= 0 ? index : Math.max(0, Math.min(hintIndex, r.log.termsFrom - 1));
}

function noteDurableCommit(r: Raft, slot: number, commit: LogIndex): void {
	const { durableCommit } = r.progress;
	if (commit <= (durableCommit[slot] as number)) return;
	durableCommit[slot] = commit;
	if (r.unreportedConfigs.length > 0) settleConfigs(r);
}
