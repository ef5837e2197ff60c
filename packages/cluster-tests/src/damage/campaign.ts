import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { allDamages } from "./damages.ts";
import { LifeProcess } from "./life-process.ts";
import { makeMaster } from "./master.ts";
import { type TrialResult, tryDamage } from "./trial.ts";

export interface DamageOptions {
	readonly folder: string;
	/** One in so many is tried, beginning somewhere that the seed draws. */
	readonly every: number;
	readonly seed: string;
	readonly progress: (line: string) => void;
}

export interface DamageReport {
	readonly tried: number;
	readonly recovered: number;
	readonly refused: number;
	readonly bad: readonly TrialResult[];
	/** `wal/<segment>` and the like, with numbers in words. */
	readonly byFile: ReadonlyMap<string, string>;
}

/** Trials that wait for the disk and for timers side by side. */
const LANES = 4;
const PROGRESS_EVERY = 500;

export async function runDamage({ folder, every, seed, progress }: DamageOptions): Promise<DamageReport> {
	const dice = new Dice(`damage/${seed}`);
	const master = await makeMaster(folder);
	const all = await allDamages(master, dice);
	const offset = dice.range(0, every - 1);
	const chosen = all.filter((_, at) => at % every === offset);
	progress(`${master.files.length} files, ${all.length} damages, ${chosen.length} of them tried`);
	const results: TrialResult[] = [];
	let next = 0;
	const lane = async (number: number): Promise<void> => {
		const lives = new LifeProcess();
		for (let at = next++; at < chosen.length; at = next++) {
			results.push(await tryDamage(master, chosen[at] as (typeof chosen)[number], join(folder, `lane ${number}`), lives));
			if (results.length % PROGRESS_EVERY === 0) progress(`${results.length} of ${chosen.length}`);
		}
		lives.end();
	};
	await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
	const count = (verdict: TrialResult["verdict"], among = results): number => among.filter((result) => result.verdict === verdict).length;
	const byFile = new Map<string, string>();
	for (const { path } of master.files) {
		const own = results.filter(({ damage }) => damage.file === path);
		byFile.set(path, `${count("recovered", own)} recovered, ${count("refused", own)} refused`);
	}
	const bad = results.filter(({ verdict }) => verdict === "different" || verdict === "unclear");
	return { tried: results.length, recovered: count("recovered"), refused: count("refused"), bad, byFile };
}
