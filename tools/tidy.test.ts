import { describe, expect, test } from "vitest";
import { blankCommentsAndStrings, scanSource } from "./source-scan.ts";
import { tidy } from "./tidy.ts";

const check = (path: string, text: string): string[] => tidy([scanSource(path, text)]);

describe("tidy", () => {
	for (const [name, path, text, wanted] of [
		[
			"an arrow that is not in the table",
			"packages/mvcc/src/a.ts",
			'import { Entry } from "@flotilla/raft";\n',
			"mvcc must not import raft",
		],
		["a node module in a pure room", "packages/raft/src/a.ts", 'import { readFile } from "node:fs";\n', "raft must not depend on node:fs"],
		["a clock in a pure room", "packages/replica/src/a.ts", "const now = Date.now();\n", "a pure room must not use Date"],
		["waiting in a pure room", "packages/api/src/hot/a.ts", "export async function f() {}\n", "a pure room must not use async"],
		["the own door from inside", "packages/raft/src/a.ts", 'import { x } from "./index.ts";\n', "imports its own package's door"],
		["a deep import", "packages/server/src/cli/a.ts", 'import { x } from "../../../raft/src/log.ts";\n', "reaches out of its package"],
		["the log that knows services", "packages/server/src/wal/a.ts", 'import { x } from "../services/kv.ts";\n', "must not import services"],
		["unfinished work", "packages/raft/src/a.ts", "// TODO later\n", "unfinished work"],
		["a file that is too long", "packages/raft/src/a.ts", "\n".repeat(700), "limit 600"],
	] as Array<[string, string, string, string]>) {
		test(`finds ${name}`, () => {
			expect(check(path, text).join("\n")).toContain(wanted);
		});
	}

	test("words in comments, strings and templates are no code", () => {
		const text = '// Date\n/* await */ const a = "Promise"; const b = `console ${1 + 1} process`; const c = /Date/;\n';
		expect(check("packages/raft/src/a.ts", text)).toEqual([]);
		expect(blankCommentsAndStrings(text)).toHaveLength(text.length);
	});

	test("code inside a template's expression is code", () => {
		expect(check("packages/raft/src/a.ts", "const b = `x ${Date.now()} y`;\n").join()).toContain("must not use Date");
	});

	test("a cycle that runs is found, one of types only is not", () => {
		const a = scanSource("packages/raft/src/a.ts", 'import { b } from "./b.ts";\n');
		const b = scanSource("packages/raft/src/b.ts", 'import { a } from "./a.ts";\n');
		const typesOnly = scanSource("packages/raft/src/b.ts", 'import type { a } from "./a.ts";\n');
		expect(tidy([a, b]).join()).toContain("import cycle: packages/raft/src/a.ts -> packages/raft/src/b.ts -> packages/raft/src/a.ts");
		expect(tidy([a, typesOnly])).toEqual([]);
	});
});
