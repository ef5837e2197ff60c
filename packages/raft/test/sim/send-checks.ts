import type { AppendResp, Message, Vote, VoteResp } from "../../src/index.ts";
import type { LogImage, SimDisk } from "./disk.ts";
import { Violation } from "./violation.ts";

/** When a message leaves a member, what it promises must be on the member's disk. */
export function assertDurable(disk: SimDisk, m: Message): void {
	if (m.kind === "vote") assertCandidacy(disk.synced, m);
	if (m.kind === "voteResp" && !m.reject) assertVote(disk.synced, m);
	if (m.kind === "appendResp" && !m.reject && m.index > 0) assertAcknowledged(disk.synced, m);
	if (m.kind !== "append") return;
	const known = disk.issued.termAt(m.prevIndex);
	if (known >= 0 && known !== m.prevTerm) throw new Violation(`${m.from} anchors an append on a term that it does not hold`);
}

function assertCandidacy(synced: LogImage, m: Vote): void {
	const { hardState, lastIndex } = synced;
	if (hardState.term > m.term) return;
	if (hardState.term < m.term || hardState.vote !== m.from) throw new Violation(`${m.from} asks for votes before its own is durable`);
	const lastTerm = synced.termAt(lastIndex);
	const holds = lastTerm > m.lastTerm || (lastTerm === m.lastTerm && lastIndex >= m.lastIndex);
	if (!holds) throw new Violation(`${m.from} boasts of a log that is not durable`);
}

function assertVote({ hardState }: LogImage, m: VoteResp): void {
	const durable = hardState.term > m.term || (hardState.term === m.term && hardState.vote === m.to);
	if (!durable) throw new Violation(`${m.from} gives a vote that is not durable`);
}

function assertAcknowledged(synced: LogImage, m: AppendResp): void {
	const { term, commit } = synced.hardState;
	if (term < m.term) throw new Violation(`${m.from} acknowledges in a term that is not durable`);
	if (term === m.term && synced.lastIndex < m.index) throw new Violation(`${m.from} acknowledges ${m.index} before it is durable`);
	if (commit < m.commit && synced.base.index < m.commit) throw new Violation(`${m.from} reports a commit that is not durable`);
}
