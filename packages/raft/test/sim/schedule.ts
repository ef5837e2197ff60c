import { Dice } from "@flotilla/base";
import type { MembershipOp, NodeId, RaftConfig } from "../../src/index.ts";
import type { Raft } from "../../src/raft.ts";
import { Bounds } from "./bounds.ts";
import { Cluster } from "./cluster.ts";
import type { CoreMutant, PlantedBug } from "./mutants.ts";
import { allMembers } from "./twin.ts";

export interface RunOptions {
	readonly steps: number;
	/** What the run is about, where that is not drawn. */
	readonly mix?: Partial<Mix>;
	/** Called before each step with a cluster that may be harmed. */
	readonly sabotage?: (cluster: Cluster, dice: Dice) => void;
	/** A bug that every member has. */
	readonly mutant?: PlantedBug;
}

export interface RunSummary {
	readonly elections: number;
	readonly commit: number;
	readonly reads: number;
	readonly changes: number;
	readonly digest: number;
}

/** What a run may do, drawn anew for each: some runs are about crashes, others about membership, others about lost messages. */
export interface Mix {
	readonly voters: NodeId[];
	readonly config: Partial<RaftConfig>;
	readonly inOrder: boolean;
	readonly dropPercent: number;
	readonly repeatPercent: number;
	readonly crashes: boolean;
	readonly partitions: boolean;
	readonly membership: boolean;
	readonly floors: boolean;
	readonly hints: boolean;
	readonly slowDisks: boolean;
	/** All clocks advance together. */
	readonly evenClocks: boolean;
	/** Of a hundred steps, how many are messages: the fewer, the more leaders are lost. */
	readonly messagePercent: number;
}

const FIRST_SPARE = 6n;
const SPARES = 4n;
/** Entries that are proposed together at most. */
const BATCH_MAX = 4;

/** A cluster under a schedule drawn from `seed`, then healed: it must keep its promises all the time and work at the end. */
export function runSchedule(seed: number | string, { steps, mix: given = {}, sabotage, mutant }: RunOptions): RunSummary {
	const dice = new Dice(seed);
	const mix = { ...drawMix(dice), ...given };
	const cluster = new Cluster({ voters: mix.voters, dice: dice.fork("cluster"), config: mix.config });
	watchBounds(cluster);
	if (mutant !== undefined) plantIn(cluster, mutant);
	let digest = 0;
	cluster.onMessage = (message) => {
		for (const char of `${message.kind}${message.from}${message.to}${message.term}`)
			digest = Math.imul(digest ^ char.charCodeAt(0), 0x01000193);
	};
	for (let step = 0; step < steps; step++) {
		sabotage?.(cluster, dice);
		const id = dice.pick(cluster.ids);
		act(cluster, mix, dice, id);
		if (dice.chance(2, 3)) cluster.drain(id);
	}
	recover(cluster, seed);
	const { elections, maxCommit, readsGranted, changesDone } = cluster.checker;
	return { elections, commit: maxCommit, reads: readsGranted, changes: changesDone, digest };
}

function watchBounds(cluster: Cluster): void {
	const bounds = new Bounds(cluster.configOf(FIRST_SPARE), BATCH_MAX);
	cluster.checker.bounds = bounds;
	cluster.onHeard = (message, status) => {
		if (message.kind !== "readIndex" || status !== "ok") return;
		const { from, to, token } = message;
		bounds.onForeignRead(to, `${from}/${token.incarnation}/${token.counter}`);
	};
}

/** Gives every member the bug. */
export function plantIn(cluster: Cluster, { plant, wrap }: PlantedBug): void {
	wrap?.(cluster);
	if (plant === undefined) return;
	cluster.onCore = (core) => plant(core, (core as unknown as { readonly r: Raft }).r);
	for (const id of cluster.ids) cluster.onCore(cluster.member(id).core);
}

/** Runs until a bug is found, one by one from the first seed of a series; null: not within `runsMax`. */
export function runsUntilFound(mutant: CoreMutant, series: string, runsMax: number): { readonly runs: number; readonly by: string } | null {
	for (let run = 1; run <= runsMax; run++) {
		try {
			runSchedule(`${series} ${run}`, { steps: 800, mutant, mix: mutant.mix ?? {} });
		} catch (error) {
			// A bug that only breaks the program is not one that was found.
			if (!(error instanceof Error) || error instanceof TypeError || error instanceof ReferenceError) throw error;
			if (mutant.breaks.test(error.message)) return { runs: run, by: error.message };
		}
	}
	return null;
}

