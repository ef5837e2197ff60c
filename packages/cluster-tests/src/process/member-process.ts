import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";

/**
 * Which members have from this process: where compiled code is kept, and the adapter
 * (`ETCD_GRPC_SERVER=grpc-js npm test -- packages/cluster-tests/test` runs every test of real processes on the other one).
 */
const HANDED_ON = ["NODE_COMPILE_CACHE", "ETCD_GRPC_SERVER"] as const;
const INHERITED: Readonly<Record<string, string>> = Object.fromEntries(
	HANDED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
);

export interface LogLine {
	readonly level: string;
	readonly msg: string;
	readonly [field: string]: unknown;
}

export interface ProcessSpec {
	readonly name: string;
	readonly program: string;
	readonly args: readonly string[];
	readonly environment?: Readonly<Record<string, string>>;
	/** Everything the process prints goes here, one life after another. */
	readonly logFile: string;
	/** A line of standard error that contains this says: ready. */
	readonly readyText: string;
	/** In a process group of its own: a Ctrl-C in the terminal is for this process and not for the member. */
	readonly apart?: boolean;
}

/** Of a start: reached only by what will never be ready, on a machine as busy as may be. */
const START_MS = 180_000;
/** A process that has ended and left its output open to another one: its end counts all the same. */
const LAST_WORDS_MS = 5_000;

/** One real server process that can be killed, paused and started again. Only ever signals what it started itself. */
export class MemberProcess {
	readonly spec: ProcessSpec;
	private child: ChildProcess | null = null;
	private exit: Promise<number | string> = Promise.resolve("never started");
	private log: WriteStream | null = null;
	private recent: string[] = [];
	private lineListeners = new Set<(line: string) => void>();
	/** Wall milliseconds from the last start to its ready line. */
	readyMs = -1;

	constructor(spec: ProcessSpec) {
		this.spec = spec;
	}

	get running(): boolean {
		return this.child !== null;
	}

	get pid(): number {
		if (this.child?.pid === undefined) throw new Error(`${this.spec.name} is not running`);
		return this.child.pid;
	}

	/** Last lines of output, for failure messages. */
	get tail(): string {
		return this.recent.slice(-30).join("\n");
	}

	/** What it said last, short enough to be shown. */
	get lastLine(): string {
		return (this.recent.at(-1) ?? "").slice(0, 300);
	}

	/** Starts the process; resolves when it has printed its ready line. */
	async start(timeoutMs = START_MS): Promise<void> {
		const started = performance.now();
		const ready = this.waitForLine((line) => line.includes(this.spec.readyText), timeoutMs);
		this.spawn();
		await ready;
		this.readyMs = performance.now() - started;
	}

	/** Starts without waiting. */
	spawn(): void {
		if (this.child !== null) throw new Error(`${this.spec.name} is already running`);
		// Without room for it the log ends, and the process goes on.
		this.log ??= createWriteStream(this.spec.logFile, { flags: "a" }).on("error", () => {});
		const child = spawn(this.spec.program, this.spec.args, {
			// Never written to; its end tells a member that was asked to listen for it that this process is gone.
			stdio: ["pipe", "pipe", "pipe"],
			detached: this.spec.apart === true,
			env: { PATH: process.env.PATH, ...INHERITED, ...this.spec.environment },
		});
		this.child = child;
		for (const stream of [child.stdout, child.stderr]) {
			let rest = "";
			stream?.setEncoding("utf8");
			stream?.on("data", (text: string) => {
				this.log?.write(text);
				const lines = (rest + text).split("\n");
				rest = lines.pop() ?? "";
				for (const line of lines) this.onLine(line);
			});
		}
		// What it said last arrives behind its end: whoever waits for the end may look at its words.
		this.exit = new Promise((resolve) => {
			child.once("error", (error) => resolve(error.message));
			child.once("exit", (code, signal) => {
				if (this.child === child) this.child = null;
				const how = code ?? signal ?? "unknown";
				const late = setTimeout(() => resolve(how), LAST_WORDS_MS);
				child.once("close", () => {
					clearTimeout(late);
					resolve(how);
				});
			});
		});
	}

	/** Sends a signal to this process alone and waits for its end (not for SIGSTOP and SIGCONT). Resolves with status or signal. */
	async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | string> {
		const child = this.child;
		if (child === null) return this.exit;
		child.kill(signal);
		return signal === "SIGSTOP" || signal === "SIGCONT" ? signal : this.exit;
	}

	exited(): Promise<number | string> {
		return this.exit;
	}

	waitForLine(match: (line: string) => boolean, timeoutMs: number): Promise<string> {
		return new Promise((resolve, reject) => {
			const done = (act: () => void): void => {
				clearTimeout(timer);
				this.lineListeners.delete(listener);
				act();
			};
			const listener = (line: string): void => {
				if (match(line)) done(() => resolve(line));
			};
			const timer = setTimeout(
				() => done(() => reject(new Error(`${this.spec.name}: no such line within ${timeoutMs} ms; last output:\n${this.tail}`))),
				timeoutMs,
			);
			this.lineListeners.add(listener);
			// A process that ends will never say it.
			queueMicrotask(() => {
				void this.exit.then((how) => {
					if (this.lineListeners.has(listener) && how !== "never started" && this.child === null) {
						done(() => reject(new Error(`${this.spec.name} ended (${how}) instead; last output:\n${this.tail}`)));
					}
				});
			});
		});
	}

	async dispose(): Promise<void> {
		const child = this.child;
		if (child !== null) {
			child.kill("SIGCONT");
			child.kill("SIGKILL");
			await this.exit;
		}
		this.log?.end();
	}

	private onLine(line: string): void {
		this.recent.push(line);
		if (this.recent.length > 200) this.recent.splice(0, 100);
		for (const listener of [...this.lineListeners]) listener(line);
	}
}
