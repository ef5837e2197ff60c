import { Dice, type MarkName, marksDuring } from "@flotilla/base";
import { DEFAULT_RAFT_CONFIG } from "@flotilla/raft";
import { Churn, type ChurnCounts } from "./churn.ts";
import { DamageBudget } from "./damage-budget.ts";
import { Fleet, initialConf } from "./fleet.ts";
import { Invariants } from "./invariants.ts";
import { type Behind, cutOffAgain, cutOffLeaders, leaderAmong, leaveMinority, restWithout } from "./left-behind.ts";
import type { SimMember } from "./member.ts";
import { type FaultNote, Nemesis } from "./nemesis.ts";
import { lossOptions, SimNetwork } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { makeParts } from "./part-kinds.ts";
import type { Evidence, PartCounts, WorkloadPart } from "./parts.ts";
import type { RunPlan } from "./plan.ts";
import { TraceHash } from "./trace-hash.ts";
import { VirtualTime } from "./virtual-time.ts";

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
	/** How often rare branches of the members ran. */
	readonly marks: Readonly<Record<MarkName, number>>;
}

/** What happened, so that a quiet run is seen for what it is. */
export interface RunCounts extends PartCounts, ChurnCounts {
	readonly finalRevision: number;
	readonly elections: number;
	/** Lives that ended before the run did. */
	readonly crashes: number;
	readonly floors: number;
	readonly snapshots: number;
	readonly messages: number;
	/** Reads that leaders granted to others, each held against the echoes before it. */
	readonly readsJudged: number;
	/** Damaged on their way, and refused for it. */
	readonly refusedFrames: number;
	/** Starts that were refused for damage, as they must be. */
	readonly refusedStarts: number;
	/** Deaths between two operations, by operation. */
	readonly deathsAt: ReadonlyMap<string, number>;
}

/** How long a healed cluster may take until every member serves and holds the same state, in election timeouts. */
const HEALING_ELECTIONS = 50;
/** What clients do at least in a healed cluster before they stop. */
const PROGRESS_OPERATIONS = 20;
/** The first entry of every log, which stands for the initial configuration and is held by none. */
const BOOTSTRAP_INDEX = 1;
/** How long a cluster is watched in which nothing happens. */
const STILL_ELECTIONS = 10;
const STEPS_MAX = 20_000_000;
/** A refusal names the file or the generation of the store. */
const NAMES_PLACE = /\b(wal\/[0-9a-f-]+\.wal|vote|identity|format|store\.\d+|data folder)\b/;

/**
 * One run: whole members on simulated disks and a simulated network, clients, faults at will; then the faults end, and
 * within a bound every member must serve and hold the same; then the history is checked. A pure function of the plan.
 */
export function simulate(plan: RunPlan): RunResult {
	let result: Omit<RunResult, "marks"> | null = null;
	const marks = marksDuring(() => {
		result = run(plan);
	});
	if (result === null) throw new Error("a run has a result");
	return { ...(result as Omit<RunResult, "marks">), marks };
}

