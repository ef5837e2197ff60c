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

/** A file of the folder, with the place in it where one is known; of the store, the part of it. */
const FILE = String.raw`(?:the member's folder|identity|format|vote|wal|wal/[^ ,:]+|store\.\d+|store\.\d+/[^ ,:]+)(?:, offset \d+)?(?:, frame \d+)?`;
/** Every way in which a member says that it will not serve: the words of the log, those of a start, and those of whoever reads a record later. */
const REFUSALS: readonly RegExp[] = [
	new RegExp(`^(?:Cannot start \\([A-Za-z]+\\): )?Cannot use the log: ${FILE}: .+`, "s"),
	new RegExp(`^(?:Cannot start \\([A-Za-z]+\\): )?Cannot use the log: [a-z ]+ ${FILE} failed with .+`, "s"),
	new RegExp(`^Cannot start \\([A-Za-z]+\\): [^.]+\\. ${FILE}[^:]*: found .+, need .+`, "s"),
];

export function isRefusal(text: string): boolean {
	return REFUSALS.some((shape) => shape.test(text));
}

export function verdictOf({ contents }: Pick<Master, "contents">, outcome: SeenOutcome): Verdict {
	if (outcome.kind === "refused") return isRefusal(outcome.text) ? "refused" : "unclear";
	if (outcome.kind !== "serves") return "unclear";
	return JSON.stringify(outcome.contents) === JSON.stringify(contents) ? "recovered" : "different";
}

export function textOf(outcome: SeenOutcome): string {
	return outcome.kind === "serves" ? JSON.stringify(outcome.contents) : outcome.text;
}
