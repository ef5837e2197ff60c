import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lastWords } from "./last-words.ts";

const INFO = '{"level":"info","ts":"x","msg":"ready to serve client requests"}\n';
const FATAL = '{"level":"fatal","ts":"x","msg":"cannot start","error":"the data folder is of another member"}\n';
const CRASH = `node:internal/modules/esm/resolve:272
    throw new ERR_MODULE_NOT_FOUND(
          ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find module 'x'
    at finalizeResolution (node:internal/modules/esm/resolve:272:11)

Node.js v24.21.0
`;

for (const [name, before, text, words] of [
	["a fatal line", "", INFO + FATAL, "cannot start: the data folder is of another member"],
	["what came after it is not what counts", "", FATAL + INFO, "cannot start: the data folder is of another member"],
	["an error that nobody caught", "", INFO + CRASH, "Error [ERR_MODULE_NOT_FOUND]: Cannot find module 'x'"],
	["nothing but good news", "", INFO, null],
	["an error of an earlier life", INFO + FATAL, INFO, null],
	["an error far above the end", "", FATAL + INFO.repeat(1_000), null],
	["an empty log", FATAL, "", null],
] as const) {
	test(`last words: ${name}`, async () => {
		const folder = await mkdtemp(join(tmpdir(), "flotilla-words-"));
		try {
			const file = join(folder, "m1.log");
			await writeFile(file, before + text);
			expect(lastWords(file, before.length)).toBe(words);
		} finally {
			await rm(folder, { recursive: true });
		}
	});
}
