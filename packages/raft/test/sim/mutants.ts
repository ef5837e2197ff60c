/**
 * Bugs that are planted in one core each, by replacing what it is made of after it was made: the product has no switch for
 * them. A schedule that does not find one in a few hundred runs is not worth its time.
 */

import { Dice } from "@flotilla/base";
import { raiseCommit, truncateLog } from "../../src/configuration.ts";
import type { AppendResp, Message, RaftCore } from "../../src/index.ts";
import { VOTE_GRANTED } from "../../src/quorum.ts";
import type { Raft } from "../../src/raft.ts";
import type { Cluster } from "./cluster.ts";
import type { Mix } from "./schedule.ts";

export interface PlantedBug {
	/** What it does, in the words of the list of mutants (raft.md 9.9). */
	readonly name: string;
	/** Changes a core that was just made. */
	readonly plant?: (core: RaftCore, raft: Raft) => void;
	/** Changes the cluster around the cores, once, before it moves. */
	readonly wrap?: (cluster: Cluster) => void;
	/** Circumstances that it needs more often than they come by themselves. */
	readonly mix?: Partial<Mix>;
}

/** One that random schedules find. */
export interface CoreMutant extends PlantedBug {
	/** The words of the checks that it must trip; what else it breaks does not count. */
	readonly breaks: RegExp;
}

/** Replaces a member of an object, a getter included, for this object alone. */
function replace<T extends object>(target: T, name: keyof T, value: () => unknown): void {
	Object.defineProperty(target, name, { get: value, set: () => {}, configurable: true });
}

/** Runs `after` behind every message that the core takes. */
function afterStep(core: RaftCore, after: (message: Message) => void): void {
	const step = core.step.bind(core);
	core.step = (message) => {
		const status = step(message);
		after(message);
		return status;
	};
}

/** Answers to some messages never leave. */
function deafTo(core: RaftCore, raft: Raft, isIgnored: (message: Message) => boolean): void {
	const step = core.step.bind(core);
	core.step = (message) => (message.term < raft.term && isIgnored(message) ? "ignored:stale-term" : step(message));
}

function matches(raft: Raft, slots: readonly number[]): number[] {
	return slots.map((slot) => raft.progress.match[slot] as number);
}

/** The leader commits `index` if a broken rule lets it. */
function commitTo(raft: Raft, index: number | undefined): void {
	if (raft.role !== "leader" || index === undefined || index > raft.log.lastIndex) return;
	if (raft.log.termAt(index) === raft.term) raiseCommit(raft, index);
}

const majority = (values: readonly number[]): number | undefined => [...values].sort((a, b) => b - a)[values.length >> 1];

