/** The tap on a socket: one JSON object a line, first the hello, then events and notes of what was dropped. */
import { TAP_EVENTS, type TAP_VERSION, type TapEventName } from "@flotilla/base";
import type { TapRecord } from "./event-tap.ts";
import { jsonValue } from "./logger.ts";

export const TAP_SOCKET_NAME = "tap.sock";

/** What a reader asks for in its first line; an empty line asks for every event from now on. */
export interface TapRequest {
	/** Null: all. */
	readonly names: readonly TapEventName[] | null;
	/** So many past events first. */
	readonly recent: number;
}

/** An event as it travels: ids are hexadecimal text. */
export interface TapLine {
	readonly sequence: number;
	readonly name: TapEventName;
	readonly monotonicNs: number;
	readonly wallMs: number;
	readonly member: string;
	readonly term: number;
	readonly index: number;
	readonly fields: Readonly<Record<string, string | number | boolean>>;
}

export type TapServerLine =
	| { readonly tap: typeof TAP_VERSION; readonly member: string; readonly total: number }
	| { readonly dropped: number }
	| { readonly error: string }
	| TapLine;

export function encodeTapRecord(record: TapRecord): string {
	return `${JSON.stringify(record, jsonValue)}\n`;
}

export function encodeServerLine(line: TapServerLine): string {
	return `${JSON.stringify(line)}\n`;
}

/** Null when the line is not a request. */
export function decodeTapRequest(line: string, recentMax: number): TapRequest | null {
	if (line.trim() === "") return { names: null, recent: 0 };
	const parsed = parseObject(line);
	if (parsed === null) return null;
	const { names = null, recent = 0 } = parsed as { names?: unknown; recent?: unknown };
	if (!Number.isSafeInteger(recent) || (recent as number) < 0) return null;
	if (names !== null && !(Array.isArray(names) && names.every((name) => TAP_EVENTS.includes(name)))) return null;
	return { names: names as TapEventName[] | null, recent: Math.min(recent as number, recentMax) };
}

/** A line of the server, or null when it is not JSON. */
export function decodeServerLine(line: string): TapServerLine | null {
	return parseObject(line) as TapServerLine | null;
}

function parseObject(line: string): object | null {
	try {
		const parsed: unknown = JSON.parse(line);
		return typeof parsed === "object" && parsed !== null ? parsed : null;
	} catch {
		return null;
	}
}
