import { checkByRevision, type Violation } from "./by-revision.ts";
import { mayMake } from "./gaps.ts";
import type { Attempt, Change, Operation } from "./operation.ts";

/** Attempts and revisions that may be gone through, in all checks together, before the search for a smaller set ends where it is. */
const WORK_MAX = 20_000_000;
/** Calls that are shown on either side of a change that nobody asked for. */
const NEIGHBOURS = 2;

/**
 * Attempts that contradict each other, and of which none can be left out: what is not among them is vouched for by the oracle.
 * For a change that nobody asked for, those who asked for the same one and were answered otherwise,
 * and what was answered of its keys just before and just behind it.
 */
export function smallestContradiction(
	history: readonly Attempt[],
	oracle: ReadonlyMap<number, readonly Change[]>,
	finalRevision: number,
	{ check, text, attempts }: Violation,
): readonly Attempt[] {
	if (check === "phantom") return askersOf(history, oracle, text);
	const accounted = new Set(oracle.keys());
	let work = 0;
	const fails = (some: readonly Attempt[]): boolean => {
		work += some.length + finalRevision;
		if (work > WORK_MAX) return false;
		const verdict = checkByRevision(some, oracle, finalRevision, accounted);
		return verdict.kind === "violated" && verdict.violation.check === check;
	};
	if (fails(attempts)) return shrunk(attempts, fails);
	return fails(history) ? shrunk(history, fails) : attempts;
}

/** Leaves out halves, then quarters, down to single ones, until nothing more can go (Zeller's delta debugging). */
function shrunk(all: readonly Attempt[], fails: (some: readonly Attempt[]) => boolean): readonly Attempt[] {
	let kept = all;
	for (let size = Math.ceil(kept.length / 2); size >= 1 && kept.length > 1; ) {
		const at = chunkStarts(kept.length, size).find((start) => fails([...kept.slice(0, start), ...kept.slice(start + size)]));
		if (at !== undefined) kept = [...kept.slice(0, at), ...kept.slice(at + size)];
		else if (size === 1) break;
		else size = Math.ceil(size / 2);
		size = Math.min(size, Math.ceil(kept.length / 2));
	}
	return kept;
}

function chunkStarts(length: number, size: number): number[] {
	return Array.from({ length: Math.ceil(length / size) }, (_, at) => at * size);
}

function askersOf(history: readonly Attempt[], oracle: ReadonlyMap<number, readonly Change[]>, text: string): Attempt[] {
	const revision = Number(/^revision (\d+)/.exec(text)?.[1]);
	const changes = oracle.get(revision) ?? [];
	const askers = history.filter(({ operation }) => changes.some((change) => mayMake(operation, change)));
	const around = neighboursOf(history, new Set(changes.map(({ key }) => key)), revision);
	return [...new Set([...around, ...askers])];
}

/** Of the calls on these keys (of all where nobody knows the keys), those that were answered just before and just behind the revision. */
function neighboursOf(history: readonly Attempt[], keys: ReadonlySet<string>, revision: number): Attempt[] {
	const dated = history.flatMap((attempt) => {
		const { operation, outcome } = attempt;
		return outcome.kind === "ok" && (keys.size === 0 || touches(operation, keys)) ? [{ attempt, at: outcome.answer.revision }] : [];
	});
	dated.sort((a, b) => a.at - b.at || a.attempt.invoked - b.attempt.invoked);
	const before = dated.filter(({ at }) => at < revision).slice(-NEIGHBOURS);
	const behind = dated.filter(({ at }) => at >= revision).slice(0, NEIGHBOURS);
	return [...before, ...behind].map(({ attempt }) => attempt);
}

function touches(operation: Operation, keys: ReadonlySet<string>): boolean {
	switch (operation.kind) {
		case "put":
			return keys.has(operation.key);
		case "range":
		case "delete": {
			const { key, end } = operation;
			return end === "" ? keys.has(key) : [...keys].some((one) => one >= key && (end === "\0" || one < end));
		}
		case "txn":
			return (
				operation.compare.some(({ key }) => keys.has(key)) || [...operation.success, ...operation.failure].some((one) => touches(one, keys))
			);
		case "compact":
			return false;
	}
}
