import { Dice } from "@flotilla/base";
import { checkByRevision } from "../history/by-revision.ts";
import type { Attempt } from "../history/operation.ts";
import { type CalmMutant, spoilLoss } from "./calm-mutants.ts";
import { SimClient } from "./client.ts";
import { Fleet, initialConf } from "./fleet.ts";
import { Invariants } from "./invariants.ts";
import type { SimMember } from "./member.ts";
import { lossOptions, SimNetwork } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { drawPlan, type RunPlan } from "./plan.ts";
import { TraceHash } from "./trace-hash.ts";
import { VirtualTime } from "./virtual-time.ts";
import { Workload } from "./workload.ts";

const WRITERS = 4;
const BOOTSTRAP_INDEX = 1;
const SETTLES_US = 5_000_000;
const WARMS_UP_US = 1_000_000;
const HEALS_US = 10_000_000;

/** Three members with default timeouts on a quick network, and clients that write: nothing happens to them but what a test does. */
export class CalmHouse {
	readonly time = new VirtualTime();
	readonly dice: Dice;
	readonly network: SimNetwork;
	readonly fleet: Fleet;
	readonly invariants: Invariants;
	private readonly seed: string;
	private readonly oracle = new Oracle();
	private readonly attempts: Attempt[] = [];
	private readonly clients: readonly SimClient[];

	constructor(seed: string, mutant: CalmMutant | null = null) {
		this.seed = seed;
		this.dice = new Dice(seed);
		const { time, dice, oracle } = this;
		const plan = peaceful(seed, mutant);
		const invariants = new Invariants(initialConf(plan), BOOTSTRAP_INDEX, plan.electionTicks);
		const network = new SimNetwork(time, dice.fork("network"), plan.network, spoilLoss(lossOptions(plan), mutant));
		network.onLeaving = (from, message) => invariants.leaving(from, message);
		network.onArriving = (to, message) => invariants.arriving(to, message);
		this.invariants = invariants;
		this.network = network;
		this.fleet = new Fleet(plan, { time, dice: dice.fork("members"), network, invariants, oracle, trace: new TraceHash() });
		this.clients = this.writers(dice.fork("writers"));
		for (const member of this.fleet.all) member.start();
		time.runUntil(SETTLES_US);
	}

	/** Clients begin to write. Returns who leads. */
	load(): SimMember {
		for (const client of this.clients) client.start();
		this.pass(WARMS_UP_US);
		return this.leader();
	}

	leader(): SimMember {
		const leader = this.fleet.all.find((member) => member.leads);
		if (leader === undefined) throw new Error(`seed ${this.seed}: nobody leads in peace`);
		return leader;
	}

	get term(): number {
		return Math.max(...this.fleet.all.map(({ term }) => term));
	}

	pass(us: number): void {
		this.time.runUntil(this.time.nowUs + us);
	}

	/** What was acknowledged since that moment, and the longest pause in it, in virtual milliseconds. */
	silence(fromUs: number): { readonly silenceMs: number; readonly acknowledged: number } {
		const toUs = this.time.nowUs;
		const returned = this.attempts.flatMap(({ outcome }) => (outcome.kind === "ok" ? [outcome.returned] : []));
		const within = returned.filter((at) => at >= fromUs && at <= toUs).sort((a, b) => a - b);
		let [longest, before] = [0, fromUs];
		for (const at of [...within, toUs]) {
			longest = Math.max(longest, at - before);
			before = at;
		}
		return { silenceMs: Math.round(longest / 1_000), acknowledged: within.length };
	}

	/** Clients stop, connections are mended, and some seconds pass; then, breaches of safety in all that was. */
	findings(): string[] {
		for (const client of this.clients) client.stop();
		this.network.healAll();
		this.pass(HEALS_US);
		const { attempts, oracle, fleet, invariants } = this;
		const revision = Math.max(...fleet.all.map((member) => member.revision));
		const verdict = checkByRevision(attempts, oracle.changes(), revision);
		const history = verdict.kind === "ok" ? [] : [verdict.kind === "unknown" ? verdict.reason : verdict.violation.text];
		return [...invariants.breaches.map(({ text }) => text), ...oracle.disagreements, ...history];
	}

	private writers(dice: Dice): SimClient[] {
		const { time, attempts } = this;
		const weights = { put: 1, get: 0, range: 0, delete: 0, txn: 0, compact: 0 };
		const workload = new Workload(dice.fork("workload"), weights, 5);
		let last = 0;
		const moment = (): number => {
			last = Math.max(time.nowUs, last + 0.001);
			return last;
		};
		return Array.from({ length: WRITERS }, (_, id) => {
			const world = { time, dice: dice.fork(`writer ${id}`), members: () => this.fleet.all, moment };
			return new SimClient({ id, world, attempts, workload, timeoutMs: 400 });
		});
	}
}

function peaceful(seed: string, mutant: CalmMutant | null): RunPlan {
	const plan = drawPlan(seed, { faultyMs: 0, operationsMin: 0 });
	const quick = {
		delayMinUs: 100,
		delayMeanUs: 200,
		mode: "stream",
		lossPerMille: 0,
		duplicatePerMille: 0,
		corruptPerMille: 0,
		queueMax: 0,
	} as const;
	const sizes = { segmentBytes: 256 * 1024, floorEntries: 1_000, floorBytes: 64 * 1024, keepEntries: 5_000, keepBytes: 64 * 1024 };
	const ticks = { electionTicks: 100, heartbeatTicks: 10, driftPerMille: 0 };
	return { ...plan, ...sizes, ...ticks, members: 3, memoryEntries: 10_000, coreLimits: {}, network: { ...plan.network, ...quick }, mutant };
}
