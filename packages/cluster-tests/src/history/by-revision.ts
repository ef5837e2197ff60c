/**
 * Linearizability by revisions: every answer carries the revision at which it was true, so the search becomes a sort.
 * Sound and complete given an oracle of the changes of each revision (all members' events, which are compared as well).
 */
import { Gaps, mayMake } from "./gaps.ts";
import { SequentialStore } from "./model.ts";
import { type Answer, type Attempt, type Change, changed, isSerializable, isWrite, sameChanges } from "./operation.ts";

export interface Violation {
	/** The check that failed, by a short stable name. */
	readonly check: "placement" | "phantom" | "answer" | "effect" | "realTime" | "refusal" | "session" | "compaction";
	readonly text: string;
	readonly attempts: readonly Attempt[];
}

export type Verdict =
	| { readonly kind: "ok"; readonly placed: number; readonly filled: number }
	| { readonly kind: "violated"; readonly violation: Violation }
	| { readonly kind: "unknown"; readonly reason: string };

/**
 * `oracle`: the changes of every revision from 2 to the final one. `accounted`: revisions that somebody else vouches for, so
 * that their changes are taken as they are.
 */
export function checkByRevision(
	history: readonly Attempt[],
	oracle: ReadonlyMap<number, readonly Change[]>,
	finalRevision: number,
	accounted: ReadonlySet<number> = new Set(),
): Verdict {
	try {
		const bounds = boundsOf(history);
		const placed = placeChanges(history, finalRevision);
		const { store, filled } = replay(history, placed, oracle, finalRevision, bounds, accounted);
		checkReads(history, store, finalRevision);
		checkRealTime(history, bounds);
		checkNotAhead(history, placed, finalRevision);
		checkRefusals(history, bounds);
		checkCompactions(history);
		checkSessions(history);
		return { kind: "ok", placed: placed.size, filled };
	} catch (error) {
		if (error instanceof Found) return { kind: "violated", violation: error.violation };
		if (error instanceof Undecided) return { kind: "unknown", reason: error.message };
		throw error;
	}
}

/** Raised where a history is found to contradict itself. */
export class Found extends Error {
	readonly violation: Violation;
	constructor(check: Violation["check"], text: string, ...attempts: Attempt[]) {
		super(text);
		this.violation = { check, text, attempts };
	}
}

class Undecided extends Error {}

/** What had been answered before an attempt was invoked. */
export interface Bound {
	/** The greatest revision of all those answers. */
	readonly revision: number;
	/** Who was told it; null: nobody yet. */
	readonly witness: Attempt | null;
}

/** For each attempt what it may not fall behind: one sweep over time. */
export function boundsOf(history: readonly Attempt[]): Map<Attempt, Bound> {
	const events: { time: number; call: boolean; attempt: Attempt }[] = [];
	for (const attempt of history) {
		events.push({ time: attempt.invoked, call: true, attempt });
		if (attempt.outcome.kind === "ok") events.push({ time: attempt.outcome.returned, call: false, attempt });
	}
	// At equal times calls come first: then the two overlap, which is the cautious reading.
	events.sort((a, b) => a.time - b.time || Number(b.call) - Number(a.call));
	const bounds = new Map<Attempt, Bound>();
	let highest: Bound = { revision: 1, witness: null };
	for (const { call, attempt } of events) {
		if (call) bounds.set(attempt, highest);
		else if (attempt.outcome.kind === "ok" && !isSerializable(attempt.operation)) {
			const { revision } = attempt.outcome.answer;
			if (revision > highest.revision) highest = { revision, witness: attempt };
		}
	}
	return bounds;
}

/** Who was told each revision as that of its own change. */
export function placeChanges(history: readonly Attempt[], finalRevision: number): Map<number, Attempt> {
	const placed = new Map<number, Attempt>();
	for (const attempt of history) {
		if (attempt.outcome.kind !== "ok" || !changed(attempt.outcome.answer)) continue;
		const { revision } = attempt.outcome.answer;
		const other = placed.get(revision);
		if (other !== undefined) throw new Found("placement", `two changes were told revision ${revision}`, other, attempt);
		if (revision < 2 || revision > finalRevision)
			throw new Found("placement", `a change was told revision ${revision} of ${finalRevision}`, attempt);
		placed.set(revision, attempt);
	}
	return placed;
}

function replay(
	history: readonly Attempt[],
	placed: ReadonlyMap<number, Attempt>,
	oracle: ReadonlyMap<number, readonly Change[]>,
	finalRevision: number,
	bounds: ReadonlyMap<Attempt, Bound>,
	accounted: ReadonlySet<number>,
): { store: SequentialStore; filled: number } {
	const store = new SequentialStore();
	const open = openWrites(history);
	const gaps = new Gaps();
	for (let revision = 2; revision <= finalRevision; revision++) {
		const expected = oracle.get(revision);
		if (expected === undefined) throw new Undecided(`the oracle has no revision ${revision}`);
		const attempt = placed.get(revision);
		if (attempt === undefined && accounted.has(revision)) {
			store.take(expected);
			continue;
		}
		if (attempt === undefined) {
			const candidates = candidatesFor(revision, expected, open, store, bounds);
			if (!gaps.fill(revision, candidates)) {
				throw new Found("phantom", `revision ${revision} changed ${describe(expected)}, and nobody can have asked for that`);
			}
			// Whoever it was, the state is the same.
			store.take(expected);
			continue;
		}
		carryOut(store, attempt, revision, expected);
	}
	return { store, filled: gaps.count };
}

