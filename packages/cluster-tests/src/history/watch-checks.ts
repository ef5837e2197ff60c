/**
 * The promises of a watch (etcd API 14.1 and the list of guarantees that watchers rest on), each a function over what a client
 * recorded and what really happened. A finding is a sentence; none: the promise was kept.
 */
import type { Pair } from "./operation.ts";
import {
	type HeardEvent,
	isProgress,
	STREAM_ID,
	type StreamRecord,
	type WatchAnswer,
	type WatcherRecord,
	watchersOf,
} from "./watch-record.ts";
import { concerns, sameEvent, type WatchTruth } from "./watch-truth.ts";

export const WATCH_CHECKS = {
	opening,
	filter,
	order,
	once,
	complete,
	whole,
	future,
	bookmark,
	previous,
	content,
	header,
	end,
	compacted,
	liveness,
} as const satisfies Record<string, Check>;
export type WatchCheck = keyof typeof WATCH_CHECKS;

export interface WatchFinding {
	readonly check: WatchCheck;
	readonly text: string;
}

export function checkWatches(streams: readonly StreamRecord[], truth: WatchTruth): WatchFinding[] {
	const findings: WatchFinding[] = [];
	for (const stream of streams) {
		const { watchers, faults } = watchersOf(stream);
		for (const text of faults) findings.push({ check: "opening", text: `${stream.name}: ${text}` });
		for (const record of watchers) {
			const watcher: Heard = { ...record, heard: record.answers.flatMap(({ events }) => events) };
			for (const check of Object.keys(WATCH_CHECKS) as WatchCheck[]) {
				const text = WATCH_CHECKS[check](watcher, truth);
				if (text !== null)
					findings.push({ check, text: `${stream.name} at ${stream.member}, watcher ${watcher.id} ${describe(watcher)}: ${text}` });
			}
		}
	}
	return findings;
}

function describe({ ask }: WatcherRecord): string {
	return JSON.stringify(ask);
}

/** A watcher with the events of all its answers. */
interface Heard extends WatcherRecord {
	readonly heard: readonly HeardEvent[];
}

type Check = (watcher: Heard, truth: WatchTruth) => string | null;

const lastHeard = ({ heard }: Heard): number => heard.at(-1)?.mod ?? 0;
const isRefused = ({ answers }: WatcherRecord): boolean => answers[0]?.created === true && answers[0].canceled;
const compaction = ({ answers }: WatcherRecord): WatchAnswer | undefined => answers.find(({ compactRevision }) => compactRevision > 0);

/** The first revision that it is to hear; 0 when it was never created. */
function firstRevision({ ask, answers }: WatcherRecord): number {
	const [created] = answers;
	if (created === undefined || created.canceled) return 0;
	return ask.start > 0 ? ask.start : created.revision + 1;
}

/** "Created" comes once and first; the stream's rules about ids are judged where answers find their watchers. */
function opening({ answers }: WatcherRecord): string | null {
	return answers.slice(1).some(({ created }) => created) ? "was created twice" : null;
}

function filter({ ask, heard }: Heard): string | null {
	const wrong = heard.find((event) => !concerns(ask, event));
	return wrong === undefined ? null : `heard what it did not ask for: ${JSON.stringify(wrong)}`;
}

function order({ heard }: Heard): string | null {
	const at = heard.findIndex(({ mod }, index) => index > 0 && mod < (heard[index - 1]?.mod ?? 0));
	return at < 0 ? null : `revision ${heard[at]?.mod} came after ${heard[at - 1]?.mod}`;
}

/** A transaction may put and delete one key, so the same event means the same kind as well. */
function once(watcher: Heard): string | null {
	// Where revisions never fall those of one come together.
	const together = order(watcher) === null;
	const seen = new Set<string>();
	let last = 0;
	for (const event of watcher.heard) {
		if (together && event.mod !== last) seen.clear();
		last = event.mod;
		const twice = name(event);
		if (seen.has(twice)) return `heard twice: ${twice}`;
		seen.add(twice);
	}
	return null;
}

/** From its first revision to the last one it heard of it lacks nothing, and within a revision the order is that of the changes. */
function complete(watcher: Heard, truth: WatchTruth): string | null {
	const first = firstRevision(watcher);
	if (first === 0) return null;
	const due = truth.heard(watcher.ask, first, lastHeard(watcher));
	const told = watcher.heard.filter(({ mod }) => mod >= first);
	if (due.length === told.length && due.every((event, at) => sameEvent(event, told[at] as HeardEvent))) return null;
	const want = due.map(name);
	const got = told.map(name);
	const [wanted, heard] = [new Set(want), new Set(got)];
	const missing = want.find((each) => !heard.has(each));
	if (missing !== undefined) return `lacks ${missing}`;
	const strange = got.find((each) => !wanted.has(each));
	if (strange !== undefined) return `heard what never happened: ${strange}`;
	const at = got.length === want.length && order(watcher) === null ? got.findIndex((each, index) => each !== want[index]) : -1;
	return at < 0 ? null : `heard ${got[at]} where ${want[at]} was due`;
}

function name({ mod, type, key }: { readonly mod: number; readonly type: string; readonly key: string }): string {
	return `${mod} ${type} ${key}`;
}

