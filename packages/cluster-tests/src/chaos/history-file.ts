/**
 * All that a run recorded, as a file of JSON lines under gzip: every call with its answer, all that the watches were told, leases
 * and locks, faults, leaders. Enough to judge the run anew, by this tool or by another one.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { createGunzip, createGzip } from "node:zlib";
import type { LeaseHistory } from "../history/lease-checks.ts";
import type { Attempt } from "../history/operation.ts";
import type { HeardEvent, StreamEntry, StreamRecord, WatchAnswer } from "../history/watch-record.ts";
import type { WatchRecord } from "./follower.ts";
import type { RunRecord, StruckFault } from "./run.ts";
import type { FaultLine, Scenario } from "./scenario.ts";
import { shown } from "./scenario-source.ts";

const FORMAT = 2;
/** Far more than a run of an hour makes. */
const REVISIONS_MAX = 100_000_000;

/** In this order: the head, one line for each of the others, the end with their number. */
type Line =
	| { readonly history: number; readonly run: Head }
	| { readonly call: Attempt }
	/** An event of a watch. All members tell the same, so it stands here once, and answers name it by its place among the events. */
	| { readonly event: HeardEvent }
	/** Of this stream of all, in their order. */
	| { readonly stream: number; readonly entry: Exclude<StreamEntry, { kind: "answer" }> }
	| { readonly stream: number; readonly at: number; readonly answer: Omit<WatchAnswer, "events">; readonly events: readonly number[] }
	| { readonly lease: string; readonly records: LeaseHistory["records"] }
	| { readonly end: number };

interface Head extends Omit<RunRecord, "attempts" | "followers" | "leased" | "faults" | "scenario"> {
	readonly scenario: Omit<Scenario, "faults"> & {
		readonly faults: ReadonlyArray<Omit<FaultLine, "given"> & { readonly given: readonly string[] }>;
	};
	readonly watches: ReadonlyArray<{ readonly member: string; readonly streams: ReadonlyArray<Omit<StreamRecord, "entries">> }>;
	readonly locks: RunRecord["leased"]["locks"];
	readonly leftOver: readonly string[];
	/** `untilMs` null: it never ended. */
	readonly faults: ReadonlyArray<Omit<StruckFault, "untilMs"> & { readonly untilMs: number | null }>;
}

export async function writeHistory(file: string, record: RunRecord): Promise<void> {
	await pipeline(Readable.from(texts(record)), createGzip({ level: 4 }), createWriteStream(file));
}

function* texts(record: RunRecord): Generator<string> {
	let count = 0;
	for (const line of linesOf(record)) {
		count++;
		yield `${JSON.stringify(line)}\n`;
	}
	yield `${JSON.stringify({ end: count } satisfies Line)}\n`;
}

function* linesOf({ attempts, followers, leased, faults, scenario, ...rest }: RunRecord): Generator<Line> {
	const run = {
		...rest,
		scenario: { ...scenario, faults: scenario.faults.map((line) => ({ ...line, given: [...line.given] })) },
		watches: followers.map(({ member, streams }) => ({
			member: member.name,
			streams: streams.map(({ entries: _told, ...stream }) => stream),
		})),
		...{ locks: leased.locks, leftOver: leased.leftOver },
		faults: faults.map((fault) => ({ ...fault, untilMs: fault.untilMs === Number.POSITIVE_INFINITY ? null : fault.untilMs })),
	};
	yield { history: FORMAT, run };
	for (const call of attempts) yield { call };
	yield* told(followers.flatMap(({ streams }) => streams));
	for (const [id, { records }] of leased.leases) yield { lease: String(id), records };
}

function* told(streams: readonly StreamRecord[]): Generator<Line> {
	const places = new Map<string, number>();
	for (const [stream, { entries }] of streams.entries()) {
		for (const entry of entries) {
			if (entry.kind !== "answer") {
				yield { stream, entry };
				continue;
			}
			const { events, ...answer } = entry.answer;
			for (const event of events) {
				const text = JSON.stringify(event);
				if (places.has(text)) continue;
				places.set(text, places.size);
				yield { event };
			}
			yield { stream, at: entry.at, answer, events: events.map((event) => places.get(JSON.stringify(event)) as number) };
		}
	}
}

class OtherFormat extends Error {}

/** Throws with the name of the file when it is none of these, is one of another format, or is cut off. */
export async function readHistory(file: string): Promise<RunRecord> {
	const wrong = (what: string): Error => new Error(`${file} is no history of a run: ${what}`);
	const reading = new HistoryReader();
	let count = 0;
	const takeLine = (text: string): void => {
		count++;
		reading.take(JSON.parse(text) as Line);
	};
	try {
		await pipeline(createReadStream(file), createGunzip(), (source: AsyncIterable<Buffer>) => eachLine(source, takeLine));
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") throw new Error(`There is no file ${file}`, { cause: error });
		if (error instanceof OtherFormat) {
			const words = `${file} is a history of format ${message}, and this version judges format ${FORMAT}`;
			throw new Error(`${words}: judge it with the version that recorded it`, { cause: error });
		}
		throw wrong(count === 0 ? message : `line ${count}: ${message}`);
	}
	const record = reading.record();
	if (record === null) throw wrong(count === 0 ? "it is empty" : "its end is missing");
	return record;
}

