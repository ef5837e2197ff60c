/**
 * README.md tells the truth: every shell block in it is run, line for line as it stands there, in its order. A comment before
 * a block says how, so that a block without one cannot slip in:
 *
 *   <!-- runs: in the background, until "TEXT" -->    the last command stays, the block is done when it has printed the text
 *   <!-- runs: with ETCDCTL_ENDPOINTS as printed -->  needs etcdctl, and the line that the background command printed
 *   <!-- runs: with h2load -->                        needs h2load
 *   <!-- runs: -->                                    just so
 *   <!-- types: K, until "TEXT" -->                   (before prose) the key is pressed in the background command
 *
 * Ports and folder of the cluster come from the environment, so that it stands beside whatever else this machine runs.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveProgram, WORKER } from "../src/process/tools.ts";

/** Reached only by what will never come, on a machine as busy as may be. */
const PATIENCE_MS = 120_000;
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const README = await readFile(join(ROOT, "README.md"), "utf8");

interface Step {
	readonly line: number;
	readonly kind: "runs" | "types";
	readonly how: string;
	/** Commands, or the key. */
	readonly text: string;
}

function readSteps(markdown: string): Step[] {
	const steps: Step[] = [];
	const lines = markdown.split("\n");
	for (const [at, line] of lines.entries()) {
		if (/^```(sh|shell|bash|console)\b/.test(line) && !/^<!-- runs: .*-->$|^<!-- runs: -->$/.test(lines[at - 1] ?? "")) {
			throw new Error(`README.md:${at + 1}: a shell block without a comment that says how it runs`);
		}
		const mark = /^<!-- (runs|types): ?(.*?) ?-->$/.exec(line);
		if (mark === null) continue;
		const [, kind, how] = mark as unknown as [string, Step["kind"], string];
		if (kind === "types") steps.push({ line: at + 1, kind, how, text: how.slice(0, how.indexOf(",")) });
		else steps.push({ line: at + 1, kind, how, text: lines.slice(at + 2, lines.indexOf("```", at + 2)).join("\n") });
	}
	return steps;
}

function textToWaitFor(how: string): string {
	return /until "(.*)"/.exec(how)?.[1] ?? "";
}

/** A shell that runs one block. Its group is killed in the end, whatever became of it. */
class Shell {
	output = "";
	readonly ended: Promise<number | string>;
	private readonly child: ChildProcess;
	private watchers = new Set<() => void>();

	constructor(commands: string, environment: Readonly<Record<string, string>>) {
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...WORKER, ...environment };
		this.child = spawn("/bin/sh", ["-e", "-c", commands], { cwd: ROOT, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
		this.child.stdin?.on("error", () => {});
		for (const stream of [this.child.stdout, this.child.stderr]) {
			stream?.setEncoding("utf8").on("data", (text: string) => {
				this.output += text;
				for (const watcher of this.watchers) watcher();
			});
		}
		this.ended = new Promise((resolve, reject) => {
			this.child.once("error", reject);
			this.child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
		});
	}

	press(key: string): void {
		this.child.stdin?.write(key);
	}

	/** Waits for text that comes after what was there before. */
	async says(text: string, from: number, timeoutMs: number): Promise<void> {
		let done = (): void => {};
		const found = new Promise<void>((resolve) => {
			done = () => {
				if (this.output.indexOf(text, from) >= 0) resolve();
			};
			this.watchers.add(done);
			done();
		});
		let cancel = (): void => {};
		const late = new Promise<never>((_, reject) => {
			const timer = setTimeout(() => reject(new Error(`no ${JSON.stringify(text)} within ${timeoutMs} ms:\n${this.output}`)), timeoutMs);
			cancel = () => clearTimeout(timer);
		});
		const over = this.ended.then((how) => {
			if (this.output.indexOf(text, from) < 0) throw new Error(`it ended (${how}) without ${JSON.stringify(text)}:\n${this.output}`);
		});
		try {
			await Promise.race([found, late, over]);
		} finally {
			cancel();
			this.watchers.delete(done);
		}
	}

	kill(): void {
		try {
			process.kill(-(this.child.pid as number), "SIGKILL");
		} catch {
			// All of them have ended already.
		}
	}
}

describe("README.md", () => {
	let folder: string;
	let environment: Record<string, string>;
	let cluster: Shell | null = null;
	let pressed = 0;
	const steps = readSteps(README);

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-readme-"));
		environment = {
			FLOTILLA_DATA_DIR: join(folder, "data"),
			FLOTILLA_CLIENT_PORTS: "0,0,0",
			FLOTILLA_PEER_PORTS: "0,0,0",
			// What stands in the README needs no such patience where nothing else runs.
			ETCDCTL_DIAL_TIMEOUT: "60s",
			ETCDCTL_COMMAND_TIMEOUT: "60s",
		};
	});

	afterAll(async () => {
		cluster?.press("q");
		const patience = setTimeout(() => cluster?.kill(), PATIENCE_MS);
		expect(await cluster?.ended).toBe(0);
		clearTimeout(patience);
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	});

	test("has its commands where this test finds them", () => {
		expect(steps.filter(({ kind }) => kind === "runs").map(({ text }) => text)).toContain("npm run setup\nnpm start");
		expect(steps.length).toBeGreaterThanOrEqual(7);
	});

	for (const step of steps) {
		const needs = step.how.includes("ETCDCTL") ? "etcdctl" : step.how.includes("h2load") ? "h2load" : "";
		const title = step.kind === "types" ? `the key ${step.text}` : step.text.split("\n").join("; ");
		test.skipIf(needs !== "" && !haveProgram(needs))(`line ${step.line}: ${title}${needs === "" ? "" : ` (needs ${needs})`}`, async () => {
			if (step.kind === "types") await pressKey(step);
			else if (step.how.startsWith("in the background")) {
				cluster = new Shell(step.text, environment);
				await cluster.says(textToWaitFor(step.how), 0, 240_000);
				await cluster.says("REVISION", 0, PATIENCE_MS);
			} else await runBlock(step);
		});
	}

	async function pressKey({ how, text }: Step): Promise<void> {
		const from = cluster?.output.length ?? 0;
		cluster?.press(text);
		pressed++;
		await cluster?.says(textToWaitFor(how), from, PATIENCE_MS);
	}

	async function runBlock({ how, text }: Step): Promise<void> {
		const printed = /export (ETCDCTL_ENDPOINTS)=(\S+)/.exec(cluster?.output ?? "");
		const endpoints = how.includes("ETCDCTL_ENDPOINTS") ? { ETCDCTL_ENDPOINTS: printed?.[2] ?? "" } : {};
		const shell = new Shell(text, { ...environment, ...endpoints });
		const patience = setTimeout(() => shell.kill(), 240_000);
		expect(await shell.ended, shell.output).toBe(0);
		clearTimeout(patience);
		checkOutput(text, shell.output);
	}

	/** What a reader would look for in the output of what was just typed. */
	function checkOutput(commands: string, output: string): void {
		if (commands.includes("put greeting")) expect(output).toContain("OK\n");
		if (commands.includes("get greeting")) expect(output).toContain("greeting\nhello\n");
		if (commands.includes("endpoint status")) expect(output.match(/^\| +127\.0\.0\.1:\d+ .*\| +(true|false) \|/gm)).toHaveLength(3);
		if (commands.includes("bench")) expect(output).toMatch(/^put, 256 streams on 16 connections +[\d,.]+\/s /m);
		if (commands.includes("--version")) expect(output).toContain("etcd Version: 3.6.");
	}

	test("pressed its keys", () => expect(pressed).toBe(2));
});
