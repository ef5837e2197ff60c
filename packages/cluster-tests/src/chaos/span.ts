/** Times as scenarios write them: `500ms`, `2s`, or a span to draw from. */
import type { Dice } from "@flotilla/base";

/** Milliseconds; drawn anew each time. */
export interface Span {
	readonly minMs: number;
	readonly maxMs: number;
}

const UNITS = { ms: 1, s: 1_000, m: 60_000 } as const;

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

/** For people: 1500 is `1.5s`. */
export function describeMs(ms: number): string {
	if (ms >= UNITS.m && ms % UNITS.m === 0) return `${ms / UNITS.m}m`;
	return ms >= UNITS.s ? `${ms / UNITS.s}s` : `${ms}ms`;
}

function milliseconds(text: string): number {
	const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text.trim());
	return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}
