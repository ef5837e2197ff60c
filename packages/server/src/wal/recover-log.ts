/**
 * Reading a log back (rule W7). Nothing is changed before everything was verified; then a torn tail is cut off, what may be
 * in the page cache only is written again, and the rest is zeroed.
 */

import type { ByteOps } from "@flotilla/base";
import { marks } from "@flotilla/base";
import type { HardState } from "@flotilla/raft";
import type { FileScript } from "../disk/file-script.ts";
import { frameSeed, parseSegmentName, readSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, WAL_VERSION } from "./format.ts";
import { FileWindow, type ScannedFrame, type ScanStop, scanFrames, scanLeftover, type Verdict, WIDE_WINDOW_BYTES } from "./frame-scan.ts";
import type { LogSegment } from "./log-map.ts";
import { LogState } from "./log-state.ts";
import { decodeIdentity, decodeVoteFile, IDENTITY_PATH, type MetaProblem, otherVersion, VOTE_PATH, type VoteSlot } from "./meta-files.ts";
import { type DamagePlace, refuseDamage, refuseForeign, refuseIo, refuseVersion } from "./refusal.ts";
import { repairTail } from "./tail-repair.ts";
import type { WalIdentity, WalRefusal } from "./wal-interface.ts";

/** Everything the writer goes on from. */
export interface LogEnd {
	readonly state: LogState;
	readonly segment: LogSegment;
	/** Where the next frame goes. */
	readonly endOffset: number;
	readonly nextSeq: number;
	readonly prevCrc: number;
	readonly voteSlot: VoteSlot;
	/** Log and vote file combined; the log may still lack it. */
	readonly hardState: HardState;
	readonly tornBytes: number;
	readonly cleanStop: boolean;
}

export type LogRecovery = { readonly ok: true; readonly end: LogEnd } | { readonly ok: false; readonly refusal: WalRefusal };

interface Meta {
	readonly identity: WalIdentity;
	readonly vote: VoteSlot;
}

/** Looks at what was read before anything is repaired: a log that its owner refuses stays as it is, byte for byte. */
export type LogExaminer = (end: LogEnd) => WalRefusal | null;

export function* recoverScript(ops: ByteOps, folder: string, examine: LogExaminer = () => null): FileScript<LogRecovery> {
	const meta = yield* readMeta(ops);
	if ("code" in meta) return { ok: false, refusal: meta };
	const names = yield* listSegments(folder);
	if ("code" in names) return { ok: false, refusal: names };
	const reader = new LogScan(ops, meta, folder);
	for (const [at, name] of names.entries()) {
		const refusal = yield* reader.segment(name, at === names.length - 1);
		if (refusal !== null) return { ok: false, refusal };
	}
	return yield* reader.finish(examine);
}

function* readMeta(ops: ByteOps): FileScript<Meta | WalRefusal> {
	const identityBytes = yield* readWhole(IDENTITY_PATH);
	if (!(identityBytes instanceof Uint8Array)) return identityBytes;
	const identity = decodeIdentity(ops, identityBytes);
	if ("code" in identity) return refuseMeta(IDENTITY_PATH, identity);
	const voteBytes = yield* readWhole(VOTE_PATH);
	if (!(voteBytes instanceof Uint8Array)) return voteBytes;
	const vote = decodeVoteFile(ops, identity.walId, voteBytes);
	return "code" in vote ? refuseMeta(VOTE_PATH, vote) : { identity, vote };
}

/** More than either of the two files can have is not read. */
const META_BYTES_MAX = 1 << 20;

export function* readWhole(path: string): FileScript<Uint8Array | WalRefusal> {
	const size = yield { kind: "size", path };
	if (size.error === "ENOENT") return refuseDamage("missing", { path }, "the file is missing");
	if (size.error !== null) return refuseIo({ path }, "looking at", size.error);
	const read = yield { kind: "read", path, offset: 0, bytes: Math.min(size.bytes, META_BYTES_MAX) };
	if (read.error !== null) return refuseIo({ path }, "reading", read.error);
	return read.data ?? new Uint8Array(0);
}

function refuseMeta(path: string, problem: MetaProblem): WalRefusal {
	if (problem.code === "newer" || problem.code === "older") return refuseVersion(problem.code, { path }, problem.text);
	return problem.code === "foreign" ? refuseForeign({ path }, problem.text) : refuseDamage("corrupt", { path }, problem.text);
}

export interface SegmentName {
	readonly name: string;
	readonly sequence: number;
}

