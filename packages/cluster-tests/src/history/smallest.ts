import { checkByRevision, type Violation } from "./by-revision.ts";
import { mayMake } from "./gaps.ts";
import type { Attempt, Change } from "./operation.ts";

/** Attempts and revisions that may be gone through, in all checks together, before the search for a smaller set ends where it is. */
const WORK_MAX = 20_000_000;

/**
 * Attempts that contradict each other, and of which none can be left out: what is not among them is vouched for by the oracle.
 * For a change that nobody asked for, those who asked for the same one and were answered otherwise.
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
	return history.filter(({ operation }) => changes.some((change) => mayMake(operation, change)));
}
