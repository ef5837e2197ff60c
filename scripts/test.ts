/**
 * `npm test`: the static checks, then every test, then one line that counts them. Arguments filter by file name, `-t PATTERN` by the
 * test's name.
 * Exit status 0 only if everything passed and something ran.
 */
import { exec } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";
import { commandFlags } from "../packages/base/src/command-call.ts";

const { name: namePattern, words: filters } = commandFlags(
	{
		call: "npm test --",
		about: "The static checks, then every test; or the tests whose files, or names, are like this.",
		flags: { name: { kind: "text", short: "t", fallback: "", about: "pattern for the names of tests" } },
		words: "part of a file's path",
	},
	process,
);
const some = filters.length > 0 || namePattern !== "";
/** Enough of an error for its place and its last output. */
const ERROR_CHARACTERS = 3_000;
/** Of a static check: more than all of its findings. */
const OUTPUT_BYTES = 64 << 20;
process.env.NO_COLOR ??= "1";
// Members and tools that tests start as processes run from source, like the tests themselves.
process.env.UV_THREADPOOL_SIZE ??= "8";
// Each file of tests is a process, and starts others: compiled code is kept where `bin/flotilla` keeps it.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("../node_modules/.cache/flotilla", import.meta.url));

/** Beside each other; told in their order. The last one leaves compiled code behind for all the processes of the tests. */
async function staticChecks(): Promise<boolean> {
	const checks = [
		["format and lint", "biome check ."],
		["types", "tsc -p tsconfig.check.json"],
		["promises and switches", "oxlint --deny-warnings packages tools scripts"],
		["rooms", "node tools/tidy.ts"],
		["scenarios", "node tools/scenarios.ts --check"],
		["program", "node scripts/ready.mjs"],
	] as const;
	const run = async ([name, command]: (typeof checks)[number]): Promise<{ good: boolean; said: string }> => {
		const started = Date.now();
		const { error, stdout, stderr } = await new Promise<{ error: Error | null; stdout: string; stderr: string }>((resolve) => {
			exec(command, { maxBuffer: OUTPUT_BYTES }, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
		});
		const good = error === null;
		return { good, said: `${good ? "ok  " : "FAIL"} ${name} (${Date.now() - started} ms)${good ? "" : `\n${stdout}${stderr}`}` };
	};
	const results = await Promise.all(checks.map(run));
	for (const { said } of results) console.log(said);
	return results.every(({ good }) => good);
}

const checksFailed = !some && !(await staticChecks()) ? 1 : 0;
const vitest = await startVitest("test", [...filters], {
	watch: false,
	...(namePattern === "" ? {} : { testNamePattern: namePattern }),
	run: true,
	reporters: process.env.CI === undefined ? ["default"] : ["verbose"],
});

let passed = 0;
let failed = checksFailed;
let skipped = 0;
const skippedNames: string[] = [];
const failures: string[] = [];

/** What failed is told once more at the end, where a log that is cut short still has it. */
function note(name: string, errors: ReadonlyArray<{ readonly message?: string; readonly stack?: string }>): void {
	failed += errors.length;
	for (const error of errors) {
		const text = (error.stack ?? error.message ?? "").split("\n").filter((line) => !line.includes("node_modules"));
		failures.push(`failed: ${name}\n${text.join("\n").slice(0, ERROR_CHARACTERS)}`);
	}
}

for (const module of vitest.state.getTestModules()) {
	// What fails outside of any test (a file that cannot be loaded, a set-up of a suite) would otherwise count as skipped tests.
	note(module.relativeModuleId, module.errors());
	for (const suite of module.children.allSuites()) note(`${module.relativeModuleId}: set-up of "${suite.fullName}"`, suite.errors());
	for (const test of module.children.allTests()) {
		const { state, errors = [] } = test.result();
		const name = `${module.relativeModuleId}: ${test.fullName}`;
		if (state === "passed") passed++;
		else if (state === "skipped") {
			skipped++;
			skippedNames.push(name);
		} else note(name, [errors[0] ?? { message: "it did not run" }]);
	}
}
note(
	"outside of any test",
	vitest.state.getUnhandledErrors().map((error) => error as Error),
);
await vitest.close();
// What a pattern leaves out is no news.
if (namePattern === "") for (const name of skippedNames) console.log(`skipped: ${name}`);
for (const failure of failures) console.log(failure);
if (passed === 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed === 0 ? 0 : 1);
