import { Dice } from "@flotilla/base";
import { checkByRevision } from "../history/by-revision.ts";
import type { Attempt } from "../history/operation.ts";
import { Recorder, SimClient } from "./client.ts";
import { Invariants } from "./invariants.ts";
import { makeMembers, type SimMember } from "./member.ts";
import { type FaultNote, Nemesis } from "./nemesis.ts";
import { SimNetwork } from "./network.ts";
import { Oracle } from "./oracle.ts";
import type { RunPlan } from "./plan.ts";
import { TraceHash } from "./trace-hash.ts";
import { VirtualTime } from "./virtual-time.ts";
import { Workload } from "./workload.ts";

export interface RunResult {
	readonly plan: RunPlan;
	readonly verdict: "ok" | "violated" | "unknown";
	/** What was found, in words; empty when the verdict is ok. */
	readonly findings: readonly string[];
	/** Hash over every message, write and answer of the run: equal for equal seeds, or determinism is broken. */
	readonly traceHash: string;
	readonly steps: number;
	readonly virtualMs: number;
	readonly counts: RunCounts;
	readonly faults: readonly FaultNote[];
	readonly attempts: readonly Attempt[];
}

/** What happened, so that a quiet run is seen for what it is. */
export interface RunCounts {
	readonly operations: number;
	readonly acknowledged: number;
	readonly refused: number;
	readonly unknown: number;
	readonly finalRevision: number;
	readonly elections: number;
	readonly restarts: number;
	readonly floors: number;
	readonly snapshots: number;
	readonly messages: number;
	readonly removals: number;
}

/** How long a healed cluster may take until every member serves and holds the same state, in election timeouts. */
const HEALING_ELECTIONS = 50;
const STEPS_MAX = 20_000_000;

/**
 * One run: whole members on simulated disks and a simulated network, clients, faults at will; then the faults end, and
 * within a bound every member must serve and hold the same; then the history is checked. A pure function of the plan.
 */
