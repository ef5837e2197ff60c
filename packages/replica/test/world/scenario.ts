import { assert, Dice } from "@flotilla/base";
import type { Member } from "./member.ts";
import { heal, strike } from "./nemesis.ts";
import { pairOf, rangeOf } from "./requests.ts";
import { World } from "./world.ts";

const KEYS = 5;
/** Nothing of these was done: they name a definite refusal. */
const DEFINITE = new Set(["noLeader", "noLeaderDeadline", "tooManyRequests", "applyBacklog", "requestTooLarge", "stopped"]);

/** What happened, so that a quiet run is seen for what it is. */
export interface Count {
	acknowledged: number;
	refused: number;
	unknown: number;
	reads: number;
	strikes: number;
	floors: number;
}

export function zeroCount(): Count {
	return { acknowledged: 0, refused: 0, unknown: 0, reads: 0, strikes: 0, floors: 0 };
}

/**
 * Clients write and read while things break; then all is healed. Each value is put by one call: to be found at one revision when acknowledged, at none when refused, at most at
 * one otherwise. No read shows less than was told before it, and in the end all members hold the same. Throws what it finds.
 */
export function runSeed(seed: number, faultyMs: number, count: Count): void {
	const world = new World(seed).up();
	const dice = new Dice(`${seed}/clients`);
	const acknowledged: string[] = [];
	const refused: string[] = [];
	/** Highest revision that any client was told. */
	let toldRevision = 1;
	let serial = 0;
	const busy = (): boolean => world.time.nowUs < faultyMs * 1_000;

	const writer = (): void => {
		const member = dice.pick(world.members);
		const pause = (): void =>
			world.time.after(dice.range(500, 30_000), () => {
				if (busy()) writer();
			});
		if (!member.serving) {
			pause();
			return;
		}
		const life = member.lives;
		const value = `v${++serial}`;
		const pending = world.put(member, `k${dice.range(1, KEYS)}`, value, dice.chance(1, 3) ? dice.range(5, 100) : 0);
		const watch = (): void => {
			const { outcome } = pending;
			if (outcome === null) {
				// A call that died with its process has no outcome: nobody was told anything.
				if (member.alive && member.lives === life) world.time.after(1_000, watch);
				else pause();
				return;
			}
			if (outcome.ok && outcome.command.kind === "put") {
				acknowledged.push(value);
				toldRevision = Math.max(toldRevision, outcome.command.result.revision);
			} else if (!outcome.ok && DEFINITE.has(outcome.fault)) refused.push(value);
			else count.unknown++;
			pause();
		};
		watch();
	};

	const reader = (): void => {
		const member = dice.pick(world.members);
		const pause = (): void =>
			world.time.after(dice.range(500, 30_000), () => {
				if (busy()) reader();
			});
		if (member.serving) {
			const atLeast = toldRevision;
			world.read(
				member,
				() => {
					const { revision } = member.replica.store;
					if (revision < atLeast) throw new Error(`a read at member ${member.id} shows revision ${revision} after ${atLeast} was told`);
					toldRevision = Math.max(toldRevision, revision);
					count.reads++;
				},
				dice.chance(1, 3) ? 50 : 0,
			);
		}
		pause();
	};

	for (let i = 0; i < 6; i++) writer();
	for (let i = 0; i < 4; i++) reader();
	const trouble = (): void => {
		if (!busy()) return;
		if (strike(world, dice) !== "none") count.strikes++;
		world.time.after(dice.range(50_000, 2_000_000), trouble);
	};
	trouble();
	const terms = watchTerms(world);
	while (busy()) {
		world.run(10);
		terms();
	}
	heal(world);
	world.until("all members serve again", () => world.members.every((member) => member.serving));
	// Every outcome is due within the patience of a call.
	world.run(8_000);
	world.settle();
	terms();

	const values = [...world.written.values()];
	const found = new Set(values);
	assert(found.size === values.length, "no write is applied twice");
	for (const value of acknowledged) assert(found.has(value), "an acknowledged write is kept");
	for (const value of refused) assert(!found.has(value), "a refused write has no effect");
	assert(new Set(world.members.map((member) => member.replica.stateDigest())).size === 1, "all members have the same digest");
	assert(new Set(world.members.map(contents)).size === 1, "all members show the same");
	count.acknowledged += acknowledged.length;
	count.refused += refused.length;
	count.floors += world.members.reduce((sum, member) => sum + member.floors, 0);
}

/** What headers show never falls on a member, restarts included: its durable term, and its revision once it serves. */
function watchTerms(world: World): () => void {
	const shown = world.members.map(() => ({ term: 0, revision: 0 }));
	return () => {
		for (const [at, member] of world.members.entries()) {
			if (!member.serving) continue;
			const last = shown[at] as { term: number; revision: number };
			const { durableTerm } = member.replica.status();
			const { revision } = member.replica.store;
			if (durableTerm < last.term || revision < last.revision) {
				throw new Error(`member ${member.id} fell from term ${last.term}, revision ${last.revision} to ${durableTerm}, ${revision}`);
			}
			shown[at] = { term: durableTerm, revision };
		}
	};
}

function contents(member: Member): string {
	const all = [];
	for (let key = 1; key <= KEYS; key++) {
		const result = member.replica.store.range(rangeOf(`k${key}`));
		all.push(result.ok ? result.kvs.map(pairOf).map(({ value }) => value) : result.code);
	}
	return JSON.stringify(all);
}
