/** Judges damages in memory, hundreds a second, in a process of its own for each core. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Damage } from "./damages.ts";
import type { Master } from "./master.ts";
import { tryInMemory } from "./trials.ts";
import type { TrialResult } from "./verdict.ts";

const PROGRAM = fileURLToPath(import.meta.url);

type ToJudge = { readonly master: Master } | { readonly damages: readonly Damage[] };

export class JudgeProcess {
	private readonly child: ChildProcess;

	constructor(master: Master) {
		this.child = fork(PROGRAM, [], { execArgv: ["--conditions=@flotilla/source"], serialization: "advanced" });
		this.child.send({ master } satisfies ToJudge);
	}

	judge(damages: readonly Damage[]): Promise<readonly TrialResult[]> {
		return new Promise((resolve, reject) => {
			const ended = (status: number | null, signal: string | null): void => reject(new Error(`a judge ended: ${signal ?? status}`));
			this.child.once("exit", ended);
			this.child.once("message", (results: readonly TrialResult[]) => {
				this.child.removeListener("exit", ended);
				resolve(results);
			});
			this.child.send({ damages } satisfies ToJudge);
		});
	}

	end(): void {
		this.child.disconnect();
	}
}

if (process.argv[1] === PROGRAM) {
	let master: Master | null = null;
	process.on("message", (message: ToJudge) => {
		if ("master" in message) master = message.master;
		else process.send?.(message.damages.map((damage) => tryInMemory(master as Master, damage)));
	});
	process.on("disconnect", () => process.exit(0));
}
