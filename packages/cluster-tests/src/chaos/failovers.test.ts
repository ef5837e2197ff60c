/** What a change of leader cost is read from the clients' writes; elections between two writes are one change. */
import { describe, expect, test } from "vitest";
import type { Attempt } from "../history/operation.ts";
import { failoversOf } from "./failovers.ts";
import type { RunRecord } from "./run.ts";
import type { TimelineEvent } from "./tap-watch.ts";

const write = (at: number): Attempt => ({
	...{ id: at, client: 0, member: "m1", invoked: at - 5, operation: { kind: "put", key: "k", value: "v" } },
	outcome: { kind: "ok", returned: at, answer: { kind: "put", revision: at, previous: null } },
});

const span = (from: number, until: number): number[] => Array.from({ length: (until - from) / 10 + 1 }, (_, n) => from + 10 * n);

const KILL = { fault: "kill", members: ["m1"], fromMs: 1_490, untilMs: 2_600, notes: [] };

function recordOf(writes: readonly number[], tenures: RunRecord["tenures"], faults: RunRecord["faults"] = [KILL]): RunRecord {
	const timeline = [
		{ atMs: 1_600, member: "m2", term: 2, event: "leaderLost", what: "has no leader any more (silence)" },
		{ atMs: 2_050, member: "m3", term: 4, event: "becameLeader", what: "leads term 4" },
	];
	return { attempts: writes.map(write), tenures, faults, timeline, startedMs: 1_000, endedMs: 4_000 } as unknown as RunRecord;
}

test("the longest pause of writes around it, with what the members say", () => {
	const [only, ...others] = failoversOf(
		recordOf(
			[...span(1_010, 1_480), ...span(2_100, 3_900)],
			[
				{ member: "m1", term: 2, fromMs: 1_000, untilMs: 1_500 },
				{ member: "m3", term: 4, fromMs: 2_050, untilMs: 4_000 },
			],
		),
	);
	expect(others).toEqual([]);
	expect(only).toMatchObject({ term: 4, from: "m1", to: "m3", cause: "kill", lastWriteMs: 480, nextWriteMs: 1_100, costMs: 620 });
	expect(only?.steps).toEqual([
		{ atMs: 600, member: "m2", event: "leaderLost", what: "has no leader any more (silence)" },
		{ atMs: 1_050, member: "m3", event: "becameLeader", what: "leads term 4" },
	]);
	expect(only?.stages).toEqual([
		{ stage: "leads", atMs: 1_050 },
		{ stage: "first write", atMs: 1_100 },
	]);
});

describe("on a machine so busy that writes pause for longer than the election takes", () => {
	/** Two pauses of a second, and between them the one in which m3 was elected. */
	const writes = [1_100, 2_100, 2_110, 2_300, 2_310, 3_310, 3_900];
	const tenures = [
		{ member: "m1", term: 2, fromMs: 1_000, untilMs: 2_100 },
		{ member: "m3", term: 4, fromMs: 2_600, untilMs: 4_000 },
	];
	const its = (event: TimelineEvent["event"], atMs: number, term: number): TimelineEvent => ({
		atMs,
		member: "m3",
		term,
		event,
		what: event,
	});
	const election = [
		...[its("heartbeatHeard", 2_090, 2), its("leaderLost", 2_120, 2), its("becamePreCandidate", 2_130, 2)],
		...[its("becameCandidate", 2_140, 4), its("becameLeader", 2_200, 4), its("commitAdvanced", 2_250, 4)],
	];
	const told = (...timeline: readonly TimelineEvent[]) => failoversOf({ ...recordOf(writes, tenures), timeline });

	test("the pause is told in which the new leader says that it was elected, and stage by stage", () => {
		const [only] = told(...election);
		expect(only).toMatchObject({ lastWriteMs: 1_110, nextWriteMs: 1_300, costMs: 190 });
		expect(only?.stages.map(({ stage, atMs }) => `${stage} ${atMs}`)).toEqual([
			...["last heartbeat 1090", "leader missed 1120", "pre-vote 1130", "vote 1140", "leads 1200", "first commit 1250", "first write 1300"],
		]);
	});

	test("a write of the former leader that is heard of late does not shorten it", () => {
		const timeline = election.map((one) => (one.event === "becameLeader" ? { ...one, atMs: 2_105 } : one));
		expect(told(...timeline)).toMatchObject([{ lastWriteMs: 1_110, nextWriteMs: 1_300 }]);
	});

	test("where nobody says so it is the longest one around the change", () => {
		expect(told()).toMatchObject([{ lastWriteMs: 100, nextWriteMs: 1_100, stages: [{ stage: "first write" }] }]);
	});
});

test("connections that broke are the cause only where nothing worse was at work", () => {
	const reset = { fault: "reset", members: ["m1", "m2"], fromMs: 1_700, untilMs: 1_701, notes: [] };
	const tenures = [
		{ member: "m1", term: 2, fromMs: 1_000, untilMs: 1_500 },
		{ member: "m3", term: 4, fromMs: 2_050, untilMs: 4_000 },
	];
	const causes = (...faults: RunRecord["faults"]) =>
		failoversOf(recordOf([...span(1_010, 1_480), ...span(2_100, 3_900)], tenures, faults)).map(({ cause }) => cause);
	expect(causes(KILL, reset)).toEqual(["kill"]);
	expect(causes(reset)).toEqual(["reset"]);
	expect(causes()).toEqual(["no fault"]);
});

test("leaders under whom nothing is written do not make it two", () => {
	const tenures = [
		{ member: "m1", term: 2, fromMs: 1_000, untilMs: 1_500 },
		{ member: "m2", term: 3, fromMs: 1_700, untilMs: 1_800 },
		{ member: "m3", term: 4, fromMs: 2_050, untilMs: 4_000 },
	];
	const once = failoversOf(recordOf([...span(1_010, 1_480), ...span(2_100, 3_900)], tenures));
	expect(once).toMatchObject([{ term: 4, from: "m1", to: "m3", cause: "kill", costMs: 620 }]);
	expect(once[0]?.steps.map(({ atMs }) => atMs)).toEqual([600, 1_050]);
	const twice = failoversOf(recordOf([...span(1_010, 1_480), 1_790, ...span(2_100, 3_900)], tenures));
	expect(twice).toMatchObject([
		{ term: 3, from: "m1", to: "m2" },
		{ term: 4, from: "m2", to: "m3", costMs: 310 },
	]);
});
