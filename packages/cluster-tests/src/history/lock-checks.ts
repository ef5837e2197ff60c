/**
 * Locks, held against the order of revisions (faults 7.5, X1 and X2): an answered lock names a key that is there at the answer's
 * revision, and none under its name was created before it. That needs no clock, and so holds whatever a client believed.
 */
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
	const ordered = [...answers].sort((a, b) => a.revision - b.revision);
	/** Create revision of each key that is there, oldest first: keys enter in the order of revisions. */
	const present = new Map<string, number>();
	const revisions = [...changes.keys()].sort((a, b) => a - b);
	let at = 0;
	for (const { key, revision } of ordered) {
		for (; at < revisions.length && (revisions[at] as number) <= revision; at++) apply(prefix, present, changes, revisions[at] as number);
		const [oldest] = present.keys();
		if (!present.has(key)) yield `at revision ${revision} ${key} has the lock and is not there`;
		else if (oldest !== key) yield `at revision ${revision} ${key} has the lock, and ${oldest} was created before it`;
	}
}

function apply(prefix: string, present: Map<string, number>, changes: ReadonlyMap<number, readonly Change[]>, revision: number): void {
	for (const { key, value } of changes.get(revision) ?? []) {
		if (!key.startsWith(prefix)) continue;
		if (value === null) present.delete(key);
		else if (!present.has(key)) present.set(key, revision);
	}
}
