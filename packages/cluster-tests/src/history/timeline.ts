import type { Answer, Attempt, Change, Operation, Pair } from "./operation.ts";

const BAR = 30;
/** Of writes to one key, say, there may be many. */
const ROWS_MAX = 12;

/**
 * A few attempts as lines of text, in the order of their calls: client, member, from and to in milliseconds, a bar for what
 * overlaps what, what was asked and what was answered; behind them what the members wrote at the revisions that were named.
 * Times count from `origin`.
 */
export function drawTimeline(
	attempts: readonly Attempt[],
	oracle: ReadonlyMap<number, readonly Change[]>,
	unitsPerMs: number,
	origin = 0,
): string[] {
	const sorted = [...attempts].sort((a, b) => a.invoked - b.invoked);
	const shown = sorted.slice(0, ROWS_MAX);
	const firstAt = Math.min(...shown.map(({ invoked }) => invoked));
	const lastAt = Math.max(...shown.map((attempt) => endOf(attempt) ?? attempt.invoked));
	const place = (at: number): number => Math.round(((at - firstAt) / Math.max(1e-9, lastAt - firstAt)) * (BAR - 1));
	const rows = shown.map((attempt) => {
		const end = endOf(attempt);
		const [from, to] = [place(attempt.invoked), end === null ? BAR - 1 : place(end)];
		// Whose outcome is unknown may take effect at any time to come.
		const bar = `${" ".repeat(from)}${"=".repeat(to - from)}${end === null ? ">" : "|"}`.padEnd(BAR);
		const until = end === null ? "?" : inMs(end - origin, unitsPerMs);
		const who = [`client ${attempt.client}`, attempt.member, `${inMs(attempt.invoked - origin, unitsPerMs)} - ${until}`];
		return [...who, bar, asked(attempt.operation), answered(attempt)];
	});
	const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => (row[column] as string).length)));
	const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
	if (sorted.length > shown.length) lines.push(`and ${sorted.length - shown.length} more`);
	return [...lines, ...written(shown, oracle)];
}

function endOf({ outcome }: Attempt): number | null {
	return outcome.kind === "unknown" ? null : outcome.returned;
}

function inMs(at: number, unitsPerMs: number): string {
	return `${(at / unitsPerMs).toFixed(3)} ms`;
}

function asked(operation: Operation): string {
	switch (operation.kind) {
		case "put":
			return `put ${operation.key}=${operation.value}`;
		case "delete":
			return `delete ${keysOf(operation)}`;
		case "compact":
			return `compact ${operation.revision}`;
		case "range": {
			const { revision, limit, serializable, countOnly } = operation;
			const at = revision === 0 ? "" : ` at ${revision}`;
			return `get ${keysOf(operation)}${at}${limit > 0 ? `, ${limit} at most` : ""}${serializable ? ", serializable" : ""}${countOnly ? ", count" : ""}`;
		}
		case "txn": {
			const conditions = operation.compare.map(({ target, key, result, operand }) => `${target} of ${key} ${SIGN[result]} ${operand}`);
			const branch = (inner: readonly Operation[]): string => inner.map(asked).join(", ") || "nothing";
			return `if ${conditions.join(" and ") || "true"} then (${branch(operation.success)}) else (${branch(operation.failure)})`;
		}
	}
}

const SIGN = { equal: "=", notEqual: "!=", greater: ">", less: "<" } as const;

function keysOf({ key, end }: { readonly key: string; readonly end: string }): string {
	if (end === "") return key;
	return end === "\0" ? `${key}..` : `${key}..${end}`;
}

function answered({ outcome }: Attempt): string {
	if (outcome.kind === "unknown") return "no answer";
	if (outcome.kind === "refused") return `refused (${outcome.as})`;
	return `revision ${outcome.answer.revision}: ${content(outcome.answer)}`;
}

function content(answer: Answer): string {
	switch (answer.kind) {
		case "put":
			return "put";
		case "delete":
			return `${answer.deleted} deleted`;
		case "compact":
			return "compacted";
		case "range":
			return `${answer.pairs.map(pair).join(", ") || "no pairs"}${answer.count === answer.pairs.length ? "" : ` of ${answer.count}`}`;
		case "txn":
			return `${answer.succeeded ? "then" : "else"} (${answer.responses.map(content).join(", ") || "nothing"})`;
	}
}

function pair({ key, value, mod }: Pair): string {
	return `${key}=${value} of ${mod}`;
}

function written(attempts: readonly Attempt[], oracle: ReadonlyMap<number, readonly Change[]>): string[] {
	const named = new Set<number>();
	for (const { outcome } of attempts) if (outcome.kind === "ok") nameRevisions(outcome.answer, named);
	return [...named]
		.sort((a, b) => a - b)
		.slice(-ROWS_MAX)
		.flatMap((revision) => {
			const changes = oracle.get(revision);
			if (changes === undefined) return [];
			const texts = changes.map(({ key, value }) => (value === null ? `no ${key}` : `${key}=${value}`));
			return [`members wrote at revision ${revision}: ${texts.join(", ")}`];
		});
}

function nameRevisions(answer: Answer, into: Set<number>): void {
	// What is inside a transaction has no revision of its own.
	if (answer.revision > 0) into.add(answer.revision);
	if (answer.kind === "range") for (const { mod } of answer.pairs) into.add(mod);
	if (answer.kind === "txn") for (const inner of answer.responses) nameRevisions(inner, into);
}
