/** The verdict over a run: every promise that the recorded history can be held against, one by one. */
import { checkHistory } from "../history/holes.ts";
import { checkLate, checkLease, ownerOf } from "../history/lease-checks.ts";
import { answeredOf, checkLocks, ownerOfTurn } from "../history/lock-checks.ts";
import { SequentialStore } from "../history/model.ts";
import type { Attempt, Pair } from "../history/operation.ts";
import { checkOwned } from "../history/owned-keys.ts";
import { RevisionTimes } from "../history/revision-times.ts";
import { smallestContradiction } from "../history/smallest.ts";
import { drawTimeline } from "../history/timeline.ts";
import { checkWatches } from "../history/watch-checks.ts";
import type { StreamRecord } from "../history/watch-record.ts";
import { WatchTruth } from "../history/watch-truth.ts";
import { LEASED } from "../sim/lease-holder.ts";
import { LOCKED } from "../sim/lock-part.ts";
import { contentsOf } from "./contents.ts";
import { lacking } from "./enough.ts";
import { withIssue } from "./known-of-etcd.ts";
import { isLeased } from "./lease-load.ts";
import { mergeOracle, type Oracle } from "./oracle.ts";
import { BANK } from "./programs.ts";
import type { FinalState, RunRecord } from "./run.ts";

export type CheckName = "linearizable" | "watches" | "agreement" | "bank" | "leases" | "locks" | "leaders" | "recovery" | "enough";

export interface Check {
	readonly name: CheckName;
	/** The promise, in plain words. */
	readonly promise: string;
	readonly verdict: "ok" | "violated" | "unknown";
	/** What contradicts it, or why nobody can tell; empty when all is well. */
	readonly findings: readonly string[];
	/** The smallest set of attempts that contradict it. */
	readonly attempts: readonly Attempt[];
	/** The same as lines of text: who asked what when and was told what, and what the members wrote. */
	readonly drawing: readonly string[];
}

export interface Judgement {
	readonly verdict: "ok" | "violated" | "unknown";
	readonly checks: readonly Check[];
	readonly checked: number;
}

const FINDINGS_SHOWN = 20;

export function judge(record: RunRecord): Judgement {
	const oracle = mergeOracle(record.followers);
	const checks = [
		linearizable(record, oracle),
		watches(record, oracle),
		agreement(record, oracle),
		bank(record, oracle),
		leases(record, oracle),
		locks(record, oracle),
		leaders(record),
		recovery(record),
		enough(record),
	];
	const verdict = checks.some((check) => check.verdict === "violated")
		? "violated"
		: checks.every((check) => check.verdict === "ok")
			? "ok"
			: "unknown";
	return { verdict, checks, checked: record.attempts.filter(({ outcome }) => outcome.kind === "ok").length };
}

function linearizable(record: RunRecord, oracle: Oracle): Check {
	const promise =
		"There is one order of all calls that respects real time and explains every answer; nothing acknowledged is lost, nothing happens twice.";
	const { attempts, scenario, startedMs } = record;
	const { changes } = oracle;
	const accounted = new Set([...changes].flatMap(([revision, group]) => (isLeased(group.map(({ key }) => key)) ? [revision] : [])));
	const last = lastRevision(record, oracle);
	const others = scenario.holders + scenario.lockers > 0;
	const verdict = checkHistory(attempts, { oracle: changes, finalRevision: last, accounted, others });
	if (verdict.kind !== "violated") {
		const findings = verdict.kind === "unknown" ? [verdict.reason] : [];
		return { name: "linearizable", promise, verdict: verdict.kind, findings, attempts: [], drawing: [] };
	}
	const { violation } = verdict;
	const findings = [`${violation.check}: ${violation.text}`];
	const smallest = smallestContradiction(attempts, changes, last, violation);
	return { ...found("linearizable", promise, findings), attempts: smallest, drawing: drawTimeline(smallest, changes, 1, startedMs) };
}

