/**
 * Bugs for which random schedules are the wrong tool: each needs a story of its own. A story returns what broke, as the checker
 * or the story's own bound says; null when nothing did, which is what it must return for cores without the bug.
 */

import { Dice, InvariantError } from "@flotilla/base";
import type { Message, NodeId, RaftConfig, RaftCore, Term } from "../../src/index.ts";
import { SELF } from "../../src/members.ts";
import type { Raft } from "../../src/raft.ts";
import { Cluster } from "./cluster.ts";
import type { PlantedBug } from "./mutants.ts";
import { plantIn } from "./schedule.ts";
import { Violation } from "./violation.ts";

export interface DirectedMutant extends PlantedBug {
	/** What it breaks. */
	readonly breaks: RegExp;
	readonly story: (cluster: Cluster) => void;
	readonly config?: Partial<RaftConfig>;
	/** Terms of the entries from index 2 on that members start with. */
	readonly logs?: Readonly<Record<number, readonly Term[]>>;
}

/** What broke, if anything: with the bug in every core, or without it. */
export function tell(mutant: DirectedMutant, planted: boolean): string | null {
	const logs = new Map(Object.entries(mutant.logs ?? {}).map(([id, terms]) => [BigInt(id), terms]));
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config: mutant.config ?? {}, logs });
	if (planted) plantIn(cluster, mutant);
	try {
		mutant.story(cluster);
		return null;
	} catch (error) {
		if (error instanceof Violation) return error.message;
		throw error;
	}
}

