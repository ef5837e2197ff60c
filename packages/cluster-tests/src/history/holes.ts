/**
 * Linearizability where nobody saw some of the changes: all watches were cut off, or there was none. An answered write says itself
 * what it changed. What is left is searched for: each call without an outcome that may have made the change is tried, and given up
 * with the first answer that contradicts it. With a bound on the work, beyond which the verdict is unknown.
 */
import {
	type Bound,
	boundsOf,
	carryOut,
	checkByRevision,
	checkRead,
	Found,
	openWrites,
	placeChanges,
	readAnswer,
	type Verdict,
	type Violation,
} from "./by-revision.ts";
import { SequentialStore } from "./model.ts";
import type { Answer, Attempt, Change } from "./operation.ts";

/** Revisions, attempts and copied versions that may be gone through: some ten seconds. */
const WORK_MAX = 10_000_000;
/** Holes of which nobody was told: each is a level of the search. */
const HOLES_MAX = 500;

export interface Seen {
	/** The changes of the revisions that somebody saw. */
	readonly oracle: ReadonlyMap<number, readonly Change[]>;
	readonly finalRevision: number;
	/** Revisions that somebody else vouches for. */
	readonly accounted: ReadonlySet<number>;
	/** A change that nobody saw may be somebody else's as well, of keys that this history does not know. */
	readonly others: boolean;
}

export function checkHistory(history: readonly Attempt[], seen: Seen): Verdict {
	const { oracle, finalRevision, accounted } = seen;
	for (let revision = 2; revision <= finalRevision; revision++) if (!oracle.has(revision)) return new HoleSearch(history, seen).verdict();
	return checkByRevision(history, oracle, finalRevision, accounted);
}

/** One way to go: what was taken for true so far. */
interface Path {
	readonly store: SequentialStore;
	readonly oracle: ReadonlyMap<number, readonly Change[]>;
	readonly accounted: ReadonlySet<number>;
	/** Revisions whose changes were guessed. */
	readonly guessed: readonly number[];
}

class Exhausted extends Error {}

class HoleSearch {
	private readonly history: readonly Attempt[];
	private readonly seen: Seen;
	private readonly bounds: ReadonlyMap<Attempt, Bound>;
	private readonly open: readonly Attempt[];
	private readonly reads = new Map<number, Array<readonly [attempt: Attempt, answer: Answer]>>();
	private placed: ReadonlyMap<number, Attempt> = new Map();
	private contradiction: { readonly violation: Violation; readonly depth: number } | null = null;
	private work = 0;

	constructor(history: readonly Attempt[], seen: Seen) {
		this.history = history;
		this.seen = seen;
		this.bounds = boundsOf(history);
		this.open = openWrites(history);
		for (const attempt of history) {
			const answer = readAnswer(attempt);
			if (answer === null) continue;
			const those = this.reads.get(answer.revision);
			if (those === undefined) this.reads.set(answer.revision, [[attempt, answer]]);
			else those.push([attempt, answer]);
		}
	}

	verdict(): Verdict {
		const { oracle, accounted, finalRevision } = this.seen;
		try {
			this.placed = placeChanges(this.history, finalRevision);
			const holes = this.holesOfNobody();
			if (holes > HOLES_MAX) return { kind: "unknown", reason: `nobody saw or was told what ${holes} revisions changed` };
			const found = this.follow(2, { store: new SequentialStore(), oracle, accounted, guessed: [] });
			if (found !== null) return found;
			return { kind: "violated", violation: (this.contradiction as { readonly violation: Violation }).violation };
		} catch (error) {
			if (error instanceof Found) return { kind: "violated", violation: error.violation };
			if (error instanceof Exhausted) return { kind: "unknown", reason: error.message };
			throw error;
		}
	}

	private holesOfNobody(): number {
		let count = 0;
		for (let revision = 2; revision <= this.seen.finalRevision; revision++) {
			if (!this.seen.oracle.has(revision) && !this.placed.has(revision)) count++;
		}
		return count;
	}

	/** Null: every way on from here ends in a contradiction. */
	private follow(from: number, path: Path): Verdict | null {
		const { store, accounted } = path;
		const oracle = new Map(path.oracle);
		this.spend(oracle.size);
		try {
			for (const [attempt, answer] of this.reads.get(from - 1) ?? []) checkRead(store, attempt, answer);
			for (let revision = from; revision <= this.seen.finalRevision; revision++) {
				this.spend(1);
				const attempt = this.placed.get(revision);
				const changes = oracle.get(revision);
				if (attempt === undefined && changes === undefined) return this.guess(revision, { ...path, oracle });
				if (attempt === undefined) store.take(changes as readonly Change[]);
				else oracle.set(revision, carryOut(store, attempt, revision, changes ?? null));
				for (const [reader, answer] of this.reads.get(revision) ?? []) checkRead(store, reader, answer);
			}
		} catch (error) {
			if (!(error instanceof Found)) throw error;
			return this.refuted(error.violation, path.guessed);
		}
		this.spend(this.history.length + this.seen.finalRevision);
		const verdict = checkByRevision(this.history, oracle, this.seen.finalRevision, accounted);
		return verdict.kind === "violated" ? this.refuted(verdict.violation, path.guessed) : verdict;
	}

	private guess(revision: number, path: Path): Verdict | null {
		const ways = new Map<string, readonly Change[]>();
		for (const attempt of this.open) {
			this.spend(1);
			if ((this.bounds.get(attempt) as Bound).revision >= revision) continue;
			const changes = path.store.effect(attempt.operation);
			if (changes.length > 0) ways.set(JSON.stringify(changes), changes);
		}
		const guessed = [...path.guessed, revision];
		for (const changes of ways.values()) {
			const verdict = this.follow(revision + 1, { ...path, ...this.with(path, revision, changes), guessed });
			if (verdict !== null) return verdict;
		}
		if (this.seen.others) {
			const accounted = new Set(path.accounted).add(revision);
			return this.follow(revision + 1, { ...this.with(path, revision, []), accounted, guessed });
		}
		if (ways.size > 0) return null;
		const text = `revision ${revision} exists, and nobody can have asked for its change`;
		return this.refuted({ check: "phantom", text, attempts: [] }, path.guessed);
	}

	private with({ store, oracle }: Path, revision: number, changes: readonly Change[]): Pick<Path, "store" | "oracle"> {
		this.spend(store.revision + oracle.size);
		const next = new SequentialStore(store);
		next.take(changes);
		return { store: next, oracle: new Map(oracle).set(revision, changes) };
	}

	/** Told is the contradiction of the way that led furthest. */
	private refuted({ check, text, attempts }: Violation, guessed: readonly number[]): null {
		const whatever = guessed.length === 0 ? "" : ` (whatever revision ${guessed.join(", ")} changed, which nobody saw)`;
		if (this.contradiction === null || guessed.length > this.contradiction.depth) {
			this.contradiction = { violation: { check, text: `${text}${whatever}`, attempts }, depth: guessed.length };
		}
		return null;
	}

	private spend(work: number): void {
		this.work += work;
		if (this.work > WORK_MAX) throw new Exhausted("nobody saw all changes, and there are too many ways to explain those left");
	}
}
