/**
 * A scenario as a readable file: what cluster, what load, which faults when.
 *
 *   title: kill -9 of the leader, again and again
 *   members: 3
 *   seconds: 30
 *   clients: 16
 *   load: { put: 4, get: 4, txn: 2 }
 *   faults:
 *     - { fault: kill, who: leader, every: 2s..4s, for: 0.3s..1.5s }
 *     - { fault: defragment, at: 10s }
 */
import { basename } from "node:path";
import { allowedBy, type Details, type DetailTable, isWhole, readDetail, standardOf, wholeFrom } from "./faults/details.ts";
import type { AskedLine } from "./faults/fault.ts";
import { isRecord, ScenarioSource, shown } from "./scenario-source.ts";
import { describeMs, type Span, spanOf } from "./span.ts";

export interface FaultLine {
	readonly fault: string;
	/** Strikes once, this long after the start; or again and again at this distance. */
	readonly at: Span | null;
	readonly every: Span | null;
	/** How long it lasts before it is mended. */
	readonly for: Span;
	/** For the fault itself: all that it declares, and which of it the line says. */
	readonly details: Details;
	readonly given: ReadonlySet<string>;
}

export interface LoadWeights {
	readonly put: number;
	readonly get: number;
	readonly range: number;
	readonly delete: number;
	readonly txn: number;
	readonly compact: number;
	readonly append: number;
	readonly bank: number;
	readonly lock: number;
	readonly set: number;
}

export interface Scenario {
	readonly name: string;
	readonly title: string;
	readonly members: number;
	readonly seconds: number;
	readonly clients: number;
	/** Clients with leases, and clients that queue for a lock. */
	readonly holders: number;
	readonly lockers: number;
	readonly keys: number;
	readonly timeoutMs: number;
	readonly load: LoadWeights;
	/** Clients and peers meet by TLS only; links cannot be broken then. */
	readonly tls: boolean;
	/** `short`: members keep next to nothing of their log, so that whoever was away needs the whole state. */
	readonly log: "long" | "short";
	readonly flags: readonly string[];
	readonly faults: readonly FaultLine[];
}

export const DEFAULT_LOAD: LoadWeights = { put: 6, get: 6, range: 1, delete: 1, txn: 2, compact: 0, append: 1, bank: 1, lock: 1, set: 1 };

/** What numbers of a scenario, and of the command line in their place, may be. */
export const BOUNDS = {
	members: { min: 1, max: 9 },
	seconds: { min: 1, max: 3_600 },
	clients: { min: 1, max: 1_000 },
	holders: { min: 0, max: 1_000 },
	lockers: { min: 0, max: 100 },
	keys: { min: 1, max: 26 },
} as const;
const WEIGHT = { min: 0, max: 1_000 } as const;
const TIMEOUT = { minMs: 100, maxMs: 60_000 } as const;
const TIMES = {
	at: { minMs: 0, maxMs: 3_600_000 },
	every: { minMs: 50, maxMs: 3_600_000 },
	for: { minMs: 0, maxMs: 600_000 },
} as const;
const FAULTS_MAX = 100;
const FLAGS_MAX = 100;
const TITLE_MAX = 200;
const FLAG = /^--\S/;

const FIELDS = ["title", "members", "seconds", "clients", "holders", "lockers", "keys", "timeout", "load", "tls", "log", "flags", "faults"];
const DEFAULTS = { members: 3, seconds: 30, clients: 12, holders: 4, lockers: 3, keys: 8, timeout: "3s" };
const NO_LOAD: LoadWeights = { put: 0, get: 0, range: 0, delete: 0, txn: 0, compact: 0, append: 0, bank: 0, lock: 0, set: 0 };

/** What is asked of a fault when a line names it. */
export interface FaultShape {
	readonly lasts: boolean;
	readonly details: DetailTable;
	readonly membersMin?: number;
	contradiction?(line: AskedLine): string | null;
}