/** The segments in order, without a gap between them. */
export function* listSegments(folder: string): FileScript<readonly SegmentName[] | WalRefusal> {
	const list = yield { kind: "list", folder };
	if (list.error === "ENOENT") return refuseDamage("missing", { path: folder }, "the folder of the log is missing");
	if (list.error !== null) return refuseIo({ path: folder }, "listing", list.error);
	const segments: SegmentName[] = [];
	for (const name of list.names ?? []) {
		const sequence = parseSegmentName(name);
		if (sequence !== null) segments.push({ name, sequence });
	}
	segments.sort((a, b) => a.sequence - b.sequence);
	if (segments.length === 0) return refuseDamage("missing", { path: folder }, "it holds no segment");
	for (let i = 1; i < segments.length; i++) {
		const [before, after] = [segments[i - 1] as SegmentName, segments[i] as SegmentName];
		if (after.sequence === before.sequence + 1) continue;
		const found = `segment ${after.sequence} follows segment ${before.sequence}`;
		return refuseDamage("missing", { path: `${folder}/${after.name}` }, found);
	}
	return segments;
}

/** Goes through the segments in order and gathers the state. */
class LogScan {
	private readonly ops: ByteOps;
	private readonly meta: Meta;
	private readonly folder: string;
	private readonly seed: number;
	private state: LogState | null = null;
	/** The segment read last, and where its frames ended. */
	private current: LogSegment | null = null;
	private window = new FileWindow("", 0);
	private stopped = { offset: 0, seq: 0, prevCrc: 0, found: "" };
	/** Highest frame known to have been durable. */
	private syncedSeq: number;
	/** Offsets of the current segment's frames, the first of them being frame `firstSeq`. */
	private offsets: number[] = [];
	private firstSeq = 0;
	private closingSeq = 0;

	constructor(ops: ByteOps, meta: Meta, folder: string) {
		this.ops = ops;
		this.meta = meta;
		this.folder = folder;
		this.seed = frameSeed(ops, meta.identity);
		this.syncedSeq = meta.vote.headSeq;
	}

	*segment({ name, sequence }: SegmentName, last: boolean): FileScript<WalRefusal | null> {
		const path = `${this.folder}/${name}`;
		const size = yield { kind: "size", path };
		if (size.error !== null) return refuseIo({ path }, "looking at", size.error);
		this.window = new FileWindow(path, size.bytes, WIDE_WINDOW_BYTES);
		const header = yield* this.header(sequence);
		if ("code" in header) return header;
		const start = this.current === null ? 0 : this.current.start + this.current.bytes;
		const segment: LogSegment = { sequence, path, bytes: header.fileBytes, start, durableEnd: 0, readers: 0 };
		this.current = segment;
		this.offsets = [];
		this.firstSeq = header.firstSeq;
		const expected = { seq: header.firstSeq, prevCrc: header.crc };
		const take = (frame: ScannedFrame): Verdict => {
			const wrong = this.take(segment, frame);
			return wrong === null ? "next" : { wrong };
		};
		const stop = yield* scanFrames(this.ops, this.window, this.seed, SEGMENT_HEADER_BYTES, expected, take, false);
		return this.scanned(segment, stop, last);
	}

	private *header(sequence: number): FileScript<SegmentHeader | WalRefusal> {
		const { window } = this;
		const place: DamagePlace = { path: window.path, offset: 0 };
		const error = yield* window.load(0, SEGMENT_HEADER_BYTES);
		if (error !== null) return refuseIo(place, "reading", error);
		const header = readSegmentHeader(this.ops, window.bytes);
		if (typeof header === "string") return refuseDamage("corrupt", place, header);
		if (header.version !== WAL_VERSION) {
			const other = otherVersion(header.version);
			return refuseVersion(other.code, place, other.text);
		}
		const foreign = describeForeign(header.identity, this.meta.identity);
		if (foreign !== null) return refuseForeign(place, foreign);
		if (header.sequence !== sequence) {
			return refuseDamage("corrupt", place, `the header is that of segment ${header.sequence}, the file's name says ${sequence}`);
		}
		if (window.size < header.fileBytes) return refuseDamage("corrupt", { path: window.path }, cutShort(window.size, header));
		// What somebody put behind the end is not the log's, and no frame may go there.
		window.size = header.fileBytes;
		const before = this.current;
		if (before === null) return header;
		const { offset, seq, prevCrc, found } = this.stopped;
		if (header.firstSeq === seq && header.chain === prevCrc) return header;
		const text = `frame ${seq} should begin here or the segment end before frame ${header.firstSeq}, found ${found}`;
		return refuseDamage("corrupt", { path: before.path, offset, seq }, text);
	}

	private take(segment: LogSegment, { offset, header, content }: ScannedFrame): string | null {
		const first = this.offsets.length === 0;
		if (first && content.checkpoint === null) return "the first frame of a segment must be a checkpoint";
		if (!first && content.checkpoint !== null) return "only the first frame of a segment may be a checkpoint";
		if (this.state === null && content.checkpoint !== null) this.state = new LogState(content.checkpoint);
		if (this.state === null) return "a log must begin with a checkpoint";
		if (first) {
			const foreign = describeForeign(this.state.identity, this.meta.identity);
			if (foreign !== null) return `the checkpoint differs from the segment header: ${foreign}`;
			this.state.map.segments.push(segment);
			// A segment gets its name only when its first frame is durable.
			this.syncedSeq = Math.max(this.syncedSeq, header.seq);
		}
		this.syncedSeq = Math.max(this.syncedSeq, header.syncedSeq);
		this.offsets.push(offset);
		if (content.fence?.closing === true) this.closingSeq = header.seq;
		return this.state.apply(segment, offset, content);
	}

