import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

/** A program that runs on, like a watch: what it has printed so far, and its end. */
export class RunningTool {
	stdout = "";
	stderr = "";
	/** Exit status; null while it runs. */
	status: number | null = null;
	private readonly child: ChildProcessWithoutNullStreams;
	private readonly closed: Promise<void>;

	constructor(program: string, args: readonly string[], environment: Record<string, string> = {}) {
		this.child = spawn(program, args, { env: { PATH: process.env.PATH, HOME: "/tmp", ...environment } });
		this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
			this.stdout += text;
		});
		this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
			this.stderr += text;
		});
		this.child.stdin.on("error", () => {});
		this.closed = new Promise((resolve) => {
			this.child.once("error", () => resolve());
			this.child.once("close", (code) => {
				this.status = code ?? -1;
				resolve();
			});
		});
	}

	write(text: string): void {
		this.child.stdin.write(text);
	}

	/** Sends it a signal, and resolves with its exit status when it has ended. */
	async signal(name: NodeJS.Signals): Promise<number | null> {
		this.child.kill(name);
		await this.closed;
		return this.status;
	}

	async end(): Promise<void> {
		this.child.kill("SIGKILL");
		await this.closed;
	}
}

export function runningEtcdctl(
	endpoints: readonly string[],
	args: readonly string[],
	environment: Record<string, string> = {},
): RunningTool {
	return new RunningTool("etcdctl", ["--endpoints", endpoints.join(","), ...args], { ETCDCTL_API: "3", ...environment });
}
