/** `flotilla migrate` as an operator runs it: what it says so far, and what is answered. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { FLOTILLA_PROGRAM } from "./cluster.ts";

const MINUTE = 60_000;

export class Migration {
	output = "";
	readonly status: Promise<number>;
	private readonly child: ChildProcessWithoutNullStreams;
	private readonly listeners = new Set<() => void>();

	constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
		const child = spawn(FLOTILLA_PROGRAM, ["migrate", ...args], { env: { PATH: process.env.PATH, ...environment } });
		this.child = child;
		child.stdin.on("error", () => {});
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding("utf8").on("data", (text: string) => {
				this.output += text;
				for (const look of [...this.listeners]) look();
			});
		}
		this.status = new Promise((resolve) => child.once("close", (code) => resolve(code ?? -1)));
	}

	/** In the very turn in which it has come. Fails at once when it has ended without a word of it. */
	async says(text: string | RegExp, timeoutMs = 3 * MINUTE): Promise<void> {
		const found = (): boolean => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
		let look = (): void => {};
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, timeoutMs);
		});
		const said = new Promise<void>((resolve) => {
			look = () => {
				if (found()) resolve();
			};
			this.listeners.add(look);
			look();
		});
		await Promise.race([said, late, this.status]);
		clearTimeout(timer);
		this.listeners.delete(look);
		if (!found()) throw new Error(`it does not say ${text}, but:\n${this.output}`);
	}

	pressEnter(): Promise<number> {
		this.child.stdin.write("\n");
		return this.status;
	}

	signal(name: NodeJS.Signals): void {
		this.child.kill(name);
	}

	end(): void {
		this.child.kill("SIGKILL");
	}
}
