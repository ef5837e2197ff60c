import type { Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { DamageBudget } from "./damage-budget.ts";
import type { Fleet } from "./fleet.ts";
import type { SimMember } from "./member.ts";
import type { SimNetwork } from "./network.ts";

/** How a member stays broken: it does not run, nothing passes to and from it, it hears nobody, nobody hears it, or it is cut off from the leader alone. */
const STATES = ["left dead", "left cut off", "left deaf", "left mute", "left without the leader"] as const;
type LeftState = (typeof STATES)[number];

export interface Behind {
	readonly member: SimMember;
	readonly state: LeftState;
}

/**
 * In a cluster in which everything else was mended a minority stays broken (raft.md 9.7): what disturbs from outside, a member that
 * does not hear the leader and asks the others for their votes say, is not there when everything is mended at once. Those with damage that nobody has looked at are among
 * it. Empty when a change of the members is under way or a machine is lost: then the rest may be no quorum.
 */
export function leaveMinority(dice: Dice, fleet: Fleet, budget: DamageBudget, network: SimNetwork): readonly Behind[] {
	const voters = dice.shuffle([...fleet.voters]);
	const most = (voters.length - 1) >> 1;
	const spoilt = voters.filter((voter) => budget.isSpoilt(voter));
	if (budget.changing || budget.writtenOff().length > 0 || most === 0 || spoilt.length > most) return [];
	const sound = voters.filter((voter) => !spoilt.includes(voter));
	const members = [...spoilt, ...sound].slice(0, dice.range(Math.max(1, spoilt.length), most));
	return members.map((member) => {
		const state = dice.pick(STATES);
		const others = fleet.all.filter((other) => other !== member);
		const leader = others.find((other) => other.leads) ?? dice.pick(others);
		if (state === "left dead") member.stayDead();
		for (const other of state === "left without the leader" ? [leader] : others) {
			if (state !== "left dead" && state !== "left deaf") network.cut(member.id, other.id);
			if (state !== "left dead" && state !== "left mute") network.cut(other.id, member.id);
		}
		return { member, state };
	});
}

/**
 * Those that must do without them, as of now: a learner whose damage nobody had looked at has no vote, so it is not among the
 * minority, and the start that finds the damage, and is refused, may be the one with which everything was mended.
 */
export function restWithout(behind: readonly Behind[], fleet: Fleet): SimMember[] {
	const left = new Set(behind.map(({ member }) => member));
	return fleet.roster.filter((member) => !left.has(member) && !member.discarded && member.refusedBecause === null);
}

/**
 * Whoever was cut off from the leader alone and came to lead itself, by the votes of the others, is cut off from all: those must
 * find another leader, for the one that was cut off from it can never hear of it.
 */
export function cutOffLeaders(behind: readonly Behind[], fleet: Fleet, network: SimNetwork): void {
	for (const { member, state } of behind) {
		if (state !== "left without the leader" || !member.leads) continue;
		for (const { id } of fleet.all) {
			if (id === member.id) continue;
			network.cut(member.id, id);
			network.cut(id, member.id);
		}
	}
}

/** Whoever is cut off from the leader alone may have found another one meanwhile: now it is that one that it is cut off from. */
export function cutOffAgain(behind: readonly Behind[], leader: NodeId, fleet: Fleet, network: SimNetwork): void {
	for (const { member, state } of behind) {
		if (state !== "left without the leader" || member.id === leader) continue;
		for (const { id } of fleet.all) {
			if (id === member.id) continue;
			const turn = id === leader ? network.cut.bind(network) : network.heal.bind(network);
			turn(member.id, id);
			turn(id, member.id);
		}
	}
}

/**
 * Whom all of these members, who all serve, take for the leader; null when there is no such one, or it is none of them: a leader
 * that was left deaf is still heard, and followed until it has missed its quorum for long enough.
 */
export function leaderAmong(members: readonly Pick<SimMember, "id" | "progress">[]): NodeId | null {
	const leaders = new Set(members.map((member) => member.progress()?.leader ?? 0n));
	const [leader] = leaders;
	return leaders.size === 1 && members.some(({ id }) => id === leader) ? (leader ?? null) : null;
}
