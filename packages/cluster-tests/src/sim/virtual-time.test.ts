import { Dice } from "@flotilla/base";
import { describe, expect, it } from "vitest";
import { SimProcess } from "./process.ts";
import { VirtualTime } from "./virtual-time.ts";

describe("virtual time", () => {
	it("carries out events by time, and those of one moment in the order of their scheduling", () => {
		const time = new VirtualTime();
		const seen: string[] = [];
		const dice = new Dice("order");
		for (let n = 0; n < 500; n++) time.after(dice.range(0, 20), () => seen.push(`${time.nowUs}`));
		time.after(7, () => seen.push("7"));
		time.runUntil(100);
		expect(seen).toEqual([...seen].sort((a, b) => Number(a) - Number(b)));
		expect(seen).toHaveLength(501);
		expect(time.nowUs).toBe(100);
	});

	it("does not carry out what was called off", () => {
		const time = new VirtualTime();
		let ran = 0;
		const callOff = time.after(5, () => ran++);
		time.after(6, () => ran++);
		callOff();
		while (time.step());
		expect(ran).toBe(1);
	});
});

describe("a simulated process", () => {
	const make = (rate = 1) => {
		const time = new VirtualTime();
		return { time, process: new SimProcess(time, new Dice("process"), { rate, offsetMs: 0 }) };
	};

	it("does nothing while it is paused, and everything in order when it goes on", () => {
		const { time, process } = make();
		const seen: number[] = [];
		process.pause();
		for (let n = 0; n < 3; n++) process.scheduler.after(n + 1, () => seen.push(n));
		time.runUntil(50_000);
		expect(seen).toEqual([]);
		process.resume();
		time.runUntil(60_000);
		expect(seen).toEqual([0, 1, 2]);
	});

	it("does nothing any more after its end", () => {
		const { time, process } = make();
		let ran = false;
		process.scheduler.after(1, () => {
			ran = true;
		});
		process.end();
		time.runUntil(10_000);
		expect(ran).toBe(false);
	});

	it("has timers that run by its own clock", () => {
		const { time, process } = make(2);
		let atMs = 0;
		process.scheduler.after(10, () => {
			atMs = process.clock.monotonicMs();
		});
		time.runUntil(100_000);
		expect(atMs).toBe(10);
	});

	it("SC-122 keeps its monotonic clock when the wall clock is set", () => {
		const { process } = make();
		const [monotonic, wall] = [process.clock.monotonicMs(), process.clock.wallMs()];
		process.jumpWallClock(-3_600_000);
		expect(process.clock.monotonicMs()).toBe(monotonic);
		expect(process.clock.wallMs()).toBe(wall - 3_600_000);
	});
});