/** Those that may have taken effect though nobody was told. */
export function openWrites(history: readonly Attempt[]): Attempt[] {
	return history.filter((attempt) => attempt.outcome.kind === "unknown" && isWrite(attempt.operation));
}

/** An answered change at its place: what it makes of the state before it, which must be what the members wrote (null: nobody knows). */
export function carryOut(
	store: SequentialStore,
	attempt: Attempt,
	revision: number,
	expected: readonly Change[] | null,
): readonly Change[] {
	const { answer, changes } = store.execute(attempt.operation);
	if (expected === null ? changes.length === 0 : !sameChanges(changes, expected)) {
		const those = expected === null ? "its caller was told of a change" : `members changed ${describe(expected)}`;
		throw new Found("effect", `revision ${revision} should have changed ${describe(changes)}, ${those}`, attempt);
	}
	if (attempt.outcome.kind === "ok" && !sameAnswer(answer, attempt.outcome.answer)) {
		throw new Found("answer", `at revision ${revision} the answer should have been ${JSON.stringify(answer)}`, attempt);
	}
	return changes;
}

/** Those that were asked for before `revision` was answered, and that change exactly that, on the state before it. */
function candidatesFor(
	revision: number,
	expected: readonly Change[],
	open: readonly Attempt[],
	store: SequentialStore,
	bounds: ReadonlyMap<Attempt, Bound>,
): Attempt[] {
	return open.filter(
		(attempt) =>
			(bounds.get(attempt) as Bound).revision < revision &&
			expected.every((change) => mayMake(attempt.operation, change)) &&
			sameChanges(store.effect(attempt.operation), expected),
	);
}

function checkReads(history: readonly Attempt[], store: SequentialStore, finalRevision: number): void {
	for (const attempt of history) {
		const answer = readAnswer(attempt);
		if (answer === null) continue;
		if (answer.revision < 1 || answer.revision > finalRevision) {
			throw new Found("answer", `revision ${answer.revision} never existed (final ${finalRevision})`, attempt);
		}
		checkRead(store, attempt, answer);
	}
}

/** The answer of a call that changed nothing; null where there is none. */
export function readAnswer({ operation, outcome }: Attempt): Answer | null {
	return outcome.kind === "ok" && operation.kind !== "compact" && !changed(outcome.answer) ? outcome.answer : null;
}

/** `store` knows all revisions up to that of the answer at least. */
export function checkRead(store: SequentialStore, attempt: Attempt, answer: Answer): void {
	const wanted = isWrite(attempt.operation)
		? answerOfIdleWrite(store, attempt, answer.revision)
		: store.readAt(attempt.operation, answer.revision);
	if (!sameAnswer(wanted, answer)) {
		throw new Found("answer", `at revision ${answer.revision} the answer should have been ${JSON.stringify(wanted)}`, attempt);
	}
}

/** A write that changed nothing reads: run it on the state it saw and require that it still changes nothing. */
function answerOfIdleWrite(store: SequentialStore, attempt: Attempt, revision: number): Answer {
	const then = SequentialStore.at(revision, store.stateAt(revision));
	const { answer, changes } = then.execute(attempt.operation);
	if (changes.length > 0) throw new Found("answer", `at revision ${revision} it should have changed ${describe(changes)}`, attempt);
	return answer;
}

function checkRealTime(history: readonly Attempt[], bounds: ReadonlyMap<Attempt, Bound>): void {
	for (const attempt of history) {
		if (attempt.outcome.kind !== "ok" || isSerializable(attempt.operation)) continue;
		const { revision, witness } = bounds.get(attempt) as Bound;
		const { answer } = attempt.outcome;
		if (changed(answer) ? answer.revision <= revision : answer.revision < revision) {
			throw new Found("realTime", `revision ${answer.revision} was answered after ${revision} had been`, ...present(witness), attempt);
		}
	}
}

/** No answer, a serializable one either, shows a revision whose change nobody had asked for yet. */
function checkNotAhead(history: readonly Attempt[], placed: ReadonlyMap<number, Attempt>, finalRevision: number): void {
	/** Of all changes up to a revision, the one that was asked for last. */
	const latest: Array<Attempt | undefined> = [undefined, undefined];
	for (let revision = 2; revision <= finalRevision; revision++) {
		const [before, here] = [latest[revision - 1], placed.get(revision)];
		latest.push(here !== undefined && (before === undefined || here.invoked > before.invoked) ? here : before);
	}
	for (const attempt of history) {
		if (attempt.outcome.kind !== "ok") continue;
		const { returned, answer } = attempt.outcome;
		const maker = latest[answer.revision];
		if (maker === undefined || maker === attempt || maker.invoked <= returned) continue;
		throw new Found("realTime", `revision ${answer.revision} was answered before a change up to it was asked for`, maker, attempt);
	}
}

