/** A chaos run inside a test: every promise must be kept. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { FAULTS } from "../src/chaos/faults/index.ts";
import { type CheckName, type Judgement, judge } from "../src/chaos/judge.ts";
import { isKnown } from "../src/chaos/known-of-etcd.ts";
import { type RunOptions, type RunRecord, runScenario } from "../src/chaos/run.ts";
import { parseScenario, type Scenario } from "../src/chaos/scenario.ts";

export const SEED = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

/** What no version of etcd under kill -9 is known to break. */
const KEPT_BY_ETCD: ReadonlySet<CheckName> = new Set(["linearizable", "agreement", "bank"]);

export function shipped(name: string, seconds: number): Scenario {
	return written(name, readFileSync(new URL(`../scenarios/${name}.yaml`, import.meta.url), "utf8"), seconds);
}

export function written(name: string, text: string, seconds: number): Scenario {
	return { ...parseScenario(`${name}.yaml`, text, FAULTS), seconds };
}

export async function runKept(
	scenario: Scenario,
	options: Partial<RunOptions> = {},
): Promise<{ readonly record: RunRecord; readonly judgement: Judgement }> {
	const standard = { program: "flotilla", place: "processes", folder: null, leastCalls: 0, leastFaults: 0, flags: [] } as const;
	const all = { ...standard, seed: SEED, progress: () => {}, ...options };
	const record = await runScenario(scenario, all);
	const judgement = judge(record);
	const where = [all.program, all.place, ...all.flags].join(" ");
	console.log(
		`${scenario.name} on ${where} (FLOTILLA_SEED=${all.seed}): ${judgement.checked} answers judged, ${record.faults.length} faults, ` +
			`${record.leased.leases.size} leases: ${judgement.verdict}`,
	);
	const broken = judgement.checks.filter((check) => check.verdict !== "ok");
	if (all.program === "flotilla") {
		expect(broken).toEqual([]);
		expect(judgement.verdict).toBe("ok");
		return { record, judgement };
	}
	// The control: what a healthy etcd keeps must not be called broken. Its leases and locks are broken now and then, its watches may go
	// back in time, it tells leader and term of two moments, and whether it is at rest in time is its own affair: each such finding is a
	// true one of etcd 3.4, and is told.
	const unknown = broken.filter(({ findings }) => !findings.every(isKnown));
	for (const { name, findings } of unknown) console.log(`of etcd, ${name}: ${findings.join("\n")}`);
	expect(unknown.filter(({ name, verdict }) => KEPT_BY_ETCD.has(name) && verdict === "violated")).toEqual([]);
	expect(judgement.checked).toBeGreaterThan(0);
	return { record, judgement };
}