/** The same for a bug by which a seed is no longer one run. */
export function runsUntilDifferent(
	mutant: PlantedBug,
	series: string,
	runsMax: number,
): { readonly runs: number; readonly by: string } | null {
	for (let run = 1; run <= runsMax; run++) {
		const [once, again] = [1, 2].map(() => runSchedule(`${series} ${run}`, { steps: 800, mutant }).digest);
		if (once !== again) return { runs: run, by: "two runs of one seed differ" };
	}
	return null;
}

function drawMix(dice: Dice): Mix {
	const count = dice.pick([1, 2, 3, 3, 3, 4, 5]);
	const voters: NodeId[] = [];
	for (let id = 1; id <= count; id++) voters.push(BigInt(id));
	const half = () => dice.chance(1, 2);
	return {
		voters,
		config: {
			preVote: dice.chance(4, 5),
			checkQuorum: dice.chance(4, 5),
			appendBytesMax: dice.pick([1, 100, 1_000, 1 << 20]),
			inflightMessagesMax: dice.pick([1, 2, 8, 256]),
			inflightBytesMax: dice.pick([100, 1 << 20]),
			uncommittedBytesMax: dice.pick([200, 1 << 20]),
			applyBytesMax: dice.pick([1, 300, 1 << 20]),
			unstableBytesMax: dice.pick([300, 1 << 20]),
			unappliedBytesMax: dice.pick([300, 1 << 20]),
			memoryEntriesMax: dice.pick([0, 3, 20, 5_000]),
			memoryBytesMax: dice.pick([100, 1 << 20]),
			snapshotTimeoutTicks: dice.pick([20, 200]),
			queuedReadsMax: dice.pick([3, 100]),
		},
		inOrder: half(),
		dropPercent: dice.pick([0, 0, 5, 20]),
		repeatPercent: dice.pick([0, 0, 5, 20]),
		crashes: half(),
		partitions: half(),
		membership: half(),
		floors: half(),
		hints: half(),
		slowDisks: dice.chance(1, 4),
		evenClocks: dice.chance(1, 2),
		messagePercent: dice.pick([20, 35, 45, 50]),
	};
}

function act(cluster: Cluster, mix: Mix, dice: Dice, id: NodeId): void {
	const roll = dice.range(0, 99);
	if (roll < mix.messagePercent) move(cluster, mix, dice);
	else if (roll < 57) {
		if (mix.evenClocks) for (const each of cluster.ids) cluster.tick(each);
		else cluster.tick(id);
	} else if (roll < (mix.slowDisks ? 62 : 70)) cluster.persist(id, dice.range(1, 4));
	else if (roll < 77) cluster.apply(id, dice.range(1, 5));
	else if (roll < 85) cluster.propose(dice.chance(3, 4) ? (cluster.leaders[0]?.id ?? id) : id, dice.range(1, BATCH_MAX));
	else if (roll < 89) cluster.read(id);
	else if (roll < 92) cluster.answerFetch(id);
	else disturb(cluster, mix, dice, id);
}

/** One message arrives, arrives twice, or is lost; or a snapshot's transfer ends. */
function move(cluster: Cluster, mix: Mix, dice: Dice): void {
	if (cluster.transfers.length > 0 && dice.chance(1, 8)) {
		cluster.endTransfer(dice.range(0, cluster.transfers.length - 1), dice.chance(3, 4));
		return;
	}
	if (cluster.messages.length === 0) return;
	let at = dice.range(0, cluster.messages.length - 1);
	if (mix.inOrder) {
		const { from, to } = cluster.messages[at] as { from: NodeId; to: NodeId };
		at = cluster.messages.findIndex((message) => message.from === from && message.to === to);
	}
	const percent = dice.range(0, 99);
	if (percent < mix.dropPercent) cluster.messages.splice(at, 1);
	else if (percent < mix.dropPercent + mix.repeatPercent) cluster.hand(cluster.messages[at] as never);
	else cluster.deliver(at);
}

