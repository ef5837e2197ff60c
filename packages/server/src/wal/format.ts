/**
 * The log's files byte by byte. Everything is little endian and lies at multiples of 8.
 *
 *   segment  wal/<sequence, 16 hex>-<first index, 16 hex>.wal
 *            64 bytes of header, frames without gaps, zeros to the end of the file
 *   header   0 magic | 8 version u16 | 10 flags u16 | 12 bytes of the whole file u32 | 16 cluster | 24 member | 32 walId
 *            40 sequence | 48 seq of its first frame | 56 headerCrc of the last frame before it u32 | 60 crc u32
 *   frame    0 magic u32 | 4 headerCrc u32 | 8 prevCrc u32 | 12 payloadCrc u32 | 16 payload bytes u32 | 20 records u32
 *            24 seq | 32 syncedSeq | 40 payload (records, see records.ts)
 *
 * A file has all its bytes before it gets its name, so one that is shorter than its header says was cut by somebody.
 * headerCrc covers bytes 8..39 and is seeded with the log's id; prevCrc is the headerCrc of the frame before, for the first
 * frame of a segment the segment header's crc. So a frame fits at one place of one log only.
 */
import type { ByteOps } from "@flotilla/base";
import { assert, readBigU64, readU32, readU64, writeBigU64, writeU32, writeU64 } from "@flotilla/base";
import type { WalIdentity } from "./wal-interface.ts";

export const WAL_VERSION = 2;
export const SEGMENT_HEADER_BYTES = 64;
export const FRAME_HEADER_BYTES = 40;
/** A payload's length field holds no more, whatever the file's size says. */
export const FRAME_PAYLOAD_BYTES_MAX = 0x4000_0000;

export const FRAME_MAGIC = 0x4d_52_46_77;
/** "flotwal" and a byte that no text file has. */
const SEGMENT_MAGIC = new Uint8Array([0x66, 0x6c, 0x6f, 0x74, 0x77, 0x61, 0x6c, 0x9c]);

export interface SegmentHeader {
	readonly version: number;
	readonly identity: WalIdentity;
	readonly sequence: number;
	readonly firstSeq: number;
	/** Size that the file was made with. */
	readonly fileBytes: number;
	/** headerCrc of the last frame of the segment before; 0 for the first segment. */
	readonly chain: number;
	readonly crc: number;
}

export interface FrameHeader {
	readonly headerCrc: number;
	readonly prevCrc: number;
	readonly payloadCrc: number;
	readonly payloadBytes: number;
	readonly records: number;
	readonly seq: number;
	/** Highest seq that was known to be durable when this frame was built. */
	readonly syncedSeq: number;
}

export function segmentName(sequence: number, firstIndex: number): string {
	return `${hex16(sequence)}-${hex16(firstIndex)}.wal`;
}

/** Sequence of a segment by its name, or null when it is not one. */
export function parseSegmentName(name: string): number | null {
	const match = /^([0-9a-f]{16})-[0-9a-f]{16}\.wal$/.exec(name);
	if (match === null) return null;
	const sequence = Number.parseInt(match[1] as string, 16);
	return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : null;
}

export function hex16(value: number): string {
	return value.toString(16).padStart(16, "0");
}

/** Seed of every frame checksum of a log. */
export function frameSeed(bytes: ByteOps, identity: WalIdentity): number {
	const id = new Uint8Array(8);
	writeBigU64(id, 0, identity.walId);
	return bytes.crc32c(id, 0, 8, 0);
}

/** Writes the header at the start of `target` and returns its crc, the prevCrc of the segment's first frame. */
export function writeSegmentHeader(ops: ByteOps, target: Uint8Array, header: Omit<SegmentHeader, "crc" | "version">): number {
	target.set(SEGMENT_MAGIC, 0);
	writeU32(target, 8, WAL_VERSION);
	assert(header.fileBytes <= 0xffff_ffff, "a segment's size fits its header");
	writeU32(target, 12, header.fileBytes);
	writeBigU64(target, 16, header.identity.clusterId);
	writeBigU64(target, 24, header.identity.memberId);
	writeBigU64(target, 32, header.identity.walId);
	writeU64(target, 40, header.sequence);
	writeU64(target, 48, header.firstSeq);
	writeU32(target, 56, header.chain);
	const crc = ops.crc32c(target, 0, 60, 0);
	writeU32(target, 60, crc);
	return crc;
}

