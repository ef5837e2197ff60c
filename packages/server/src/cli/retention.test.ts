import { expect, test } from "vitest";
import { parseRetention } from "./retention.ts";

test.each([
	["periodic", "0", { mode: "off" }],
	["periodic", "", { mode: "off" }],
	["revision", "0s", { mode: "off" }],
	["periodic", "10", { mode: "periodic", retentionMs: 36_000_000, shownAs: "10h0m0s" }],
	["periodic", "30m", { mode: "periodic", retentionMs: 1_800_000, shownAs: "30m0s" }],
	["periodic", "1h30m", { mode: "periodic", retentionMs: 5_400_000, shownAs: "1h30m0s" }],
	["revision", "1000", { mode: "revision", retention: 1_000 }],
	// What etcd makes of it: nanoseconds.
	["revision", "1us", { mode: "revision", retention: 1_000 }],
])("%s, %s", (mode, text, value) => {
	expect(parseRetention(mode, text)).toEqual({ ok: true, value });
});

test.each(["-1", "x", "1x", "1.5", "-1h"])("refused: %s", (text) => {
	expect(parseRetention("periodic", text)).toEqual({
		ok: false,
		reason: `error parsing CompactionRetention: time: invalid duration "${text}"`,
	});
});