function disturb(cluster: Cluster, mix: Mix, dice: Dice, id: NodeId): void {
	const { core } = cluster.member(id);
	switch (dice.range(0, 9)) {
		case 0:
			if (mix.crashes && dice.chance(1, 2)) cluster.crash(id, (count) => dice.range(0, count));
			return;
		case 1:
		case 2:
			cluster.restart(id);
			return;
		case 3:
			if (mix.partitions) repartition(cluster, dice);
			return;
		case 4:
			if (mix.hints) cluster.input(id, () => core.leaderConnectionLost(core.status().leader));
			return;
		case 5:
			if (dice.chance(1, 3)) cluster.input(id, () => core.transferLeadership(dice.pick(cluster.ids)));
			return;
		case 6:
			if (mix.membership) changeMembership(cluster, dice);
			return;
		case 7:
			if (mix.floors) cluster.floor(id, dice.range(0, 6));
			return;
		case 8:
			oddities(cluster, dice, id);
			return;
		default:
			if (dice.chance(1, 4)) cluster.input(id, () => core.campaign());
	}
}

function oddities(cluster: Cluster, dice: Dice, id: NodeId): void {
	const { core } = cluster.member(id);
	cluster.input(id, () => {
		switch (dice.range(0, 3)) {
			case 0:
				core.reportUnreachable(dice.pick(cluster.ids));
				return;
			case 1:
				core.setDiskStalled(dice.chance(1, 3));
				return;
			case 2:
				core.onStall(dice.range(1, 30));
				return;
			default:
				core.advanceElection(dice.range(1, 10));
		}
	});
}

function repartition(cluster: Cluster, dice: Dice): void {
	cluster.heal();
	if (dice.chance(1, 2)) return;
	for (const from of cluster.ids) for (const to of cluster.ids) if (dice.chance(1, 4)) cluster.cut.add(`${from}>${to}`);
}

function changeMembership(cluster: Cluster, dice: Dice): void {
	const leader = cluster.leaders[0];
	if (leader === undefined) return;
	const { confState } = leader.core.status();
	const changes: { op: MembershipOp; node: NodeId }[] = [];
	for (let i = 0, count = dice.pick([1, 1, 1, 2, 3]); i < count; i++) {
		const node = dice.pick([...allMembers(confState), ...unusedIds(cluster)]);
		if (changes.some((change) => change.node === node)) continue;
		changes.push({ op: dice.pick(["addVoter", "addVoter", "addLearner", "remove"]), node });
	}
	const transition = dice.pick(["auto", "auto", "jointImplicit", "jointExplicit"] as const);
	const leave = confState.votersOutgoing.length > 0;
	for (const { node } of changes) if (!cluster.members.has(node)) cluster.addEmpty(node);
	cluster.request(leader.id, { changes: leave ? [] : changes, transition, context: new Uint8Array(0) });
}

/** An id has one life. */
function unusedIds(cluster: Cluster): NodeId[] {
	let next = FIRST_SPARE;
	while (cluster.members.has(next)) next++;
	return next < FIRST_SPARE + SPARES ? [next] : [];
}

/** Faults stop: within a bounded time there is a leader, all its members agree, and a new entry reaches them. */
function recover(cluster: Cluster, seed: number | string): void {
	cluster.heal();
	for (const id of cluster.ids) {
		cluster.restart(id);
		cluster.input(id, ({ core }) => core.setDiskStalled(false));
	}
	cluster.settle();
	let target = 0;
	let targetTerm = 0;
	for (let ticks = 0; ticks < 600; ticks++) {
		cluster.pass();
		const leader = cluster.leaders[0];
		if (leader === undefined) continue;
		const { confState, term } = leader.core.status();
		if (confState.votersOutgoing.length > 0) {
			if (!confState.autoLeave) cluster.change(leader.id);
		} else if (targetTerm !== term && cluster.propose(leader.id)) {
			target = leader.core.status().lastIndex;
			targetTerm = term;
		}
		if (target > 0 && cluster.checker.maxCommit >= target && isCaughtUp(cluster, leader.id)) return;
	}
	const states = cluster.upMembers.map(({ core }) => core.status());
	const text = JSON.stringify(states, (_, value) => (typeof value === "bigint" ? Number(value) : value));
	throw new Error(`seed ${seed}: the healed cluster does not recover: ${text}`);
}

function isCaughtUp(cluster: Cluster, leader: NodeId): boolean {
	const { confState, commit } = cluster.member(leader).core.status();
	return allMembers(confState).every((id) => cluster.member(id).machine.state.index >= commit);
}