export const DIRECTED_MUTANTS: readonly DirectedMutant[] = [
	{
		// An append ends a tail that contradicts before it tells a commit, so the heartbeat is where this bug lives; and there it takes two,
		// since its leader names what was acknowledged and its follower looks at the term.
		name: "min(commit, lastIndex) instead of verified prefix",
		breaks: /holds another entry than was committed at 3/,
		plant: (core, raft) => {
			const send = raft.send.bind(raft);
			raft.send = (message) => send(message.kind === "heartbeat" ? { ...message, commit: raft.log.commit } : message);
			trustHeartbeats(core, raft);
		},
		story: (cluster) => {
			strandTail(cluster, 1n, 5);
			const leader = leaderBeside(cluster, 1n);
			cluster.propose(leader, 5);
			cluster.settle();
			cluster.heal();
			// Appends are late; a heartbeat comes first.
			cluster.loses = ({ kind, to }) => kind === "append" && to === 1n;
			cluster.pass(4);
		},
	},
	{
		// The leader names what its follower had acknowledged; the follower's disk is an old copy, with a tail of its own up to there (C5).
		name: "a heartbeat's index is trusted without its term",
		breaks: /1 holds another entry than was committed at 3/,
		plant: trustHeartbeats,
		story: (cluster) => {
			strandTail(cluster, 1n, 5);
			const copy = cluster.member(1n).disk.synced.copy();
			const leader = leaderBeside(cluster, 1n);
			cluster.propose(leader, 5);
			cluster.settle();
			cluster.heal();
			cluster.pass(4);
			cluster.putBack(1n, copy);
			try {
				cluster.pass(4);
			} catch (error) {
				// So it must end; with the bug it does not.
				if (!(error instanceof InvariantError) || !/lost entries/.test(error.message)) throw error;
			}
		},
	},
	{
		// The leader takes the number that a caller gave its read for a position, so numbers of two callers are compared.
		name: "read positions by caller context",
		breaks: /read 1\/0\/1 is granted at 2; 4 was committed before it was asked/,
		plant: (core, raft) => {
			let context = 1;
			const { reads } = raft;
			const nextToken = reads.nextToken.bind(reads);
			reads.nextToken = (incarnation) => {
				const token = nextToken(incarnation);
				context = token.counter;
				return token;
			};
			const step = core.step.bind(core);
			core.step = (message) => {
				if (message.kind === "readIndex") context = message.token.counter;
				return step(message);
			};
			Object.defineProperty(reads, "openPosition", { get: () => context, set: () => {} });
		},
		story: (cluster) => {
			cluster.elect(1n);
			cluster.read(3n);
			cluster.settle();
			cluster.read(3n);
			cluster.drain(3n);
			handAll(cluster, ({ kind }) => kind === "readIndex");
			cluster.drain(1n);
			handAll(cluster, ({ kind, to }) => kind === "heartbeat" && to === 2n);
			cluster.drain(2n);
			// 2 vouches for the second read of 3, and that takes its time.
			const late = cluster.take(({ kind, from }) => kind === "heartbeatResp" && from === 2n);
			readBehind(cluster, late);
		},
	},
	{
		// Whoever heard from a quorum within an election timeout answers at once, and those have lost the connection and moved on (H1).
		name: "reads by lease beside the lost-connection hint",
		breaks: /read 1\/0\/1 is granted at 2; 4 was committed before it was asked/,
		plant: (core, raft) => {
			const heardAt = new Map<NodeId, number>();
			let ticks = 0;
			const tick = core.tick.bind(core);
			core.tick = () => {
				ticks++;
				tick();
			};
			const step = core.step.bind(core);
			core.step = (m) => {
				heardAt.set(m.from, ticks);
				return step(m);
			};
			const drain = core.drain.bind(core);
			core.drain = () => {
				const fresh = raft.members.voters.filter(
					(slot) => slot === SELF || ticks - (heardAt.get(raft.members.idOf(slot)) ?? -Infinity) < raft.config.electionTicks,
				);
				const leased = raft.role === "leader" && 2 * fresh.length > raft.members.voters.length;
				for (const { token, index } of leased ? raft.reads.takeConfirmed(raft.reads.openPosition) : [])
					raft.output.reads.push({ token, index });
				return drain();
			};
		},
		story: (cluster) => {
			cluster.elect(1n);
			cluster.isolate(1n);
			depose(cluster, 1n, 2n);
			cluster.propose(2n);
			cluster.settle();
			cluster.read(1n);
			cluster.drain(1n);
		},
	},
	{
		// Nothing is thrown away after a pause (R6) because whatever comes then takes a position that no heartbeat carries yet (R1).
		name: "a read that comes after a pause joins the round from before it",
		breaks: /read 1\/0\/2 is granted at 2; 4 was committed before it was asked/,
		plant: (_core, raft) => {
			const { reads } = raft;
			reads.closePosition = () => {
				if (reads.openHasReads) reads.closedPosition = reads.openPosition;
				return reads.closedPosition;
			};
		},
		story: (cluster) => {
			cluster.elect(1n);
			cluster.read(1n);
			cluster.drain(1n);
			handAll(cluster, ({ kind, to }) => kind === "heartbeat" && to === 2n);
			cluster.drain(2n);
			// 1 stands still; what 2 answered waits in its socket.
			const late = cluster.take(({ kind, from }) => kind === "heartbeatResp" && from === 2n);
			readBehind(cluster, late);
		},
	},
	{
		name: "snapshot keeps conflicting tail",
		breaks: /entry 22\/3 follows two different logs/,
		// What 2 and 3 hold becomes committed in term 4, below a tail of term 3 that 1 wrote alone: the terms do not fall, so that
		// nothing but the checker can see it.
		logs: { 2: new Array(20).fill(2) },
		plant: (_core, raft) => {
			const { log } = raft;
			const restore = log.restore.bind(log);
			log.restore = (meta) => {
				const tail = meta.index < log.lastIndex ? log.slice(meta.index + 1, log.lastIndex) : [];
				restore(meta);
				log.append(tail);
			};
		},
		config: { memoryEntriesMax: 0 },
		story: (cluster) => {
			// 1 leads term 3 by the vote of 3, and nobody hears from it after that.
			cluster.isolate(2n);
			for (const lost of ["vote", "append"]) {
				cluster.loses = ({ kind }) => kind === lost;
				campaignWithoutApply(cluster, 1n);
			}
			cluster.propose(1n, 24);
			roundWithoutApply(cluster);
			cluster.loses = () => false;
			cluster.heal();
			cluster.isolate(1n);
			// Its first attempt tells 2 of term 3.
			for (let attempt = 0; attempt < 2; attempt++) campaignWithoutApply(cluster, 2n);
			// The state of 2 ends with the old term, and its log begins behind it.
			cluster.apply(2n, 20);
			cluster.floor(2n, 0);
			cluster.heal();
			for (let round = 0; round < 40 && cluster.transfers.length === 0; round++) {
				cluster.tick(2n);
				roundWithoutApply(cluster);
			}
			cluster.endTransfer(0, true);
			cluster.drain(1n);
			cluster.persist(1n);
			expectThat(cluster.member(1n).disk.synced.base.index === 21, "1 took no snapshot");
		},
	},
	{
		// The state of a snapshot and its configuration are of one index; here the latter is that of the end of the transfer.
		name: "snapshot ConfState taken late",
		breaks: /3 is in 1,2,3\|\|4\|\|false at 12, not in 1,2,3\|\|\|\|false/,
		config: { memoryEntriesMax: 0 },
		wrap: (cluster) => {
			const hand = cluster.hand.bind(cluster);
			cluster.hand = (m) => {
				if (m.kind !== "snapshot") hand(m);
				else hand({ ...m, meta: { ...m.meta, confState: cluster.status(m.from).confState } });
			};
		},
		story: (cluster) => {
			cluster.elect(1n);
			cluster.isolate(3n);
			cluster.propose(1n, 10);
			cluster.settle();
			for (const id of [1n, 2n]) cluster.floor(id, 0);
			cluster.heal();
			const transfers = startedTransfers(cluster);
			cluster.addEmpty(4n);
			cluster.change(1n, { op: "addLearner", node: 4n });
			cluster.settle();
			cluster.transfers.push(...transfers);
			cluster.endTransfer(0, true);
			cluster.drain(3n);
		},
	},
	{
		// SC-009: who can win is behind in term, and who is ahead in term cannot win.
		name: "silent on stale-term pre-vote",
		breaks: /no leader within 300 ticks/,
		plant: (core, raft) => {
			const step = core.step.bind(core);
			core.step = (m) => (m.kind === "preVote" && m.term < raft.term ? "ignored:stale-term" : step(m));
		},
		story: (cluster) => {
			cluster.elect(1n);
			cluster.isolate(1n);
			cluster.loses = ({ kind }) => kind === "vote";
			for (let round = 0; round < 4; round++) {
				for (const id of [2n, 3n]) cluster.input(id, ({ core }) => core.leaderConnectionLost(1n));
				cluster.input(3n, ({ core }) => core.campaign());
				cluster.settle();
			}
			cluster.loses = () => false;
			cluster.heal();
			cluster.isolate(3n);
			cluster.pass(60);
			const leader = leaderBeside(cluster, 3n);
			cluster.propose(leader, 3);
			cluster.settle();
			const other = leader === 1n ? 2n : 1n;
			cluster.heal();
			cluster.isolate(leader);
			const terms = [cluster.status(other).term, cluster.status(3n).term] as const;
			expectThat(terms[0] + 1 < terms[1], `terms are ${terms.join(" and ")}`);
			cluster.pass(300);
			expectThat(cluster.leaders.length > 0, "no leader within 300 ticks");
		},
	},
];

