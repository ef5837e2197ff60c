import { Dice, marksDuring } from "@flotilla/base";
import { describe, expect, it } from "vitest";
import { type DiskCrash, SimDisk } from "../../src/disk/memory-disk.ts";
import type { WalOptions } from "../../src/wal/wal-interface.ts";
import { LogUnderTest, Model, matchingSeq, SMALL, Steps } from "./log-fixture.ts";

interface Run {
	readonly log: LogUnderTest;
	readonly model: Model;
	/** The log was open when the run ended. */
	readonly opened: boolean;
}

/** A member's first life, a given number of steps long. The same seed draws the same steps. */
function runUntil(seed: string, options: WalOptions, works: number, stepsMax: number): Run {
	const dice = new Dice(seed);
	const steps = new Steps();
	const disk = new SimDisk({ schedule: steps.schedule, dice: dice.fork("disk") });
	const log = new LogUnderTest(disk, steps, options).create();
	const model = new Model(dice.fork("model"));
	while (log.opening === null) if (steps.taken >= stepsMax || !steps.one(dice)) return { log, model, opened: false };
	for (let i = 0; i < works; i++) {
		log.wal.append(model.next());
		if (dice.chance(2, 3)) log.wal.flush();
		if (dice.chance(1, 8)) log.wal.cutBehind(model.at(log.durableSeq).hardState.commit);
		if (dice.chance(1, 8)) log.wal.noteHead();
		const pause = dice.range(0, 6);
		for (let step = 0; step < pause; step++) {
			if (steps.taken >= stepsMax) return { log, model, opened: true };
			steps.one(dice);
		}
	}
	log.wal.flush();
	while (steps.taken < stepsMax && steps.one(dice));
	return { log, model, opened: true };
}

/**
 * Crashes a run after each of its steps, recovers, compares with the model, goes on a little, and cuts the power: what a
 * recovery has shown must not vanish any more.
 */
function crashEverywhere(seed: string, options: WalOptions, kind: DiskCrash, works = 50): number {
	const total = runUntil(seed, options, works, Number.MAX_SAFE_INTEGER).log.steps.taken;
	for (let at = 0; at <= total; at++) {
		const { log, model, opened } = runUntil(seed, options, works, at);
		if (!opened) continue;
		const where = `seed ${seed}, ${kind} crash after step ${at} of ${total}`;
		const dice = new Dice(`${seed}/${at}`);
		const next = recoverRepeatedly(log.disk, options, kind, dice, where);
		const entries = next.readAll(dice);
		const seq = matchingSeq(model, log.durableSeq, next.recovered, entries);
		if (typeof seq === "string") throw new Error(`${where}: ${seq}`);
		// What was recovered is written to, crashed again, and recovered again.
		const state = model.at(seq);
		model.restart({ ...state, hardState: next.recovered.hardState, framedCommit: next.recovered.hardState.commit });
		for (let i = 0; i < 6; i++) {
			next.append(model.next());
			next.steps.one(dice);
		}
		const last = recoverRepeatedly(next.disk, options, "power", dice, `${where}, second life`);
		const found = matchingSeq(model, next.durableSeq, last.recovered, last.readAll(dice));
		if (typeof found === "string") throw new Error(`${where}, second life: ${found}`);
	}
	return total;
}

/** Crashes the recovery itself a few times before it is let through. */
function recoverRepeatedly(disk: SimDisk, options: WalOptions, kind: DiskCrash, dice: Dice, where: string): LogUnderTest {
	let crashed = disk;
	for (let again = dice.range(0, 2); ; again--) {
		const steps = new Steps();
		crashed = crashed.crash(kind, { schedule: steps.schedule, dice });
		const log = new LogUnderTest(crashed, steps, options).recover();
		if (again > 0) {
			for (let step = dice.range(0, 40); step > 0 && log.opening === null; step--) steps.one(dice);
			continue;
		}
		steps.all(dice);
		if (log.opening?.ok !== true) throw new Error(`${where}: ${log.refusal} ${log.failure ?? ""}`);
		return log;
	}
}

describe("a crash after any step of the disk", () => {
	const kinds: readonly DiskCrash[] = ["power", "process"];
	for (const kind of kinds) {
		for (const depth of [1, 2, 4]) {
			it(`SC-062 SC-095 SC-101 keeps what was told to be durable (${kind}, ${depth} writes under way)`, () => {
				const during = marksDuring(() => {
					for (const round of [1, 2, 3]) {
						const steps = crashEverywhere(`${kind}/${depth}/${round}`, { ...SMALL, segmentBytes: 2048, depth }, kind, 70);
						expect(steps).toBeGreaterThan(80);
					}
				});
				expect(during.tornTailRepaired).toBeGreaterThan(0);
				expect(during.tornAtSegmentEnd).toBeGreaterThan(0);
			});
		}
	}

	it("keeps it when a segment holds hardly more than its checkpoint", () => {
		for (const kind of kinds) expect(crashEverywhere(`tiny/${kind}`, { ...SMALL, segmentBytes: 900 }, kind, 60)).toBeGreaterThan(150);
	});

	it("keeps it with a retention", () => {
		for (const kind of kinds) {
			expect(crashEverywhere(`kept/${kind}`, { ...SMALL, segmentBytes: 1024, keepEntries: 10, keepBytesMax: 2048 }, kind)).toBeGreaterThan(
				100,
			);
		}
	});

	it("SC-092 ends at a write that fails, and believes nothing of it afterwards that the disk does not hold", () => {
		for (const round of [1, 2, 3]) {
			const seed = `failing/${round}`;
			const total = runUntil(seed, SMALL, 30, Number.MAX_SAFE_INTEGER).log.steps.taken;
			for (let at = 0; at < total; at++) {
				const { log, model, opened } = runUntil(seed, SMALL, 30, at);
				if (!opened) continue;
				const dice = new Dice(`${seed}/${at}`);
				log.disk.failNextWrite();
				log.append(model.appendSome());
				while (log.failure === null && log.steps.one(dice));
				expect(log.failure).toMatch(/EIO/);
				const told = log.durableSeq;
				log.steps.all(dice);
				expect(log.durableSeq).toBe(told);
				const next = recoverRepeatedly(log.disk, SMALL, "process", dice, `${seed}, step ${at}`);
				const seq = matchingSeq(model, told, next.recovered, next.readAll(dice));
				if (typeof seq === "string") throw new Error(`${seed}, step ${at}: ${seq}`);
				const last = recoverRepeatedly(next.disk, SMALL, "power", dice, `${seed}, step ${at}, power cut`);
				const found = matchingSeq(model, seq, last.recovered, last.readAll(dice));
				if (found !== seq) throw new Error(`${seed}, step ${at}: first ${seq}, after a power cut ${found}`);
			}
		}
	});

	it("makes a log wholly or not at all", () => {
		const total = runUntil("creation", SMALL, 0, Number.MAX_SAFE_INTEGER).log.steps.taken;
		for (let at = 0; at < total; at++) {
			for (const kind of kinds) {
				const { log, opened } = runUntil("creation", SMALL, 0, at);
				const steps = new Steps();
				const next = new LogUnderTest(log.disk.crash(kind, { schedule: steps.schedule, dice: new Dice(at) }), steps).recover();
				steps.all();
				expect(next.opening).not.toBe(null);
				if (opened) expect(next.refusal).toBe("(open)");
				else if (next.opening?.ok === false) expect(next.refusal).toMatch(/^(missing|corrupt): /);
			}
		}
	});
});
