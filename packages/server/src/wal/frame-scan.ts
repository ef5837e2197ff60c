/** Reading a segment front to back, frame by frame, without ever holding more than a window of it. */
import { type ByteOps, readU32 } from "@flotilla/base";
import type { FileScript } from "../disk/file-script.ts";
import { FRAME_HEADER_BYTES, FRAME_MAGIC, type FrameHeader, readFrameHeader } from "./format.ts";
import { type FrameContent, readContent } from "./records.ts";

const WINDOW_BYTES = 256 * 1024;
/** For who reads a whole segment: a start has hundreds of megabytes to go through, and every read is a trip through another thread. */
export const WIDE_WINDOW_BYTES = 1 << 20;

/** A part of a file in memory. `at` counts from the start of `bytes`, `offset` from the start of the file. */
export class FileWindow {
	readonly path: string;
	/** Bytes of the file; what lies behind is not read. */
	size: number;
	bytes: Uint8Array = new Uint8Array(0);
	start = 0;
	private readonly loadBytes: number;

	constructor(path: string, size: number, loadBytes = WINDOW_BYTES) {
		this.path = path;
		this.size = size;
		this.loadBytes = loadBytes;
	}

	/** Whether [offset, offset + count), cut at the file's end, is at hand. */
	holds(offset: number, count: number): boolean {
		return offset >= this.start && Math.min(offset + count, this.size) <= this.start + this.bytes.length;
	}

	/** Reads that and more; returns the error. */
	*load(offset: number, count: number): FileScript<string | null> {
		const bytes = Math.min(Math.max(count, this.loadBytes), this.size - offset);
		const completion = yield { kind: "read", path: this.path, offset, bytes };
		if (completion.error !== null) return completion.error;
		// A file that is shorter than it was said to be counts as one with zeros behind it.
		this.bytes = completion.data === null || completion.data.length < bytes ? padded(completion.data, bytes) : completion.data;
		this.start = offset;
		return null;
	}
}

export interface ScannedFrame {
	readonly offset: number;
	readonly bytes: number;
	readonly header: FrameHeader;
	readonly content: FrameContent;
}

/** What stands before the frame that is looked for. */
export interface FrameExpectation {
	readonly seq: number;
	/** Null: the reader begins in the middle and takes any. */
	readonly prevCrc: number | null;
}

export type ScanStop =
	/** Nothing that could be read as the next frame; `found` says what is there instead. */
	| { readonly kind: "end"; readonly offset: number; readonly seq: number; readonly prevCrc: number; readonly found: string }
	/** The frame is whole, but what it says is wrong: no crash explains that. */
	| { readonly kind: "nonsense"; readonly offset: number; readonly seq: number; readonly found: string }
	/** `take` had enough. */
	| { readonly kind: "enough" }
	| { readonly kind: "io"; readonly offset: number; readonly error: string };

/** What `take` says of a frame: go on, stop, or the rule that the frame breaks. */
export type Verdict = "next" | "enough" | { readonly wrong: string };

/**
 * Hands the frames from `offset` on to `take` while each is whole and chained to the one before (rule W7). The content's
 * entries are views of the window's bytes, which are not changed afterwards; they come empty when nobody wants their data.
 */
export function* scanFrames(
	ops: ByteOps,
	window: FileWindow,
	seed: number,
	offset: number,
	expected: FrameExpectation,
	take: (frame: ScannedFrame) => Verdict,
	withData = true,
): FileScript<ScanStop> {
	let { seq, prevCrc } = expected;
	const stop = (found: string): ScanStop => ({ kind: "end", offset, seq, prevCrc: prevCrc ?? 0, found });
	for (;;) {
		if (window.size - offset < FRAME_HEADER_BYTES) return stop("the end of the file");
		if (!window.holds(offset, FRAME_HEADER_BYTES)) {
			const error = yield* window.load(offset, FRAME_HEADER_BYTES);
			if (error !== null) return { kind: "io", offset, error };
		}
		const header = readFrameHeader(ops, window.bytes, offset - window.start, seed);
		if (header === null) return stop("no valid frame header");
		if (header.seq !== seq) return stop(`frame ${header.seq} instead of frame ${seq}`);
		if (prevCrc !== null && header.prevCrc !== prevCrc) return stop("a frame that does not follow the one before it");
		const frameBytes = FRAME_HEADER_BYTES + header.payloadBytes;
		if (frameBytes > window.size - offset) return stop("a frame that is longer than the file");
		if (!window.holds(offset, frameBytes)) {
			const error = yield* window.load(offset, frameBytes);
			if (error !== null) return { kind: "io", offset, error };
		}
		const at = offset - window.start + FRAME_HEADER_BYTES;
		if (ops.crc32c(window.bytes, at, at + header.payloadBytes, 0) !== header.payloadCrc) return stop("a frame that fails its checksum");
		const content = readContent(window.bytes, at, at + header.payloadBytes, header.records, withData);
		const verdict = content === null ? MALFORMED : take({ offset, bytes: frameBytes, header, content });
		if (verdict === "enough") return { kind: "enough" };
		if (verdict !== "next") return { kind: "nonsense", offset, seq, found: verdict.wrong };
		offset += frameBytes;
		prevCrc = header.headerCrc;
		seq++;
	}
}

const MALFORMED = { wrong: "records are malformed although the checksum is right" };

/** What lies between the last frame and the end of a segment. */
export interface Leftover {
	/** Offset behind the last byte that is not zero; the start when all are zero. */
	readonly end: number;
	/** The valid frame header with the highest syncedSeq; null without any. */
	readonly header: { readonly offset: number; readonly seq: number; readonly syncedSeq: number } | null;
}

/** Looks at every multiple of 8 from `from` on. Frame headers are found whatever lies between them. */
export function* scanLeftover(ops: ByteOps, window: FileWindow, seed: number, from: number): FileScript<Leftover | string> {
	let end = from;
	let best: Leftover["header"] = null;
	for (let offset = from; offset < window.size; ) {
		const error = yield* window.load(offset, WINDOW_BYTES);
		if (error !== null) return error;
		const { bytes } = window;
		for (let at = bytes.length - 1; at >= 0; at--) {
			if (bytes[at] === 0) continue;
			end = offset + at + 1;
			break;
		}
		const last = offset + bytes.length >= window.size;
		// A header may begin in this window and end in the next: the last ones are looked at again.
		const searched = last ? bytes.length : bytes.length - FRAME_HEADER_BYTES;
		for (let at = 0; at < searched; at += 8) {
			if (readU32(bytes, at) !== FRAME_MAGIC) continue;
			const header = readFrameHeader(ops, bytes, at, seed);
			if (header === null || (best !== null && header.syncedSeq <= best.syncedSeq)) continue;
			best = { offset: offset + at, seq: header.seq, syncedSeq: header.syncedSeq };
		}
		offset += last ? bytes.length : searched;
	}
	return { end, header: best };
}

function padded(data: Uint8Array | null, bytes: number): Uint8Array {
	const whole = new Uint8Array(bytes);
	if (data !== null) whole.set(data);
	return whole;
}
