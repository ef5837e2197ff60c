/** Making segments: a file of zeros under a temporary name, its header and checkpoint, and then its own name (rule W5). */
import type { ByteOps } from "@flotilla/base";
import type { FileScript } from "../disk/file-script.ts";
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, sealFrame, segmentName, writeSegmentHeader } from "./format.ts";
import type { LogSegment } from "./log-map.ts";
import { type Checkpoint, contentBytes, contentRecords, EMPTY_CONTENT, writeContent } from "./records.ts";

/** Bytes before the first frame that carries work. */
export function segmentPrefixBytes(checkpoint: Checkpoint): number {
	return SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + contentBytes({ ...EMPTY_CONTENT, checkpoint });
}

export interface SegmentStart {
	readonly sequence: number;
	/** Seq of its checkpoint frame. */
	readonly firstSeq: number;
	/** Size of the file of zeros that becomes the segment. */
	readonly fileBytes: number;
	/** headerCrc of the last frame before it; 0 for the first segment. */
	readonly chain: number;
	readonly syncedSeq: number;
	readonly checkpoint: Checkpoint;
}

/** Header and checkpoint frame as bytes, and the prevCrc of the frame after them. */
export function encodeSegmentStart(
	ops: ByteOps,
	seed: number,
	start: SegmentStart,
): { readonly data: Uint8Array; readonly prevCrc: number } {
	const { sequence, firstSeq, fileBytes, chain, syncedSeq, checkpoint } = start;
	const data = new Uint8Array(segmentPrefixBytes(checkpoint));
	const crc = writeSegmentHeader(ops, data, { identity: checkpoint.identity, sequence, firstSeq, fileBytes, chain });
	const content = { ...EMPTY_CONTENT, checkpoint };
	const payloadBytes = contentBytes(content);
	writeContent(data, SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES, content);
	const frame = { payloadBytes, records: contentRecords(content), prevCrc: crc, seq: firstSeq, syncedSeq };
	return { data, prevCrc: sealFrame(ops, data, SEGMENT_HEADER_BYTES, seed, frame) };
}

/** Turns the file of zeros at `temporary` into the segment. Returns what failed. */
export function* installSegment(folder: string, temporary: string, path: string, data: Uint8Array): FileScript<string | null> {
	const written = yield { kind: "write", path: temporary, lane: 0, offset: 0, data };
	if (written.error !== null) return `writing ${temporary} failed with ${written.error}`;
	if (written.bytes !== data.length) return `writing ${temporary} wrote ${written.bytes} of ${data.length} bytes`;
	const closed = yield { kind: "close", path: temporary };
	if (closed.error !== null) return `closing ${temporary} failed with ${closed.error}`;
	const renamed = yield { kind: "rename", from: temporary, to: path };
	if (renamed.error !== null) return `renaming ${temporary} to ${path} failed with ${renamed.error}`;
	const synced = yield { kind: "syncFolder", folder };
	return synced.error === null ? null : `syncing the folder ${folder} failed with ${synced.error}`;
}

export function newSegment(folder: string, start: SegmentStart, position: number, prefixBytes: number): LogSegment {
	const path = `${folder}/${segmentName(start.sequence, start.checkpoint.lastIndex + 1)}`;
	return { sequence: start.sequence, path, bytes: start.fileBytes, start: position, durableEnd: prefixBytes, readers: 0 };
}
