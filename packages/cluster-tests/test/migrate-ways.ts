/** What the tests of `flotilla migrate` share: both directions, their clusters, and a tool that must succeed. */
import { ProcessCluster } from "../src/process/cluster.ts";
import type { ToolResult } from "../src/process/tools.ts";

export const MINUTE = 60_000;

export type Program = "etcd" | "flotilla";

/** From the one into the other. */
export const WAYS = [
	["etcd", "flotilla"],
	["flotilla", "etcd"],
] as const satisfies ReadonlyArray<readonly [from: Program, to: Program]>;

/** Undone by the test that asked for it, the last first. */
export class CleanUp {
	private readonly works: Array<() => unknown> = [];

	later(work: () => unknown): void {
		this.works.push(work);
	}

	async now(): Promise<void> {
		for (const work of this.works.splice(0).reverse()) await work();
	}
}

/** Passwords cost next to nothing there. */
export async function startCluster(cleanUp: CleanUp, program: Program, size: number): Promise<ProcessCluster> {
	const cluster = await ProcessCluster.start({ program, size, flags: ["--bcrypt-cost", "4"] });
	cleanUp.later(() => cluster.dispose());
	return cluster;
}

/** What a tool says that must succeed. */
export async function good(result: Promise<ToolResult>): Promise<string> {
	const { status, stdout, stderr } = await result;
	if (status !== 0) throw new Error(stderr);
	return stdout;
}