async function eachLine(source: AsyncIterable<Buffer>, take: (line: string) => void): Promise<void> {
	const decoder = new StringDecoder("utf8");
	let rest = "";
	for await (const chunk of source) {
		const lines = (rest + decoder.write(chunk)).split("\n");
		rest = lines.pop() ?? "";
		for (const line of lines) take(line);
	}
	if (rest !== "") take(rest);
}

/** Of what a hand may have changed, that without which nothing can be said. */
function checked(head: Head): Head {
	const { scenario, setting, watches, tenures, faults, startedMs, endedMs, finalRevision } = head;
	if (typeof scenario !== "object" || typeof setting !== "object") throw new Error("it does not say of which run");
	if (![watches, tenures, faults].every(Array.isArray)) throw new Error("watches, tenures or faults are missing");
	if (!(Number.isFinite(startedMs) && endedMs >= startedMs)) throw new Error("its end is not behind its start");
	if (finalRevision !== null && !(Number.isInteger(finalRevision) && finalRevision <= REVISIONS_MAX)) {
		throw new Error(`its last revision is ${String(finalRevision)}`);
	}
	return head;
}

function checkedCall(call: Attempt): Attempt {
	const { invoked, outcome } = call;
	const end = outcome?.kind === "unknown" ? (outcome.gaveUp ?? invoked) : outcome?.returned;
	if (!(end >= invoked)) throw new Error(`call ${call.id} has no outcome, or ends before it began`);
	return call;
}

class HistoryReader {
	private head: Head | null = null;
	private ended = false;
	private count = 0;
	private readonly attempts: Attempt[] = [];
	private readonly events: HeardEvent[] = [];
	private watches: WatchRecord[] = [];
	private streams: StreamRecord[] = [];
	private readonly leases = new Map<bigint, LeaseHistory>();

	take(line: Line): void {
		if ("history" in line) {
			if (line.history !== FORMAT) throw new OtherFormat(shown(line.history));
			this.head = checked(line.run);
			this.watches = line.run.watches.map(({ member, streams }) => ({
				...{ member: { name: member }, events: 0 },
				streams: streams.map((stream) => ({ ...stream, entries: [] })),
			}));
			this.streams = this.watches.flatMap(({ streams }) => streams);
		} else if (this.head === null) throw new Error("it does not begin as one");
		else if (this.ended) throw new Error("something stands behind its end");
		else if ("call" in line) this.attempts.push(checkedCall(line.call));
		else if ("event" in line) this.events.push(line.event);
		else if ("stream" in line) this.takeTold(line);
		else if ("lease" in line) {
			const { lease, records } = line;
			this.leases.set(BigInt(lease), { records });
		} else {
			if (line.end !== this.count) throw new Error(`${this.count} lines of ${line.end} are there`);
			this.ended = true;
		}
		this.count++;
	}

	private takeTold(line: Extract<Line, { readonly stream: number }>): void {
		const entries = this.streams[line.stream]?.entries;
		if (entries === undefined) throw new Error(`there is no stream ${line.stream}`);
		if ("entry" in line) {
			entries.push(line.entry);
			return;
		}
		const events = line.events.map((place) => this.events[place]);
		if (!events.every((event) => event !== undefined)) throw new Error("it names an event that is not there");
		entries.push({ kind: "answer", at: line.at, answer: { ...line.answer, events } });
	}

	/** Null: it was cut off. */
	record(): RunRecord | null {
		if (this.head === null || !this.ended) return null;
		const { watches: _watches, locks, leftOver, faults, scenario, ...rest } = this.head;
		return {
			...rest,
			scenario: { ...scenario, faults: scenario.faults.map((line) => ({ ...line, given: new Set(line.given) })) },
			attempts: this.attempts,
			followers: this.watches.map((watch) => ({ ...watch, events: eventsIn(watch) })),
			leased: { leases: this.leases, locks, leftOver },
			faults: faults.map((fault) => ({ ...fault, untilMs: fault.untilMs ?? Number.POSITIVE_INFINITY })),
		};
	}
}

function eventsIn({ streams }: WatchRecord): number {
	const count = (entry: StreamEntry): number => (entry.kind === "answer" ? entry.answer.events.length : 0);
	return streams.flatMap(({ entries }) => entries).reduce((sum, entry) => sum + count(entry), 0);
}
