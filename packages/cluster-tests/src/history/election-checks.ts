/**
 * Elections, held against the order of revisions (faults 7.5, X6). A candidate that was answered has no revision at which it began to
 * lead; what it proclaims has, and there its key must be the oldest. No clock is needed, whatever a client believed.
 */
import { changeBetween, changedAt, type KeyLife, OldestKey } from "./oldest-key.ts";
import type { Change } from "./operation.ts";

interface Told {
	readonly key: string;
	/** Create revision of the key: the fence. */
	readonly create: number;
	/** Of the answer's header. */
	readonly revision: number;
}

/** What was answered to a candidate, or to somebody who asked who leads. */
export type ElectionRecord =
	| ({ readonly kind: "campaigned" | "resigned" } & Told)
	/** By a candidate whose campaign was answered. */
	| ({ readonly kind: "proclaimed" | "led"; readonly value: string } & Told);

export interface Observation extends Told {
	readonly mod: number;
	readonly value: string;
	/** The newest compact revision when it came: what lies up to there its member may not have had any more. */
	readonly compacted: number;
}

/** One stream of an observer. */
export interface ObserverRecord {
	readonly name: string;
	readonly seen: readonly Observation[];
	/** Still open when all was at rest. */
	readonly open: boolean;
	/** The newest compact revision at the end. */
	readonly compacted: number;
}

export type ElectionCheck = "candidate" | "oneLeader" | "fence" | "leader" | "resign" | "observed" | "order" | "gap";

export interface ElectionBreach {
	readonly check: ElectionCheck;
	readonly text: string;
}

/** `prefix`: the election's name and its slash. */
export function* checkElection(
	prefix: string,
	changes: ReadonlyMap<number, readonly Change[]>,
	records: readonly ElectionRecord[],
	observers: readonly ObserverRecord[],
): Generator<ElectionBreach> {
	const oldest = new OldestKey(prefix, changes);
	for (const record of records) {
		const check = broken(oldest, record);
		if (check !== null) yield { check, text: `${JSON.stringify(record)}; the oldest key then: ${named(oldest.at(record.revision))}` };
	}
	for (const observer of observers) {
		for (const { check, text } of checkObserver(oldest, observer)) yield { check, text: `${observer.name}: ${text}` };
	}
}

function broken(oldest: OldestKey, record: ElectionRecord): ElectionCheck | null {
	const { create, key, kind, revision } = record;
	const life = oldest.created(key, create);
	switch (kind) {
		case "campaigned":
			return life === null || revision < create ? "candidate" : null;
		case "proclaimed":
			if (life === null || revision >= life.end) return "fence";
			return life.values.get(revision) === record.value && oldest.at(revision) === life ? null : "oneLeader";
		case "led":
			return life !== null && isLeader(oldest, life, revision) && valueAt(life, revision) === record.value ? null : "leader";
		case "resigned":
			return life === null || revision >= life.end ? null : "resign";
	}
}

function* checkObserver(oldest: OldestKey, { compacted, open, seen }: ObserverRecord): Generator<ElectionBreach> {
	let before: Observation | null = null;
	for (const told of seen) {
		const text = JSON.stringify(told);
		const life = oldest.created(told.key, told.create);
		if (life === null || !isLeader(oldest, life, told.revision)) {
			yield { check: "observed", text: `${text} did not lead` };
			return;
		}
		if (changedAt(life, told.revision) !== told.mod || life.values.get(told.mod) !== told.value) {
			yield { check: "observed", text: `${text} is not what it held` };
		}
		if (before !== null && (told.revision <= before.revision || told.create < before.create)) {
			yield { check: "order", text: `${text} after ${JSON.stringify(before)}` };
		} else if (before !== null) yield* gap(oldest, before, told.create === before.create ? told.mod : Number.POSITIVE_INFINITY, told);
		before = told;
	}
	if (!open || before === null) return;
	if (compacted <= before.revision) {
		yield* gap(oldest, before, Number.POSITIVE_INFINITY, null);
		return;
	}
	// It may have been overtaken by the compaction, and then it has heard of whoever leads at the end; when nobody does, of nothing.
	const leader = oldest.at(Number.MAX_SAFE_INTEGER);
	if (leader !== null && (before.create !== leader.create || before.mod !== changedAt(leader, Number.MAX_SAFE_INTEGER))) {
		yield { check: "gap", text: `the last it heard is ${JSON.stringify(before)}, and ${named(leader)} leads at the end` };
	}
}

/**
 * Of whom it follows an observer hears everything until that key's end, before it hears of a successor; but for what a compaction took
 * from a member that was behind, or that waited for it to read: then it hears who leads now, and nothing of before.
 */
function* gap(oldest: OldestKey, told: Observation, until: number, next: Observation | null): Generator<ElectionBreach> {
	const life = oldest.created(told.key, told.create) as KeyLife;
	if (next !== null && next.compacted > told.revision) return;
	const missed = changeBetween(life, told.revision, until);
	if (missed === null) return;
	const where = next === null ? "at the end" : `before ${JSON.stringify(next)}`;
	yield { check: "gap", text: `revision ${missed} of ${told.key} is missing after ${JSON.stringify(told)}, ${where}` };
}

function isLeader(oldest: OldestKey, life: KeyLife, revision: number): boolean {
	return oldest.at(revision) === life;
}

function valueAt(life: KeyLife, revision: number): string | undefined {
	return life.values.get(changedAt(life, revision));
}

function named(life: KeyLife | null): string {
	return life === null ? "none" : `${life.key} of revision ${life.create}`;
}
