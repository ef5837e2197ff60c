import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./dead-man.ts", import.meta.url));

/** Ends what this process started and mends what it broke, should it be killed itself. */
export class DeadMan {
	private readonly child: ChildProcess;
	private readonly ended: Promise<void>;

	constructor() {
		// A group of its own: a Ctrl-C in the terminal goes to the tester, and the switch must outlive it.
		this.child = spawn(process.execPath, ["--conditions=@flotilla/source", PROGRAM], {
			stdio: ["pipe", "ignore", "inherit"],
			detached: true,
		});
		this.child.stdin?.on("error", () => {});
		this.ended = new Promise((resolve) => this.child.once("exit", () => resolve()));
	}

	get pid(): number {
		return this.child.pid as number;
	}

	watch(pid: number): void {
		this.tell(`watch ${pid}`);
	}

	forget(pid: number): void {
		this.tell(`forget ${pid}`);
	}

	/** `command` runs if the tester dies before `done(name)`. `name` without blanks. */
	undo(name: string, command: readonly string[]): void {
		this.tell(`undo ${name} ${JSON.stringify(command)}`);
	}

	done(name: string): void {
		this.tell(`done ${name}`);
	}

	async close(): Promise<void> {
		this.tell("bye");
		this.child.stdin?.end();
		await this.ended;
	}

	private tell(line: string): void {
		this.child.stdin?.write(`${line}\n`);
	}
}
