import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Of a tool that ends by itself: reached only by one that never would, on a machine as busy as may be. */
const TOOL_MS = 180_000;
/**
 * etcdctl gives up after 2 s of dialing and 5 s of a call unless it is told otherwise, and flags that come later win: those of a test
 * that wants it to give up.
 */
const PATIENT = ["--dial-timeout=60s", "--command-timeout=60s"];

/** Clusters that a tool starts draw their ports from the slice of the test's worker, like the test itself; compiled code is kept where it is. */
export const WORKER: Readonly<Record<string, string>> = Object.fromEntries(
	["VITEST_POOL_ID", "NODE_COMPILE_CACHE"].flatMap((name) => {
		const value = process.env[name];
		return value === undefined ? [] : [[name, value]];
	}),
);

export interface ToolResult {
	readonly status: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs a program to its end with the given standard input. Never throws for its exit status; ends it after the time limit. */
export function runTool(
	program: string,
	args: readonly string[],
	options: { input?: string; environment?: Record<string, string>; timeoutMs?: number; folder?: string; until?: Promise<unknown> } = {},
): Promise<ToolResult> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			...(options.folder === undefined ? {} : { cwd: options.folder }),
			stdio: ["pipe", "pipe", "pipe"],
			env: { PATH: process.env.PATH, HOME: "/tmp", ...WORKER, ...options.environment },
		});
		let stdout = "";
		let stderr = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			stdout += text;
		});
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			stderr += text;
		});
		const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? TOOL_MS);
		// Some run until they are ended.
		const end = (): void => void child.kill("SIGTERM");
		options.until?.then(end, end);
		child.once("error", reject);
		child.once("close", (code, signal) => {
			clearTimeout(timer);
			resolve({ status: code ?? -1, stdout, stderr: signal === null ? stderr : `${stderr}[ended by ${signal}]` });
		});
		child.stdin.on("error", () => {});
		child.stdin.end(options.input ?? "");
	});
}

/** `etcdctl` of the v3 API against the given endpoints. */
export function etcdctl(
	endpoints: string | readonly string[],
	args: readonly string[],
	options: { input?: string; timeoutMs?: number; until?: Promise<unknown> } = {},
): Promise<ToolResult> {
	const list = typeof endpoints === "string" ? endpoints : endpoints.join(",");
	return runTool("etcdctl", ["--endpoints", list, ...PATIENT, ...args], { ...options, environment: { ETCDCTL_API: "3" } });
}

/** Whether a program is on the PATH: a test that needs it is skipped by name otherwise. */
export function haveProgram(name: string): boolean {
	return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));
}