function watches(record: RunRecord, oracle: Oracle): Check {
	const promise =
		"Every watch tells every change once, in order, whole revisions with the pairs before and after, the same on all members, and no bookmark before its changes.";
	const { changes, disagreements } = oracle;
	const last = lastRevision(record, oracle);
	const truth = new WatchTruth(changes, last, greatestCompaction(record.attempts), oracle.unseen ?? last + 1);
	const streams = record.followers.flatMap((follower) => follower.streams.map((stream) => judged(stream, record)));
	const findings = checkWatches(streams, truth).map(({ check, text }) => withIssue(record.setting.program, `${check}: ${text}`));
	return found("watches", promise, [...findings, ...disagreements]);
}

/** Without what came behind the last write, and, where there was no rest, without the demand that it had come to the end. */
function judged(stream: StreamRecord, { finalRevision, endedMs }: RunRecord): StreamRecord {
	const last = finalRevision ?? Number.POSITIVE_INFINITY;
	const beyond = stream.entries.findIndex((entry) => entry.kind === "answer" && entry.answer.events.some(({ mod }) => mod > last));
	const entries = beyond < 0 ? stream.entries : stream.entries.slice(0, beyond);
	return { ...stream, entries, endedAt: stream.endedAt ?? (finalRevision === null ? endedMs : null) };
}

/** That somebody asked for, and that may have come to pass. */
function greatestCompaction(attempts: readonly Attempt[]): number {
	let greatest = 0;
	for (const { operation, outcome } of attempts) {
		if (operation.kind === "compact" && outcome.kind !== "refused") greatest = Math.max(greatest, operation.revision);
	}
	return greatest;
}

function agreement({ finalStates, finalRevision }: RunRecord, { changes }: Oracle): Check {
	const promise = "At the end all members hold what their changes lead to: the same keys, values and versions, and the same hash.";
	if (finalRevision === null)
		return { ...found("agreement", promise, []), verdict: "unknown", findings: ["the cluster did not come to rest"] };
	const [first] = finalStates;
	const differing = finalStates.filter((state) => state.hash !== first?.hash || state.contents !== first.contents);
	return found("agreement", promise, [
		...differing.map((state) => `${state.member} and ${first?.member} differ at revision ${state.revision}`),
		...finalStates.flatMap((state) => strayIn(state, changes)),
	]);
}

/** Nothing where nobody saw all changes: then only the members can be compared. */
function strayIn({ member, revision, contents }: FinalState, changes: Oracle["changes"]): string[] {
	const store = new SequentialStore();
	for (let next = 2; next <= revision; next++) {
		const group = changes.get(next);
		if (group === undefined) return [];
		store.take(group);
	}
	const wanted = contentsOf(store.stateAt(revision)).split("\n");
	const held = contents.split("\n");
	const at = wanted.findIndex((line, place) => line !== held[place]);
	if (at < 0 && held.length === wanted.length) return [];
	const [is, should] = [held[at < 0 ? wanted.length : at], wanted[at]];
	return [`at revision ${revision} ${member} holds ${is ?? "nothing more"} where its changes lead to ${should ?? "nothing more"}`];
}

/** A read of all accounts in one call sees no transfer half done. */
function bank({ attempts, startedMs }: RunRecord, { changes }: Oracle): Check {
	const promise = `The accounts of the bank hold ${BANK.total} together in every read.`;
	const findings: string[] = [];
	const culprits: Attempt[] = [];
	for (const attempt of attempts) {
		const { operation, outcome } = attempt;
		if (operation.kind !== "range" || operation.key !== BANK.prefix || outcome.kind !== "ok" || outcome.answer.kind !== "range") continue;
		if (outcome.answer.pairs.length === 0) continue;
		const total = outcome.answer.pairs.reduce((sum: number, pair: Pair) => sum + Number(pair.value), 0);
		if (total === BANK.total) continue;
		findings.push(`a read at revision ${outcome.answer.revision} found ${total}`);
		culprits.push(attempt);
	}
	// One such read is a contradiction of its own.
	const smallest = culprits.slice(0, 1);
	return { ...found("bank", promise, findings), attempts: smallest, drawing: drawTimeline(smallest, changes, 1, startedMs) };
}

