/** A run as data: what report.json holds and the page draws. Times are milliseconds from the start of the run. */
import type { Attempt } from "../history/operation.ts";
import { type Failover, failoversOf } from "./failovers.ts";
import type { Judgement } from "./judge.ts";
import { endOf, packCalls } from "./report-calls.ts";
import type { RunRecord } from "./run.ts";

export interface ReportFault {
	readonly fault: string;
	readonly members: readonly string[];
	readonly fromMs: number;
	readonly untilMs: number;
	readonly notes: readonly string[];
}

export interface ReportData {
	readonly format: 1;
	readonly verdict: Judgement["verdict"];
	/** The verdict in a sentence. */
	readonly sentence: string;
	readonly summary: readonly string[];
	readonly scenario: {
		readonly name: string;
		readonly title: string;
		readonly members: number;
		readonly clients: number;
		readonly seconds: number;
	};
	readonly setting: RunRecord["setting"];
	readonly seed: string;
	readonly durationMs: number;
	readonly counts: Readonly<Record<string, number>>;
	readonly checks: ReadonlyArray<{
		readonly name: string;
		readonly promise: string;
		readonly verdict: string;
		readonly findings: readonly string[];
		readonly attempts: ReadonlyArray<ReturnType<typeof drawn>>;
		/** The same as lines of text, with what the members wrote. */
		readonly drawing: readonly string[];
	}>;
	readonly faults: readonly ReportFault[];
	readonly tenures: ReadonlyArray<{ readonly member: string; readonly term: number; readonly fromMs: number; readonly untilMs: number }>;
	readonly failovers: readonly Failover[];
	readonly failoverCosts: Costs;
	/** The same for each cause, the most frequent one first. */
	readonly costsByCause: ReadonlyArray<Costs & { readonly cause: string }>;
	readonly buckets: Buckets;
	/** All calls, packed: see `packCalls`; and what they were about, by number. */
	readonly calls: string;
	readonly subjects: readonly string[];
}

/** Time without an acknowledged write around changes of the leader. */
interface Costs {
	readonly count: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
	readonly longestMs: number;
}

interface Buckets {
	readonly widthMs: number;
	readonly ok: readonly number[];
	readonly failed: readonly number[];
	readonly p50Ms: readonly number[];
	readonly p99Ms: readonly number[];
}

const BUCKET_MS = 200;
const SENTENCES = {
	ok: "No promise was broken.",
	violated: "A promise was broken.",
	unknown: "Nothing contradicts the promises, but not everything could be judged.",
} as const;

export function reportData(record: RunRecord, judgement: Judgement): ReportData {
	const { scenario, startedMs, endedMs, attempts } = record;
	const failovers = failoversOf(record);
	const faults = record.faults
		.filter(({ members }) => members.length > 0)
		.map((fault) => ({ ...fault, fromMs: fault.fromMs - startedMs, untilMs: Math.min(fault.untilMs, endedMs) - startedMs }));
	const outcomes = { ok: 0, refused: 0, unknown: 0 };
	for (const { outcome } of attempts) outcomes[outcome.kind]++;
	const counts = {
		calls: attempts.length,
		...outcomes,
		revisions: record.finalRevision ?? 0,
		events: record.followers.reduce((sum, { events }) => sum + events, 0),
		leases: record.leased.leases.size,
		locks: record.leased.locks.filter(({ revision }) => revision !== null).length,
		leaders: record.tenures.length,
		faults: faults.length,
	};
	const failoverCosts = costsOf(failovers);
	const costsByCause = [...Map.groupBy(failovers, ({ cause }) => cause)]
		.map(([cause, those]) => ({ cause, ...costsOf(those) }))
		.sort((a, b) => b.count - a.count);
	return {
		format: 1,
		verdict: judgement.verdict,
		sentence: SENTENCES[judgement.verdict],
		summary: [...(record.endedEarly ? ["Somebody ended the run before its time"] : []), ...summary(counts, failoverCosts, costsByCause)],
		scenario: {
			name: scenario.name,
			title: scenario.title,
			members: scenario.members,
			clients: scenario.clients,
			seconds: scenario.seconds,
		},
		setting: record.setting,
		seed: record.seed,
		durationMs: endedMs - startedMs,
		counts,
		checks: judgement.checks.map((check) => ({ ...check, attempts: check.attempts.map((attempt) => drawn(attempt, startedMs)) })),
		faults,
		tenures: record.tenures.map(({ member, term, fromMs, untilMs }) => ({
			member,
			term,
			fromMs: fromMs - startedMs,
			untilMs: untilMs - startedMs,
		})),
		failovers,
		failoverCosts,
		costsByCause,
		buckets: bucketsOf(attempts, startedMs, endedMs),
		...packCalls(attempts, startedMs),
	};
}

function costsOf(failovers: readonly Failover[]): Costs {
	const costs = failovers.map(({ costMs }) => costMs).sort((a, b) => a - b);
	return { count: costs.length, p50Ms: part(costs, 0.5), p99Ms: part(costs, 0.99), longestMs: part(costs, 1) };
}

function costsInWords({ count, p50Ms, p99Ms, longestMs }: Costs): string {
	return `${counted(count, "change")} of leader: no write for ${p50Ms.toFixed(0)} ms at the median, ${p99Ms.toFixed(0)} at the 99th percentile, ${longestMs.toFixed(0)} at most`;
}

function counted(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function summary(counts: Readonly<Record<string, number>>, costs: Costs, byCause: ReportData["costsByCause"]): string[] {
	const { calls, ok, refused, unknown, revisions, events, leases, locks, leaders, faults } = counts;
	return [
		`${calls} calls: ${ok} answered, ${refused} refused, ${unknown} without an outcome; ${revisions} revisions, ${events} watch events; ${leases} leases, ${locks} locks held`,
		`${counted(faults as number, "fault")}, ${counted(leaders as number, "leader")}${costs.count === 0 ? "" : `; ${costsInWords(costs)}`}`,
		...(byCause.length > 1 ? byCause.map((those) => `after ${those.cause}: ${costsInWords(those)}`) : []),
	];
}

/** One call for people. */
function drawn({ id, client, member, operation, invoked, outcome }: Attempt, startedMs: number) {
	return {
		...{ id, client, member, operation, outcome: outcome.kind },
		answer: outcome.kind === "ok" ? outcome.answer : null,
		fromMs: invoked - startedMs,
		untilMs: endOf({ invoked, outcome }) - startedMs,
	};
}

function bucketsOf(attempts: readonly Attempt[], startedMs: number, endedMs: number): Buckets {
	const count = Math.max(1, Math.ceil((endedMs - startedMs) / BUCKET_MS));
	const ok = new Array<number>(count).fill(0);
	const failed = new Array<number>(count).fill(0);
	const latencies: number[][] = Array.from({ length: count }, () => []);
	for (const { invoked, outcome } of attempts) {
		const endMs = endOf({ invoked, outcome });
		const at = Math.min(count - 1, Math.floor((endMs - startedMs) / BUCKET_MS));
		if (outcome.kind === "ok") {
			ok[at] = (ok[at] as number) + 1;
			latencies[at]?.push(outcome.returned - invoked);
		} else failed[at] = (failed[at] as number) + 1;
	}
	for (const list of latencies) list.sort((a, b) => a - b);
	const rounded = (share: number): number[] => latencies.map((list) => Math.round(part(list, share) * 100) / 100);
	return { widthMs: BUCKET_MS, ok, failed, p50Ms: rounded(0.5), p99Ms: rounded(0.99) };
}

function part(sorted: readonly number[], share: number): number {
	return sorted.length === 0 ? 0 : (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number);
}
