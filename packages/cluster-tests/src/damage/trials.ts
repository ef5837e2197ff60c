/** One damage, judged: a member is started on the damaged copy, and a second time on what the first life left. */
import { join } from "node:path";
import { type Damage, damaged, writeDamaged } from "./damages.ts";
import { MemoryGround } from "./ground.ts";
import { Life } from "./life.ts";
import type { LifeProcess, SeenOutcome } from "./life-process.ts";
import type { Master } from "./master.ts";
import { programLife } from "./program-life.ts";
import { type TrialResult, textOf, verdictOf } from "./verdict.ts";

/** What is not LevelDB's own is read by the log and the start alone, which run as well on files in memory. */
export function needsFiles(file: string): boolean {
	return file.startsWith("store.");
}

/** On real files, with LevelDB, in a process that may crash. */
export async function tryOnFiles(master: Master, damage: Damage, folder: string, lives: LifeProcess): Promise<TrialResult> {
	const copy = join(folder, "copy");
	writeDamaged(master, damage, copy);
	let first = await lives.run(copy);
	// What LevelDB aborts on ends a process without a word of ours; the next start must know what happened.
	if (first.kind === "crashed") first = await lives.run(copy);
	const verdict = verdictOf(master, first);
	if (verdict !== "recovered") return { damage, verdict, text: textOf(first) };
	// What a life wrote after the damage must be as sound as what it read.
	const second = await lives.run(copy);
	return { damage, verdict: verdictOf(master, second), text: `second life: ${textOf(second)}` };
}

/** By the program itself, ports and all. */
export async function tryAsProgram(master: Master, damage: Damage, folder: string): Promise<TrialResult> {
	const dataDir = join(folder, "program");
	writeDamaged(master, damage, join(dataDir, "member"));
	let outcome = await programLife(dataDir);
	if (outcome.kind === "crashed") outcome = await programLife(dataDir);
	return { damage, verdict: verdictOf(master, outcome), text: textOf(outcome) };
}

/** In memory and in virtual time: no process, no file, no waiting. */
export function tryInMemory(master: Master, damage: Damage): TrialResult {
	const files = new Map<string, Uint8Array>();
	for (const file of master.files) {
		if (needsFiles(file.path)) continue;
		const content = file.path === damage.file ? damaged(file, damage.change) : file.content;
		if (content !== null) files.set(file.path, content);
	}
	const ground = new MemoryGround(files, master.stores);
	const first = liveThrough(ground);
	const verdict = verdictOf(master, first);
	if (verdict !== "recovered") return { damage, verdict, text: textOf(first) };
	const second = liveThrough(ground.afterKill());
	return { damage, verdict: verdictOf(master, second), text: `second life: ${textOf(second)}` };
}

function liveThrough(ground: MemoryGround): SeenOutcome {
	const life = new Life(ground);
	let outcome: SeenOutcome | null = null;
	try {
		life.begin((settled) => {
			outcome = settled;
		});
		while (outcome === null && ground.time.step());
	} catch (error) {
		outcome = { kind: "crashed", text: error instanceof Error ? error.message : String(error) };
	}
	life.kill();
	return outcome ?? { kind: "stuck", text: "nothing more happens" };
}
