/**
 * All that a run recorded, as a file of JSON lines under gzip: every call with its answer, every change that the watches told, leases
 * and locks, faults, leaders. Enough to judge the run anew, by this tool or by another one.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { createGunzip, createGzip } from "node:zlib";
import type { LeaseHistory } from "../history/lease-checks.ts";
import type { Attempt, Change } from "../history/operation.ts";
import type { RunRecord, StruckFault, WatchRecord } from "./run.ts";
import type { FaultLine, Scenario } from "./scenario.ts";

const FORMAT = 2;
/** Far more than a run of an hour makes. */
const REVISIONS_MAX = 100_000_000;

/** In this order: the head, one line for each of the others, the end with their number. */
type Line =
	| { readonly history: number; readonly run: Head }
	| { readonly call: Attempt }
	/** Who told these changes of this revision. */
	| { readonly revision: number; readonly changes: readonly Change[]; readonly told: readonly number[] }
	| { readonly lease: string; readonly records: LeaseHistory["records"] }
	| { readonly end: number };

interface Head extends Omit<RunRecord, "attempts" | "followers" | "leased" | "faults" | "scenario"> {
	readonly scenario: Omit<Scenario, "faults"> & {
		readonly faults: ReadonlyArray<Omit<FaultLine, "given"> & { readonly given: readonly string[] }>;
	};
	readonly watches: ReadonlyArray<Omit<WatchRecord, "member" | "revisions"> & { readonly member: string }>;
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
		watches: followers.map(({ member, findings, events, next, skips }) => ({ member: member.name, findings, events, next, skips })),
		...{ locks: leased.locks, leftOver: leased.leftOver },
		faults: faults.map((fault) => ({ ...fault, untilMs: fault.untilMs === Number.POSITIVE_INFINITY ? null : fault.untilMs })),
	};
	yield { history: FORMAT, run };
	for (const call of attempts) yield { call };
	const revisions = new Set(followers.flatMap((follower) => [...follower.revisions.keys()]));
	for (const revision of [...revisions].sort((a, b) => a - b)) yield* toldOf(revision, followers);
	for (const [id, { records }] of leased.leases) yield { lease: String(id), records };
}

/** Mostly one line: all members tell the same. */
function* toldOf(revision: number, followers: readonly WatchRecord[]): Generator<Line> {
	const ways = new Map<string, { readonly changes: readonly Change[]; readonly told: number[] }>();
	for (const [at, { revisions }] of followers.entries()) {
		const changes = revisions.get(revision);
		if (changes === undefined) continue;
		const text = JSON.stringify(changes);
		const way = ways.get(text);
		if (way === undefined) ways.set(text, { changes, told: [at] });
		else way.told.push(at);
	}
	for (const { changes, told } of ways.values()) yield { revision, changes, told };
}

/** Throws with the name of the file when it is none of these, or is cut off. */
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
	private revisions: Array<Map<number, readonly Change[]>> = [];
	private readonly leases = new Map<bigint, LeaseHistory>();

	take(line: Line): void {
		if ("history" in line) {
			if (line.history !== FORMAT) throw new Error(`it is of format ${line.history}, and ${FORMAT} is known`);
			this.head = checked(line.run);
			this.revisions = line.run.watches.map(() => new Map());
		} else if (this.head === null) throw new Error("it does not begin as one");
		else if (this.ended) throw new Error("something stands behind its end");
		else if ("call" in line) this.attempts.push(checkedCall(line.call));
		else if ("revision" in line) for (const at of line.told) this.revisions[at]?.set(line.revision, line.changes);
		else if ("lease" in line) {
			const { lease, records } = line;
			this.leases.set(BigInt(lease), { records });
		} else {
			if (line.end !== this.count) throw new Error(`${this.count} lines of ${line.end} are there`);
			this.ended = true;
		}
		this.count++;
	}

	/** Null: it was cut off. */
	record(): RunRecord | null {
		if (this.head === null || !this.ended) return null;
		const { watches, locks, leftOver, faults, scenario, ...rest } = this.head;
		return {
			...rest,
			scenario: { ...scenario, faults: scenario.faults.map((line) => ({ ...line, given: new Set(line.given) })) },
			attempts: this.attempts,
			followers: watches.map(({ member, ...watch }, at) => ({
				...watch,
				member: { name: member },
				revisions: this.revisions[at] as ReadonlyMap<number, readonly Change[]>,
			})),
			leased: { leases: this.leases, locks, leftOver },
			faults: faults.map((fault) => ({ ...fault, untilMs: fault.untilMs ?? Number.POSITIVE_INFINITY })),
		};
	}
}
