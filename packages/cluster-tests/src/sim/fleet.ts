import type { Dice } from "@flotilla/base";
import type { ConfState, NodeId } from "@flotilla/raft";
import {
	answersWanted,
	type ClusterView,
	DEFAULT_MEMBER_OPTIONS,
	findSelf,
	type InitialMember,
	type MemberConfig,
	refuseFirstStart,
} from "@flotilla/server/internal";
import { type MemberWorld, SimMember } from "./member.ts";
import type { RunPlan } from "./plan.ts";

const CLUSTER_ID = 0xc1a5_7e12n;

/** What a member is to the cluster, as far as every change that was asked for has come to its end. */
export type MemberPart = "voter" | "learner" | "removed";

/** All members that a run ever has, in the order of their coming, on machines with numbers from 1 on. */
export class Fleet {
	readonly all: SimMember[] = [];
	private readonly parts = new Map<SimMember, MemberPart>();
	private readonly machines = new Map<SimMember, number>();
	private readonly plan: RunPlan;
	private readonly world: MemberWorld;
	private lastMachine = 0;
	private watcher: (member: SimMember) => void = () => {};

	/** Makes the initial members; none is started. */
	constructor(plan: RunPlan, world: MemberWorld) {
		this.plan = plan;
		this.world = world;
		const initialCluster = initialConf(plan).voters.map((id): InitialMember => {
			const machine = this.newMachine();
			return { id, name: `m${machine}`, peerUrls: peerUrls(machine) };
		});
		for (const [at, { id }] of initialCluster.entries()) this.add(at + 1, id, { initialCluster }, "voter");
	}

	/** Members for whom removal was never asked, or not yet. */
	get voters(): SimMember[] {
		return this.all.filter((member) => this.parts.get(member) === "voter");
	}

	get learners(): SimMember[] {
		return this.all.filter((member) => this.parts.get(member) === "learner");
	}

	/** Voters and learners. */
	get roster(): SimMember[] {
		return this.all.filter((member) => this.partOf(member) !== "removed");
	}

	/** Not removed as far as they know themselves: clients try them, and faults strike them. */
	get present(): SimMember[] {
		return this.all.filter((member) => member.present);
	}

	get serving(): SimMember[] {
		return this.all.filter((member) => member.serving);
	}

	/** What members say to those who ask at their peer ports, served or not. */
	get views(): ClusterView[] {
		return this.all.map((member) => member.view()).filter((view) => view !== null);
	}

	/** The id that some member knows for these URLs, and that is not the id of a former user of them. */
	idOf(urls: readonly string[]): NodeId | undefined {
		for (const { members } of this.views) {
			const isNew = (id: NodeId): boolean => this.all.every((member) => member.id !== id);
			const found = members.find((member) => member.peerUrls.join() === urls.join() && isNew(member.id));
			if (found !== undefined) return found.id;
		}
		return undefined;
	}

	/** Calls `watcher` for every member that is there and that comes, before it is started. */
	watch(watcher: (member: SimMember) => void): void {
		this.watcher = watcher;
		for (const member of this.all) watcher(member);
	}

	partOf(member: SimMember): MemberPart {
		return this.parts.get(member) as MemberPart;
	}

	setPart(member: SimMember, part: MemberPart): void {
		this.parts.set(member, part);
	}

	machineOf(member: SimMember): number {
		return this.machines.get(member) as number;
	}

	newMachine(): number {
		return ++this.lastMachine;
	}

	/**
	 * A member that was added joins on its machine, whose disks are empty: by the product's own way of finding out who it is,
	 * from the list that a member gave. Null, and why, when that list does not let it.
	 */
	join(machine: number, view: ClusterView, part: MemberPart): SimMember | string {
		const named = new Map(view.members.map(({ id, peerUrls: urls }) => [id.toString(16), urls]));
		const found = findSelf(view, peerUrls(machine), named);
		if (!found.ok) return found.reason;
		const { memberId, initialCluster } = found.value;
		for (const former of this.all) if (this.machineOf(former) === machine) former.discard();
		const member = this.add(machine, memberId, { initialCluster, initialClusterState: "existing" }, part);
		member.start();
		return member;
	}

