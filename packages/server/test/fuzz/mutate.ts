/** Changes sound inputs: bits, bytes, lengths, pieces taken out, doubled, or put in from another input. */
import type { Dice } from "@flotilla/base";

/** Bytes at which decoders decide. */
const TELLING = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x3f, 0x40, 0x20, 0x0a];

export function mutate(dice: Dice, corpus: readonly Buffer[]): Buffer {
	let bytes: Buffer = Buffer.from(dice.pick(corpus));
	for (let changes = dice.range(0, 4); changes > 0; changes--) bytes = change(dice, bytes, corpus);
	return bytes;
}

function change(dice: Dice, bytes: Buffer, corpus: readonly Buffer[]): Buffer {
	const at = dice.range(0, bytes.length);
	const end = Math.min(bytes.length, at + dice.range(0, 16));
	switch (dice.range(0, 6)) {
		case 0:
			if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << dice.range(0, 7));
			return bytes;
		case 1:
			if (at < bytes.length) bytes[at] = dice.range(0, 255);
			return bytes;
		case 2:
			if (at < bytes.length) bytes[at] = dice.pick(TELLING);
			return bytes;
		case 3:
			return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
		case 4:
			return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
		case 5:
			return Buffer.from(bytes.subarray(0, at));
		default: {
			const other = dice.pick(corpus);
			const from = dice.range(0, other.length);
			return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + dice.range(0, 40)), bytes.subarray(at)]);
		}
	}
}

/** The same bytes in random pieces, each with memory of its own. */
export function inPieces(dice: Dice, bytes: Buffer): Buffer[] {
	const pieces: Buffer[] = [];
	for (let at = 0; at < bytes.length; ) {
		const end = dice.chance(1, 2) ? bytes.length : Math.min(bytes.length, at + dice.range(1, 20));
		pieces.push(Buffer.from(bytes.subarray(at, end)));
		at = end;
	}
	return pieces;
}
