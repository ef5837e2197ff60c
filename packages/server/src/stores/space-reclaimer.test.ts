import { encodeRecordKey } from "@flotilla/mvcc";
import { expect, test } from "vitest";
import { SpaceReclaimer } from "./space-reclaimer.ts";

const keys = (from: number, count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => encodeRecordKey(from + i, 0, false));
const revision = (key: Uint8Array): number => Number(Buffer.from(key).readBigUInt64BE(0));

function house(bytesARevision = 100) {
	const merged: Array<[number, number]> = [];
	const reclaimer = new SpaceReclaimer({
		merge: async (from, to) => void merged.push([revision(from), revision(to)]),
		size: async (from, to) => (revision(to) - revision(from)) * bytesARevision,
	});
	const run = (): Promise<void> => new Promise((resolve) => reclaimer.start(resolve));
	return { merged, reclaimer, run };
}

test("few deletions are not worth it; many are, over all that they touched", async () => {
	const { merged, reclaimer, run } = house();
	reclaimer.deleted(keys(50_000, 9_999));
	expect(reclaimer.due).toBe(false);
	reclaimer.deleted(keys(10, 1));
	expect(reclaimer.due).toBe(true);
	await run();
	expect(merged).toEqual([
		[10, 32_778],
		[32_778, 65_546],
	]);
	expect(reclaimer.due).toBe(false);
});

test("the larger the revisions, the fewer in a step, but one at least", async () => {
	for (const [bytesARevision, step] of [
		[1 << 10, 8_192],
		[1 << 30, 1],
	] as const) {
		const { merged, reclaimer, run } = house(bytesARevision);
		const touched = keys(10, 3 * step);
		while (!reclaimer.due) reclaimer.deleted(touched);
		await run();
		expect(merged).toEqual([0, 1, 2].map((at) => [10 + at * step, 10 + (at + 1) * step]));
	}
});

test("one round at a time; a stop ends it behind a step", async () => {
	const steps: Array<() => void> = [];
	const reclaimer = new SpaceReclaimer({ merge: () => new Promise((resolve) => steps.push(resolve)), size: async () => 0 });
	reclaimer.deleted([...keys(1, 10_000), ...keys(1_000_000, 1)]);
	let ended = false;
	reclaimer.start(() => {
		ended = true;
	});
	reclaimer.deleted(keys(1, 10_000));
	expect(reclaimer.due).toBe(false);
	const stopping = reclaimer.stop();
	await expect.poll(() => steps.length).toBe(1);
	steps[0]?.();
	await stopping;
	expect([steps.length, ended]).toEqual([1, true]);
	expect(reclaimer.due).toBe(false);
});

test("a merge that fails is tried again with the next deletions", async () => {
	let failures = 0;
	const reclaimer = new SpaceReclaimer({
		merge: () => {
			failures++;
			return Promise.reject(new Error("no room"));
		},
		size: async () => 0,
	});
	for (let round = 1; round <= 2; round++) {
		reclaimer.deleted(keys(1, 10_000));
		await new Promise<void>((resolve) => reclaimer.start(resolve));
		expect(failures).toBe(round);
	}
});
