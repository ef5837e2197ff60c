import { describe, expect, test } from "vitest";
import { EventTap, type TapRecord } from "./event-tap.ts";

function manualClock() {
	const clock = { nowMs: 1_000, wall: 1_700_000_000_000, monotonicMs: () => clock.nowMs, wallMs: () => clock.wall };
	return clock;
}

describe("event tap", () => {
	test("a record carries name, time since the start, wall time, member, term, index and fields", () => {
		const clock = manualClock();
		const tap = new EventTap({ member: 0xabcn }, clock);
		clock.nowMs += 2.5;
		tap.emit("becameLeader", 4, 17, { reason: "timeout" });
		expect(tap.recent(10)).toEqual([
			{
				sequence: 0,
				name: "becameLeader",
				monotonicNs: 2_500_000,
				wallMs: 1_700_000_000_002.5,
				member: 0xabcn,
				term: 4,
				index: 17,
				fields: { reason: "timeout" },
			},
		]);
	});

	test("the ring forgets the oldest events, and counts all of them", () => {
		const tap = new EventTap({ member: 1n, capacity: 4 }, manualClock());
		for (let index = 1; index <= 6; index++) tap.emit(index % 2 === 0 ? "applied" : "commitAdvanced", 1, index);
		expect(tap.recent(100).map((r) => r.index)).toEqual([3, 4, 5, 6]);
		expect(tap.recent(2).map((r) => r.sequence)).toEqual([4, 5]);
		expect(tap.recent(100, ["applied"]).map((r) => r.index)).toEqual([4, 6]);
		expect([tap.count("applied"), tap.count("commitAdvanced"), tap.count("ready"), tap.total]).toEqual([3, 3, 0, 6]);
	});

	test("a subscriber sees its names only, in order, until it stops", () => {
		const tap = new EventTap({ member: 1n }, manualClock());
		const seen: string[] = [];
		const stop = tap.subscribe(["ready", "stopped"], (record) => seen.push(record.name));
		tap.emit("ready", 0, 0);
		tap.emit("applied", 1, 1);
		tap.emit("stopped", 0, 0);
		stop();
		tap.emit("ready", 0, 0);
		expect(seen).toEqual(["ready", "stopped"]);
	});

	test("a subscriber that throws is taken off; the emitter and the others do not notice", () => {
		const tap = new EventTap({ member: 1n }, manualClock());
		const seen: TapRecord[] = [];
		tap.subscribe(null, () => {
			throw new Error("broken");
		});
		tap.subscribe(null, (record) => seen.push(record));
		tap.emit("ready", 0, 0);
		tap.emit("stopped", 0, 0);
		expect(seen.map((r) => r.name)).toEqual(["ready", "stopped"]);
		expect(tap.brokenListeners).toBe(1);
	});

	test("SC-122 wall time follows a jump of the wall clock within a second, monotonic time ignores it", () => {
		const clock = manualClock();
		const tap = new EventTap({ member: 1n }, clock);
		clock.wall -= 3_600_000;
		clock.nowMs += 500;
		tap.emit("applied", 1, 1);
		clock.nowMs += 500;
		tap.emit("applied", 1, 2);
		const [before, after] = tap.recent(2) as [TapRecord, TapRecord];
		expect(before.wallMs).toBe(1_700_000_000_500);
		expect(after.wallMs).toBe(1_700_000_000_000 - 3_600_000);
		expect(after.monotonicNs - before.monotonicNs).toBe(500e6);
	});
});