	private scanned(segment: LogSegment, stop: ScanStop, last: boolean): WalRefusal | null {
		const { path } = segment;
		if (stop.kind === "io") return refuseIo({ path, offset: stop.offset }, "reading", stop.error);
		if (stop.kind === "nonsense") return refuseDamage("corrupt", { path, offset: stop.offset, seq: stop.seq }, stop.found);
		if (stop.kind === "enough") return null;
		if (this.offsets.length === 0) {
			return refuseDamage(
				"corrupt",
				{ path, offset: stop.offset, seq: stop.seq },
				`the segment's checkpoint is damaged, found ${stop.found}`,
			);
		}
		this.stopped = stop;
		segment.durableEnd = stop.offset;
		if (!last || stop.seq > this.syncedSeq) return null;
		const found = `frames up to ${this.syncedSeq} were durable, found ${stop.found}`;
		return refuseDamage("corrupt", { path, offset: stop.offset, seq: stop.seq }, found);
	}

	/** The end of the last segment: torn or damaged, then the repair. */
	*finish(examine: LogExaminer): FileScript<LogRecovery> {
		const { state, current, stopped, window, meta } = this;
		if (state === null || current === null)
			return { ok: false, refusal: refuseDamage("missing", { path: this.folder }, "it holds no segment") };
		const place = { path: current.path, offset: stopped.offset, seq: stopped.seq };
		const leftover = yield* scanLeftover(this.ops, window, this.seed, stopped.offset);
		if (typeof leftover === "string") return { ok: false, refusal: refuseIo(place, "reading", leftover) };
		if (leftover.header !== null && leftover.header.syncedSeq >= stopped.seq) {
			const { seq, offset, syncedSeq } = leftover.header;
			const found = `${stopped.found}, but frame ${seq} at offset ${offset} says that frames up to ${syncedSeq} were durable`;
			return { ok: false, refusal: refuseDamage("corrupt", place, found) };
		}
		const combined = combineVotes(state.hardState, meta.vote);
		if (combined === null) {
			const found = `it holds another vote for term ${meta.vote.term} than the log`;
			return { ok: false, refusal: refuseDamage("corrupt", { path: VOTE_PATH }, found) };
		}
		const tail = {
			path: current.path,
			from: this.offsets[this.syncedSeq + 1 - this.firstSeq] ?? stopped.offset,
			end: stopped.offset,
			leftoverEnd: leftover.end,
			seq: stopped.seq,
		};
		const end: LogEnd = {
			state,
			segment: current,
			endOffset: stopped.offset,
			nextSeq: stopped.seq,
			prevCrc: stopped.prevCrc,
			voteSlot: meta.vote,
			hardState: combined,
			tornBytes: leftover.end - stopped.offset,
			cleanStop: this.closingSeq === stopped.seq - 1 && leftover.end === stopped.offset,
		};
		if (end.tornBytes > 0) noteTorn(leftover.end, window.size);
		const refusal = examine(end) ?? (yield* repairTail(this.folder, tail));
		return refusal === null ? { ok: true, end } : { ok: false, refusal };
	}
}

/** The unit that a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

/** A write that reached into the last sector was the last one of its segment, or the last but one or two. */
function noteTorn(tornUpto: number, segmentBytes: number): void {
	marks.tornTailRepaired++;
	if (tornUpto > segmentBytes - SECTOR_BYTES) marks.tornAtSegmentEnd++;
}

/** No crash makes a segment shorter: it has its whole size before it has its name. */
export function cutShort(foundBytes: number, { fileBytes }: SegmentHeader): string {
	return `the file was cut short: it has ${foundBytes} bytes, it was made with ${fileBytes}, and no crash explains that`;
}

/** Null when the two name different votes of one term, of which only one can have been given. */
function combineVotes(log: HardState, mirror: VoteSlot): HardState | null {
	if (mirror.term > log.term) marks.voteAheadOfLog++;
	if (mirror.term > log.term) return { term: mirror.term, vote: mirror.vote, commit: log.commit };
	if (mirror.term < log.term || mirror.vote === log.vote || mirror.vote === 0n) return log;
	return log.vote === 0n ? { ...log, vote: mirror.vote } : null;
}

function describeForeign(found: WalIdentity, wanted: WalIdentity): string | null {
	for (const key of ["clusterId", "memberId", "walId"] as const) {
		if (found[key] === wanted[key]) continue;
		const name = { clusterId: "cluster", memberId: "member", walId: "log" }[key];
		return `it belongs to ${name} ${found[key].toString(16)}, the identity file names ${wanted[key].toString(16)}`;
	}
	return null;
}
