import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Damage } from "./damages.ts";
import type { LifeProcess, SeenOutcome } from "./life-process.ts";
import type { Master } from "./master.ts";

export type Verdict =
	/** Serves exactly what it should. */
	| "recovered"
	/** Does not serve, and says what is wrong with which file or record. */
	| "refused"
	/** Serves something else: the one thing that must never be. */
	| "different"
	/** Refuses without a word about where, or hangs. */
	| "unclear";

export interface TrialResult {
	readonly damage: Damage;
	readonly verdict: Verdict;
	readonly text: string;
}

/** What a refusal names: a file of the folder, or a record or row of the store. */
const NAMES_A_PLACE = /wal\/|identity|vote|format|store\.\d+|record|row|floor|LevelDB|namespace/i;

/** The damage on a copy of the master; a member is started on it, and a second time on what the first life left. */
export async function tryDamage(master: Master, damage: Damage, folder: string, lives: LifeProcess): Promise<TrialResult> {
	const copy = join(folder, "copy");
	await rm(copy, { recursive: true, force: true });
	await cp(master.folder, copy, { recursive: true });
	await damage.apply(copy);
	let first = await lives.run(copy);
	// What LevelDB aborts on ends a process without a word of ours; the next start must know what happened.
	if (first.kind === "crashed") first = await lives.run(copy);
	const verdict = verdictOf(master, first);
	if (verdict !== "recovered") return { damage, verdict, text: textOf(first) };
	// What a life wrote after the damage must be as sound as what it read.
	const second = await lives.run(copy);
	return { damage, verdict: verdictOf(master, second), text: `second life: ${textOf(second)}` };
}

function verdictOf({ contents }: Master, outcome: SeenOutcome): Verdict {
	if (outcome.kind === "refused") return NAMES_A_PLACE.test(outcome.text) ? "refused" : "unclear";
	if (outcome.kind !== "serves") return "unclear";
	return JSON.stringify(outcome.contents) === JSON.stringify(contents) ? "recovered" : "different";
}

function textOf(outcome: SeenOutcome): string {
	return outcome.kind === "serves" ? JSON.stringify(outcome.contents) : outcome.text;
}
