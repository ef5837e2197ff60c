import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Reached only by a program that would never come to it, on a machine as busy as may be. */
const PATIENCE_MS = 100_000;
export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
export const FLOTILLA = `${ROOT}bin/flotilla`;

/** Clusters that it starts draw their ports from the slice of the test's worker. */
const WORKER = process.env.VITEST_POOL_ID === undefined ? {} : { VITEST_POOL_ID: process.env.VITEST_POOL_ID };

export interface Ending {
	/** Exit status, or the name of the signal. */
	readonly end: number | string;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunOptions {
	readonly environment?: Readonly<Record<string, string>>;
	readonly folder?: string;
}

/** A program under test. It is killed with its group when the test ends (`await using`). */
export class Program implements AsyncDisposable {
	readonly ended: Promise<Ending>;
	private readonly child: ChildProcess;
	private output = { stdout: "", stderr: "" };
	private watchers = new Set<() => void>();

	constructor(program: string, args: readonly string[], { environment = {}, folder }: RunOptions = {}) {
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...WORKER, ...environment };
		this.child = spawn(program, args, {
			stdio: ["pipe", "pipe", "pipe"],
			env,
			detached: true,
			...(folder === undefined ? {} : { cwd: folder }),
		});
		for (const name of ["stdout", "stderr"] as const) {
			this.child[name]?.setEncoding("utf8").on("data", (text: string) => {
				this.output[name] += text;
				for (const watcher of this.watchers) watcher();
			});
		}
		this.child.stdin?.on("error", () => {});
		this.ended = new Promise((resolve, reject) => {
			this.child.once("error", reject);
			this.child.once("close", (code, signal) => {
				resolve({ end: code ?? signal ?? "unknown", ...this.output });
				for (const watcher of this.watchers) watcher();
			});
		});
	}

	get pid(): number {
		return this.child.pid as number;
	}

	get running(): boolean {
		return this.child.exitCode === null && this.child.signalCode === null;
	}

	get stdout(): string {
		return this.output.stdout;
	}

	get stderr(): string {
		return this.output.stderr;
	}

	signal(name: NodeJS.Signals): void {
		this.child.kill(name);
	}

	/** To its standard input; null ends it. */
	type(text: string | null): void {
		if (text === null) this.child.stdin?.end();
		else this.child.stdin?.write(text);
	}

	/** Resolves with the match once either output has it; rejects when the program ends without it, or does not come to it. */
	said(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<RegExpExecArray> {
		return new Promise((resolve, reject) => {
			const finish = (act: () => void): void => {
				clearTimeout(timer);
				this.watchers.delete(look);
				act();
			};
			const look = (): void => {
				const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
				if (match !== null) finish(() => resolve(match));
				else if (!this.running) finish(() => reject(new Error(`it ended before it said ${pattern}:\n${this.everything}`)));
			};
			const timer = setTimeout(
				() => finish(() => reject(new Error(`it did not say ${pattern} within ${timeoutMs} ms:\n${this.everything}`))),
				timeoutMs,
			);
			this.watchers.add(look);
			look();
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.running) {
			try {
				process.kill(-this.pid, "SIGKILL");
			} catch {
				this.child.kill("SIGKILL");
			}
		}
		await this.ended;
	}

	private get everything(): string {
		return `${this.stdout.slice(-4_000)}\n${this.stderr.slice(-4_000)}`;
	}
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
	await using program = new Program(FLOTILLA, args, options);
	program.type(null);
	const timer = setTimeout(() => program.signal("SIGKILL"), PATIENCE_MS);
	const ending = await program.ended;
	clearTimeout(timer);
	return ending;
}

export interface LogLine {
	readonly level: string;
	readonly msg: string;
	readonly [field: string]: unknown;
}

export function logLines(text: string): LogLine[] {
	return text
		.split("\n")
		.filter((line) => line.startsWith("{"))
		.map((line) => JSON.parse(line) as LogLine);
}