export function simulate(plan: RunPlan): RunResult {
	const world = new World(plan);
	const findings: string[] = [];
	try {
		world.breakThings();
		if (!world.heal()) findings.push(...world.whyNotHealed());
		else findings.push(...world.compareMembers(), ...world.nemesis.removals.findings());
	} catch (error) {
		findings.push(`exception: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
	}
	findings.push(...world.invariants.breaches.map(({ invariant, text }) => `${invariant}: ${text}`));
	findings.push(...world.oracle.disagreements, ...world.refusedStarts());
	const undecided = findings.length === 0 ? world.checkHistory(findings) : null;
	return {
		plan,
		verdict: findings.length > 0 ? "violated" : undecided !== null ? "unknown" : "ok",
		findings: undecided === null ? findings : [undecided],
		traceHash: world.trace.hex(),
		steps: world.time.steps,
		virtualMs: Math.round(world.time.nowUs / 1_000),
		counts: world.counts(),
		faults: world.nemesis.notes,
		attempts: world.recorder.attempts,
	};
}

class World {
	readonly plan: RunPlan;
	readonly time = new VirtualTime();
	readonly trace = new TraceHash();
	readonly invariants = new Invariants();
	readonly oracle = new Oracle();
	readonly recorder: Recorder;
	readonly members: readonly SimMember[];
	readonly nemesis: Nemesis;
	private readonly network: SimNetwork;
	private readonly clients: readonly SimClient[];
	private readonly electionUs: number;

	constructor(plan: RunPlan) {
		this.plan = plan;
		const dice = new Dice(plan.seed);
		const { time } = this;
		this.electionUs = plan.electionTicks * 10_000;
		this.recorder = new Recorder(time);
		this.network = new SimNetwork(time, dice.fork("network"), plan.network);
		this.members = makeMembers(plan, {
			time,
			dice: dice.fork("members"),
			network: this.network,
			invariants: this.invariants,
			oracle: this.oracle,
			trace: this.trace,
		});
		this.nemesis = new Nemesis(time, dice.fork("nemesis"), this.members, this.network);
		const workload = new Workload(dice.fork("workload"), plan.weights, plan.keys);
		this.clients = Array.from(
			{ length: plan.clients },
			(_, id) =>
				new SimClient({
					id,
					time,
					dice: dice.fork(`client ${id}`),
					recorder: this.recorder,
					members: () => this.members,
					workload,
					timeoutMs: plan.clientTimeoutMs,
				}),
		);
	}

	breakThings(): void {
		for (const member of this.members) member.start();
		for (const client of this.clients) client.start();
		// The first leader is elected in peace: a cluster that never was up has nothing to lose.
		this.until(20 * this.electionUs, () => this.members.every((member) => member.serving));
		this.nemesis.start(this.plan.faults);
		this.until(this.plan.faultyMs * 1_000, () => this.broken());
		for (const client of this.clients) client.stop();
	}

	/** False when the cluster did not come to rest in time. */
	heal(): boolean {
		this.nemesis.heal();
		const limitUs = HEALING_ELECTIONS * this.electionUs + 10_000_000;
		return this.until(limitUs, () => this.broken() || (this.clients.every((client) => client.idle) && this.atRest())) && !this.broken();
	}

	whyNotHealed(): string[] {
		if (this.broken()) return [];
		return [`liveness: no rest after the faults ended: ${this.members.map((member) => member.describe()).join("; ")}`];
	}

	compareMembers(): string[] {
		const states = this.members.filter(({ gone }) => !gone).map((member) => ({ member, state: member.contents() }));
		const [first] = states;
		return states
			.filter(({ state }) => state !== first?.state)
			.map(({ member, state }) => `members differ: ${first?.member.name} holds ${first?.state}, ${member.name} holds ${state}`);
	}

	/** Null, or why the history cannot be judged. Violations go to `findings`. */
	checkHistory(findings: string[]): string | null {
		const verdict = checkByRevision(this.recorder.attempts, this.oracle.changes(), this.finalRevision());
		if (verdict.kind === "violated") {
			const { check, text, attempts } = verdict.violation;
			findings.push(`history, ${check}: ${text}: ${attempts.map((attempt) => JSON.stringify(attempt)).join(" ")}`);
		}
		return verdict.kind === "unknown" ? verdict.reason : null;
	}

	refusedStarts(): string[] {
		return this.members.flatMap((member) =>
			member.refusedBecause === null ? [] : [`${member.name} refused to start: ${member.refusedBecause}`],
		);
	}

	counts(): RunCounts {
		const outcomes = { ok: 0, refused: 0, unknown: 0 };
		for (const { outcome } of this.recorder.attempts) outcomes[outcome.kind]++;
		return {
			operations: this.recorder.attempts.length,
			acknowledged: outcomes.ok,
			refused: outcomes.refused,
			unknown: outcomes.unknown,
			finalRevision: this.finalRevision(),
			elections: this.invariants.elections,
			restarts: this.members.reduce((sum, member) => sum + member.lives - 1, 0),
			floors: this.members.reduce((sum, member) => sum + member.floors, 0),
			snapshots: this.members.reduce((sum, member) => sum + member.snapshots, 0),
			messages: this.network.carried,
			removals: this.nemesis.removals.done.size,
		};
	}

	private finalRevision(): number {
		return Math.max(1, ...this.members.map((member) => member.revision));
	}

	private broken(): boolean {
		return this.invariants.breaches.length > 0 || this.oracle.disagreements.length > 0 || this.refusedStarts().length > 0;
	}

	/** All members serve, agree on a leader, and have applied all there is. */
	private atRest(): boolean {
		const left = this.members.filter(({ gone }) => !gone);
		// Whoever was removed is on its way out.
		if (!left.every((member) => left.every((other) => other.knows(member.id)))) return false;
		const states = left.map((member) => member.progress());
		const [first] = states;
		if (first === null || first === undefined) return false;
		return states.every(
			(state) =>
				state !== null && state.leader !== 0n && state.leader === first.leader && state.applied === state.last && state.last === first.last,
		);
	}

	/** Runs until `done` or for `limitUs`; whether it was done. */
	private until(limitUs: number, done: () => boolean): boolean {
		const endUs = this.time.nowUs + limitUs;
		while (this.time.nowUs < endUs && this.time.steps < STEPS_MAX) {
			if (done()) return true;
			if (!this.time.step()) return done();
		}
		return done();
	}
}
