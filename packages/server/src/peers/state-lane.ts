/**
 * How a state goes from one member to another that has lost its store (rule S6). The question is a hello for a lane of its own
 * number; behind the usual answer come frames: the envelope is one byte that says what, the slab a part of the image, or why there
 * is no more of it.
 */
import type { ByteOps } from "@flotilla/base";
import type { StatePart } from "../ports.ts";
import { encodeFrameHead, type Frame } from "./frame.ts";

/** In the place of a lane. On the wire. */
export const STATE_LANE = 17;
/** A part is as long as the longest record or row, or a quarter of a megabyte. */
export const STATE_FRAME_BYTES_MAX = (16 << 20) + (1 << 20);
/** The other end takes nothing, or says nothing, for so long: it is gone. */
export const STATE_SILENCE_MS = 30_000;
/** What a view keeps on the disk grows with its age. */
export const STATE_AGE_MAX_MS = 3_600_000;

/** Numbers are on the wire. */
const What = { part: 0, last: 1, failed: 2 } as const;

export function encodePart(bytes: ByteOps, part: StatePart): readonly Uint8Array[] {
	const slab = part.kind === "bytes" ? part.bytes : Buffer.from(part.reason);
	const what = part.kind === "failed" ? What.failed : part.last ? What.last : What.part;
	return [encodeFrameHead(bytes, Uint8Array.of(what), slab.length, bytes.crc32c(slab, 0, slab.length)), slab];
}

/** Null for a frame that says nothing of a state. */
export function decodePart({ envelope, slab }: Frame): StatePart | null {
	const what = envelope.length === 1 ? envelope[0] : undefined;
	if (what === What.failed) return { kind: "failed", reason: Buffer.from(slab).toString() };
	if (what !== What.part && what !== What.last) return null;
	const last = what === What.last;
	return { kind: "bytes", bytes: slab, last, bytesLeft: last ? 0 : 1 };
}