function run(plan: RunPlan): Omit<RunResult, "marks"> {
	const world = new World(plan);
	const findings: string[] = [];
	try {
		world.breakThings();
		if (!world.serveWithoutMinority() || !world.heal()) findings.push(...world.whyNotHealed());
		else findings.push(...world.compareMembers(), ...world.churn.findings(), ...world.quiet());
	} catch (error) {
		findings.push(`exception: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
	}
	findings.push(...world.invariants.breaches.map(({ invariant, text }) => `${invariant}: ${text}`));
	findings.push(...world.oracle.disagreements, ...world.refusals, ...world.unnoticedFrames(), ...world.unrest);
	const undecided = findings.length === 0 ? world.judge(findings) : null;
	return {
		plan,
		verdict: findings.length > 0 ? "violated" : undecided !== null ? "unknown" : "ok",
		findings: undecided === null ? findings : [...findings, undecided],
		traceHash: world.trace.hex(),
		steps: world.time.steps,
		virtualMs: Math.round(world.time.nowUs / 1_000),
		counts: world.counts(),
		faults: world.nemesis.notes,
	};
}

class World {
	readonly time = new VirtualTime();
	readonly trace = new TraceHash();
	readonly invariants: Invariants;
	readonly oracle = new Oracle();
	readonly nemesis: Nemesis;
	readonly churn: Churn;
	/** Starts that were refused without damage that explains it, or without saying where it is; and one that should have been. */
	readonly refusals: string[] = [];
	/** What was not as calm as it must be. */
	readonly unrest: string[] = [];
	private readonly ends: Dice;
	private readonly plan: RunPlan;
	private readonly fleet: Fleet;
	private readonly network: SimNetwork;
	private readonly budget: DamageBudget;
	private readonly parts: readonly WorkloadPart[];
	private readonly electionUs: number;
	private lastMoment = 0;
	private refusedStarts = 0;

	constructor(plan: RunPlan) {
		this.plan = plan;
		const dice = new Dice(plan.seed);
		const limits = Object.keys(plan.coreLimits).length === 0 ? null : { ...DEFAULT_RAFT_CONFIG, ...plan.coreLimits };
		const invariants = new Invariants(initialConf(plan), BOOTSTRAP_INDEX, plan.electionTicks, limits);
		this.invariants = invariants;
		const { time, oracle, trace } = this;
		this.ends = dice.fork("ends");
		this.electionUs = plan.electionTicks * 10_000;
		this.network = new SimNetwork(time, dice.fork("network"), plan.network, lossOptions(plan));
		this.network.trustsFrames = plan.mutant === "takesDamagedFrames";
		this.network.onLeaving = (from, message) => invariants.leaving(from, message);
		this.network.onArriving = (to, message) => invariants.arriving(to, message);
		this.fleet = new Fleet(plan, { time, dice: dice.fork("members"), network: this.network, invariants, oracle, trace });
		this.budget = new DamageBudget(this.fleet, invariants);
		this.fleet.watch((member) => this.meet(member));
		const spared = new Set(plan.spared);
		this.nemesis = new Nemesis(time, dice.fork("nemesis"), this.fleet, this.network, this.budget, spared);
		this.nemesis.onStartAnew = (victim) => {
			const found = this.fleet.startAnew(victim);
			if (found !== null) this.refusals.push(found);
		};
		this.churn = new Churn(time, dice.fork("churn"), this.fleet, this.budget, plan.churn);
		this.churn.onChange = (what, members) => this.nemesis.note(what, members);
		const { fleet } = this;
		this.parts = makeParts(plan.parts, (name) => ({
			time,
			dice: dice.fork(name),
			members: () => fleet.present,
			moment: () => {
				this.lastMoment = Math.max(time.nowUs, this.lastMoment + 0.001);
				return this.lastMoment;
			},
		}));
	}

	breakThings(): void {
		const { plan, fleet } = this;
		for (const member of fleet.all) member.start();
		for (const part of this.parts) part.start();
		// The first leader is elected in peace: a cluster that never was up has nothing to lose.
		if (plan.crashAt === 0) this.until(20 * this.electionUs, () => fleet.all.every((member) => member.serving));
		this.nemesis.start(plan.faults);
		this.churn.start();
		this.until(plan.faultyMs * 1_000, () => this.broken());
	}

	/** Messages that were damaged on their way, and nobody found out. */
	unnoticedFrames(): string[] {
		const { unnoticed } = this.network.corrupt;
		return unnoticed > 0 ? [`wire: ${unnoticed} damaged messages were not refused`] : [];
	}

	/** Findings about a run in which too little happened to say anything. */
	quiet(): string[] {
		const { operationsMin } = this.plan;
		const count = this.operations();
		return count < operationsMin ? [`quiet: ${count} client operations, ${operationsMin} are the least`] : [];
	}

	/**
	 * Everything is mended but a minority (raft.md 9.7): the others must agree on a leader among them and answer clients within a
	 * bound, and then begin no term. False when that is a finding; true as well when nobody could be left behind.
	 */
	serveWithoutMinority(): boolean {
		if (!this.plan.leavesMinority || this.broken()) return true;
		const behind = this.mendAllBut(() => leaveMinority(this.ends, this.fleet, this.budget, this.network));
		if (behind.length === 0) return true;
		for (const { member, state } of behind) this.nemesis.note(state, [member]);
		const rest = (): SimMember[] => restWithout(behind, this.fleet);
		let wanted: number | null = null;
		// What was answered before they had a leader says nothing of it.
		const serves = (): boolean => {
			if (leaderAmong(rest()) === null) return false;
			wanted ??= this.acknowledged() + PROGRESS_OPERATIONS;
			return this.acknowledged() >= wanted;
		};
		const limitUs = HEALING_ELECTIONS * this.electionUs + 20_000_000 + this.transferUs();
		const settled = (): boolean => {
			cutOffLeaders(behind, this.fleet, this.network);
			// They may be served by the one that is cut off next, while another one's words still stand in a way that was clogged.
			return this.broken() || (serves() && this.network.backlogUs < this.electionUs / 4);
		};
		if (!this.until(limitUs, settled)) {
			const told = rest()
				.map((member) => member.describe())
				.join("; ");
			this.unrest.push(`liveness: the rest does not serve without ${behind.map(({ member }) => member.name).join(" and ")}: ${told}`);
			return false;
		}
		cutOffAgain(behind, leaderAmong(rest()) ?? 0n, this.fleet, this.network);
		this.watchTerms(rest(), "without a minority");
		return this.unrest.length === 0;
	}

	/** False when the cluster did not come to rest in time. */
	heal(): boolean {
		this.mendAllBut(() => []);
		const limitUs = HEALING_ELECTIONS * this.electionUs + 20_000_000 + this.transferUs();
		const wanted = Math.max(this.plan.operationsMin, this.operations() + PROGRESS_OPERATIONS);
		// A healed cluster works: clients that go on get somewhere.
		const patienceUs = this.time.nowUs + 4 * limitUs;
		while (!this.broken() && this.operations() < wanted && this.time.nowUs < patienceUs) this.until(this.electionUs, () => this.broken());
		for (const part of this.parts) part.stop();
		const rests = (): boolean => this.parts.every((part) => part.idle) && this.atRest();
		if (!this.until(limitUs, () => this.broken() || rests()) || this.broken()) return false;
		this.watchTerms(this.whole(), "at rest");
		return true;
	}

	private mendAllBut(leave: () => readonly Behind[]): readonly Behind[] {
		this.churn.finish();
		this.nemesis.heal();
		this.network.calm(this.electionUs);
		return leave();
	}

	/** L-8: while nothing is broken between these members, none of them goes to another term. */
	private watchTerms(members: readonly SimMember[], when: string): void {
		const before = Math.max(...members.map(({ term }) => term));
		this.until(STILL_ELECTIONS * this.electionUs, () => this.broken());
		const after = Math.max(...members.map(({ term }) => term));
		if (after > before) this.unrest.push(`calm: ${when} the term rose from ${before} to ${after}`);
	}

	whyNotHealed(): string[] {
		if (this.broken() || this.unrest.length > 0) return [];
		return [
			`liveness: no rest after the faults ended: ${this.fleet.all
				.filter(({ present }) => present)
				.map((member) => member.describe())
				.join("; ")}`,
		];
	}

	compareMembers(): string[] {
		const states = this.whole().map((member) => ({ member, state: member.contents() }));
		const [first] = states;
		return states
			.filter(({ state }) => state !== first?.state)
			.map(({ member, state }) => `members differ: ${first?.member.name} holds ${first?.state}, ${member.name} holds ${state}`);
	}

	/** Null, or why the history cannot be judged. Violations go to `findings`. */
	judge(findings: string[]): string | null {
		const unwritten = this.oracle.unwritten(this.finalRevision());
		if (unwritten.length > 0) findings.push(`unwritten: no member ever handed revision ${unwritten.slice(0, 5).join(", ")} to its store`);
		const changes = this.oracle.changes();
		const accounted = new Set(this.parts.flatMap((part) => [...part.accountsFor(changes)]));
		const evidence: Evidence = { changes, finalRevision: this.finalRevision(), accounted };
		const judgements = this.parts.map((part) => part.judge(evidence));
		findings.push(...judgements.flatMap((judgement) => judgement.findings));
		return judgements.find(({ undecided }) => undecided !== null)?.undecided ?? null;
	}

	counts(): RunCounts {
		const parts = this.parts.map((part) => part.counts);
		const sum = (name: keyof PartCounts): number => parts.reduce((total, counts) => total + counts[name], 0);
		const { all } = this.fleet;
		const deathsAt = new Map<string, number>();
		for (const { points } of all) for (const [name, count] of points.deaths) deathsAt.set(name, (deathsAt.get(name) ?? 0) + count);
		return {
			...this.churn.counts,
			operations: sum("operations"),
			acknowledged: sum("acknowledged"),
			refused: sum("refused"),
			unknown: sum("unknown"),
			finalRevision: this.finalRevision(),
			elections: this.invariants.elections,
			crashes: all.reduce((total, member) => total + Math.max(0, member.lives - 1), 0),
			floors: all.reduce((total, member) => total + member.floors, 0),
			snapshots: all.reduce((total, member) => total + member.snapshots, 0),
			messages: this.network.carried,
			readsJudged: this.invariants.readsJudged,
			refusedFrames: this.network.corrupt.refused,
			refusedStarts: this.refusedStarts,
			deathsAt,
		};
	}

	/** How long the whole state may take on its way to members that need it, one after the other, in parts as small as planned. */
	private transferUs(): number {
		const { network, partBytes } = this.plan;
		const bytes = Math.max(0, ...this.fleet.all.map((member) => member.storeBytes));
		const roundUs = 2 * (network.delayMinUs + 2 * network.delayMeanUs) + 20_000;
		return this.fleet.roster.length * Math.ceil(bytes / partBytes) * roundUs;
	}

	private meet(member: SimMember): void {
		const { budget } = this;
		member.damage = () => budget.damageOf(member);
		member.onVerified = () => budget.verified(member);
		member.onRefused = (text) => {
			this.refusedStarts++;
			if (!budget.isSpoilt(member)) this.refusals.push(`start: ${member.name} refused without damage: ${text}`);
			else if (budget.damageOf(member) === "store" && this.fleet.roster.length > 1)
				this.refusals.push(`start: ${member.name} lost no more than its store, and does not wait for another one's: ${text}`);
			else if (!NAMES_PLACE.test(text)) this.refusals.push(`start: ${member.name} refused without saying where: ${text}`);
		};
		member.onForgottenStop = () => this.refusals.push(`stop: ${member.name} was stopped in order, and its start says that it died`);
		member.onFetched = (because) => {
			if (!budget.isSpoilt(member)) this.refusals.push(`start: ${member.name} lost its store without damage: ${because}`);
		};
		const { crashAt, crashMember } = this.plan;
		if (crashAt > 0 && member === this.fleet.all[crashMember]) member.points.arm({ after: crashAt, area: null, kind: "power" });
	}

	private acknowledged(): number {
		return this.parts.reduce((total, part) => total + part.counts.acknowledged, 0);
	}

	private operations(): number {
		return this.parts.reduce((total, part) => total + part.counts.operations, 0);
	}

	private finalRevision(): number {
		return Math.max(1, ...this.fleet.all.map((member) => member.revision));
	}

	private broken(): boolean {
		return this.invariants.breaches.length > 0 || this.oracle.disagreements.length > 0 || this.refusals.length > 0;
	}

	/** Members of the cluster whose machines are not lost. */
	private whole(): SimMember[] {
		return this.fleet.roster.filter(({ discarded, refusedBecause }) => !discarded && refusedBecause === null);
	}

	/** No change of the members is under way, all of them serve, agree on a leader, and have applied all there is. */
	private atRest(): boolean {
		if (!this.churn.idle) return false;
		const states = this.whole().map((member) => member.progress());
		const [first] = states;
		if (first === null || first === undefined) return false;
		for (const state of states) {
			if (state === null || state.leader === 0n || state.leader !== first.leader) return false;
			if (state.applied !== state.last || state.last !== first.last) return false;
		}
		// Whoever was removed is on its way out.
		return this.churn.findings().length === 0;
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
