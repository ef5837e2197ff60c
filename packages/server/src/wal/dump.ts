/** A log in words, for people (`flotilla log dump`). Reads without the member's lock and changes nothing. */
import type { ByteOps } from "@flotilla/base";
import type { ConfState, Entry, HardState, NodeId, SnapshotMeta } from "@flotilla/raft";
import type { FileScript } from "../disk/file-script.ts";
import { frameSeed, readSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./format.ts";
import { FileWindow, type ScannedFrame, type ScanStop, scanFrames, scanLeftover } from "./frame-scan.ts";
import { decodeIdentity, decodeVoteFile, IDENTITY_PATH, VOTE_PATH } from "./meta-files.ts";
import type { FrameContent } from "./records.ts";
import { cutShort, listSegments, readWhole, type SegmentName } from "./recover-log.ts";
import type { WalIdentity } from "./wal-interface.ts";

export interface DumpOptions {
	/** Relative to the member's folder. */
	readonly folder: string;
	/** A line for each entry, or one for each run of them. */
	readonly eachEntry: boolean;
	/** Bytes of an entry's data that are shown. */
	readonly dataBytesMax: number;
}

export interface DumpCounts {
	segments: number;
	frames: number;
	entries: number;
	/** Things that a start would refuse, or at least repair. */
	problems: number;
}

/** Prints what can be read and goes on behind a damaged segment. */
export function* dumpLog(ops: ByteOps, options: DumpOptions, print: (line: string) => void): FileScript<DumpCounts> {
	return yield* new LogDump(ops, options, print).run();
}

class LogDump {
	private readonly ops: ByteOps;
	private readonly options: DumpOptions;
	private readonly print: (line: string) => void;
	private readonly counts: DumpCounts = { segments: 0, frames: 0, entries: 0, problems: 0 };
	private chain: { readonly seq: number; readonly prevCrc: number } | null = null;

	constructor(ops: ByteOps, options: DumpOptions, print: (line: string) => void) {
		this.ops = ops;
		this.options = options;
		this.print = print;
	}

	*run(): FileScript<DumpCounts> {
		yield* this.metaFiles();
		const names = yield* listSegments(this.options.folder);
		if ("code" in names) this.problem("", names.text);
		else for (const [at, name] of names.entries()) yield* this.segment(name, at === names.length - 1);
		const { segments, frames, entries, problems } = this.counts;
		this.print(
			`${count(segments, "segment")}, ${count(frames, "frame")}, ${count(entries, "entry", "entries")}, ${count(problems, "problem")}`,
		);
		return this.counts;
	}

	private *metaFiles(): FileScript<void> {
		const bytes = yield* readWhole(IDENTITY_PATH);
		const identity = bytes instanceof Uint8Array ? decodeIdentity(this.ops, bytes) : bytes;
		if ("code" in identity) {
			this.problem("", `${IDENTITY_PATH}: ${identity.text}`);
			return;
		}
		this.print(`${IDENTITY_PATH}: ${describeIdentity(identity)}`);
		const voteBytes = yield* readWhole(VOTE_PATH);
		const vote = voteBytes instanceof Uint8Array ? decodeVoteFile(this.ops, identity.walId, voteBytes) : voteBytes;
		if ("code" in vote) this.problem("", `${VOTE_PATH}: ${vote.text}`);
		else
			this.print(
				`${VOTE_PATH}: term ${vote.term}, vote ${describeId(vote.vote)}, frames durable up to ${vote.headSeq}, write ${vote.counter}`,
			);
	}

	private *segment({ name, sequence }: SegmentName, last: boolean): FileScript<void> {
		const path = `${this.options.folder}/${name}`;
		this.counts.segments++;
		const size = yield { kind: "size", path };
		const window = new FileWindow(path, size.bytes);
		const error = size.error ?? (yield* window.load(0, SEGMENT_HEADER_BYTES));
		this.print(`${path}: ${size.bytes} bytes`);
		if (error !== null) {
			this.problem("  ", `cannot be read: ${error}`);
			return;
		}
		const header = readSegmentHeader(this.ops, window.bytes);
		if (typeof header === "string") {
			this.problem("  ", header);
			return;
		}
		this.header(header, sequence);
		if (window.size < header.fileBytes) this.problem("  ", cutShort(window.size, header));
		window.size = Math.min(window.size, header.fileBytes);
		const seed = frameSeed(this.ops, header.identity);
		const expected = { seq: header.firstSeq, prevCrc: header.crc };
		const stop = yield* scanFrames(this.ops, window, seed, SEGMENT_HEADER_BYTES, expected, (frame) => {
			this.frame(frame);
			return "next";
		});
		yield* this.end(window, seed, stop, last);
	}

	private header(header: SegmentHeader, sequence: number): void {
		this.print(
			`  segment ${header.sequence}, version ${header.version}, first frame ${header.firstSeq}, ${describeIdentity(header.identity)}`,
		);
		if (header.sequence !== sequence) this.problem("  ", `the file's name says segment ${sequence}`);
		const { chain } = this;
		if (chain !== null && chain.seq !== header.firstSeq) this.problem("  ", `the segment before ends before frame ${chain.seq}`);
		else if (chain !== null && chain.prevCrc !== header.chain) this.problem("  ", "the segment before ends with another frame");
		this.chain = null;
	}

	private *end(window: FileWindow, seed: number, stop: ScanStop, last: boolean): FileScript<void> {
		if (stop.kind === "io") this.problem("  ", `offset ${stop.offset}: cannot be read: ${stop.error}`);
		else if (stop.kind === "nonsense") this.problem("  ", `offset ${stop.offset}, frame ${stop.seq}: ${stop.found}`);
		if (stop.kind !== "end") return;
		this.chain = stop;
		const left = yield* scanLeftover(this.ops, window, seed, stop.offset);
		if (typeof left === "string") this.problem("  ", `offset ${stop.offset}: cannot be read: ${left}`);
		else if (left.end === stop.offset) this.print(`  end at offset ${stop.offset}, zeros behind it`);
		else {
			this.problem("  ", `offset ${stop.offset}: found ${stop.found}, and ${left.end - stop.offset} bytes that are not zero throughout`);
			if (left.header === null) return;
			const { seq, offset, syncedSeq } = left.header;
			const lost = syncedSeq >= stop.seq || !last ? "frames that were durable are damaged" : "a write that a crash cut short";
			this.print(`  frame ${seq} at offset ${offset} says that frames up to ${syncedSeq} were durable: ${lost}`);
		}
	}

	private frame({ offset, bytes, header, content }: ScannedFrame): void {
		this.counts.frames++;
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
		this.counts.entries += entries.length;
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

	private problem(indent: string, text: string): void {
		this.counts.problems++;
		this.print(`${indent}PROBLEM: ${text}`);
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
