import { expect, test } from "vitest";
import {
	formatGoDuration,
	INT64_MAX,
	INT64_MIN,
	parseDecimalUint32,
	parseGoBoolean,
	parseGoDuration,
	parseGoInteger,
	UINT64_MAX,
} from "./go-values.ts";

for (const [text, want] of [
	["0", 0],
	["100", 100],
	["0x10", 16],
	["0XfF", 255],
	["010", 8],
	["0o17", 15],
	["0b101", 5],
	["0x1_0", 16],
	["18446744073709551615", Number.MAX_SAFE_INTEGER],
	["18446744073709551616", "value out of range"],
	["99999999999999999999999", "value out of range"],
	["-1", "parse error"],
	["+1", "parse error"],
	["1_000", "parse error"],
	["08", "parse error"],
	["0x", "parse error"],
	["1e3", "parse error"],
	["1.0", "parse error"],
	[" 1", "parse error"],
	["abc", "parse error"],
	["", "parse error"],
] as Array<[string, number | string]>) {
	test(`an unsigned flag reads ${JSON.stringify(text)} as ${want}`, () => {
		const parsed = parseGoInteger(text, 0n, UINT64_MAX);
		expect(parsed.ok ? parsed.value : parsed.reason).toBe(want);
	});
}

for (const [text, want] of [
	["-1", -1],
	["+5", 5],
	["-0x10", -16],
	["9223372036854775807", Number.MAX_SAFE_INTEGER],
	["-9223372036854775808", Number.MIN_SAFE_INTEGER],
	["9223372036854775808", "value out of range"],
	["--1", "parse error"],
] as Array<[string, number | string]>) {
	test(`a signed flag reads ${text} as ${want}`, () => {
		const parsed = parseGoInteger(text, INT64_MIN, INT64_MAX);
		expect(parsed.ok ? parsed.value : parsed.reason).toBe(want);
	});
}

for (const [text, want] of [
	["4294967295", 4294967295],
	["abc", 'strconv.ParseUint: parsing "abc": invalid syntax'],
	["0x10", 'strconv.ParseUint: parsing "0x10": invalid syntax'],
	["4294967296", 'strconv.ParseUint: parsing "4294967296": value out of range'],
] as Array<[string, number | string]>) {
	test(`the stream limit reads ${text} as ${want}`, () => {
		const parsed = parseDecimalUint32(text);
		expect(parsed.ok ? parsed.value : parsed.reason).toBe(want);
	});
}

for (const [text, want] of [
	["1", true],
	["t", true],
	["True", true],
	["FALSE", false],
	["0", false],
	["yes", "parse error"],
	["tRUE", "parse error"],
	["", "parse error"],
] as Array<[string, boolean | string]>) {
	test(`a boolean flag reads ${JSON.stringify(text)} as ${want}`, () => {
		const parsed = parseGoBoolean(text);
		expect(parsed.ok ? parsed.value : parsed.reason).toBe(want);
	});
}

for (const [text, want] of [
	["0", 0],
	["-0", 0],
	["100ms", 100],
	["1.5s", 1_500],
	[".5s", 500],
	["5.s", 5_000],
	["1h30m", 5_400_000],
	["1m0s", 60_000],
	["100us", 0.1],
	["100\u00b5s", 0.1],
	["1ns", 0.000001],
	["-2s", -2_000],
	["+2s", 2_000],
	["5", "parse error"],
	["s", "parse error"],
	[".s", "parse error"],
	["1d", "parse error"],
	["1s 2s", "parse error"],
	["", "parse error"],
	["3000000h", "parse error"],
] as Array<[string, number | string]>) {
	test(`a duration flag reads ${JSON.stringify(text)} as ${want} ms`, () => {
		const parsed = parseGoDuration(text);
		expect(parsed.ok ? parsed.value : parsed.reason).toBe(want);
	});
}

for (const [milliseconds, want] of [
	[0, "0s"],
	[0.25, "250\u00b5s"],
	[100, "100ms"],
	[1_000, "1s"],
	[1_500, "1.5s"],
	[60_000, "1m0s"],
	[5_400_000, "1h30m0s"],
	[-2_000, "-2s"],
] as Array<[number, string]>) {
	test(`${milliseconds} ms are printed as ${want}`, () => expect(formatGoDuration(milliseconds)).toBe(want));
}
