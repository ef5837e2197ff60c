import { concatBytes, portableBytes } from "@flotilla/base";
import {
	decodeIdentity,
	decodeVoteFile,
	encodeVoteSlot,
	FRAME_HEADER_BYTES,
	frameSeed,
	readFrameHeader,
	SEGMENT_HEADER_BYTES,
	type SimDisk,
} from "@flotilla/server/internal";

/**
 * The bug "torn detection that truncates mid-log" (raft.md 9.9): a start that takes every damaged frame for a torn write, cuts the
 * log there, and knows of nothing that says more was durable. It is played before the start looks.
 */
export function cutAtDamage(disk: SimDisk): void {
	const paths = disk.paths();
	if (!paths.includes("identity") || !paths.includes("vote")) return;
	const identity = decodeIdentity(portableBytes, disk.bytesOf("identity"));
	if ("code" in identity) return;
	const vote = decodeVoteFile(portableBytes, identity.walId, disk.bytesOf("vote"));
	if ("code" in vote) return;
	const segments = paths.filter((path) => path.endsWith(".wal"));
	const seed = frameSeed(portableBytes, identity);
	for (const [at, path] of segments.entries()) {
		const bytes = disk.bytesOf(path);
		const end = endOfFrames(bytes, seed);
		if (bytes.subarray(end).every((byte) => byte === 0)) continue;
		// Where not even the first frame of a segment is whole, the one before is the last.
		const gone = segments.slice(end === SEGMENT_HEADER_BYTES ? at : at + 1);
		if (gone.length === segments.length) return;
		for (const later of gone) disk.erase(later);
		if (end > SEGMENT_HEADER_BYTES) disk.overwrite(path, bytes.fill(0, end));
		const slot = encodeVoteSlot(portableBytes, identity.walId, { ...vote, headSeq: 0 });
		disk.overwrite("vote", concatBytes([slot, slot]));
		return;
	}
}

/** Behind the last frame that can be read, from the front. */
function endOfFrames(bytes: Uint8Array, seed: number): number {
	let offset = SEGMENT_HEADER_BYTES;
	for (;;) {
		const header = readFrameHeader(portableBytes, bytes, offset, seed);
		const payloadAt = offset + FRAME_HEADER_BYTES;
		if (header === null || payloadAt + header.payloadBytes > bytes.length) return offset;
		if (portableBytes.crc32c(bytes, payloadAt, payloadAt + header.payloadBytes, 0) !== header.payloadCrc) return offset;
		offset = payloadAt + header.payloadBytes;
	}
}