/** The header, or what is wrong with it. A header of another version is returned with that version and otherwise unread. */
export function readSegmentHeader(ops: ByteOps, bytes: Uint8Array): SegmentHeader | string {
	if (bytes.length < SEGMENT_HEADER_BYTES) return `the file ends after ${bytes.length} bytes, within the segment header`;
	if (bytes.subarray(0, SEGMENT_HEADER_BYTES).every((byte) => byte === 0)) return "the segment header is filled with zeros";
	for (let i = 0; i < SEGMENT_MAGIC.length; i++) if (bytes[i] !== SEGMENT_MAGIC[i]) return "the segment header has a wrong magic number";
	const crc = readU32(bytes, 60);
	const sequence = readU64(bytes, 40);
	const firstSeq = readU64(bytes, 48);
	if (ops.crc32c(bytes, 0, 60, 0) !== crc || sequence < 1 || firstSeq < 1) return "the segment header fails its checksum";
	const identity = { clusterId: readBigU64(bytes, 16), memberId: readBigU64(bytes, 24), walId: readBigU64(bytes, 32) };
	return {
		version: readU32(bytes, 8) & 0xffff,
		identity,
		sequence,
		firstSeq,
		fileBytes: readU32(bytes, 12),
		chain: readU32(bytes, 56),
		crc,
	};
}

/**
 * Completes the frame whose payload was written at `at` + 40; returns its headerCrc, the next frame's prevCrc. `payloadCrc`: where it
 * is known already.
 */
export function sealFrame(
	ops: ByteOps,
	target: Uint8Array,
	at: number,
	seed: number,
	frame: { payloadBytes: number; payloadCrc?: number; records: number; prevCrc: number; seq: number; syncedSeq: number },
): number {
	const payloadAt = at + FRAME_HEADER_BYTES;
	writeU32(target, at, FRAME_MAGIC);
	writeU32(target, at + 8, frame.prevCrc);
	writeU32(target, at + 12, frame.payloadCrc ?? ops.crc32c(target, payloadAt, payloadAt + frame.payloadBytes, 0));
	writeU32(target, at + 16, frame.payloadBytes);
	writeU32(target, at + 20, frame.records);
	writeU64(target, at + 24, frame.seq);
	writeU64(target, at + 32, frame.syncedSeq);
	const headerCrc = ops.crc32c(target, at + 8, payloadAt, seed);
	writeU32(target, at + 4, headerCrc);
	return headerCrc;
}

/** The frame header at `at`, or null when its magic number or its checksum is wrong. The payload is not looked at. */
export function readFrameHeader(ops: ByteOps, bytes: Uint8Array, at: number, seed: number): FrameHeader | null {
	if (bytes.length - at < FRAME_HEADER_BYTES || readU32(bytes, at) !== FRAME_MAGIC) return null;
	const headerCrc = readU32(bytes, at + 4);
	if (ops.crc32c(bytes, at + 8, at + FRAME_HEADER_BYTES, seed) !== headerCrc) return null;
	const payloadBytes = readU32(bytes, at + 16);
	const seq = readU64(bytes, at + 24);
	const syncedSeq = readU64(bytes, at + 32);
	if (seq < 1 || syncedSeq < 0 || payloadBytes > FRAME_PAYLOAD_BYTES_MAX || payloadBytes % 8 !== 0) return null;
	return {
		headerCrc,
		prevCrc: readU32(bytes, at + 8),
		payloadCrc: readU32(bytes, at + 12),
		payloadBytes,
		records: readU32(bytes, at + 20),
		seq,
		syncedSeq,
	};
}
