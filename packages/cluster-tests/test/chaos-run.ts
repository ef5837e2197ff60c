/** A chaos run inside a test: every promise must be kept. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { FAULTS } from "../src/chaos/faults/index.ts";
import { type Check, type Judgement, judge } from "../src/chaos/judge.ts";
import { isKnown } from "../src/chaos/known-of-etcd.ts";
import { type RunOptions, type RunRecord, runScenario } from "../src/chaos/run.ts";
import { parseScenario, type Scenario } from "../src/chaos/scenario.ts";

export const SEED = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

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
	// The control: of etcd every verdict stands as well, but for what it is known to break, each finding of that by its issue's number.
	const explained = ({ findings, verdict }: Check): boolean =>
		all.program === "etcd" && verdict === "violated" && findings.every((finding) => isKnown(finding));
	expect(broken.filter((check) => !explained(check))).toEqual([]);
	if (all.program === "flotilla") expect(judgement.verdict).toBe("ok");
	return { record, judgement };
}
