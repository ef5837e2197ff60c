/**
 * Locks, held against the order of revisions (faults 7.5, X1 and X2): an answered lock names a key that is there at the answer's
 * revision, and none under its name was created before it. That needs no clock, and so holds whatever a client believed.
 */
import { OldestKey } from "./oldest-key.ts";
import type { Change } from "./operation.ts";
import type { LeaseSpan, Owner } from "./owned-keys.ts";

/** One try for the lock, under a lease of its own. Times are the recorder's, in microseconds. */
export interface LockTurn {
	/** The name, a slash and the lease: created by this try alone. */
	readonly key: string;
	readonly granted: LeaseSpan;
	/** When the lock was asked for. */
	readonly invoked: number;
	/** Of the answer's header; null: none came, or a refusal. */
	readonly revision: number | null;
	/** From then on its key may go before its lease does: it was given back, or waited for no longer. Null: that was left to the lease. */
	readonly leftFrom: number | null;
}

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

export function answeredOf(turns: readonly LockTurn[]): AnsweredLock[] {
	return turns.flatMap(({ key, revision }) => (revision === null ? [] : [{ key, revision }]));
}

/** An answer tells that the key is there, and not at which revision it was created. */
export function ownerOfTurn({ key, granted, invoked, leftFrom }: LockTurn): Owner {
	const puts = [{ key, value: "", invoked, revision: null }];
	return { name: `the lock's ${key}`, puts, spans: [granted], letGoFrom: leftFrom ?? Number.POSITIVE_INFINITY, aliveAt: 0 };
}
