import { describe, expect, test } from "vitest";
import { CrashPoints } from "./crash-points.ts";
import { drawPlan, type RunPlan } from "./plan.ts";
import { simulate } from "./run.ts";

/** Until it has taken over the state, and a little beyond. */
const STEPS_OF_INSTALL = 70;

/** Three members in peace, with segments and floors so small that all parts of a member are at work within a second. */
function quietPlan(): RunPlan {
	const plan = drawPlan("crash points", { faultyMs: 700, operationsMin: 0 });
	const none = Object.fromEntries(Object.keys(plan.faults).map((kind) => [kind, 0])) as unknown as RunPlan["faults"];
	return {
		...plan,
		...{ members: 3, faults: none, churn: { ...plan.churn, everyMs: 0 }, electionTicks: 20, heartbeatTicks: 2 },
		...{ segmentBytes: 4_096, floorEntries: 10, floorBytes: 1_024, keepEntries: 0, keepBytes: 0, memoryEntries: 0, partBytes: 2_000 },
		network: {
			...plan.network,
			delayMinUs: 100,
			delayMeanUs: 100,
			mode: "stream",
			lossPerMille: 0,
			duplicatePerMille: 0,
			corruptPerMille: 0,
			queueMax: 0,
		},
	};
}

describe("a member that loses power between any two of its operations", () => {
	const plan = quietPlan();
	const died = new Map<string, number>();

	// Every operation of the first start, then every so many of the life that follows.
	const points = [...Array.from({ length: 50 }, (_, at) => at + 1), ...Array.from({ length: 60 }, (_, at) => 51 + at * 11)];

	test("comes back and agrees, whichever operation it was", () => {
		for (const crashAt of points) {
			const result = simulate({ ...plan, crashAt });
			expect(result.verdict, `died at operation ${crashAt}: ${result.findings.join("; ")}`).toBe("ok");
			for (const point of result.counts.deathsAt.keys()) died.set(point, crashAt);
		}
		expect(died.size).toBeGreaterThan(20);
	});

	test("and the operations that it died at are those of all its parts", () => {
		const areas = new Set([...died.keys()].map((point) => point.split(" ")[0]));
		expect([...areas].sort()).toEqual(["answer", "file", "house", "receive", "send", "store"]);
	});
});

test("SC-074 a member that is sent the whole state loses power at each step of taking it over, and comes back whole", () => {
	const plan = quietPlan();
	// The second one comes to a leader that has cut its log, so its life begins with an install.
	const grows = { ...plan, members: 1, churn: { everyMs: 200, learnersOfTen: 0, votersMax: 3, joint: false }, crashMember: 1 };
	const died = new Set<string>();
	let installed = 0;
	for (let crashAt = 1; crashAt <= STEPS_OF_INSTALL; crashAt++) {
		const result = simulate({ ...grows, crashAt });
		expect(result.verdict, `died at operation ${crashAt}: ${result.findings.join("; ")}`).toBe("ok");
		for (const point of result.counts.deathsAt.keys()) died.add(point);
		installed += result.marks.snapshotInstalled;
	}
	expect(installed).toBeGreaterThanOrEqual(STEPS_OF_INSTALL);
	// Of the store that is received, of the folder of stores, and of the marker in the log.
	for (const area of ["store", "house", "file"]) expect([...died].filter((point) => point.startsWith(area)).length).toBeGreaterThan(1);
});

test("a trap counts only operations of its area, strikes once, and lasts through restarts", () => {
	const deaths: string[] = [];
	const points = new CrashPoints((kind) => deaths.push(kind));
	points.arm({ after: 2, area: "file", kind: "power" });
	expect([points.pass("send", "append"), points.pass("file", "write"), points.pass("send", "append")]).toEqual([true, true, true]);
	expect(points.pass("file", "rename")).toBe(false);
	expect(points.pass("file", "rename")).toBe(true);
	expect(deaths).toEqual(["power"]);
	expect([...points.deaths]).toEqual([["file rename", 1]]);
});