/** The events of a revision come in one answer, or in consecutive ones that are marked as fragments, if those were asked for. */
function whole({ ask, answers }: WatcherRecord): string | null {
	const told = answers.filter(({ events, id }) => events.length > 0 || id !== STREAM_ID);
	for (const [at, { fragment, events }] of told.entries()) {
		if (fragment && !ask.fragment) return "a fragment that nobody asked for";
		const next = told[at + 1];
		if (fragment && next !== undefined && next.events.length === 0) return "a fragment is followed by something else";
		const last = events.at(-1)?.mod;
		if (!fragment && last !== undefined && next?.events[0]?.mod === last) return `revision ${last} is split`;
	}
	return null;
}

/** Nothing from before the revision that it asked for: neither events nor progress. */
function future(watcher: Heard): string | null {
	const first = firstRevision(watcher);
	const early = watcher.heard.find(({ mod }) => mod < first);
	if (early !== undefined) return `heard revision ${early.mod}, asked for ${first} on`;
	const { start } = watcher.ask;
	const progress = watcher.answers.find((answer) => isProgress(answer) && answer.revision < start);
	return progress === undefined ? null : `progress at ${progress.revision}, asked for ${start} on`;
}

/** When progress names a revision, everything up to it has come and nothing at or below it comes later. */
function bookmark(watcher: Heard, truth: WatchTruth): string | null {
	const first = firstRevision(watcher);
	if (first === 0) return null;
	let heard = 0;
	let mark = 0;
	for (const answer of watcher.answers) {
		for (const { mod } of answer.events) {
			if (mod <= mark) return `revision ${mod} came after progress at ${mark}`;
			heard = Math.max(heard, mod);
		}
		if (!isProgress(answer)) continue;
		mark = Math.max(mark, answer.revision);
		const missing = truth.heard(watcher.ask, Math.max(first, heard + 1), mark);
		if (missing.length > 0) return `progress at ${mark}, but revision ${missing[0]?.mod} had not come`;
	}
	return null;
}

function previous({ ask, heard }: Heard, truth: WatchTruth): string | null {
	for (const event of heard) {
		if (event.mod >= truth.pairsUntil) break;
		const pair = ask.prevKv ? (truth.named(ask, event)?.previous ?? null) : null;
		const hidden = event.previous === null && event.mod - 1 < truth.compacted;
		if (samePair(event.previous, pair) || hidden) continue;
		return `${name(event)} with the previous pair ${JSON.stringify(event.previous)} where ${JSON.stringify(pair)} was due`;
	}
	return null;
}

/** A put shows the pair as a read at its revision would. */
function content({ ask, heard }: Heard, truth: WatchTruth): string | null {
	for (const event of heard) {
		if (event.mod >= truth.pairsUntil) break;
		const pair = truth.named(ask, event)?.pair;
		if (pair !== undefined && !samePair(event.pair, pair)) {
			return `${name(event)} shows ${JSON.stringify(event.pair)} where ${JSON.stringify(pair)} was due`;
		}
	}
	return null;
}

function samePair(a: Pair | null, b: Pair | null): boolean {
	if (a === null || b === null) return a === b;
	return a.key === b.key && a.value === b.value && a.create === b.create && a.mod === b.mod && a.version === b.version;
}

function header({ answers }: WatcherRecord): string | null {
	for (const { events, revision, compactRevision } of answers) {
		const last = events.at(-1)?.mod ?? 0;
		if (revision < last) return `a header at ${revision} over an event at ${last}`;
		if (compactRevision > 0 && revision !== 0) return "a header with a revision over a compaction's cancel";
	}
	return null;
}

/** Nothing comes after the end; what is told under no id is no watcher's. */
function end({ answers, ask, id }: WatcherRecord): string | null {
	const at = answers.findIndex(({ canceled }) => canceled);
	const last = answers[at];
	if (last === undefined) return null;
	if (last.created) return id === STREAM_ID && last.reason !== "" ? null : `refused under id ${id} for the reason "${last.reason}"`;
	// The client may answer a compaction's cancel with one of its own, which is answered.
	const after = answers.slice(at + 1).find((answer) => answer.id !== STREAM_ID && !(last.compactRevision > 0 && answer.canceled));
	if (after !== undefined) return `heard ${JSON.stringify(after)} after its end (${JSON.stringify(ask)})`;
	return last.reason === "" ? null : `was canceled for "${last.reason}"`;
}

/** A compaction ends a watcher only if it took something from it, and says so with a revision that was compacted. */
function compacted(watcher: Heard, truth: WatchTruth): string | null {
	const cancel = compaction(watcher);
	if (cancel === undefined) return null;
	const { compactRevision } = cancel;
	if (compactRevision > truth.compacted) return `canceled for a compaction at ${compactRevision}, the highest was at ${truth.compacted}`;
	const seen = Math.max(firstRevision(watcher), lastHeard(watcher) + 1);
	return seen >= compactRevision ? `canceled for a compaction at ${compactRevision}, though it had seen all before ${seen}` : null;
}

/** When all is at rest an open watcher lacks nothing. */
function liveness(watcher: Heard, truth: WatchTruth): string | null {
	if (watcher.stream.endedAt !== null || watcher.givenUp || isRefused(watcher) || compaction(watcher) !== undefined) return null;
	if (watcher.answers.length === 0) return "was never created";
	const missing = truth.heard(watcher.ask, Math.max(firstRevision(watcher), lastHeard(watcher) + 1), truth.finalRevision);
	return missing.length === 0 ? null : `is silent at the end, and lacks ${missing.length} events from revision ${missing[0]?.mod} on`;
}
