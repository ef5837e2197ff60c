import { isWellFormed } from "./conf-change.ts";
import { decodeConfChange } from "./conf-codec.ts";
import type { Append, Message, NodeId } from "./message.ts";
import { EntryKind, NO_NODE } from "./message.ts";

/** What no member of this version would have sent. The core may rely on the rest without looking again. */
export function isPlausible(m: Message, self: NodeId): boolean {
	if (m.to !== self || m.from === NO_NODE || m.from === self || !isPosition(m.term)) return false;
	switch (m.kind) {
		case "append":
			return isPosition(m.prevIndex) && isPosition(m.prevTerm) && isPosition(m.commit) && isStretch(m);
		case "appendResp":
			return isPosition(m.index) && isPosition(m.hintIndex) && isPosition(m.hintTerm) && isPosition(m.commit);
		case "heartbeat":
			return isPosition(m.commit) && isPosition(m.commitTerm) && isPosition(m.readPosition) && isPosition(m.sequence);
		case "heartbeatResp":
			return isPosition(m.readPosition) && isPosition(m.sequence);
		case "vote":
		case "preVote":
			return m.term > 0 && isPosition(m.lastIndex) && isPosition(m.lastTerm) && isPosition(m.commit) && isPosition(m.commitTerm);
		case "voteResp":
		case "preVoteResp":
			return isPosition(m.commit) && isPosition(m.commitTerm);
		case "snapshot":
			return isPosition(m.meta.index) && m.meta.index > 0 && isPosition(m.meta.term) && isWellFormed(m.meta.confState);
		case "readIndexResp":
			return isPosition(m.index);
		case "timeoutNow":
		case "readIndex":
		case "goodbye":
			return true;
	}
}

function isPosition(value: number): boolean {
	return Number.isSafeInteger(value) && value >= 0;
}

/** Consecutive entries whose terms do not fall and do not exceed the message's; configuration entries decode. */
function isStretch(m: Append): boolean {
	let { prevIndex: index, prevTerm: term } = m;
	for (const entry of m.entries) {
		if (entry.index !== ++index || entry.term < term || entry.term > m.term) return false;
		term = entry.term;
		if (entry.kind === EntryKind.config && decodeConfChange(entry.data) === null) return false;
	}
	return term <= m.term;
}
