import { createHotCodec } from "@flotilla/api/hot";
import { MemoryStorage, MvccStore, type RangeChunks } from "@flotilla/mvcc";
import { expect, test } from "vitest";
import type { UnaryCall } from "../front/seam.ts";
import { nodeBytes } from "../node-bytes.ts";
import type { MemberPort } from "./member-port.ts";
import { type RangeAnswer, RangeAnswers } from "./range-answer.ts";

const codec = createHotCodec(nodeBytes);
const request = codec.decodeRangeRequest(new Uint8Array([0x0a, 1, 0, 0x12, 1, 0]));
const member = { memberId: 1n, clusterId: 2n, durableTerm: 3 } as unknown as MemberPort;

/** 100 keys with values of 1,000 bytes. */
function filled(): MvccStore {
	const store = new MvccStore({ keepEvents: false, valueCacheBytes: 1 << 20 }, new MemoryStorage(), nodeBytes);
	for (let i = 0; i < 100; i++) {
		store.put({
			key: Buffer.from(`k${i}`),
			value: new Uint8Array(1_000),
			lease: 0n,
			prevKv: false,
			ignoreValue: false,
			ignoreLease: false,
		});
	}
	return store;
}

test("at the bound of all answers only the oldest goes on, and then the next one", () => {
	const store = filled();
	const answers = new RangeAnswers(50_000);
	const answered: number[] = [];
	const begin = (n: number): RangeAnswer => {
		const call = { respond: () => void answered.push(n) } as unknown as UnaryCall;
		return answers.begin(store.rangeChunks(request) as RangeChunks, [], { member, codec, call, mayStillRead: () => true });
	};
	const [first, second, third] = [begin(1), begin(2), begin(3)];
	for (let i = 0; i < 20; i++) for (const answer of [third, second]) answer.step(1);
	// Each holds 20 pairs; the second, not the oldest, can go on to the bound together with the third and no further.
	for (let i = 0; i < 200; i++) second.step(1);
	expect(answered).toEqual([]);
	for (let i = 0; i < 200; i++) first.step(1);
	expect(answered).toEqual([1]);
	third.cancel();
	for (let i = 0; i < 200; i++) second.step(1);
	expect(answered).toEqual([1, 2]);
	expect(store.openReads).toBe(0);
});