export const CORE_MUTANTS: readonly CoreMutant[] = [
	{
		name: "commit without current-term test",
		breaks: /of term \d+ commits \d+ of term/,
		plant: (core, raft) =>
			afterStep(core, () => {
				const index = majority(matches(raft, raft.members.voters));
				if (raft.role === "leader" && index !== undefined && !raft.members.joint) raiseCommit(raft, index);
			}),
	},
	{
		name: "vote not persisted",
		breaks: /before its own( vote)? is durable|gives a vote that is not durable/,
		wrap: (cluster) => {
			cluster.onIssue = (work) => (work.hardState === null ? work : { ...work, hardState: { ...work.hardState, vote: 0n } });
		},
	},
	{
		name: "ack before fsync",
		breaks: /acknowledges .* durable/,
		wrap: (cluster) => {
			cluster.onIssue = (work) => {
				cluster.leakAll(work.release.filter(({ kind }) => kind === "appendResp"));
				return work;
			};
		},
	},
	{
		name: "vote request not gated",
		breaks: /asks for votes before its own is durable/,
		wrap: (cluster) => {
			cluster.onIssue = (work) => {
				cluster.leakAll(work.release.filter(({ kind }) => kind === "vote"));
				return work;
			};
		},
	},
	{
		name: "truncate on shorter append",
		breaks: /acknowledges .* durable|lacks committed entry|without a quorum of disks/,
		plant: (core, raft) =>
			afterStep(core, (m) => {
				if (m.kind !== "append" || raft.role !== "follower" || m.term !== raft.term) return;
				const end = m.prevIndex + m.entries.length;
				if (end >= raft.log.commit && end < raft.log.lastIndex && raft.log.matches(m.prevIndex, m.prevTerm)) truncateLog(raft, end + 1);
			}),
	},
	{
		name: "unsorted match list",
		breaks: /without a quorum of disks/,
		plant: (core, raft) =>
			afterStep(core, () => {
				const values = matches(raft, raft.members.voters);
				if (!raft.members.joint) commitTo(raft, values[values.length >> 1]);
			}),
	},
	{
		name: "joint: only incoming majority",
		breaks: /without a quorum of disks/,
		plant: (core, raft) => afterStep(core, () => commitTo(raft, majority(matches(raft, raft.members.voters)))),
	},
	{
		name: "learner counted",
		breaks: /without a quorum of disks/,
		plant: (core, raft) =>
			afterStep(core, () => {
				const { members } = raft;
				if (members.joint) return;
				const learners = members.targets.filter((slot) => members.isMember(slot) && !members.isVoter(slot));
				commitTo(raft, majority(matches(raft, [...members.voters, ...learners, ...learners])));
			}),
	},
	{
		name: "no guard on second config change",
		breaks: /without a quorum of disks|two leaders|answers change|not in/,
		plant: (_core, raft) => replace(raft, "pendingConfigIndex", () => 0),
	},
	{
		name: "commit record lost but entries kept",
		breaks: /comes back with commit/,
		wrap: (cluster) => {
			cluster.onCrash = ({ disk }) => {
				disk.synced.hardState = { ...disk.synced.hardState, commit: disk.synced.base.index };
			};
		},
	},
	{
		name: "read before first commit in term",
		breaks: /was committed before it was asked/,
		mix: { voters: [1n, 2n, 3n], crashes: true, partitions: true, membership: false, floors: false, dropPercent: 20, inOrder: false },
		plant: (_core, raft) => replace(raft, "committedInTerm", () => raft.role === "leader"),
	},
	{
		name: "in-memory reset of match by reject below match",
		breaks: /takes match of/,
		plant: (core, raft) =>
			afterStep(core, (m) => {
				const { kind, reject, index, hintIndex } = m as AppendResp;
				const slot = raft.members.slotOf(m.from);
				if (kind !== "appendResp" || !reject || raft.role !== "leader" || raft.progress.get(slot) === null) return;
				if (index < (raft.progress.match[slot] as number)) raft.progress.match[slot] = hintIndex;
			}),
	},
	{
		name: "no empty append when window is full",
		breaks: /does not recover/,
		plant: (_core, raft) => {
			const add = raft.progress.add.bind(raft.progress);
			raft.progress.add = (...args) => {
				const peer = add(...args);
				replace(peer, "appendDue", () => false);
				return peer;
			};
		},
	},
	{
		name: "silent on stale-term heartbeat",
		breaks: /does not recover/,
		plant: (core, raft) => deafTo(core, raft, ({ kind }) => kind === "append" || kind === "heartbeat"),
	},
	{
		name: "transfer without blocking proposals",
		breaks: /while it hands over/,
		plant: (core, raft) => {
			const propose = core.propose.bind(core);
			core.propose = (payloads) => {
				const { transferee } = raft;
				raft.transferee = 0n;
				const result = propose(payloads);
				raft.transferee = transferee;
				return result;
			};
		},
	},
	{
		name: "auto-leave proposed once only",
		breaks: /does not recover/,
		plant: (core, raft) => {
			const drain = core.drain.bind(core);
			const tried = new Set<number>();
			core.drain = () => {
				const { conf, index } = raft.members;
				const again = conf.autoLeave && tried.has(index);
				if (again) raft.members.conf = { ...conf, autoLeave: false };
				// The one try counts also when it is too early: the leader has not applied the change yet, or is about to lose its term.
				else if (conf.autoLeave && raft.role === "leader") tried.add(index);
				const output = drain();
				if (again) raft.members.conf = conf;
				return output;
			};
		},
	},
	{
		name: "a vote that was asked for is counted before it is given",
		breaks: /has two leaders/,
		plant: (core, raft) =>
			afterStep(core, (m) => {
				if (m.kind === "voteResp" && raft.role === "candidate" && m.reject) raft.votes[raft.members.slotOf(m.from)] = VOTE_GRANTED;
			}),
	},
];

/** Its state outlives every run, as that of Math.random does. */
const ELSEWHERE = new Dice("elsewhere");

/** Breaks no promise of the protocol but one of this simulator: a seed is one run (INV-39). */
export const RANDOM_DRAW: PlantedBug = {
	name: "random draw outside the stream",
	plant: (_core, raft) => {
		raft.drawElectionTimeout = () => {
			raft.electionDrawTicks = ELSEWHERE.range(10, 19);
		};
	},
};
