import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { replay, titleOf } from "./stage/transcript.ts";

/** `FLOTILLA_REWRITE=1 npm test -- packages/raft/test/transcripts` writes what happens now; the change is then reviewed. */
const rewrite = process.env.FLOTILLA_REWRITE === "1";
const folder = new URL("./transcripts/", import.meta.url);

for (const name of readdirSync(folder).sort()) {
	const file = new URL(name, folder);
	const text = readFileSync(file, "utf8");
	test(`${name}: ${titleOf(text)}`, () => {
		const now = replay(text);
		if (rewrite) writeFileSync(file, now);
		else expect(now).toBe(text);
		expect(now).not.toMatch(/^ {2}STOPS: (there is no|a transcript|Cannot)/m);
	});
}
