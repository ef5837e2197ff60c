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
import type { Dice } from "@flotilla/base";
import { parse } from "yaml";

/** Milliseconds; drawn anew each time. */
export interface Span {
	readonly minMs: number;
	readonly maxMs: number;
}

export interface FaultLine {
	readonly fault: string;
	/** Strikes once, this long after the start; or again and again at this distance. */
	readonly at: Span | null;
	readonly every: Span | null;
	/** How long it lasts before it is mended. */
	readonly for: Span;
	/** Everything else on the line, for the fault itself. */
	readonly details: Readonly<Record<string, string | number | boolean>>;
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
	readonly flags: readonly string[];
	readonly faults: readonly FaultLine[];
}

export const DEFAULT_LOAD: LoadWeights = { put: 6, get: 6, range: 1, delete: 1, txn: 2, compact: 0, append: 1, bank: 1, lock: 1 };

const FIELDS = ["title", "members", "seconds", "clients", "holders", "lockers", "keys", "timeout", "load", "tls", "flags", "faults"];
const DEFAULTS = { members: 3, seconds: 30, clients: 12, holders: 4, lockers: 3, keys: 8, timeout: "3s" };

/** Throws with the name of the scenario and of what is wrong in it. `faultNames`: those that can be struck. */
export function parseScenario(name: string, text: string, faultNames: ReadonlySet<string>): Scenario {
	const wrong = (what: string): never => {
		throw new Error(`Scenario ${name}: ${what}`);
	};
	const raw: unknown = parse(text);
	if (!isRecord(raw)) return wrong("it is no list of fields");
	const unknown = Object.keys(raw).find((field) => !FIELDS.includes(field));
	if (unknown !== undefined) return wrong(`there is no field ${unknown}`);
	const fields = { ...DEFAULTS, ...raw } as Record<string, unknown>;
	const whole = (field: string, min: number, max: number): number => {
		const value = fields[field];
		if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
		return wrong(`${field} must be a whole number from ${min} to ${max}`);
	};
	if (typeof fields.title !== "string" || fields.title === "") return wrong("it has no title");
	const load = fields.load ?? {};
	if (!isRecord(load)) return wrong("load must name weights");
	for (const [kind, weight] of Object.entries(load)) {
		if (!(kind in DEFAULT_LOAD)) return wrong(`load has no operation ${kind}`);
		if (!Number.isInteger(weight) || (weight as number) < 0) return wrong(`the weight of ${kind} must be a whole number`);
	}
	const lines = fields.faults ?? [];
	if (!Array.isArray(lines)) return wrong("faults must be a list");
	if (typeof (fields.tls ?? false) !== "boolean") return wrong("tls must be true or false");
	const flags = fields.flags ?? [];
	if (!Array.isArray(flags)) return wrong("flags must be a list");
	return {
		name,
		title: fields.title,
		members: whole("members", 1, 9),
		seconds: whole("seconds", 1, 3_600),
		clients: whole("clients", 1, 1_000),
		holders: whole("holders", 0, 1_000),
		lockers: whole("lockers", 0, 100),
		keys: whole("keys", 1, 26),
		timeoutMs: spanOf(fields.timeout)?.maxMs ?? wrong("timeout must be a time such as 3s"),
		load: fields.load === undefined ? DEFAULT_LOAD : { ...NO_LOAD, ...(load as Partial<LoadWeights>) },
		tls: fields.tls === true,
		flags: flags.map(String),
		faults: lines.map((line) => faultLine(line, faultNames, wrong)),
	};
}

const NO_LOAD: LoadWeights = { put: 0, get: 0, range: 0, delete: 0, txn: 0, compact: 0, append: 0, bank: 0, lock: 0 };

function faultLine(line: unknown, faultNames: ReadonlySet<string>, wrong: (what: string) => never): FaultLine {
	if (!isRecord(line) || typeof line.fault !== "string") return wrong(`a line of faults names no fault: ${JSON.stringify(line)}`);
	const { fault, at, every, for: lasts = "1s", ...details } = line;
	if (!faultNames.has(fault)) return wrong(`there is no fault ${fault}`);
	const times = { at: at === undefined ? null : spanOf(at), every: every === undefined ? null : spanOf(every), for: spanOf(lasts) };
	if ((at === undefined) === (every === undefined)) return wrong(`${fault} needs either at or every`);
	if ((at !== undefined && times.at === null) || (every !== undefined && times.every === null) || times.for === null) {
		return wrong(`the times of ${fault} must be such as 500ms, 2s or 1s..4s`);
	}
	if (times.every !== null && times.every.minMs < 50) return wrong(`${fault} may strike every 50 ms at most`);
	for (const [name, value] of Object.entries(details)) {
		if (!["string", "number", "boolean"].includes(typeof value)) return wrong(`${name} of ${fault} must be a plain value`);
	}
	return { fault, ...times, for: times.for, details: details as FaultLine["details"] };
}

/** `500ms`, `2s`, `1s..4s`; a bare number is seconds. Null for anything else. */
export function spanOf(value: unknown): Span | null {
	if (typeof value === "number") return value >= 0 ? { minMs: value * 1_000, maxMs: value * 1_000 } : null;
	if (typeof value !== "string") return null;
	const ends = value.split("..").map(milliseconds);
	const [minMs, maxMs = minMs] = ends;
	if (ends.length > 2 || minMs === undefined || maxMs === undefined || Number.isNaN(minMs) || Number.isNaN(maxMs) || maxMs < minMs)
		return null;
	return { minMs, maxMs };
}

export function drawMs(dice: Dice, { minMs, maxMs }: Span): number {
	return dice.range(Math.round(minMs), Math.round(maxMs));
}

function milliseconds(text: string): number {
	const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text.trim());
	if (match === null) return Number.NaN;
	return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000 }[match[2] as "ms" | "s" | "m"];
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