	/**
	 * A wiped machine starts its member with the flags and the id of its first start, as an operator who does not know better
	 * would: the others are asked by the product's own rule. Null when it is refused, as it must be; when too few of them can be
	 * asked the rule promises nothing, and it is not started here. Else what is wrong.
	 */
	startAnew(victim: SimMember): string | null {
		const { initialCluster, initialClusterState, memberId, clusterId } = victim.config;
		if (initialClusterState !== "new" || this.partOf(victim) === "removed") return null;
		const others = initialCluster.filter(({ id }) => id !== memberId);
		const answers = others.map(({ id }) => this.answerAt(this.machineOf(this.all.find((member) => member.id === id) as SimMember)));
		const told = answers.filter((answer) => answer !== null);
		if (told.some(({ members }) => members.every((member) => member.id !== memberId))) return null;
		if (refuseFirstStart({ initialCluster, memberId, clusterId }, answers) !== null) return null;
		return told.length < answersWanted({ initialCluster }) ? null : `start: ${victim.name} lost its disks and may begin anew`;
	}

	private answerAt(machine: number): ClusterView | null {
		const view = this.all.find((member) => member.running && this.machineOf(member) === machine)?.view() ?? null;
		return view === null || view.members.length === 0 ? null : view;
	}

	private add(machine: number, memberId: NodeId, who: Partial<MemberConfig>, part: MemberPart): SimMember {
		const { plan, world } = this;
		const before = this.all.filter((member) => this.machineOf(member) === machine).length;
		const name = `m${machine}`;
		const label = before === 0 ? name : `${name}.${before + 1}`;
		const config = { ...memberConfig(plan, machine, memberId), ...who };
		const dice: Dice = world.dice.fork(label);
		const member = new SimMember(label, config, plan, { ...world, dice });
		this.all.push(member);
		this.parts.set(member, part);
		this.machines.set(member, machine);
		this.watcher(member);
		return member;
	}
}

export function initialConf({ members }: RunPlan): ConfState {
	const voters = Array.from({ length: members }, (_, at) => BigInt(at + 1) * 0x1111_1111n);
	return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

export function peerUrls(machine: number): readonly string[] {
	return [`http://10.0.0.${machine}:2380`];
}

function memberConfig(plan: RunPlan, machine: number, memberId: NodeId): MemberConfig {
	const clientUrls = [`http://10.0.0.${machine}:2379`];
	return {
		...DEFAULT_MEMBER_OPTIONS,
		name: `m${machine}`,
		dataDir: `m${machine}`,
		listenClientUrls: clientUrls,
		advertiseClientUrls: clientUrls,
		listenPeerUrls: peerUrls(machine),
		initialAdvertisePeerUrls: peerUrls(machine),
		initialCluster: [],
		memberId,
		clusterId: CLUSTER_ID,
		heartbeatMs: plan.heartbeatTicks * 10,
		electionMs: plan.electionTicks * 10,
		snapshotCount: plan.floorEntries,
		floorBytes: plan.floorBytes,
		walSegmentBytes: plan.segmentBytes,
		walKeepEntries: plan.keepEntries,
		walKeepBytes: plan.keepBytes,
		logMemoryEntries: plan.memoryEntries,
		coreLimits: plan.mutant === "ignoresLimits" ? {} : plan.coreLimits,
		snapshotPartBytes: plan.partBytes,
		snapshotPartPauseMs: 0,
		applySliceKeys: plan.applySliceKeys,
		unstoredBytesMax: plan.unstoredBytesMax,
		watchProgressMs: plan.parts.watch.progressMs,
		watchLimits: plan.parts.watch.limits,
		// Under faults no connection is ever steady: the check would refuse every change.
		strictReconfigCheck: false,
	};
}
