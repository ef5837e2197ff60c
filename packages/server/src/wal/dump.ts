/** A log as a sequence of facts, for whoever prints it (`flotilla log dump`). Reads without the member's lock and changes nothing. */
import type { ByteOps } from "@flotilla/base";
import type { FileScript } from "../disk/file-script.ts";
import { frameSeed, readSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./format.ts";
import { FileWindow, type FrameExpectation, type ScannedFrame, type ScanStop, scanFrames, scanLeftover } from "./frame-scan.ts";
import { damagedVoteSlots, decodeIdentity, decodeVoteFile, IDENTITY_PATH, VOTE_PATH, type VoteSlot } from "./meta-files.ts";
import { cutShort, listSegments, readWhole, type SegmentName } from "./recover-log.ts";
import type { WalIdentity } from "./wal-interface.ts";

/** In the order of the files. Problems and what else is said of a segment follow its `segment`. */
export type DumpFact =
	| { readonly kind: "identity"; readonly path: string; readonly identity: WalIdentity }
	| { readonly kind: "vote"; readonly path: string; readonly vote: VoteSlot; readonly damagedSlots: number }
	| { readonly kind: "segment"; readonly path: string; readonly bytes: number; readonly header: SegmentHeader | null }
	/** The member let go of it between the listing and now. */
	| { readonly kind: "dropped"; readonly path: string }
	| { readonly kind: "frame"; readonly frame: ScannedFrame }
	/** `growing`: more was written while this was read. */
	| { readonly kind: "end"; readonly path: string; readonly offset: number; readonly growing: boolean }
	/** What lies behind the last frame knows of durable ones. */
	| { readonly kind: "leftover"; readonly offset: number; readonly seq: number; readonly syncedSeq: number; readonly lost: boolean }
	| { readonly kind: "problem"; readonly path: string; readonly text: string }
	| { readonly kind: "totals"; readonly counts: DumpCounts };

export interface DumpCounts {
	segments: number;
	frames: number;
	entries: number;
	/** Things that a start would refuse, or at least repair. */
	problems: number;
}

interface Place {
	readonly window: FileWindow;
	readonly seed: number;
	readonly stop: Extract<ScanStop, { kind: "end" }>;
}

/**
 * Tells what can be read and goes on behind a damaged segment. A member that runs may be writing meanwhile: then the newest
 * segment ends, for a moment, with something that is no frame yet. `read` says so; look `again` some milliseconds later, and
 * `finish`.
 */
export class LogDump {
	private readonly ops: ByteOps;
	private readonly folder: string;
	private readonly tell: (fact: DumpFact) => void;
	private readonly counts: DumpCounts = { segments: 0, frames: 0, entries: 0, problems: 0 };
	private chain: FrameExpectation | null = null;
	/** Where the newest segment ends with something that is neither a frame nor nothing. */
	private unsettled: Place | null = null;

	/** `folder` is relative to the member's folder. */
	constructor(ops: ByteOps, folder: string, tell: (fact: DumpFact) => void) {
		this.ops = ops;
		this.folder = folder;
		this.tell = tell;
	}

	/** True when all is told that will ever be to tell. */
	*read(): FileScript<boolean> {
		yield* this.metaFiles();
		const names = yield* listSegments(this.folder);
		if ("code" in names) this.problem(this.folder, names.text);
		else for (const [at, name] of names.entries()) yield* this.segment(name, at === names.length - 1);
		return this.unsettled === null;
	}

	/** True when the end is clear by now. */
	*again(): FileScript<boolean> {
		if (this.unsettled === null) return true;
		const { window, seed, stop } = this.unsettled;
		this.unsettled = null;
		// Not what was read before.
		window.bytes = new Uint8Array(0);
		yield* this.frames(window, seed, stop.offset, stop, true);
		return this.unsettled === null;
	}

	/** Says what the end is, if it is not clear, and sums up. */
	*finish(): FileScript<DumpCounts> {
		if (this.unsettled !== null) yield* this.damage(this.unsettled, true);
		this.tell({ kind: "totals", counts: this.counts });
		return this.counts;
	}

	private *metaFiles(): FileScript<void> {
		const bytes = yield* readWhole(IDENTITY_PATH);
		const identity = bytes instanceof Uint8Array ? decodeIdentity(this.ops, bytes) : bytes;
		if ("code" in identity) return this.problem(IDENTITY_PATH, identity.text);
		this.tell({ kind: "identity", path: IDENTITY_PATH, identity });
		const voteBytes = yield* readWhole(VOTE_PATH);
		const vote = voteBytes instanceof Uint8Array ? decodeVoteFile(this.ops, identity.walId, voteBytes) : voteBytes;
		if ("code" in vote) this.problem(VOTE_PATH, vote.text);
		else {
			const damagedSlots = damagedVoteSlots(this.ops, identity.walId, voteBytes as Uint8Array);
			this.tell({ kind: "vote", path: VOTE_PATH, vote, damagedSlots });
		}
	}

	private *segment({ name, sequence }: SegmentName, last: boolean): FileScript<void> {
		const path = `${this.folder}/${name}`;
		const size = yield { kind: "size", path };
		const window = new FileWindow(path, size.bytes);
		const error = size.error ?? (yield* window.load(0, SEGMENT_HEADER_BYTES));
		if (error === "ENOENT" && this.counts.frames === 0) return this.tell({ kind: "dropped", path });
		this.counts.segments++;
		const header = error === null ? readSegmentHeader(this.ops, window.bytes) : `cannot be read: ${error}`;
		this.tell({ kind: "segment", path, bytes: size.bytes, header: typeof header === "string" ? null : header });
		if (typeof header === "string") return this.problem(path, header);
		this.checkPlace(path, header, sequence);
		if (window.size < header.fileBytes) this.problem(path, cutShort(window.size, header));
		window.size = Math.min(window.size, header.fileBytes);
		const expected = { seq: header.firstSeq, prevCrc: header.crc };
		yield* this.frames(window, frameSeed(this.ops, header.identity), SEGMENT_HEADER_BYTES, expected, last);
	}

	private checkPlace(path: string, header: SegmentHeader, sequence: number): void {
		if (header.sequence !== sequence) this.problem(path, `the file's name says segment ${sequence}`);
		const { chain } = this;
		if (chain !== null && chain.seq !== header.firstSeq) this.problem(path, `the segment before ends before frame ${chain.seq}`);
		else if (chain !== null && chain.prevCrc !== header.chain) this.problem(path, "the segment before ends with another frame");
		this.chain = null;
	}

	private *frames(window: FileWindow, seed: number, offset: number, expected: FrameExpectation, last: boolean): FileScript<void> {
		const stop = yield* scanFrames(this.ops, window, seed, offset, expected, (frame) => {
			this.counts.frames++;
			this.counts.entries += frame.content.entries.length;
			this.tell({ kind: "frame", frame });
			return "next";
		});
		const { path } = window;
		if (stop.kind === "io") this.problem(path, `offset ${stop.offset}: cannot be read: ${stop.error}`);
		else if (stop.kind === "nonsense") this.problem(path, `offset ${stop.offset}, frame ${stop.seq}: ${stop.found}`);
		if (stop.kind !== "end") return;
		this.chain = stop;
		// Frames where none were a moment ago: somebody writes here, and what comes behind them is his affair.
		const growing = offset > SEGMENT_HEADER_BYTES && stop.offset > offset;
		if (growing) return this.tell({ kind: "end", path, offset: stop.offset, growing });
		const place = { window, seed, stop };
		const left = yield* scanLeftover(this.ops, window, seed, stop.offset);
		if (typeof left !== "string" && left.end === stop.offset) this.tell({ kind: "end", path, offset: stop.offset, growing });
		else if (last) this.unsettled = place;
		else yield* this.damage(place, false);
	}

	private *damage({ window, seed, stop }: Place, last: boolean): FileScript<void> {
		const left = yield* scanLeftover(this.ops, window, seed, stop.offset);
		if (typeof left === "string") return this.problem(window.path, `offset ${stop.offset}: cannot be read: ${left}`);
		const unused = left.end - stop.offset;
		this.problem(window.path, `offset ${stop.offset}: found ${stop.found}, and ${unused} bytes that are not zero throughout`);
		if (left.header === null) return;
		const { seq, offset, syncedSeq } = left.header;
		this.tell({ kind: "leftover", offset, seq, syncedSeq, lost: syncedSeq >= stop.seq || !last });
	}

	private problem(path: string, text: string): void {
		this.counts.problems++;
		this.tell({ kind: "problem", path, text });
	}
}
