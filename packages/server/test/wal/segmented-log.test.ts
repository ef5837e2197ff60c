import { Dice } from "@flotilla/base";
import { describe, expect, it } from "vitest";
import { Model, matchingSeq, newLog, reopened } from "./log-fixture.ts";

describe("a log that is written and read back", () => {
	it("holds what was handed over, after a clean stop", () => {
		const dice = new Dice("clean stop");
		const log = newLog();
		const model = new Model(dice);
		for (let i = 0; i < 200; i++) {
			log.append(model.next());
			if (dice.chance(1, 2)) log.steps.one(dice);
		}
		log.steps.all(dice);
		expect(log.durableSeq).toBe(200);
		log.close();
		const next = reopened(log.disk);
		expect(next.recovered.cleanStop).toBe(true);
		expect(next.recovered.tornBytes).toBe(0);
		expect(matchingSeq(model, 200, next.recovered, next.readAll())).toBe(200);
	});

	it("tells durable in order and only of what the disk has returned", () => {
		const log = newLog();
		const model = new Model(new Dice("order"));
		log.append(model.appendSome());
		log.append(model.appendSome());
		log.append(model.appendSome());
		expect(log.durableSeq).toBe(0);
		expect(log.wal.oldestPendingSeq).toBe(1);
		// Two lanes are under way; the second one returns first.
		log.steps.waiting.splice(1, 1)[0]?.();
		expect(log.durableSeq).toBe(0);
		log.steps.waiting.splice(0, 1)[0]?.();
		expect(log.durableSeq).toBe(2);
		log.steps.all();
		expect(log.durableSeq).toBe(3);
		expect(log.wal.oldestPendingSeq).toBe(0);
	});
});

describe("a log whose end is not known to be durable (rule W7)", () => {
	it("holds after a start what it told there, though the disk never had it and the power goes next", () => {
		let readBack = 0;
		for (let seed = 0; seed < 30; seed++) {
			const dice = new Dice(`not durable ${seed}`);
			const log = newLog();
			const model = new Model(dice);
			log.append(model.appendSome());
			log.steps.all();
			const { lastIndex } = reopened(log.disk.copy()).recovered;
			// The page cache has it, the disk may not.
			log.disk.failNextWrite();
			log.append(model.appendSome());
			log.steps.all();
			expect(log.failure).not.toBe(null);
			const started = reopened(log.disk.crash("process"));
			const told = started.recovered.lastIndex;
			if (told > lastIndex) readBack++;
			const later = reopened(started.disk.crash("power", { dice }));
			expect(later.recovered.lastIndex, `seed ${seed}`).toBe(told);
		}
		expect(readBack).toBeGreaterThan(0);
	});
});