function leases(record: RunRecord, oracle: Oracle): Check {
	const promise =
		"No lease ends before its time or lives on for ever; its keys are there until it ends, and go with it, all at once; each is written once.";
	const { leased, faultsUntilMs, setting } = record;
	const { changes } = oracle;
	const owners = [...leased.leases].map(([id, lease]) => ownerOf(id, lease));
	const breaches = [
		...[...leased.leases].flatMap(([id, { records }]) => checkLease(id, records)),
		...checkLate(leased.leases, faultsUntilMs * US_PER_MS),
		...checkOwned(LEASED, owners, changes, lastRevision(record, oracle), timesOf(record)),
	];
	return foundBySeeingAll(
		"leases",
		promise,
		oracle,
		breaches.map(({ check, text }) => withIssue(setting.program, `${check}: ${text}`)),
	);
}

function locks(record: RunRecord, oracle: Oracle): Check {
	const promise =
		"A lock has one holder at a time, in the order of asking, and nothing of it outlives its lease; nobody else writes its keys.";
	const { leased, setting } = record;
	const { changes } = oracle;
	const owned = checkOwned(LOCKED, leased.locks.map(ownerOfTurn), changes, lastRevision(record, oracle), timesOf(record));
	const findings = [
		...leased.leftOver,
		...checkLocks(LOCKED, changes, answeredOf(leased.locks)),
		...[...owned].map(({ check, text }) => `${check}: ${text}`),
	];
	return foundBySeeingAll(
		"locks",
		promise,
		oracle,
		findings.map((finding) => withIssue(setting.program, finding)),
	);
}

/** Leases and locks count microseconds, calls milliseconds. */
const US_PER_MS = 1_000;

function timesOf({ attempts }: RunRecord): RevisionTimes {
	const answered = attempts.flatMap(({ outcome }) => (outcome.kind === "ok" ? [outcome] : []));
	return new RevisionTimes(answered.map(({ returned, answer }) => ({ returned: returned * US_PER_MS, revision: answer.revision })));
}

function lastRevision({ finalRevision }: RunRecord, { last }: Oracle): number {
	return finalRevision ?? last;
}

function leaders({ leaderFindings }: RunRecord): Check {
	return found("leaders", "No term has two leaders.", leaderFindings);
}

function recovery({ finalRevision, troubles }: RunRecord): Check {
	const promise = "When the faults end, every member serves again and every watch is complete within a minute.";
	const restless = finalRevision === null && troubles.length === 0 ? ["the cluster did not come to rest"] : [];
	return found("recovery", promise, [...troubles, ...restless]);
}

/** A quiet run is no proof. */
function enough({ scenario, attempts, faults, leased, endedEarly, faultsFromMs, faultsUntilMs }: RunRecord): Check {
	const promise = "Enough happened for the rest to mean something.";
	const seconds = endedEarly ? Math.min(scenario.seconds, (faultsUntilMs - faultsFromMs) / 1_000) : scenario.seconds;
	const findings = lacking({ scenario, seconds, attempts, faults, leases: leased.leases.size });
	return { name: "enough", promise, verdict: findings.length === 0 ? "ok" : "unknown", findings, attempts: [], drawing: [] };
}

/** What was found may be no more than that nobody saw a change. */
function foundBySeeingAll(name: CheckName, promise: string, { unseen }: Oracle, findings: readonly string[]): Check {
	const check = found(name, promise, findings);
	if (findings.length === 0 || unseen === null) return check;
	return { ...check, verdict: "unknown", findings: [`no watch saw revision ${unseen}, without which nobody can tell`, ...check.findings] };
}

function found(name: CheckName, promise: string, findings: readonly string[]): Check {
	const shown =
		findings.length > FINDINGS_SHOWN ? [...findings.slice(0, FINDINGS_SHOWN), `and ${findings.length - FINDINGS_SHOWN} more`] : findings;
	return { name, promise, verdict: findings.length === 0 ? "ok" : "violated", findings: shown, attempts: [], drawing: [] };
}
