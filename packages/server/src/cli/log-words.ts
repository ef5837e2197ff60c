/** A log in words, for people: `flotilla log dump --words`. */
import type { ConfState, Entry, HardState, NodeId, SnapshotMeta } from "@flotilla/raft";
import type { DumpFact } from "../wal/dump.ts";
import type { ScannedFrame } from "../wal/frame-scan.ts";
import type { FrameContent } from "../wal/records.ts";
import type { WalIdentity } from "../wal/wal-interface.ts";

export interface WordsOptions {
	/** A line for each entry, or one for each run of them. */
	readonly eachEntry: boolean;
	/** Bytes of an entry's data that are shown. */
	readonly dataBytesMax: number;
}

/** Takes facts in their order and prints lines. */
export class LogWords {
	private readonly options: WordsOptions;
	private readonly print: (line: string) => void;
	/** Problems stand under the file whose line came last. */
	private file = "";

	constructor(options: WordsOptions, print: (line: string) => void) {
		this.options = options;
		this.print = print;
	}

	tell(fact: DumpFact): void {
		switch (fact.kind) {
			case "identity":
				this.print(`${fact.path}: ${describeIdentity(fact.identity)}`);
				break;
			case "vote": {
				const { term, vote, headSeq, counter } = fact.vote;
				// A crash while it was written explains one; the next write mends it.
				const damaged = fact.damagedSlots === 0 ? "" : "; one of its two slots fails its checksum";
				this.print(`${fact.path}: term ${term}, vote ${describeId(vote)}, frames durable up to ${headSeq}, write ${counter}${damaged}`);
				break;
			}
			case "segment":
				this.segment(fact);
				break;
			case "dropped":
				this.print(`${fact.path}: the member let go of it meanwhile`);
				break;
			case "frame":
				this.frame(fact.frame);
				break;
			case "end":
				this.print(`  end at offset ${fact.offset}, ${fact.growing ? "and the member goes on writing" : "zeros behind it"}`);
				break;
			case "leftover": {
				const { seq, offset, syncedSeq, lost } = fact;
				const meaning = lost ? "frames that were durable are damaged" : "a write that a crash cut short";
				this.print(`  frame ${seq} at offset ${offset} says that frames up to ${syncedSeq} were durable: ${meaning}`);
				break;
			}
			case "problem":
				this.print(fact.path === this.file ? `  PROBLEM: ${fact.text}` : `PROBLEM: ${fact.path}: ${fact.text}`);
				break;
			case "totals": {
				const { segments, frames, entries, problems } = fact.counts;
				const words = [count(segments, "segment"), count(frames, "frame"), count(entries, "entry", "entries"), count(problems, "problem")];
				this.print(words.join(", "));
				break;
			}
		}
	}

	private segment({ path, bytes, header }: Extract<DumpFact, { kind: "segment" }>): void {
		this.file = path;
		this.print(`${path}: ${bytes} bytes`);
		if (header === null) return;
		const { sequence, version, firstSeq, identity } = header;
		this.print(`  segment ${sequence}, version ${version}, first frame ${firstSeq}, ${describeIdentity(identity)}`);
	}

	private frame({ offset, bytes, header, content }: ScannedFrame): void {
		this.print(`  frame ${header.seq} at offset ${offset}, ${bytes} bytes, frames durable up to ${header.syncedSeq}`);
		this.content(content);
	}

	private content({ checkpoint, hardState, snapshot, truncateFrom, truncateTerm, entries, fence }: FrameContent): void {
		const say = (text: string): void => this.print(`    ${text}`);
		if (checkpoint !== null) {
			say(`checkpoint: last index ${checkpoint.lastIndex}, last term ${checkpoint.lastTerm}, ${describeIdentity(checkpoint.identity)}`);
			say(`  ${describeState(checkpoint.hardState)}`);
			say(`  ${describeSnapshot(checkpoint.snapshot)}`);
		}
		if (hardState !== null) say(describeState(hardState));
		if (snapshot !== null) say(`replaced by ${describeSnapshot(snapshot)}`);
		if (truncateFrom !== 0) say(`cut from entry ${truncateFrom} on, term ${truncateTerm} before it`);
		this.entries(entries, say);
		if (fence !== null) say(`fence: frames up to ${fence.verifiedSeq} were verified${fence.closing ? ", clean stop" : ", start"}`);
	}

	private entries(entries: readonly Entry[], say: (text: string) => void): void {
		const [first, last] = [entries[0], entries.at(-1)];
		if (first === undefined || last === undefined) return;
		if (this.options.eachEntry) {
			for (const entry of entries) say(describeEntry(entry, this.options.dataBytesMax));
			return;
		}
		const bytes = entries.reduce((sum, entry) => sum + entry.data.length, 0);
		const terms = first.term === last.term ? `term ${first.term}` : `terms ${first.term} to ${last.term}`;
		say(`entries ${first.index} to ${last.index}, ${terms}, ${bytes} bytes of data`);
	}
}

function describeIdentity({ clusterId, memberId, walId }: WalIdentity): string {
	return `cluster ${clusterId.toString(16)}, member ${memberId.toString(16)}, log ${walId.toString(16)}`;
}

function describeState({ term, vote, commit }: HardState): string {
	return `term ${term}, vote ${describeId(vote)}, commit ${commit}`;
}

function describeSnapshot({ index, term, generation, confState }: SnapshotMeta): string {
	const store = generation === "" ? "" : `, store generation ${generation}`;
	return `snapshot at index ${index}, term ${term}${store}, ${describeConf(confState)}`;
}

function describeConf({ voters, learners, votersOutgoing, learnersNext, autoLeave }: ConfState): string {
	const lists = [
		["voters", voters],
		["learners", learners],
		["outgoing voters", votersOutgoing],
		["next learners", learnersNext],
	] as const;
	const told = lists
		.filter(([name, ids]) => name === "voters" || ids.length > 0)
		.map(([name, ids]) => `${name} ${ids.map(describeId).join(" ")}`);
	return told.join(", ") + (autoLeave ? ", leaves by itself" : "");
}

function describeEntry({ index, term, kind, data }: Entry, dataBytesMax: number): string {
	const shown = Array.from(data.subarray(0, dataBytesMax), (byte) => byte.toString(16).padStart(2, "0")).join("");
	const text = `entry ${index}, term ${term}, ${kind === 1 ? "config" : "normal"}, ${data.length} bytes`;
	return shown === "" ? text : `${text}: ${shown}${data.length > dataBytesMax ? "..." : ""}`;
}

function describeId(id: NodeId): string {
	return id === 0n ? "none" : id.toString(16);
}

function count(number: number, one: string, many = `${one}s`): string {
	return `${number} ${number === 1 ? one : many}`;
}
