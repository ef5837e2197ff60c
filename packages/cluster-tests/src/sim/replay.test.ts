import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { drawPlan } from "./plan.ts";
import { simulate } from "./run.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const PACKAGES = fileURLToPath(new URL("../../../", import.meta.url));
const LIMITS = { faultyMs: 3_000, operationsMin: 50 };

function replay(seed: string, flags: readonly string[] = []): string {
	const args = ["--seed", seed, "--seconds", "3", "--operations", "50", "--faults"];
	const { status, stdout, stderr } = spawnSync(process.execPath, ["--conditions=@flotilla/source", ...flags, MAIN, ...args], {
		encoding: "utf8",
	});
	expect(status, stdout + stderr).toBe(0);
	return stdout;
}

/** What a run is made of, in an order of its own: every module is evaluated before the one that would have asked for it first. */
function shuffledModules(seed: string): string[] {
	const dice = new Dice(seed);
	const files = ["base", "raft", "mvcc", "replica", "server"].flatMap((name) => modulesBelow(`${PACKAGES}${name}/src`));
	const own = modulesBelow(fileURLToPath(new URL("./", import.meta.url))).filter((file) => !/(main|worker)\.ts$/.test(file));
	const left = [...files.filter((file) => !/\/(cli|bin|main|.*worker.*|.*thread.*)\b/.test(file.slice(PACKAGES.length))), ...own];
	const drawn: string[] = [];
	while (left.length > 0 && drawn.length < 40) drawn.push(...left.splice(dice.range(0, left.length - 1), 1));
	return drawn.map((file) => `--import=${pathToFileURL(file).href}`);
}

function modulesBelow(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: "utf8" })
		.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.endsWith(".d.ts"))
		.sort()
		.map((name) => `${folder.replace(/\/$/, "")}/${name}`);
}

/** Of the seed in this process, simulated once. */
const hashes = new Map<string, string>();
function hashHere(seed: string): string {
	const hash = hashes.get(seed) ?? simulate(drawPlan(seed, LIMITS)).traceHash;
	hashes.set(seed, hash);
	return hash;
}

test("a seed is replayed byte for byte, in another process as well, and ends with its trace hash", () => {
	for (const seed of ["7", "8"]) {
		const first = replay(seed);
		expect(replay(seed)).toBe(first);
		expect(first.trimEnd().split("\n").at(-1)).toBe(`trace hash: ${hashHere(seed)}`);
		// What a run leaves behind in its process is of no account to the next one.
		expect(simulate(drawPlan(seed, LIMITS)).traceHash).toBe(hashHere(seed));
	}
});

test.each([
	["with a garbage collector that may be called", ["--expose-gc"]],
	["with a young generation that is next to nothing", ["--max-semi-space-size=1", "--min-semi-space-size=1"]],
	["with a young generation in which nothing has to be collected", ["--min-semi-space-size=64", "--max-semi-space-size=64"]],
	["with a collection every 20,000 allocations", ["--gc-interval=20000"]],
	["with code that nobody optimises", ["--max-lazy", "--no-opt"]],
	["with modules that are loaded in another order", shuffledModules("one order")],
	["with modules that are loaded in a third order", shuffledModules("another order")],
])("SC-113 whole members give the same trace hash %s", (_how, flags) => {
	const last = replay("7", flags).trimEnd().split("\n").at(-1);
	expect(last).toBe(`trace hash: ${hashHere("7")}`);
});
