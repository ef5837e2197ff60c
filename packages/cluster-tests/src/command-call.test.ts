import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readCommand, wholeNumber } from "./command-call.ts";

const COMMAND = {
	call: "npm run fill --",
	about: "Fills a store.",
	flags: {
		keys: { kind: "number", least: 1, fallback: 1_000, about: "how many" },
		members: { kind: "number", least: 1, most: 9, fallback: 3, about: "of the cluster" },
		only: { kind: "choice", of: ["flotilla", "etcd"], fallback: "", about: "one program alone" },
	},
	bare: ["keys"],
} as const;

const read = (...args: string[]) => readCommand(COMMAND, args);

test("flags are read, may stand alone where that was said, and have their values when they are not given", () => {
	expect(read()).toEqual({ kind: "values", values: { keys: 1_000, members: 3, only: "" } });
	expect(read("--keys", "5", "--only=etcd")).toEqual({ kind: "values", values: { keys: 5, members: 3, only: "etcd" } });
	expect(read("7")).toEqual({ kind: "values", values: { keys: 7, members: 3, only: "" } });
});

test.each([
	[["--key", "5"], "there is no flag --key"],
	[["-k"], "there is no flag -k"],
	[["--keys"], "--keys needs a value"],
	[["--keys", "0"], '--keys takes a whole number from 1 on, not "0"'],
	[["--keys", "1e6"], '--keys takes a whole number from 1 on, not "1e6"'],
	[["--keys="], '--keys takes a whole number from 1 on, not ""'],
	[["--keys", "9007199254740993"], '--keys takes a whole number from 1 on, not "9007199254740993"'],
	[["--members", "10"], '--members takes a whole number from 1 to 9, not "10"'],
	[["--only", "other"], '--only takes flotilla or etcd, not "other"'],
	[["5", "6"], '"6" is one word too many'],
])("%j is wrong", (args, text) => {
	expect(read(...args)).toEqual({ kind: "wrong", text: `${text}\nnpm run fill -- --help tells what may be said` });
});

test("the usage names every flag, what it takes, and its value when it is not given", () => {
	expect(read("--keys", "wrong", "--help")).toEqual({
		kind: "help",
		text: [
			"npm run fill -- [keys] [--flag value ...]",
			"",
			"Fills a store.",
			"  --keys           how many: a whole number from 1 on (1000)",
			"  --members        of the cluster: a whole number from 1 to 9 (3)",
			"  --only           one program alone: flotilla or etcd",
		].join("\n"),
	});
});

test.each(["", "0", "6", "-1", "1.5", "1e0", "0x1", " 2", "99999999999999999999"])("%j is no whole number from 1 to 5", (text) => {
	const refusal = `--n takes a whole number from 1 to 5, not ${JSON.stringify(text)}`;
	expect(() => wholeNumber("--n", text, { min: 1, max: 5 })).toThrow(refusal);
	expect([1, 5].map((number) => wholeNumber("--n", String(number), { min: 1, max: 5 }))).toEqual([1, 5]);
});

/** Status and what was printed on the one stream that was used. */
function run(file: string, ...args: string[]): Promise<readonly [number, string]> {
	const path = fileURLToPath(new URL(file, import.meta.url));
	return new Promise((resolve) => {
		execFile(process.execPath, ["--conditions=@flotilla/source", path, ...args], (error, stdout, stderr) => {
			resolve([Number(error?.code ?? 0), args[0] === "--help" ? stdout : stderr]);
		});
	});
}

test("every measuring command has a usage, and a word instead of a stack trace for an unknown flag", { timeout: 120_000 }, async () => {
	const commands = ["big-snapshot/main", "bench/compaction", "bench/scale", "bench/stalled-main", "failover/main"];
	for (const name of commands) {
		const [[helped, usage], [refused, word]] = await Promise.all([run(`./${name}.ts`, "--help"), run(`./${name}.ts`, "--nonsense")]);
		expect([name, helped, usage.split(" ").slice(0, 2)]).toEqual([name, 0, ["npm", "run"]]);
		expect([name, refused, word.split("\n")[0]]).toEqual([name, 2, "there is no flag --nonsense"]);
	}
});

test.each([
	["chaos/kills-main", ["--kills", "0"], '--kills takes a whole number from 1 to 100000, not "0"'],
	["chaos/kills-main", ["--members", "10"], '--members takes a whole number from 1 to 9, not "10"'],
	["damage/main", ["--every", "8", "--part", "9"], '--part takes a whole number from 1 to 8, not "9"'],
] as const)("%s %j is refused", { timeout: 120_000 }, async (name, args, words) => {
	expect(await run(`./${name}.ts`, ...args)).toEqual([2, `${words}\n`]);
});
