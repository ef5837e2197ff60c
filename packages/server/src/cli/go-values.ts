/** Flag values as Go's flag package reads them: the same texts are accepted, the rest is refused with the same words. */
import { bad, good, type Parsed } from "./parsed.ts";

const TRUE_WORDS: readonly string[] = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE_WORDS: readonly string[] = ["0", "f", "F", "false", "FALSE", "False"];

export function parseGoBoolean(text: string): Parsed<boolean> {
	if (TRUE_WORDS.includes(text)) return good(true);
	return FALSE_WORDS.includes(text) ? good(false) : bad("parse error");
}

/**
 * A whole number within [min, max]: decimal, 0x, 0o, 0b or a leading 0 for octal, single underscores between digits once a
 * base is named. Values beyond the safe integers are clamped to them: for a limit of bytes or entries that is the same.
 */
export function parseGoInteger(text: string, min: bigint, max: bigint): Parsed<number> {
	const sign = min < 0n ? /^[+-]?/.exec(text) : null;
	const digits = text.slice(sign?.[0].length ?? 0);
	const magnitude = parseMagnitude(digits);
	if (magnitude === null) return bad("parse error");
	const value = sign?.[0] === "-" ? -magnitude : magnitude;
	if (value < min || value > max) return bad("value out of range");
	return good(clampToSafe(value));
}

export const UINT32_MAX = (1n << 32n) - 1n;
export const UINT64_MAX = (1n << 64n) - 1n;
export const INT64_MIN = -(1n << 63n);
export const INT64_MAX = (1n << 63n) - 1n;

/** Only decimal digits: the one flag type of etcd that does not go through Go's flag package names its parser in the error. */
export function parseDecimalUint32(text: string): Parsed<number> {
	const blame = (reason: string) => bad(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`);
	if (!/^[0-9]+$/.test(text)) return blame("invalid syntax");
	return BigInt(text) > UINT32_MAX ? blame("value out of range") : good(Number(text));
}

const UNIT_NANOSECONDS: Readonly<Record<string, bigint>> = {
	ns: 1n,
	us: 1_000n,
	"\u00b5s": 1_000n,
	"\u03bcs": 1_000n,
	ms: 1_000_000n,
	s: 1_000_000_000n,
	m: 60_000_000_000n,
	h: 3_600_000_000_000n,
};

/** A Go duration such as `300ms` or `1h30m`, in milliseconds with fractions. */
export function parseGoDuration(text: string): Parsed<number> {
	const match = /^([+-]?)(.*)$/s.exec(text);
	const body = match?.[2] ?? "";
	if (body === "0") return good(0);
	const part = /([0-9]*)(?:\.([0-9]*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/gy;
	let nanoseconds = 0n;
	let at = 0;
	for (let found = part.exec(body); found !== null; found = part.exec(body)) {
		const [whole = "", fraction = "", unit = ""] = [found[1], found[2], found[3]];
		if (whole === "" && fraction === "") return bad("parse error");
		const unitNanoseconds = UNIT_NANOSECONDS[unit] as bigint;
		nanoseconds += BigInt(whole === "" ? "0" : whole) * unitNanoseconds;
		if (fraction !== "") nanoseconds += (BigInt(fraction) * unitNanoseconds) / 10n ** BigInt(fraction.length);
		at = part.lastIndex;
	}
	if (body === "" || at !== body.length || nanoseconds > INT64_MAX) return bad("parse error");
	const milliseconds = Number(nanoseconds) / 1e6;
	return good(match?.[1] === "-" ? -milliseconds : milliseconds);
}

/** As Go prints a duration: `1m0s`, `1.5s`, `100ms`, `0s`. Whole microseconds are kept. */
export function formatGoDuration(milliseconds: number): string {
	if (milliseconds === 0) return "0s";
	if (milliseconds < 0) return `-${formatGoDuration(-milliseconds)}`;
	if (milliseconds < 1) return `${Math.round(milliseconds * 1_000)}\u00b5s`;
	if (milliseconds < 1_000) return `${milliseconds}ms`;
	const hours = Math.floor(milliseconds / 3_600_000);
	const minutes = Math.floor(milliseconds / 60_000) % 60;
	const seconds = Math.round(milliseconds % 60_000) / 1_000;
	if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
	return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

function parseMagnitude(text: string): bigint | null {
	const match = /^(0[xX]|0[oO]|0[bB]|0)?(_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)?$/.exec(text);
	if (match === null || text === "") return null;
	const [prefix = "", rest = ""] = [match[1]?.toLowerCase(), match[2]];
	if (prefix === "0" && rest === "") return 0n;
	if (prefix === "" && rest.includes("_")) return null;
	const base = BASES[prefix];
	const digits = rest.replaceAll("_", "");
	return base?.digits.test(digits) === true ? BigInt(base.literal + digits) : null;
}

const BASES: Readonly<Record<string, { readonly digits: RegExp; readonly literal: string }>> = {
	"": { digits: /^[0-9]+$/, literal: "" },
	"0": { digits: /^[0-7]+$/, literal: "0o" },
	"0o": { digits: /^[0-7]+$/, literal: "0o" },
	"0b": { digits: /^[01]+$/, literal: "0b" },
	"0x": { digits: /^[0-9a-fA-F]+$/, literal: "0x" },
};

function clampToSafe(value: bigint): number {
	if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
	return value < BigInt(Number.MIN_SAFE_INTEGER) ? Number.MIN_SAFE_INTEGER : Number(value);
}
