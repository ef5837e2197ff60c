import type { Damage } from "./damages.ts";
import type { SeenOutcome } from "./life-process.ts";
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

export function verdictOf({ contents }: Pick<Master, "contents">, outcome: SeenOutcome): Verdict {
	if (outcome.kind === "refused") return NAMES_A_PLACE.test(outcome.text) ? "refused" : "unclear";
	if (outcome.kind !== "serves") return "unclear";
	return JSON.stringify(outcome.contents) === JSON.stringify(contents) ? "recovered" : "different";
}

export function textOf(outcome: SeenOutcome): string {
	return outcome.kind === "serves" ? JSON.stringify(outcome.contents) : outcome.text;
}
