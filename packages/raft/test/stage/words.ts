import type { AppendWork, ConfState, CoreStatus, Entry, Message, NodeId, PeerStatus } from "../../src/index.ts";
import { decodeConfChange, EntryKind } from "../../src/index.ts";

/** One line for each thing that a transcript shows. `index@term` names an entry. */

export function describeMessage(m: Message): string {
	return `${m.from}>${m.to} ${m.kind} term ${m.term}${contentOf(m)}`;
}

export function describeWork({ seq, hardState, truncateFrom, entries, snapshot, mustSync, release }: AppendWork): string {
	const parts = [`write ${seq}:`];
	if (hardState !== null) parts.push(`term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`);
	if (snapshot !== null) parts.push(`snapshot ${snapshot.index}@${snapshot.term}`);
	if (truncateFrom > 0) parts.push(`cut from ${truncateFrom}`);
	if (entries.length > 0) parts.push(describeEntries(entries));
	if (!mustSync) parts.push("(need not be synced)");
	if (release.length > 0) parts.push(`then ${release.map(({ kind, to }) => `${kind} to ${to}`).join(", ")}`);
	return parts.join(" ");
}

export function describeEntries(entries: readonly Entry[]): string {
	if (entries.length > 8) return `${describeEntries(entries.slice(0, 2))} ... ${describeEntries(entries.slice(-1))}`;
	return entries.map(({ index, term, kind, data }) => `${index}@${term}${kind === EntryKind.config ? changeOf(data) : ""}`).join(" ");
}

export function describeConf({ voters, learners, votersOutgoing, learnersNext, autoLeave }: ConfState): string {
	const lists = [
		["voters", voters],
		["outgoing", votersOutgoing],
		["learners", learners],
		["learners next", learnersNext],
	] as [string, readonly NodeId[]][];
	const shown = lists.filter(([, ids]) => ids.length > 0).map(([name, ids]) => `${name} ${ids.join(" ")}`);
	return `${shown.join(", ")}${autoLeave ? ", leaves by itself" : ""}`;
}

export function describeStatus(status: CoreStatus): string {
	const { id, role, term, vote, leader, commit, applied, stable, lastIndex, lastTerm, confState } = status;
	return `${id} ${role} term ${term} vote ${vote} leader ${leader} commit ${commit} applied ${applied} stable ${stable} last ${lastIndex}@${lastTerm} | ${describeConf(confState)}`;
}

export function describePeer({ id, match, next, state, recentActive, learner }: PeerStatus): string {
	return `${id} ${state} match ${match} next ${next}${learner ? " learner" : ""}${recentActive ? "" : " silent"}`;
}

function contentOf(m: Message): string {
	switch (m.kind) {
		case "append":
			return ` after ${m.prevIndex}@${m.prevTerm} commit ${m.commit}${m.entries.length > 0 ? ` brings ${describeEntries(m.entries)}` : ""}`;
		case "appendResp":
			if (!m.reject) return ` holds ${m.index}, knows commit ${m.commit}`;
			return ` REFUSED after ${m.index}, hint ${m.hintIndex}@${m.hintTerm}`;
		case "heartbeat":
			return ` commit ${m.commit}@${m.commitTerm}${m.readPosition > 0 ? ` read position ${m.readPosition}` : ""}`;
		case "heartbeatResp":
			return m.readPosition > 0 ? ` read position ${m.readPosition}` : "";
		case "vote":
		case "preVote":
			return ` last ${m.lastIndex}@${m.lastTerm} commit ${m.commit}@${m.commitTerm}${m.kind === "vote" && m.transfer ? " handed over" : ""}${m.kind === "preVote" && m.leaderLost ? " leader lost" : ""}`;
		case "voteResp":
			return m.reject ? " REFUSED" : " granted";
		case "preVoteResp":
			return `${m.reject ? " REFUSED" : " granted"}${m.sticky ? ", still hears the leader" : ""}`;
		case "snapshot":
			return ` ${m.meta.index}@${m.meta.term}`;
		case "readIndex":
			return ` read ${m.token.counter}`;
		case "readIndexResp":
			return ` read ${m.token.counter} ${m.index > 0 ? `at ${m.index}` : "REFUSED"}`;
		case "goodbye":
			return ` successor ${m.successor}`;
		case "timeoutNow":
			return "";
	}
}

function changeOf(data: Uint8Array): string {
	const request = decodeConfChange(data);
	if (request === null) return "[?]";
	if (request.changes.length === 0) return "[leave joint]";
	return `[${request.changes.map(({ op, node }) => `${op} ${node}`).join(", ")}]`;
}
