/** The bounded queue before a socket: what is kept, what is dropped, and how little is copied. */
import { concatBytes, Dice } from "@flotilla/base";
import { Entry, EntryKind } from "@flotilla/raft";
import type { PeerMessage } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import { type Frame, FrameDecoder } from "../../src/peers/frame.ts";
import { decodeMessage } from "../../src/peers/message-codec.ts";
import { DEFAULT_PEER_LIMITS } from "../../src/peers/options.ts";
import { SendQueue, SlabSums } from "../../src/peers/send-queue.ts";
import { MESSAGE_KINDS, randomMessage } from "./random-messages.ts";

const limits = { ...DEFAULT_PEER_LIMITS, queueMessagesMax: 5, queueBytesMax: 1_000, frameBytesMax: 600 };

function append(dataBytes: number): PeerMessage {
	const entries = [new Entry(1, 1, EntryKind.normal, new Uint8Array(dataBytes))];
	return { kind: "append", from: 1n, to: 2n, term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries };
}

function heartbeat(sequence: number): PeerMessage {
	return { kind: "heartbeat", from: 1n, to: 2n, term: 1, commit: 0, commitTerm: 0, readPosition: 0, sequence };
}

describe("the send queue", () => {
	test("what is taken is what was offered, in its order, as one piece", () => {
		const dice = new Dice("queue");
		const queue = new SendQueue(nodeBytes, DEFAULT_PEER_LIMITS);
		const sums = new SlabSums(nodeBytes);
		const offered = Array.from({ length: 50 }, () => randomMessage(dice, dice.pick(MESSAGE_KINDS), 1n, 2n));
		for (const message of offered) expect(queue.offer(message, sums, 0)).toBe("queued");
		const chunks = queue.take();
		expect(chunks.length).toBe(1);
		const frames: Frame[] = [];
		expect(new FrameDecoder(nodeBytes, DEFAULT_PEER_LIMITS.frameBytesMax).feed(concatBytes(chunks), frames)).toBeNull();
		expect(frames.map(({ envelope, slab }) => decodeMessage(1n, 2n, envelope, slab))).toEqual(offered);
		expect([queue.length, queue.byteLength]).toEqual([0, 0]);
	});

	test("when it is full the newest is dropped, and what was there stays", () => {
		const queue = new SendQueue(nodeBytes, limits);
		const sums = new SlabSums(nodeBytes);
		const results = [1, 2, 3, 4, 5, 6, 7].map((sequence) => queue.offer(heartbeat(sequence), sums, 0));
		expect(results).toEqual(["queued", "queued", "queued", "queued", "queued", "full", "full"]);
		expect(queue.length).toBe(5);
	});

	test("bytes count too, those in the socket included", () => {
		const queue = new SendQueue(nodeBytes, limits);
		const sums = new SlabSums(nodeBytes);
		expect(queue.offer(append(400), sums, 0)).toBe("queued");
		expect(queue.offer(append(400), sums, 200)).toBe("full");
		expect(queue.offer(append(400), sums, 0)).toBe("queued");
		expect(queue.offer(append(400), sums, 0)).toBe("full");
		expect(queue.byteLength).toBeLessThanOrEqual(limits.queueBytesMax);
	});

	test("a message longer than a frame may be is told apart: no time heals it", () => {
		const queue = new SendQueue(nodeBytes, limits);
		expect(queue.offer(append(700), new SlabSums(nodeBytes), 0)).toBe("too long");
		expect(queue.length).toBe(0);
	});

	test("large slabs are handed on as they are, and one slab for two peers is summed once", () => {
		let summed = 0;
		const counting = {
			...nodeBytes,
			crc32c(bytes: Uint8Array, start?: number, end?: number, seed?: number): number {
				if (bytes.length > 100_000) summed++;
				return nodeBytes.crc32c(bytes, start, end, seed);
			},
		};
		const sums = new SlabSums(counting);
		const message = append(200_000);
		const chunks = [2n, 3n].map((to) => {
			const queue = new SendQueue(counting, DEFAULT_PEER_LIMITS);
			queue.offer({ ...message, to } as PeerMessage, sums, 0);
			return queue.take();
		});
		expect(chunks.map((list) => list.length)).toEqual([2, 2]);
		expect(chunks[0]?.[1]).toBe(chunks[1]?.[1]);
		expect(summed).toBe(1);
	});
});
