/**
 * Locks, held against the order of revisions (faults 7.5, X1 and X2): an answered lock names a key that is there at the answer's
 * revision, and none under its name was created before it. That needs no clock, and so holds whatever a client believed.
 */
import { OldestKey } from "./oldest-key.ts";
import type { Change } from "./operation.ts";

export interface AnsweredLock {
	readonly key: string;
	/** Of the answer's header. */
	readonly revision: number;
}

/** `prefix`: the name and its slash. Yields what is wrong. */
export function* checkLocks(
	prefix: string,
	changes: ReadonlyMap<number, readonly Change[]>,
	answers: readonly AnsweredLock[],
): Generator<string> {
	const oldest = new OldestKey(prefix, changes);
	for (const { key, revision } of answers) {
		const owner = oldest.at(revision);
		if (oldest.lifeAt(key, revision) === null) yield `at revision ${revision} ${key} has the lock and is not there`;
		else if (owner?.key !== key) yield `at revision ${revision} ${key} has the lock, and ${owner?.key} was created before it`;
	}
}
