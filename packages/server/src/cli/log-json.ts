/** A log as JSON lines: one object for each entry and for each thing that is said about the log itself, told apart by `type`. */
import type { ConfState, Entry, HardState, SnapshotMeta } from "@flotilla/raft";
import type { DumpFact } from "../wal/dump.ts";
import type { ScannedFrame } from "../wal/frame-scan.ts";
import type { WalIdentity } from "../wal/wal-interface.ts";
import { describeOperation, hex, type Plain } from "./log-operation.ts";

/** Takes facts in their order and prints lines. */
export class LogJson {
	private readonly valueBytesMax: number;
	private readonly print: (line: string) => void;
	/** The last state that was told: nearly every frame repeats it. */
	private state = "";

	constructor(valueBytesMax: number, print: (line: string) => void) {
		this.valueBytesMax = valueBytesMax;
		this.print = print;
	}

	tell(fact: DumpFact): void {
		switch (fact.kind) {
			case "identity":
				this.line("identity", { file: fact.path, ...plainIdentity(fact.identity) });
				break;
			case "vote": {
				const { term, vote, headSeq, counter } = fact.vote;
				const damaged = fact.damagedSlots === 0 ? {} : { damagedSlots: fact.damagedSlots };
				this.line("vote", { file: fact.path, term, vote: hex(vote), durableFrame: headSeq, write: counter, ...damaged });
				break;
			}
			case "segment": {
				const { path, bytes, header } = fact;
				const said = header === null ? {} : { sequence: header.sequence, version: header.version, firstFrame: header.firstSeq };
				this.line("segment", { file: path, fileBytes: bytes, ...said });
				break;
			}
			case "dropped":
				this.line("dropped", { file: fact.path });
				break;
			case "frame":
				this.frame(fact.frame);
				break;
			case "end":
				this.line("end", { file: fact.path, offset: fact.offset, growing: fact.growing });
				break;
			case "leftover": {
				const { offset, seq, syncedSeq, lost } = fact;
				this.line("leftover", { offset, frame: seq, durableFrame: syncedSeq, durableFramesLost: lost });
				break;
			}
			case "problem":
				this.line("problem", { file: fact.path, text: fact.text });
				break;
			case "totals":
				this.line("totals", { ...fact.counts });
				break;
		}
	}

	private frame({ offset, header, content }: ScannedFrame): void {
		const { checkpoint, hardState, snapshot, truncateFrom, truncateTerm, entries, fence } = content;
		const frame = header.seq;
		if (checkpoint !== null) {
			const { lastIndex, lastTerm, snapshot: point } = checkpoint;
			this.line("checkpoint", { frame, offset, lastIndex, lastTerm, snapshot: plainSnapshot(point) });
			this.hardState(frame, checkpoint.hardState);
		}
		if (hardState !== null) this.hardState(frame, hardState);
		if (snapshot !== null) this.line("snapshot", { frame, offset, ...plainSnapshot(snapshot) });
		if (truncateFrom !== 0) this.line("truncate", { frame, offset, fromIndex: truncateFrom, termBefore: truncateTerm });
		for (const entry of entries) this.entry(frame, entry);
		if (fence !== null) this.line("fence", { frame, offset, verifiedFrame: fence.verifiedSeq, cleanStop: fence.closing });
	}

	private entry(frame: number, entry: Entry): void {
		const { index, term, data } = entry;
		this.line("entry", { index, term, ...describeOperation(entry, this.valueBytesMax), bytes: data.length, frame });
	}

	private hardState(frame: number, { term, vote, commit }: HardState): void {
		const state = `${term}/${vote}/${commit}`;
		if (state === this.state) return;
		this.state = state;
		this.line("state", { frame, term, vote: hex(vote), commit });
	}

	private line(type: string, fields: Plain): void {
		this.print(JSON.stringify({ type, ...fields }));
	}
}

function plainIdentity({ clusterId, memberId, walId }: WalIdentity): Plain {
	return { cluster: hex(clusterId), member: hex(memberId), log: hex(walId) };
}

function plainSnapshot({ index, term, generation, confState }: SnapshotMeta): Plain {
	return { index, term, ...(generation === "" ? {} : { generation }), configuration: plainConf(confState) };
}

function plainConf({ voters, learners, votersOutgoing, learnersNext, autoLeave }: ConfState): Plain {
	const ids = { voters: voters.map(hex), learners: learners.map(hex) };
	if (votersOutgoing.length === 0 && learnersNext.length === 0 && !autoLeave) return ids;
	return { ...ids, votersOutgoing: votersOutgoing.map(hex), learnersNext: learnersNext.map(hex), autoLeave };
}
