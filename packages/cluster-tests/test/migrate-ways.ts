/** What the tests of `flotilla migrate` share: both directions, their clusters, and a tool that must succeed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { Migration } from "../src/process/migration.ts";
import type { ToolResult } from "../src/process/tools.ts";

export const MINUTE = 60_000;

export type Program = "etcd" | "flotilla";

/** From the one into the other. */
export const WAYS = [
	["etcd", "flotilla"],
	["flotilla", "etcd"],
] as const satisfies ReadonlyArray<readonly [from: Program, to: Program]>;

/** What one test has started. It is undone when that test has ended, the last first: others go on beside it. */
export class Scene {
	private readonly works: Array<() => unknown> = [];

	constructor({ onTestFinished }: Pick<TestContext, "onTestFinished">) {
		onTestFinished(async () => {
			for (const work of this.works.splice(0).reverse()) await work();
		});
	}

	later(work: () => unknown): void {
		this.works.push(work);
	}

	/** Passwords cost next to nothing there. */
	async start(program: Program, size: number): Promise<ProcessCluster> {
		const cluster = await ProcessCluster.start({ program, size, flags: ["--bcrypt-cost", "4"] });
		this.later(() => cluster.dispose());
		return cluster;
	}

	client(at: string): KvClient {
		const made = new KvClient(at);
		this.later(() => made.close());
		return made;
	}

	migration(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Migration {
		const made = new Migration(args, environment);
		this.later(() => made.end());
		return made;
	}

	between(source: ProcessCluster, target: ProcessCluster, ...more: string[]): Migration {
		return this.migration(["--from", source.endpoints.join(","), "--to", target.endpoints.join(","), ...more]);
	}

	async folder(): Promise<string> {
		const made = await mkdtemp(join(tmpdir(), "flotilla-migrate-"));
		this.later(() => rm(made, { recursive: true, force: true }));
		return made;
	}
}

/** What a tool says that must succeed. */
export async function good(result: Promise<ToolResult>): Promise<string> {
	const { status, stdout, stderr } = await result;
	if (status !== 0) throw new Error(stderr);
	return stdout;
}