/** Throws one sentence that names the file, the line, what is wrong there and what is allowed. `faults`: those that can be struck. */
export function parseScenario(file: string, text: string, faults: ReadonlyMap<string, FaultShape>): Scenario {
	const source = new ScenarioSource(file, text);
	const raw = source.value;
	if (!isRecord(raw)) return source.wrong([], `a scenario is a list of fields: ${FIELDS.join(", ")}`);
	const unknown = Object.keys(raw).find((field) => !FIELDS.includes(field));
	if (unknown !== undefined) return source.wrong([unknown], `there is no field ${shown(unknown)}; the fields are ${FIELDS.join(", ")}`);
	const fields = { ...DEFAULTS, ...raw } as Record<string, unknown>;
	const whole = (field: keyof typeof BOUNDS): number => {
		const value = fields[field];
		return isWhole(value, BOUNDS[field]) ? value : refuse(source, [field], field, value, wholeFrom(BOUNDS[field]));
	};
	const cluster = { members: whole("members"), seconds: whole("seconds") };
	return {
		name: basename(file, ".yaml"),
		title: titleOf(source, fields.title),
		...cluster,
		clients: whole("clients"),
		holders: whole("holders"),
		lockers: whole("lockers"),
		keys: whole("keys"),
		timeoutMs: timeoutOf(source, fields.timeout),
		load: loadOf(source, fields.load),
		tls:
			fields.tls === undefined || typeof fields.tls === "boolean"
				? fields.tls === true
				: refuse(source, ["tls"], "tls", fields.tls, "true or false"),
		log: logOf(source, fields.log),
		flags: flagsOf(source, fields.flags),
		faults: listOf(source, "faults", fields.faults, FAULTS_MAX).map((line, at) => faultLine({ source, at, line, faults, ...cluster })),
	};
}

function refuse(source: ScenarioSource, path: ReadonlyArray<string | number>, what: string, value: unknown, allowed: string): never {
	const found = value === undefined ? "missing" : shown(value);
	return source.wrong(path, `${what} is ${found}; it must be ${allowed}`);
}

function titleOf(source: ScenarioSource, title: unknown): string {
	if (typeof title === "string" && title !== "" && title.length <= TITLE_MAX && !title.includes("\n")) return title;
	return refuse(source, ["title"], "title", title, `a text of one line, of ${TITLE_MAX} characters at most`);
}

function timeoutOf(source: ScenarioSource, timeout: unknown): number {
	const span = spanOf(timeout);
	if (span !== null && span.minMs === span.maxMs && within(span, TIMEOUT)) return span.maxMs;
	return refuse(source, ["timeout"], "timeout", timeout, `one time such as 3s, ${fromTo(TIMEOUT)}`);
}

function loadOf(source: ScenarioSource, load: unknown): LoadWeights {
	if (load === undefined) return DEFAULT_LOAD;
	const kinds = Object.keys(DEFAULT_LOAD);
	if (!isRecord(load)) return refuse(source, ["load"], "load", load, `weights of ${kinds.join(", ")}`);
	for (const [kind, weight] of Object.entries(load)) {
		if (!kinds.includes(kind))
			return source.wrong(["load", kind], `load has no operation ${shown(kind)}; the operations are ${kinds.join(", ")}`);
		if (!isWhole(weight, WEIGHT)) return refuse(source, ["load", kind], `${kind} of load`, weight, wholeFrom(WEIGHT));
	}
	const weights = { ...NO_LOAD, ...(load as Partial<LoadWeights>) };
	if (Object.values(weights).every((weight) => weight === 0)) return source.wrong(["load"], "load has no weight above 0");
	return weights;
}

function logOf(source: ScenarioSource, log: unknown): "long" | "short" {
	if (log === undefined || log === "long") return "long";
	return log === "short" ? log : refuse(source, ["log"], "log", log, "long or short");
}

function flagsOf(source: ScenarioSource, flags: unknown): readonly string[] {
	return listOf(source, "flags", flags, FLAGS_MAX).map((flag, at) =>
		typeof flag === "string" && FLAG.test(flag)
			? flag
			: refuse(source, ["flags", at], `entry ${at + 1} of flags`, flag, "a text that begins with --"),
	);
}

