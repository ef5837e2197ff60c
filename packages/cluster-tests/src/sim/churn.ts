import type { Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { DamageBudget } from "./damage-budget.ts";
import { Errands } from "./errands.ts";
import { type Fleet, type MemberPart, peerUrls } from "./fleet.ts";
import type { SimMember } from "./member.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface ChurnPlan {
	/** Mean time between changes of the members. 0: only machines that were lost are replaced. */
	readonly everyMs: number;
	/** Of ten members added, so many come as learners first. */
	readonly learnersOfTen: number;
	readonly votersMax: number;
	/** Voters come by a joint configuration, which the API never asks for (`joint-changes.ts`). */
	readonly joint: boolean;
}

export interface ChurnCounts {
	added: number;
	learnersAdded: number;
	promoted: number;
	removed: number;
	updated: number;
}

const PAUSE_US = 300_000;
/** A learner that is never in sync is given up after so long. */
const PROMOTE_US = 8_000_000;

/**
 * Changes the members of a simulated cluster, one change at a time, each until its outcome is known: grows and shrinks towards
 * sizes that it draws, as voters or through learners, changes addresses, and replaces machines that were lost. Never leaves
 * what `DamageBudget` allows, and never the last voter.
 */
export class Churn {
	readonly counts: ChurnCounts = { added: 0, learnersAdded: 0, promoted: 0, removed: 0, updated: 0 };
	/** Told of every change that begins. */
	onChange: (what: string, members: readonly SimMember[]) => void = () => {};
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly fleet: Fleet;
	private readonly budget: DamageBudget;
	private readonly errands: Errands;
	private readonly plan: ChurnPlan;
	/** Machines whose members were lost and removed: the next one that is added takes one of them. */
	private readonly freeMachines: number[] = [];
	private readonly addresses = new Map<SimMember, number>();
	private wantedVoters: number;
	private busy = false;
	private finishing = false;

	constructor(time: VirtualTime, dice: Dice, fleet: Fleet, budget: DamageBudget, plan: ChurnPlan) {
		this.time = time;
		this.dice = dice;
		this.fleet = fleet;
		this.budget = budget;
		this.plan = plan;
		this.errands = new Errands(time, dice, fleet);
		this.wantedVoters = fleet.voters.length;
	}

	start(): void {
		this.later();
	}

	/** No new changes; the one under way is brought to its end. */
	finish(): void {
		this.finishing = true;
	}

	get idle(): boolean {
		return !this.busy;
	}

	/** What must hold when everything is at rest; empty when it does. */
	findings(): string[] {
		const found: string[] = [];
		const roster = this.fleet.roster.filter((member) => member.running);
		for (const member of this.fleet.all) {
			const removed = this.fleet.partOf(member) === "removed";
			if (member.gone && !removed) found.push(`members: ${member.name} left, and nobody had asked for it`);
			// One that waits for a state may know nobody any more who could tell it; it serves and votes as little as one that is down.
			if (removed && member.view() !== null) found.push(`members: ${member.name} was removed and still runs`);
			for (const other of roster) {
				if (other.knows(member.id) === removed) {
					found.push(`members: ${other.name} ${removed ? "still counts" : "does not count"} ${member.name}`);
				}
			}
		}
		return found;
	}

	private later(): void {
		const meanMs = this.plan.everyMs === 0 ? 1_000 : this.plan.everyMs;
		this.time.after(this.dice.range(1, 2 * meanMs) * 1_000, () => {
			if (this.finishing) return;
			if (!this.busy) this.next();
			this.later();
		});
	}

