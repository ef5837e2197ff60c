/**
 * The general search for a legal order (Wing and Gong, with Lowe's memory of what was tried): small histories only, no
 * oracle needed. The checkers by revision, with and without holes, are held against it.
 */
import { SequentialStore } from "./model.ts";
import { type Answer, type Attempt, isSerializable, isWrite } from "./operation.ts";

export type SearchVerdict = "ok" | "violated" | "unknown";

/** Attempts that were refused take no part; unknown writes may go anywhere after their call, or nowhere. */
export function searchLinearizable(history: readonly Attempt[], stepsMax = 200_000): SearchVerdict {
	const attempts = history.filter(
		(attempt) =>
			attempt.outcome.kind !== "refused" &&
			attempt.operation.kind !== "compact" &&
			!isSerializable(attempt.operation) &&
			!(attempt.outcome.kind === "unknown" && !isWrite(attempt.operation)),
	);
	const tried = new Set<string>();
	let steps = 0;
	const visit = (done: ReadonlySet<Attempt>, store: SequentialStore): boolean => {
		if (++steps > stepsMax) throw new Exhausted();
		const rest = attempts.filter((attempt) => !done.has(attempt));
		if (rest.every((attempt) => attempt.outcome.kind === "unknown")) return true;
		const state = `${[...done]
			.map((attempt) => attempt.id)
			.sort((a, b) => a - b)
			.join(",")}|${JSON.stringify(store.stateAt(Number.MAX_SAFE_INTEGER))}|${store.revision}`;
		if (tried.has(state)) return false;
		tried.add(state);
		// Only what was invoked before the earliest return among the rest can come next.
		let earliestReturn = Number.POSITIVE_INFINITY;
		for (const { outcome } of rest) if (outcome.kind === "ok") earliestReturn = Math.min(earliestReturn, outcome.returned);
		for (const attempt of rest) {
			if (attempt.invoked > earliestReturn) continue;
			const next = new SequentialStore(store);
			const { answer } = next.execute(attempt.operation);
			if (attempt.outcome.kind === "ok" && !sameFully(answer, attempt.outcome.answer)) continue;
			if (visit(new Set([...done, attempt]), next)) return true;
		}
		return false;
	};
	try {
		return visit(new Set(), new SequentialStore()) ? "ok" : "violated";
	} catch (error) {
		if (error instanceof Exhausted) return "unknown";
		throw error;
	}
}

class Exhausted extends Error {}

function sameFully(a: Answer, b: Answer): boolean {
	return a.revision === b.revision && JSON.stringify(content(a)) === JSON.stringify(content(b));
}

function content(answer: Answer): unknown {
	if (answer.kind === "range") return [answer.count, answer.more, answer.pairs];
	if (answer.kind === "delete") return [answer.deleted];
	if (answer.kind === "txn") return [answer.succeeded, answer.responses.map(content)];
	return [answer.kind];
}
