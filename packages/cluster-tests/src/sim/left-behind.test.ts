/** A minority that stays broken, each way of it; and the checks by number that look at reads, transfers and terms. */
import { Dice } from "@flotilla/base";
import type { ConfState, CoreStatus } from "@flotilla/raft";
import type { LaneMessage } from "@flotilla/server/internal";
import { describe, expect, test } from "vitest";
import { Fleet, initialConf } from "./fleet.ts";
import { Invariants } from "./invariants.ts";
import { leaderAmong, restWithout } from "./left-behind.ts";
import type { SimMember } from "./member.ts";
import { lossOptions, SimNetwork } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { drawPlan, type FaultRates, type RunPlan } from "./plan.ts";
import { ReadChecks } from "./read-checks.ts";
import { simulate } from "./run.ts";
import { TraceHash } from "./trace-hash.ts";
import { VirtualTime } from "./virtual-time.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));

const NO_FAULTS = Object.fromEntries(
	Object.keys(drawPlan("none", { faultyMs: 0, operationsMin: 0 }).faults).map((kind) => [kind, 0]),
) as unknown as FaultRates;

/** A second of faults, then a minority is left behind. */
function planOf(seed: string, members: number): RunPlan {
	const plan = drawPlan(seed, { faultyMs: 2_000, operationsMin: 0 });
	const faults = { ...NO_FAULTS, killMs: 1_000, isolateMs: 1_000, resetMs: 500 };
	return { ...plan, members, faults, churn: { ...plan.churn, everyMs: 0 }, leavesMinority: true };
}

