import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { WatchPairing } from "./watch/watch-pairing.ts";

const from = Number(process.env.FLOTILLA_SEED ?? 0);
const SEEDS = Number(process.env.FLOTILLA_WATCH_RUNS ?? 200);

describe("watchers hear what the whole history says", () => {
	const sums: Record<string, number> = {};

	for (let block = 0; block < SEEDS; block += 50) {
		test(`seeds ${from + block} to ${from + block + 49}`, () => {
			for (let seed = from + block; seed < from + block + 50; seed++) {
				const pairing = new WatchPairing(new Dice(`watch ${seed}`));
				for (let step = 0; step < 400 && pairing.complaints.length === 0; step++) pairing.step();
				if (pairing.complaints.length === 0) pairing.finish();
				expect(pairing.complaints, `FLOTILLA_SEED=${seed} FLOTILLA_WATCH_RUNS=1`).toEqual([]);
				for (const [name, count] of Object.entries(pairing.counts)) sums[name] = (sums[name] ?? 0) + count;
			}
		});
	}

	test("and all of it happened", () => {
		for (const [name, count] of Object.entries(sums)) expect([name, count > SEEDS / 10]).toEqual([name, true]);
	});
});
