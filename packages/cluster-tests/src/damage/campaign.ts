import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { allDamages, type Damage, describeDamage, sortOf } from "./damages.ts";
import { JudgeProcess } from "./judge-process.ts";
import { LifeProcess } from "./life-process.ts";
import { type Master, makeMaster } from "./master.ts";
import { needsFiles, tryAsProgram, tryOnFiles } from "./trials.ts";
import type { TrialResult } from "./verdict.ts";

export interface DamageOptions {
	readonly folder: string;
	/** One in so many is tried, beginning with number `part` (from 1 on), or somewhere that the seed draws. */
	readonly every: number;
	readonly part: number | null;
	readonly seed: string;
	/** Of all damages, by their number, those that come into question; all by default. */
	readonly among?: (damage: Damage, at: number) => boolean;
	/** Made in `folder` when it is not given. */
	readonly master?: Master;
	readonly progress: (line: string) => void;
}

export interface DamageReport {
	readonly tried: number;
	readonly recovered: number;
	readonly refused: number;
	readonly bad: readonly TrialResult[];
	/** `wal/<segment>` and the like, with numbers in words. */
	readonly byFile: ReadonlyMap<string, string>;
	/** The same by what was done to it. */
	readonly bySort: ReadonlyMap<string, string>;
	/** Of those judged in memory, so many were judged on real files as well, and so many of all by the program itself. */
	readonly onFilesToo: number;
	readonly asProgramToo: number;
}

/** Trials that wait for the disk and for timers side by side. */
const LANES = 4;
const BATCH = 200;
const ON_FILES_EVERY = 101;
const AS_PROGRAM_EVERY = 1_009;

export async function runDamage({ among = () => true, ...options }: DamageOptions): Promise<DamageReport> {
	const { folder, every, part, seed, progress } = options;
	const dice = new Dice(`damage/${seed}`);
	const master = options.master ?? (await makeMaster(folder));
	const all = allDamages(master, dice).filter(among);
	const offset = part === null ? dice.range(0, every - 1) : part - 1;
	const chosen = all.filter((_, at) => at % every === offset);
	progress(`${master.files.length} files, ${all.length} damages, ${chosen.length} of them tried`);
	const inMemory = chosen.filter(({ file }) => !needsFiles(file));
	const results = [...(await judgeInMemory(master, inMemory, progress))];
	const onFiles = chosen.filter(({ file }) => needsFiles(file));
	results.push(...(await judgeOnFiles(master, onFiles, folder, progress)));

	// The same by longer ways, a sample each: they must come to the same verdict.
	const again = sample(inMemory, ON_FILES_EVERY);
	const byProgram = sample(chosen, AS_PROGRAM_EVERY);
	progress(`${again.length} again on files, ${byProgram.length} again by the program itself`);
	const samples = await judgeOnFiles(master, again, folder, progress);
	for (const damage of byProgram) samples.push(await tryAsProgram(master, damage, folder));
	return report(master, results, disagreements(results, samples), again.length, byProgram.length);
}

function sample(damages: readonly Damage[], every: number): Damage[] {
	return damages.filter((_, at) => at % every === every >> 1);
}

async function judgeInMemory(
	master: Master,
	damages: readonly Damage[],
	progress: DamageOptions["progress"],
): Promise<readonly TrialResult[]> {
	const results: TrialResult[] = [];
	let next = 0;
	const lane = async (): Promise<void> => {
		const judge = new JudgeProcess(master);
		try {
			while (next < damages.length) {
				const batch = damages.slice(next, next + BATCH);
				next += batch.length;
				results.push(...(await judge.judge(batch)));
				if (results.length % (25 * BATCH) < BATCH) progress(`${results.length} of ${damages.length} in memory`);
			}
		} finally {
			judge.end();
		}
	};
	await Promise.all(Array.from({ length: Math.min(availableParallelism(), Math.ceil(damages.length / BATCH)) }, lane));
	return results;
}

async function judgeOnFiles(
	master: Master,
	damages: readonly Damage[],
	folder: string,
	progress: DamageOptions["progress"],
): Promise<TrialResult[]> {
	const results: TrialResult[] = [];
	let next = 0;
	const lane = async (number: number): Promise<void> => {
		const lives = new LifeProcess();
		for (let at = next++; at < damages.length; at = next++) {
			results.push(await tryOnFiles(master, damages[at] as Damage, join(folder, `lane ${number}`), lives));
			if (results.length % 1_000 === 0) progress(`${results.length} of ${damages.length} on files`);
		}
		lives.end();
	};
	await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
	return results;
}

/** Where another way comes to another verdict. */
function disagreements(results: readonly TrialResult[], samples: readonly TrialResult[]): TrialResult[] {
	const verdicts = new Map(results.map((result) => [describeDamage(result.damage), result]));
	return samples.flatMap(({ damage, verdict, text }) => {
		const other = verdicts.get(describeDamage(damage));
		if (other?.verdict === verdict) return [];
		return [{ damage, verdict: "unclear" as const, text: `${other?.verdict} (${other?.text}), the longer way ${verdict} (${text})` }];
	});
}

function report(
	master: Master,
	results: readonly TrialResult[],
	disagreeing: readonly TrialResult[],
	onFilesToo: number,
	asProgramToo: number,
): DamageReport {
	const count = (verdict: TrialResult["verdict"], among = results): number => among.filter((result) => result.verdict === verdict).length;
	const counts = (own: readonly TrialResult[]): string =>
		`${own.length} tried, ${count("recovered", own)} recovered, ${count("refused", own)} refused`;
	const byFile = new Map(master.files.map(({ path }) => [path, counts(results.filter(({ damage }) => damage.file === path))]));
	const bySort = new Map([...Map.groupBy(results, ({ damage }) => sortOf(damage))].map(([sort, own]) => [sort, counts(own)]));
	const bad = [...results.filter(({ verdict }) => verdict === "different" || verdict === "unclear"), ...disagreeing];
	return { tried: results.length, recovered: count("recovered"), refused: count("refused"), bad, byFile, bySort, onFilesToo, asProgramToo };
}