/** Whatever a heartbeat names is taken for committed, as far as the log goes. */
function trustHeartbeats(core: RaftCore, { log }: Raft): void {
	const step = core.step.bind(core);
	core.step = (m) => {
		if (m.kind !== "heartbeat") return step(m);
		const commit = Math.min(m.commit, log.lastIndex);
		return step({ ...m, commit, commitTerm: Math.max(0, log.termAt(commit)) });
	};
}

function expectThat(holds: boolean, otherwise: string): void {
	if (!holds) throw new Violation(otherwise);
}

function handAll(cluster: Cluster, wanted: (message: Message) => boolean): void {
	for (const message of cluster.take(wanted)) cluster.hand(message);
}

/** `id` leads, is cut off, and fills its disk with entries that nobody else will ever hold. */
function strandTail(cluster: Cluster, id: NodeId, count: number): void {
	cluster.elect(id);
	cluster.isolate(id);
	cluster.propose(id, count);
	cluster.settle();
}

/** The others elect one of themselves. */
function leaderBeside(cluster: Cluster, id: NodeId): NodeId {
	for (let ticks = 0; ticks < 100; ticks++) {
		const leader = cluster.leaders.find((member) => member.id !== id);
		if (leader !== undefined) return leader.id;
		cluster.pass();
	}
	throw new Error("the others do not elect a leader");
}

/** `successor` leads those who can hear it, and `leader`, which cannot, still believes in itself: no time passes. */
function depose(cluster: Cluster, leader: NodeId, successor: NodeId): void {
	for (const id of cluster.ids) if (id !== leader) cluster.input(id, ({ core }) => core.leaderConnectionLost(leader));
	cluster.elect(successor);
}

/** 1 is deposed behind its back, reads, and hears only then what 2 had answered it before. */
function readBehind(cluster: Cluster, late: ReturnType<Cluster["take"]>): void {
	cluster.isolate(1n);
	depose(cluster, 1n, 2n);
	cluster.propose(2n);
	cluster.settle();
	cluster.read(1n);
	for (const message of late) cluster.hand(message);
	cluster.drain(1n);
}

/** Everybody writes and hears what is on its way, and applies nothing. */
function roundWithoutApply(cluster: Cluster): void {
	for (const id of cluster.ids) {
		cluster.drain(id);
		cluster.persist(id);
		cluster.answerFetch(id);
	}
	handAll(cluster, ({ from, to }) => !cluster.cut.has(`${from}>${to}`));
}

function campaignWithoutApply(cluster: Cluster, id: NodeId): void {
	cluster.input(id, ({ core }) => core.campaign());
	for (let round = 0; round < 10; round++) roundWithoutApply(cluster);
}

/** Snapshots that the leader began to send, held back. */
function startedTransfers(cluster: Cluster): Cluster["transfers"] {
	for (let round = 0; round < 200; round++) {
		const { transfers } = cluster;
		if (transfers.length > 0) {
			cluster.transfers = [];
			return transfers;
		}
		for (const id of cluster.ids) {
			if (round % 10 === 0) cluster.tick(id);
			cluster.drain(id);
			if (cluster.transfers.length > 0) break;
			cluster.persist(id);
			cluster.apply(id);
		}
		handAll(cluster, ({ from, to }) => !cluster.cut.has(`${from}>${to}`));
	}
	throw new Error("no snapshot is sent");
}
