/** Faults that lose or change what was written or sent: each strikes, within its budget, and none is taken for the truth. */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { readDamaged, type Wire } from "./damaged-frame.ts";
import { drawPlan, type FaultRates, type RunPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const limits = { faultyMs: 10_000, operationsMin: 100 };

/** Of three members, with nothing but these faults. */
function planOf(seed: string, faults: Partial<FaultRates>, corruptPerMille = 0): RunPlan {
	const plan = drawPlan(seed, limits);
	const none = Object.fromEntries(Object.keys(plan.faults).map((kind) => [kind, 0])) as unknown as FaultRates;
	const network = { ...plan.network, mode: "stream", lossPerMille: 0, queueMax: 0, corruptPerMille } as const;
	return { ...plan, members: 3, network, faults: { ...none, ...faults } };
}

/** Runs one seed after the other until `enough` was seen: at least three, and far more than chance can ask for at most. */
function runUntil(
	enough: (results: readonly RunResult[]) => boolean,
	name: string,
	faults: Partial<FaultRates>,
	corruptPerMille = 0,
): void {
	const results: RunResult[] = [];
	for (let seed = from; seed < from + 60; seed++) {
		const result = simulate(planOf(`${name} ${seed}`, faults, corruptPerMille));
		expect(result.verdict, `seed "${name} ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
		results.push(result);
		if (results.length >= 3 && enough(results)) return;
	}
	expect.unreachable(`"${name}" never struck often enough in 60 runs`);
}

function strikes(results: readonly RunResult[], fault: string): number {
	return results.flatMap(({ faults }) => faults).filter((note) => note.fault === fault).length;
}

describe(`damage (FLOTILLA_SEED=${from})`, () => {
	test("SC-092 SC-093 writes that fail and disks that fill up end their members, which come back and lack nothing", () => {
		const rates = { failDiskMs: 800, fullDiskMs: 2_000, powerCutMs: 3_000 };
		runUntil((results) => strikes(results, "write error") > 3 && strikes(results, "full disk") > 3, "disk", rates);
	});

	test("SC-103 SC-104 a bit of the vote file, the identity or the log: repaired, of no account, or refused by name", () => {
		runUntil((results) => strikes(results, "rot in meta") > 0 && strikes(results, "rot in log") > 1, "rot", { rotMs: 500, killMs: 3_000 });
	});

	test("a bit that is inverted between members is refused with its frame, the connection is closed, and nothing of it is taken", () => {
		runUntil((results) => results.reduce((sum, { counts }) => sum + counts.refusedFrames, 0) > 20, "wire", {}, 20);
	});

	test("a sector of the log that went to another place is found or of no account", () => {
		runUntil((results) => strikes(results, "misdirected write") > 1, "place", { rotMs: 700, killMs: 3_000 });
	});

	test("a folder that is put back to an earlier copy: its member catches up, or is refused by name, and nobody loses anything", () => {
		runUntil((results) => strikes(results, "old folder") > 3, "old folder", { oldFolderMs: 1_500, killMs: 4_000 });
	});
});

test("a frame with an inverted bit is refused as soon as it is there, in whatever pieces it came", () => {
	const dice = new Dice("damaged frames");
	const sound = { envelope: new Uint8Array(40).fill(3), slab: new Uint8Array(0) };
	for (let run = 0; run < 3_000; run++) {
		const wire: Wire = { ...sound, slab: new Uint8Array(dice.range(0, 300)).fill(7) };
		expect(readDamaged(wire, dice)).toBeNull();
	}
});
