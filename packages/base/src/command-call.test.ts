import { expect, test } from "vitest";
import { type CommandHost, commandFlags, readCommand, wholeNumber } from "./command-call.ts";

const COMMAND = {
	call: "npm run fill --",
	about: "Fills a store.",
	flags: {
		keys: { kind: "number", least: 1, fallback: 1_000, about: "how many" },
		members: { kind: "number", least: 1, most: 9, fallback: 3, about: "of the cluster" },
		only: { kind: "choice", of: ["flotilla", "etcd"], fallback: "", about: "one program alone" },
		seed: { kind: "text", short: "s", fallback: "7", otherwise: "drawn", about: "of all that is drawn" },
		twice: { kind: "switch", about: "once more" },
	},
	bare: ["keys"],
} as const;
const UNSAID = { keys: 1_000, members: 3, only: "", seed: "7", twice: false, words: [] };

const read = (...args: string[]) => readCommand(COMMAND, args);

test("flags are read, may stand alone where that was said, and have their values when they are not given", () => {
	expect(read()).toEqual({ kind: "values", values: UNSAID });
	expect(read("--keys", "5", "--only=etcd")).toEqual({ kind: "values", values: { ...UNSAID, keys: 5, only: "etcd" } });
	expect(read("7")).toEqual({ kind: "values", values: { ...UNSAID, keys: 7 } });
	expect(read("--twice", "7", "-s", "a=b")).toEqual({ kind: "values", values: { ...UNSAID, keys: 7, seed: "a=b", twice: true } });
	expect(read("--seed={\n}", "--", "7")).toEqual({ kind: "values", values: { ...UNSAID, keys: 7, seed: "{\n}" } });
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
	[["--keys", "--twice"], "--keys needs a value"],
	[["--seed", ""], '--seed takes some text, not ""'],
	[["--twice=no"], "--twice takes no value"],
	[["--words", "x"], "there is no flag --words"],
	[["--toString", "x"], "there is no flag --toString"],
])("%j is wrong", (args, text) => {
	expect(read(...args)).toEqual({ kind: "wrong", text: `${text} (npm run fill -- --help tells what may be said)` });
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
			"  --seed, -s       of all that is drawn (drawn)",
			"  --twice          once more",
		].join("\n"),
	});
});

test.each(["", "0", "6", "-1", "1.5", "1e0", "0x1", " 2", "99999999999999999999"])("%j is no whole number from 1 to 5", (text) => {
	const refusal = `--n takes a whole number from 1 to 5, not ${JSON.stringify(text)}`;
	expect(() => wholeNumber("--n", text, { min: 1, max: 5 })).toThrow(refusal);
	expect([1, 5].map((number) => wholeNumber("--n", String(number), { min: 1, max: 5 }))).toEqual([1, 5]);
});

test("further words are taken where it was said what they are", () => {
	const { bare: _, ...more } = COMMAND;
	expect(readCommand({ ...more, words: "path" }, ["a", "--keys", "2", "b"])).toEqual({
		kind: "values",
		values: { ...UNSAID, keys: 2, words: ["a", "b"] },
	});
	const help = readCommand({ ...more, words: "path" }, ["-h"]);
	expect(help.kind === "help" && help.text.split("\n")[0]).toBe("npm run fill -- [path ...] [--flag value ...]");
});

test("help goes to standard output with status 0, one line about what is wrong to standard error with 2", () => {
	const run = (...args: string[]): unknown[] => {
		const said: unknown[] = [];
		const host: CommandHost = {
			argv: ["node", "fill.ts", ...args],
			stdout: { write: (text) => said.push(["out", text.split("\n")[0]]) },
			stderr: { write: (text) => said.push(["err", text]) },
			exit: (status) => {
				throw new Error(`exit ${status}`);
			},
		};
		try {
			return [...said, commandFlags(COMMAND, host)];
		} catch (error) {
			return [...said, (error as Error).message];
		}
	};
	expect(run("--help")).toEqual([["out", "npm run fill -- [keys] [--flag value ...]"], "exit 0"]);
	expect(run("--nonsense")).toEqual([["err", "there is no flag --nonsense (npm run fill -- --help tells what may be said)\n"], "exit 2"]);
	expect(run("3")).toEqual([{ ...UNSAID, keys: 3 }]);
});