function listOf(source: ScenarioSource, field: string, list: unknown, max: number): readonly unknown[] {
	if (list === undefined) return [];
	if (Array.isArray(list) && list.length <= max) return list;
	return refuse(source, [field], field, list, `a list of ${max} entries at most`);
}

interface LineText {
	readonly source: ScenarioSource;
	readonly at: number;
	readonly line: unknown;
	readonly faults: ReadonlyMap<string, FaultShape>;
	readonly members: number;
	readonly seconds: number;
}

function faultLine({ source, at, line, faults, members, seconds }: LineText): FaultLine {
	const path = ["faults", at] as const;
	const names = [...faults.keys()].join(", ");
	if (!isRecord(line))
		return refuse(source, path, `entry ${at + 1} of faults`, line, "a line such as { fault: kill, who: leader, every: 2s..4s }");
	const name = String(line.fault);
	const fault = faults.get(name);
	if (line.fault === undefined) return source.wrong(path, `entry ${at + 1} of faults names no fault; the faults are ${names}`);
	if (fault === undefined) return source.wrong([...path, "fault"], `there is no fault ${shown(line.fault)}; the faults are ${names}`);
	const known = ["at", "every", ...(fault.lasts ? ["for"] : []), ...Object.keys(fault.details)];
	const unknown = Object.keys(line).find((key) => key !== "fault" && !known.includes(key));
	if (unknown !== undefined) return source.wrong([...path, unknown], `${name} takes no ${shown(unknown)}; it takes ${known.join(", ")}`);
	const time = (key: keyof typeof TIMES): Span => {
		const span = spanOf(line[key]);
		if (span !== null && within(span, TIMES[key])) return span;
		return refuse(
			source,
			[...path, key],
			`${key} of ${name}`,
			line[key],
			`a time or a span such as 500ms, 2s or 1s..4s, ${fromTo(TIMES[key])}`,
		);
	};
	if ((line.at === undefined) === (line.every === undefined)) {
		return source.wrong(
			path,
			`${name} has ${line.at === undefined ? "neither at nor every" : "both at and every"}; it must have one of the two`,
		);
	}
	const times = {
		at: line.at === undefined ? null : time("at"),
		every: line.every === undefined ? null : time("every"),
		for: line.for === undefined ? (spanOf("1s") as Span) : time("for"),
	};
	const firstMs = (times.at ?? (times.every as Span)).minMs;
	if (firstMs >= seconds * 1_000) {
		const key = times.at === null ? "every" : "at";
		return source.wrong(
			[...path, key],
			`${key} of ${name} is ${shown(line[key])}, and the faults end after ${seconds} s: it never strikes`,
		);
	}
	const details: Record<string, string | number | boolean> = {};
	for (const [key, detail] of Object.entries(fault.details)) {
		const value = line[key] === undefined ? standardOf(detail) : readDetail(detail, line[key], members);
		if (value === null) return refuse(source, [...path, key], `${key} of ${name}`, line[key], allowedBy(detail, `m${members}`));
		details[key] = value;
	}
	const given = new Set(Object.keys(fault.details).filter((key) => line[key] !== undefined));
	const contradiction = tooFew(fault, details, members) ?? fault.contradiction?.({ details, given, members }) ?? null;
	if (contradiction !== null) return source.wrong(path, `${name} never does what this says: ${contradiction}`);
	return { fault: name, ...times, details, given };
}

function tooFew({ membersMin = 1 }: FaultShape, details: Details, members: number): string | null {
	const least = Math.max(membersMin, details.who === "follower" ? 2 : 1);
	return members < least ? `it needs ${least} members, the scenario has ${members}` : null;
}

function within({ minMs, maxMs }: Span, bounds: Span): boolean {
	return minMs >= bounds.minMs && maxMs <= bounds.maxMs;
}

function fromTo({ minMs, maxMs }: Span): string {
	return `from ${describeMs(minMs)} to ${describeMs(maxMs)}`;
}