	private next(): void {
		const lost = this.budget.writtenOff()[0];
		if (lost !== undefined) {
			this.remove(lost, "replace");
			return;
		}
		if (this.plan.everyMs === 0) {
			if (this.freeMachines.length > 0) this.add();
			return;
		}
		const learner = this.fleet.learners[0];
		const { voters } = this.fleet;
		if (learner !== undefined && this.dice.chance(3, 4)) {
			if (this.dice.chance(1, 6)) this.remove(learner, "remove");
			else this.promote(learner);
		} else if (this.dice.chance(1, 5)) this.update(this.dice.pick(this.fleet.roster));
		else if (voters.length < this.wantedVoters) this.add();
		else if (voters.length > this.wantedVoters) this.remove(this.dice.pick(voters), "remove");
		else this.wantedVoters = this.dice.range(1, this.plan.votersMax);
	}

	private add(): void {
		const { voters, learners } = this.fleet;
		// The one that comes is empty: it counts among the voters, and not yet among the copies.
		if (this.busy || 2 * voters.filter((voter) => this.budget.isSpoilt(voter)).length >= voters.length) return;
		const learner = learners.length === 0 && this.dice.range(1, 10) <= this.plan.learnersOfTen;
		const machine = this.freeMachines.pop() ?? this.fleet.newMachine();
		this.begin(learner ? "add learner" : "add voter", []);
		this.errands.add(peerUrls(machine), learner, (id) => {
			this.counts.added++;
			if (learner) this.counts.learnersAdded++;
			this.join(machine, id, learner ? "learner" : "voter");
		});
	}

	/** By the list of some member that has applied the change; an operator copies it into the flags of the new one. */
	private join(machine: number, id: NodeId, part: MemberPart): void {
		const informed = this.fleet.views.filter(({ members }) => members.some((member) => member.id === id));
		if (informed.length === 0) {
			this.time.after(PAUSE_US, () => this.join(machine, id, part));
			return;
		}
		const joined = this.fleet.join(machine, this.dice.pick(informed), part);
		if (typeof joined === "string") throw new Error(`a member that was added cannot join: ${joined}`);
		this.end();
	}

	private promote(learner: SimMember): void {
		if (this.budget.isSpoilt(learner) || !learner.serving) return;
		this.begin("promote", [learner]);
		const untilUs = this.time.nowUs + PROMOTE_US;
		this.errands.promote(
			learner.id,
			() => this.time.nowUs < untilUs,
			(promoted) => {
				if (promoted) {
					this.counts.promoted++;
					this.fleet.setPart(learner, "voter");
					this.end();
				}
				// Some try may yet come through: only its removal makes that certain.
				else this.ask(learner);
			},
		);
	}

	private update(member: SimMember): void {
		const address = (this.addresses.get(member) ?? 0) + 1;
		this.addresses.set(member, address);
		this.begin("update", [member]);
		const url = `http://10.${address}.0.${this.fleet.machineOf(member)}:2380`;
		member.moveTo(url);
		this.errands.update(member.id, [url], () => {
			this.counts.updated++;
			if (!this.finishing) member.leaveOldAddresses();
			this.end();
		});
	}

	private remove(victim: SimMember, why: "remove" | "replace"): void {
		const left = this.fleet.voters.filter((voter) => voter !== victim);
		if (left.length === 0 || !this.budget.allowsVoters(left)) return;
		this.begin(why, [victim]);
		this.ask(victim);
	}

	private ask(victim: SimMember): void {
		this.errands.remove(victim.id, () => {
			this.counts.removed++;
			this.fleet.setPart(victim, "removed");
			if (victim.discarded || victim.refusedBecause !== null) {
				victim.discard();
				this.freeMachines.push(this.fleet.machineOf(victim));
			}
			this.end();
		});
	}

	private begin(what: string, members: readonly SimMember[]): void {
		this.busy = true;
		this.budget.changing = true;
		this.onChange(what, members);
	}

	private end(): void {
		// A joint configuration is left by itself, and until then needs both its halves: what one of them could stand is too much.
		if (this.budget.joint) {
			this.time.after(PAUSE_US, () => this.end());
			return;
		}
		this.busy = false;
		this.budget.changing = false;
	}
}
