/** Lives in a process of its own, one after another: what some damage makes LevelDB do ends the whole process. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { realGround } from "./ground.ts";
import { Life, type LifeOutcome } from "./life.ts";

const PROGRAM = fileURLToPath(import.meta.url);

export type SeenOutcome = LifeOutcome | { readonly kind: "crashed"; readonly text: string };

export class LifeProcess {
	private child: ChildProcess | null = null;
	private stderr = "";

	/** One life of a member on this folder. */
	run(folder: string): Promise<SeenOutcome> {
		const child = this.child ?? this.begin();
		return new Promise((resolve) => {
			const answered = (outcome: LifeOutcome): void => {
				child.removeListener("close", ended);
				resolve(outcome);
			};
			const ended = (status: number | null, signal: string | null): void => {
				child.removeListener("message", answered);
				this.child = null;
				resolve({ kind: "crashed", text: `${signal ?? status}: ${this.stderr.trim().split("\n").slice(-14).join(" | ")}` });
			};
			child.once("message", answered);
			child.once("close", ended);
			child.send(folder);
		});
	}

	end(): void {
		this.child?.disconnect();
	}

	private begin(): ChildProcess {
		const child = fork(PROGRAM, [], { execArgv: ["--conditions=@flotilla/source"], stdio: ["ignore", "ignore", "pipe", "ipc"] });
		this.stderr = "";
		child.stderr?.setEncoding("utf8").on("data", (text: string) => {
			this.stderr = (this.stderr + text).slice(-2_000);
		});
		this.child = child;
		return child;
	}
}

if (process.argv[1] === PROGRAM) {
	process.on("message", (folder: string) => {
		void liveOn(folder).then((outcome) => process.send?.(outcome));
	});
	process.on("disconnect", () => process.exit(0));
}

async function liveOn(folder: string): Promise<LifeOutcome> {
	const life = new Life(realGround(folder));
	try {
		return await life.start();
	} finally {
		await life.end(false);
	}
}
