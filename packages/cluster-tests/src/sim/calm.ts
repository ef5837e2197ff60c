import { Dice, type MarkName, marksDuring } from "@flotilla/base";
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
import { type Unrest, unsettle } from "./unrest.ts";
import { VirtualTime } from "./virtual-time.ts";
import { Workload } from "./workload.ts";

/** How a cluster of members that are all well stood twenty seconds of unrest. */
export interface Calm {
	/** Leaders beside the first, and terms above its own. */
	readonly leaders: number;
	readonly terms: number;
	/** The longest time without an acknowledged write, in virtual milliseconds. */
	readonly silenceMs: number;
	readonly acknowledged: number;
	/** How often somebody was told that a peer is lost. */
	readonly losses: number;
	/** Breaches of safety. */
	readonly findings: readonly string[];
	readonly marks: Readonly<Record<MarkName, number>>;
}

const UNREST_US = 20_000_000;
const WRITERS = 4;
const BOOTSTRAP_INDEX = 1;

interface Bounds {
	readonly leaders: number;
	readonly terms: number;
	/** Longest time without an acknowledged write. */
	readonly silenceMs: number;
	readonly acknowledged: number;
}

/** With one link the other follower hears the leader at all times, so nobody may be elected at all. */
const BOUNDS: Record<Unrest, Bounds> = {
	oneLink: { leaders: 0, terms: 0, silenceMs: 1_000, acknowledged: 1_000 },
	oneSided: { leaders: 0, terms: 0, silenceMs: 1_000, acknowledged: 1_000 },
	// The grace grows to the election timeout within six losses of each of two followers; then only the timeout itself elects.
	allLinks: { leaders: 12, terms: 14, silenceMs: 4_000, acknowledged: 300 },
	resets: { leaders: 7, terms: 8, silenceMs: 3_000, acknowledged: 1_000 },
};
export const UNRESTS = Object.keys(BOUNDS) as readonly Unrest[];

export function isCalm(kind: Unrest, calm: Calm): boolean {
	const { leaders, terms, silenceMs, acknowledged } = BOUNDS[kind];
	return calm.leaders <= leaders && calm.terms <= terms && calm.silenceMs <= silenceMs && calm.acknowledged >= acknowledged;
}

/** Three members with default timeouts on a quick network; nothing happens to them but `unrest`. */
export function underUnrest(seed: string, unrest: Unrest, mutant: CalmMutant | null = null): Calm {
	let calm: Omit<Calm, "marks"> | null = null;
	const marks = marksDuring(() => {
		calm = run(seed, unrest, mutant);
	});
	return { ...(calm as unknown as Omit<Calm, "marks">), marks };
}

function run(seed: string, unrest: Unrest, mutant: CalmMutant | null): Omit<Calm, "marks"> {
	const plan = peaceful(seed, mutant);
	const dice = new Dice(seed);
	const [time, oracle, trace] = [new VirtualTime(), new Oracle(), new TraceHash()];
	const invariants = new Invariants(initialConf(plan), BOOTSTRAP_INDEX, plan.electionTicks);
	const network = new SimNetwork(time, dice.fork("network"), plan.network, spoilLoss(lossOptions(plan), mutant));
	network.onLeaving = (from, message) => invariants.leaving(from, message);
	network.onArriving = (to, message) => invariants.arriving(to, message);
	const fleet = new Fleet(plan, { time, dice: dice.fork("members"), network, invariants, oracle, trace });
	const attempts: Attempt[] = [];
	const clients = writers(fleet.all, attempts, time, dice.fork("writers"));
	for (const member of fleet.all) member.start();
	time.runUntil(5_000_000);
	for (const client of clients) client.start();
	time.runUntil(time.nowUs + 1_000_000);

	const [leader, elections, losses] = [fleet.all.find((member) => member.leads), invariants.elections, network.losses];
	if (leader === undefined) throw new Error(`seed ${seed}: nobody leads after five seconds of peace`);
	const follower = dice.pick(fleet.all.filter((member) => member !== leader));
	const [beginUs, beginTerm] = [time.nowUs, leader.term];
	const members = fleet.all.map(({ id }) => id);
	unsettle(unrest, { time, dice: dice.fork("unrest"), network, members, leader: leader.id, follower: follower.id }, UNREST_US);
	time.runUntil(beginUs + UNREST_US);
	const terms = Math.max(...fleet.all.map(({ term }) => term)) - beginTerm;
	const counted = { leaders: invariants.elections - elections, terms, losses: network.losses - losses };
	const during = { ...counted, ...silence(attempts, beginUs, time.nowUs) };

	for (const client of clients) client.stop();
	network.healAll();
	time.runUntil(time.nowUs + 10_000_000);
	const revision = Math.max(...fleet.all.map((member) => member.revision));
	const verdict = checkByRevision(attempts, oracle.changes(), revision);
	const history = verdict.kind === "ok" ? [] : [verdict.kind === "unknown" ? verdict.reason : verdict.violation.text];
	return { ...during, findings: [...invariants.breaches.map(({ text }) => text), ...oracle.disagreements, ...history] };
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

function writers(members: readonly SimMember[], attempts: Attempt[], time: VirtualTime, dice: Dice): SimClient[] {
	const weights = { put: 1, get: 0, range: 0, delete: 0, txn: 0, compact: 0 };
	const workload = new Workload(dice.fork("workload"), weights, 5);
	let last = 0;
	const moment = (): number => {
		last = Math.max(time.nowUs, last + 0.001);
		return last;
	};
	return Array.from({ length: WRITERS }, (_, id) => {
		const world = { time, dice: dice.fork(`writer ${id}`), members: () => members, moment };
		return new SimClient({ id, world, attempts, workload, timeoutMs: 400 });
	});
}

/** What was acknowledged between two moments, and the longest pause in it. */
function silence(attempts: readonly Attempt[], fromUs: number, toUs: number): Pick<Calm, "silenceMs" | "acknowledged"> {
	const returned = attempts.flatMap(({ outcome }) => (outcome.kind === "ok" ? [outcome.returned] : []));
	const within = returned.filter((at) => at >= fromUs && at <= toUs).sort((a, b) => a - b);
	let [longest, before] = [0, fromUs];
	for (const at of [...within, toUs]) {
		longest = Math.max(longest, at - before);
		before = at;
	}
	return { silenceMs: Math.round(longest / 1_000), acknowledged: within.length };
}
