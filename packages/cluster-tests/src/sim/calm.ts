import { type MarkName, marksDuring } from "@flotilla/base";
import { CalmHouse } from "./calm-house.ts";
import type { CalmMutant } from "./calm-mutants.ts";
import { type Unrest, unsettle } from "./unrest.ts";

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
	const house = new CalmHouse(seed, mutant);
	const leader = house.load();
	const { time, dice, network, invariants, fleet } = house;
	const { elections } = invariants;
	const { losses } = network;
	const follower = dice.pick(fleet.all.filter((member) => member !== leader));
	const [beginUs, beginTerm] = [time.nowUs, leader.term];
	const members = fleet.all.map(({ id }) => id);
	unsettle(unrest, { time, dice: dice.fork("unrest"), network, members, leader: leader.id, follower: follower.id }, UNREST_US);
	house.pass(UNREST_US);
	const counted = { leaders: invariants.elections - elections, terms: house.term - beginTerm, losses: network.losses - losses };
	const during = { ...counted, ...house.silence(beginUs) };
	return { ...during, findings: house.findings() };
}