function present(witness: Attempt | null): Attempt[] {
	return witness === null ? [] : [witness];
}

/** "Future" needs a moment in the call when the revision did not exist; "compacted" needs a compaction that had begun. */
function checkRefusals(history: readonly Attempt[], bounds: ReadonlyMap<Attempt, Bound>): void {
	const compactions = history.filter((attempt) => attempt.operation.kind === "compact" && attempt.outcome.kind !== "refused");
	for (const attempt of history) {
		if (attempt.outcome.kind !== "refused") continue;
		const { returned } = attempt.outcome;
		const asked = askedRevisions(attempt);
		const { revision: answered, witness } = bounds.get(attempt) as Bound;
		if (attempt.outcome.as === "future" && !isSerializable(attempt.operation) && asked.every((revision) => revision <= answered)) {
			const text = `revision ${asked.join()} was refused as future though ${answered} had been answered`;
			throw new Found("refusal", text, ...present(witness), attempt);
		}
		const begun = (revision: number): boolean =>
			compactions.some(
				(c) =>
					c.operation.kind === "compact" &&
					c.operation.revision > revision - (attempt.operation.kind === "compact" ? 1 : 0) &&
					c.invoked <= returned,
			);
		if (attempt.outcome.as === "compacted" && asked.every((revision) => revision >= 0 && !begun(revision))) {
			throw new Found("refusal", `revision ${asked.join()} was refused as compacted, and nobody compacted it`, attempt);
		}
	}
}

function askedRevisions(attempt: Attempt): number[] {
	const revisions: number[] = [];
	const visit = (operation: Attempt["operation"]): void => {
		if (operation.kind === "txn") for (const inner of [...operation.success, ...operation.failure]) visit(inner);
		else if (operation.kind === "range" && operation.revision !== 0) revisions.push(operation.revision);
		else if (operation.kind === "compact") revisions.push(operation.revision);
	};
	visit(attempt.operation);
	return revisions;
}

/** After a compaction was answered, nothing below it may be read any more. */
function checkCompactions(history: readonly Attempt[]): void {
	const done = history
		.filter((attempt) => attempt.operation.kind === "compact" && attempt.outcome.kind === "ok")
		.map((attempt) => ({
			revision: attempt.operation.kind === "compact" ? attempt.operation.revision : 0,
			returned: attempt.outcome.kind === "ok" ? attempt.outcome.returned : 0,
			attempt,
		}));
	for (const attempt of history) {
		if (
			attempt.operation.kind !== "range" ||
			attempt.operation.revision === 0 ||
			attempt.outcome.kind !== "ok" ||
			attempt.operation.serializable
		)
			continue;
		for (const compaction of done) {
			if (compaction.returned < attempt.invoked && attempt.operation.revision < compaction.revision) {
				throw new Found(
					"compaction",
					`revision ${attempt.operation.revision} was read after a compaction at ${compaction.revision}`,
					compaction.attempt,
					attempt,
				);
			}
		}
	}
}

/** Serializable answers of one client from one member never go back. `member` names one process life. */
function checkSessions(history: readonly Attempt[]): void {
	const last = new Map<string, Attempt>();
	for (const attempt of [...history].sort((a, b) => a.invoked - b.invoked)) {
		if (attempt.outcome.kind !== "ok" || attempt.operation.kind === "compact") continue;
		const session = `${attempt.client}@${attempt.member}`;
		const before = last.get(session);
		if (
			before?.outcome.kind === "ok" &&
			before.outcome.returned < attempt.invoked &&
			before.outcome.answer.revision > attempt.outcome.answer.revision
		) {
			throw new Found(
				"session",
				`${session} went back from ${before.outcome.answer.revision} to ${attempt.outcome.answer.revision}`,
				before,
				attempt,
			);
		}
		if (before?.outcome.kind !== "ok" || before.outcome.answer.revision <= attempt.outcome.answer.revision) last.set(session, attempt);
	}
}

function sameAnswer(a: Answer, b: Answer): boolean {
	return JSON.stringify(canonical(a)) === JSON.stringify(canonical(b));
}

/** A nested answer's header is empty on the wire, so only the outer revision counts; previous values only where they were asked for. */
function canonical(answer: Answer): unknown {
	switch (answer.kind) {
		case "range":
			return [answer.count, answer.more, answer.pairs.map((pair) => [pair.key, pair.value, pair.create, pair.mod, pair.version])];
		case "put":
			return ["put"];
		case "delete":
			return [answer.deleted];
		case "txn":
			return [answer.succeeded, answer.responses.map(canonical)];
		case "compact":
			return ["compact"];
	}
}

function describe(changes: readonly Change[]): string {
	return changes.length === 0 ? "nothing" : changes.map((change) => `${change.key}=${change.value ?? "(deleted)"}`).join(", ");
}
