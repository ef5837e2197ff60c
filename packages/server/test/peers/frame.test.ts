/** Frames of a peer stream: whatever way they are cut on the road, and whatever byte of them is damaged. */
import { concatBytes, Dice, readU32 } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import { encodeFrameHead, FRAME_HEAD_BYTES, type Frame, FrameDecoder } from "../../src/peers/frame.ts";
import { randomBytes } from "./random-messages.ts";

const FRAME_BYTES_MAX = 4_096;

function frameOf(envelope: Uint8Array, slab: Uint8Array): Uint8Array {
	return concatBytes([encodeFrameHead(nodeBytes, envelope, slab.length, nodeBytes.crc32c(slab)), slab]);
}

describe("the frame decoder", () => {
	test.each([1, 2, 3, 4, 5, 6])("puts frames together that come in pieces of any size (seed %i)", (seed) => {
		const dice = new Dice(`frames/${seed}`);
		const sent = Array.from({ length: 40 }, () => ({
			envelope: randomBytes(dice, dice.range(1, 50)),
			slab: randomBytes(dice, dice.chance(1, 3) ? 0 : dice.range(0, 900)),
		}));
		const wire = concatBytes(sent.map(({ envelope, slab }) => frameOf(envelope, slab)));
		const decoder = new FrameDecoder(nodeBytes, FRAME_BYTES_MAX);
		const frames: Frame[] = [];
		for (let at = 0; at < wire.length; ) {
			const piece = dice.chance(1, 2) ? dice.range(1, 20) : dice.range(1, 2_000);
			expect(decoder.feed(wire.slice(at, at + piece), frames)).toBeNull();
			at += piece;
		}
		expect(decoder.heldBytes).toBe(0);
		expect(frames.map(({ envelope, slab }) => [Buffer.from(envelope), Buffer.from(slab)])).toEqual(
			sent.map(({ envelope, slab }) => [Buffer.from(envelope), Buffer.from(slab)]),
		);
	});

	test("a heartbeat is no frame for its reader", () => {
		const frames: Frame[] = [];
		const heartbeat = encodeFrameHead(nodeBytes, new Uint8Array(0), 0, 0);
		expect(heartbeat.length).toBe(FRAME_HEAD_BYTES);
		expect(new FrameDecoder(nodeBytes, FRAME_BYTES_MAX).feed(heartbeat, frames)).toBeNull();
		expect(frames).toEqual([]);
	});

	test("no flipped bit goes unnoticed, and no frame behind the damage is given out", () => {
		const dice = new Dice("flips");
		const first = frameOf(randomBytes(dice, 9), randomBytes(dice, 21));
		const wire = concatBytes([
			first,
			frameOf(randomBytes(dice, 5), new Uint8Array(0)),
			frameOf(randomBytes(dice, 5), randomBytes(dice, 8)),
		]);
		for (let at = 0; at < first.length; at++) {
			for (let bit = 0; bit < 8; bit++) {
				const damaged = wire.slice();
				damaged[at] = (damaged[at] as number) ^ (1 << bit);
				const frames: Frame[] = [];
				const decoder = new FrameDecoder(nodeBytes, FRAME_BYTES_MAX);
				const fault = decoder.feed(damaged, frames);
				expect(fault).not.toBeNull();
				expect(frames).toEqual([]);
			}
		}
	});

	test("a flipped bit of a head is noticed when head and envelope are here, however much is said to follow", () => {
		const dice = new Dice("long slab");
		const [envelope, slab] = [randomBytes(dice, 40), randomBytes(dice, 3_000)];
		const headBytes = FRAME_HEAD_BYTES + envelope.length;
		const start = frameOf(envelope, slab).slice(0, headBytes + 1);
		for (const piece of [1, 7, start.length]) {
			for (let bit = 0; bit < headBytes * 8; bit++) {
				const damaged = start.slice();
				damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
				const decoder = new FrameDecoder(nodeBytes, FRAME_BYTES_MAX);
				let fault: string | null = null;
				for (let at = 0; at < damaged.length && fault === null; at += piece) fault = decoder.feed(damaged.slice(at, at + piece), []);
				// An envelope that claims a part of the slab is read with it: the frame's own length bounds the wait.
				const claimed = readU32(damaged, 4);
				const isBounded = FRAME_HEAD_BYTES + claimed > start.length && claimed <= envelope.length + slab.length;
				expect(fault === null, `bit ${bit}, pieces of ${piece}`).toBe(isBounded);
			}
		}
	});

	test("a length beyond the limit is refused before anything is allocated for it", () => {
		const head = encodeFrameHead(nodeBytes, new Uint8Array(0), 0, 0).slice();
		head.set([0xff, 0xff, 0xff, 0xff], 0);
		for (const piece of [1, 3, FRAME_HEAD_BYTES]) {
			const decoder = new FrameDecoder(nodeBytes, FRAME_BYTES_MAX);
			let fault: string | null = null;
			for (let at = 0; at < head.length && fault === null; at += piece) {
				fault = decoder.feed(head.slice(at, at + piece), []);
				expect(decoder.heldBytes).toBeLessThanOrEqual(FRAME_HEAD_BYTES);
			}
			expect(fault).toBe("frame too long");
		}
	});

	test("frames before the damage still count", () => {
		const good = frameOf(Uint8Array.of(1), Uint8Array.of(2, 3));
		const bad = frameOf(Uint8Array.of(4), Uint8Array.of(5, 6)).slice();
		bad[bad.length - 1] = 7;
		const frames: Frame[] = [];
		expect(new FrameDecoder(nodeBytes, FRAME_BYTES_MAX).feed(concatBytes([good, bad, good]), frames)).toBe("frame checksum mismatch");
		expect(frames.length).toBe(1);
	});
});
