/**
 * `npm run damage -- [--every N [--part K]] [--seed S]`: a small data folder, damaged in every way that one change can; a member must
 * serve exactly what was acknowledged, or say what is wrong. `--every 50` tries every fiftieth damage, `--part 1` to `50` which of them.
 * `npm run damage -- --calls`: in place of that, each call of a member to its disk and its store fails once, and each write falls short.
 */

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandFlags, refuseCall } from "@flotilla/base/command";
import { CALL_FAULTS, referenceOf, tryCallFault } from "./call-faults.ts";
import { runDamage } from "./campaign.ts";
import { describeDamage } from "./damages.ts";
import { makeMaster } from "./master.ts";

/** A file system in memory where there is one: what is tried here is not the disk. */
const MEMORY_FOLDER = "/dev/shm";

const DAMAGES_MAX = 100_000;
const values = commandFlags(
	{
		call: "npm run damage --",
		about: "A small data folder, damaged in every way that one change can: a member serves what was acknowledged, or says what is wrong.",
		flags: {
			every: { kind: "number", least: 1, most: DAMAGES_MAX, fallback: 1, about: "of the damages one of so many" },
			part: { kind: "number", least: 1, most: DAMAGES_MAX, fallback: 0, otherwise: "each time others", about: "which of them" },
			seed: {
				kind: "text",
				fallback: String(Date.now() % 1_000_000),
				otherwise: "from the clock",
				about: "whatever is drawn follows from it",
			},
			calls: { kind: "switch", about: "in place of that, each call of a member to its disk and its store fails once" },
		},
	},
	process,
);
const { every } = values;
if (values.part > every) refuseCall(`--part takes a whole number from 1 to ${every}, as --every says, not ${values.part}`, process);
/** Null: each time others. */
const part = values.part === 0 ? null : values.part;
const folder = await mkdtemp(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), "flotilla-damage-"));
try {
	if (values.calls) process.exitCode = await runCallFaults(folder);
	else process.exitCode = await runDamages();
} finally {
	await rm(folder, { recursive: true, force: true });
}

async function runDamages(): Promise<number> {
	const started = performance.now();
	const report = await runDamage({ folder, every, part, seed: values.seed, progress: (line) => console.log(line) });
	for (const [what, counts] of [...report.byFile, ...report.bySort]) console.log(`${what}: ${counts}`);
	for (const { damage, verdict, text } of report.bad) console.log(`${verdict}: ${describeDamage(damage)}: ${text}`);
	console.log(`the same verdict: ${report.onFilesToo} again on real files, ${report.asProgramToo} again by the program itself`);
	console.log(
		`${report.tried} damages (seed ${values.seed}): ${report.recovered} recovered, ${report.refused} refused by name, ${report.bad.length} neither, in ${((performance.now() - started) / 1_000).toFixed(0)} s`,
	);
	return report.bad.length === 0 ? 0 : 1;
}

async function runCallFaults(memberFolder: string): Promise<number> {
	const master = await makeMaster(memberFolder);
	const references = referenceOf(master);
	const ends = { died: 0, "went on": 0 };
	const findings: string[] = [];
	for (const fault of CALL_FAULTS) {
		const { calls } = tryCallFault(master, references, fault, 0);
		for (let call = 1; call <= calls; call++) {
			const { died, finding } = tryCallFault(master, references, fault, call);
			ends[died === null ? "went on" : "died"]++;
			if (finding !== null) findings.push(`call ${call}, ${fault}: ${finding}`);
		}
		console.log(`${calls} calls ${fault}, one at a time`);
	}
	for (const finding of findings) console.log(finding);
	console.log(
		`${ends.died} ended with words, ${ends["went on"]} went on; all started again with what was acknowledged: ${findings.length === 0}`,
	);
	return findings.length === 0 ? 0 : 1;
}