describe(`a minority that stays broken (FLOTILLA_SEED=${from})`, () => {
	test("dead, cut off, deaf, mute or without the leader alone: the others serve within the bound, and begin no term", () => {
		const seen = new Map<string, number>();
		for (let seed = from; seed < from + 10; seed++) {
			const result = simulate(planOf(`left ${seed}`, seed % 2 === 0 ? 3 : 5));
			expect(result.verdict, `seed "left ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
			for (const { fault } of result.faults) if (fault.startsWith("left ")) seen.set(fault, (seen.get(fault) ?? 0) + 1);
		}
		expect([...seen.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(10);
		expect(seen.size).toBeGreaterThanOrEqual(2);
	});

	test("a planted bug shows then: voters that unseat the leader whom they hear, for one that does not", () => {
		// The seeds are fixed, so that a miss is a change of the simulator.
		for (const seed of [16, 18]) {
			const { findings } = simulate({ ...planOf(`unseat ${seed}`, 3), faults: NO_FAULTS, mutant: "unseatsHeardLeader" });
			if (findings.some((finding) => /^(calm: without a minority|liveness: the rest does not serve)/.test(finding))) return;
		}
		expect.unreachable("unseatsHeardLeader was not found");
	});

	function newFleet(plan: RunPlan): Fleet {
		const time = new VirtualTime();
		const dice = new Dice(plan.seed);
		const invariants = new Invariants(initialConf(plan), 1, plan.electionTicks);
		const network = new SimNetwork(time, dice, plan.network, lossOptions(plan));
		return new Fleet(plan, { time, dice, network, invariants, oracle: new Oracle(), trace: new TraceHash() });
	}

	test("who is left dead stays so, though a supervisor was about to start it", () => {
		const [member] = newFleet(planOf("dead", 3)).all as [SimMember];
		member.start();
		expect(member.running).toBe(true);
		member.stayDead();
		member.start();
		expect(member.running).toBe(false);
		member.mayLive();
		member.start();
		expect(member.running).toBe(true);
	});

	test("a learner that is refused then is none of the rest", () => {
		const fleet = newFleet(planOf("rest", 5));
		const [m1, m2, m3, m4, m5] = fleet.all as [SimMember, SimMember, SimMember, SimMember, SimMember];
		fleet.setPart(m4, "learner");
		fleet.setPart(m5, "removed");
		const behind = [{ member: m1, state: "left dead" }] as const;
		expect(restWithout(behind, fleet)).toEqual([m2, m3, m4]);
		m4.refusedBecause = "its log is damaged";
		expect(restWithout(behind, fleet)).toEqual([m2, m3]);
	});
});

test("the leader of the rest is one of them, and all of them say so", () => {
	const member = (id: bigint, leader: bigint | null) => ({
		id,
		progress: () => (leader === null ? null : { leader, applied: 7, last: 7 }),
	});
	expect(leaderAmong([member(1n, 2n), member(2n, 2n)])).toBe(2n);
	// Member 3 was left behind, deaf: it is heard, and has not noticed yet that it hears nobody.
	expect(leaderAmong([member(1n, 3n), member(2n, 3n)])).toBe(null);
	expect(leaderAmong([member(1n, 1n), member(2n, 3n)])).toBe(null);
	expect(leaderAmong([member(1n, 0n), member(2n, 0n)])).toBe(null);
	expect(leaderAmong([member(1n, 1n), member(2n, null)])).toBe(null);
	expect(leaderAmong([])).toBe(null);
});

describe("a read that a leader grants to another member", () => {
	const conf: ConfState = { voters: [1n, 2n, 3n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
	const token = { incarnation: 9, counter: 1 };
	const base = { term: 4 };
	const ask = { ...base, kind: "readIndex", from: 3n, to: 1n, token } as LaneMessage;
	const beat = (readPosition: number) =>
		({ ...base, kind: "heartbeat", from: 1n, to: 2n, commit: 0, commitTerm: 0, readPosition, sequence: 1 }) as LaneMessage;
	const echo = (readPosition: number) => ({ ...base, kind: "heartbeatResp", from: 2n, to: 1n, readPosition, sequence: 1 }) as LaneMessage;
	const grant = { ...base, kind: "readIndexResp", from: 1n, to: 3n, token, index: 7 } as LaneMessage;

	function breachesOf(tell: (checks: ReadChecks) => void): number {
		let breaches = 0;
		const checks = new ReadChecks(() => breaches++);
		tell(checks);
		expect(checks.judged).toBe(1);
		return breaches;
	}

	test("needs the echo of a heartbeat that was made after the question", () => {
		const story = (...steps: ReadonlyArray<"ask" | number | readonly ["echo", number]>) =>
			breachesOf((checks) => {
				for (const step of steps) {
					if (step === "ask") checks.arriving(1n, ask);
					else if (typeof step === "number") checks.leaving(1n, beat(step), [conf]);
					else checks.arriving(1n, echo(step[1]));
				}
				checks.leaving(1n, grant, [conf]);
			});
		expect(story("ask", 5, ["echo", 5])).toBe(0);
		expect(story(4, "ask", 5, ["echo", 4])).toBe(1);
		expect(story(5, "ask", ["echo", 5])).toBe(1);
		expect(story("ask", 5)).toBe(1);
		expect(story(5, ["echo", 5])).toBe(1);
		expect(story(4, "ask", ["echo", 4], 5, ["echo", 5])).toBe(0);
	});

	test("is judged in runs of whole members", () => {
		const { verdict, counts } = simulate(planOf("granted reads", 3));
		expect(verdict).toBe("ok");
		expect(counts.readsJudged).toBeGreaterThan(20);
	});
});

test("L-7: a leader that hands over for longer than an election timeout is told of, once", () => {
	const conf: ConfState = { voters: [1n, 2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
	const checks = new Invariants(conf, 1, 10);
	const status = { id: 1n, role: "follower", term: 3, vote: 0n, leader: 2n, commit: 1, applied: 1, stable: 1, firstIndex: 2 } as const;
	const rest = { lastIndex: 1, lastTerm: 1, confState: conf, transferee: 0n, peers: [] };
	const leads = (transferee: bigint): CoreStatus => ({ ...status, ...rest, role: "leader", transferee });
	const breaches = (): number => checks.breaches.filter(({ invariant }) => invariant === "transferBounded").length;
	const tick = (count: number): void => {
		for (let n = 0; n < count; n++) checks.ticked(1n);
	};
	checks.observe(1n, leads(2n), 1, null);
	tick(12);
	checks.observe(1n, leads(0n), 1, null);
	tick(30);
	checks.observe(1n, leads(2n), 1, null);
	tick(12);
	expect(breaches()).toBe(0);
	tick(20);
	expect(breaches()).toBe(1);
});
