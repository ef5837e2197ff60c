import type { ByteOps } from "@flotilla/base";
import type { Entry, LogIndex } from "@flotilla/raft";
import type { FileScript } from "../disk/file-script.ts";
import { entryRecordBytes } from "./entry-codec.ts";
import { FRAME_HEADER_BYTES, readFrameHeader } from "./format.ts";
import { FileWindow, type ScannedFrame, scanFrames, type Verdict } from "./frame-scan.ts";
import type { LogSegment, Place } from "./log-map.ts";
import type { LogState } from "./log-state.ts";

export type LogReading = { readonly ok: true; readonly entries: readonly Entry[] } | { readonly ok: false; readonly problem: string };

interface Range {
	next: LogIndex;
	readonly uptoIndex: LogIndex;
	bytesLeft: number;
	readonly entries: Entry[];
}

/**
 * Reads entries back for a slow peer, at least one if there is any. Every frame is verified again: what was damaged since it
 * was written must not reach another member.
 */
export function* readEntries(
	ops: ByteOps,
	seed: number,
	state: LogState,
	fromIndex: LogIndex,
	uptoIndex: LogIndex,
	bytesMax: number,
	released: (segment: LogSegment) => void,
): FileScript<LogReading> {
	for (;;) {
		const { epoch } = state;
		const range: Range = { next: fromIndex, uptoIndex, bytesLeft: bytesMax, entries: [] };
		const problem = yield* gather(ops, seed, state, range, released);
		// Either: the log was cut meanwhile, by a truncation or a snapshot, and entries may be void; then it is read again.
		if (state.epoch !== epoch) continue;
		return problem === null ? { ok: true, entries: range.entries } : { ok: false, problem };
	}
}

function* gather(
	ops: ByteOps,
	seed: number,
	state: LogState,
	range: Range,
	released: (segment: LogSegment) => void,
): FileScript<string | null> {
	const { epoch } = state;
	while (range.next <= range.uptoIndex && range.bytesLeft > 0) {
		const place = state.map.locate(range.next);
		if (place === null || place.offset >= place.segment.durableEnd) return null;
		const before = range.next;
		place.segment.readers++;
		const problem = yield* gatherRun(ops, seed, place, range);
		place.segment.readers--;
		released(place.segment);
		if (problem !== null) return problem;
		if (state.epoch !== epoch || range.next === before) return null;
	}
	return null;
}

/** Takes what is wanted of one run of entries, from the frame at `place` on. */
function* gatherRun(ops: ByteOps, seed: number, place: Place, range: Range): FileScript<string | null> {
	const { segment, runLastIndex } = place;
	// What lies behind may be under way to the disk.
	const window = new FileWindow(segment.path, segment.durableEnd);
	const error = yield* window.load(place.offset, FRAME_HEADER_BYTES);
	if (error !== null) return `reading ${segment.path} at offset ${place.offset} failed with ${error}`;
	const first = readFrameHeader(ops, window.bytes, 0, seed);
	if (first === null) return `${segment.path}, offset ${place.offset}: a frame that was verified before is damaged`;
	const stop = yield* scanFrames(ops, window, seed, place.offset, { seq: first.seq, prevCrc: null }, (frame) =>
		take(frame, range, runLastIndex),
	);
	if (stop.kind === "enough") return null;
	if (stop.kind === "io") return `reading ${segment.path} at offset ${stop.offset} failed with ${stop.error}`;
	if (stop.kind === "end" && stop.offset === window.size) return null;
	return `${segment.path}, offset ${stop.offset}, frame ${stop.seq}: found ${stop.found} where a frame was verified before`;
}

function take({ content }: ScannedFrame, range: Range, runLastIndex: LogIndex): Verdict {
	const uptoIndex = Math.min(range.uptoIndex, runLastIndex);
	for (const entry of content.entries) {
		if (entry.index < range.next) continue;
		if (entry.index > uptoIndex) return "enough";
		if (entry.index !== range.next) return { wrong: `entry ${entry.index} instead of entry ${range.next}` };
		const bytes = entryRecordBytes(entry.data.length);
		if (bytes > range.bytesLeft && range.entries.length > 0) {
			range.bytesLeft = 0;
			return "enough";
		}
		range.entries.push(entry);
		range.next++;
		range.bytesLeft -= bytes;
		if (range.bytesLeft <= 0) return "enough";
	}
	return range.next > uptoIndex ? "enough" : "next";
}
