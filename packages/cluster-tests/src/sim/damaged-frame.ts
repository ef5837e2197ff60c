import { concatBytes, type Dice, portableBytes } from "@flotilla/base";
import { DEFAULT_PEER_LIMITS, encodeFrameHead, type Frame, FrameDecoder } from "@flotilla/server/internal";

/** One message on the wire. */
export interface Wire {
	readonly envelope: Uint8Array;
	readonly slab: Uint8Array;
}

/** The message as a real frame in which one bit is inverted, read in two pieces by the product's own decoder. Null: refused, as it must be. */
export function readDamaged({ envelope, slab }: Wire, dice: Dice): readonly Wire[] | null {
	const bytes = concatBytes([encodeFrameHead(portableBytes, envelope, slab.length, portableBytes.crc32c(slab)), slab]);
	invert(bytes, dice);
	const cut = dice.range(0, bytes.length);
	const decoder = new FrameDecoder(portableBytes, DEFAULT_PEER_LIMITS.frameBytesMax);
	const frames: Frame[] = [];
	for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
		if (piece.length > 0 && decoder.feed(piece, frames) !== null) return null;
	}
	return frames;
}

/** A bug for the tests of the simulator: nobody looks at checksums, and what can be read as a message is one. */
export function trusting(wire: Wire, dice: Dice): Wire {
	const copy = { envelope: wire.envelope.slice(), slab: wire.slab.slice() };
	invert(copy.slab.length > 0 ? copy.slab : copy.envelope, dice);
	return copy;
}

function invert(bytes: Uint8Array, dice: Dice): void {
	const at = dice.range(0, bytes.length * 8 - 1);
	bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7));
}
