/** A member's data folder on a file system of its own, small enough to be filled up. Needs root. */
import { mkdir } from "node:fs/promises";
import { runTool } from "../process/tools.ts";
import type { DeadMan } from "./dead-man-control.ts";

const DISK = "256m";

export class SmallDisks {
	private readonly deadMan: DeadMan;
	private readonly mounted: string[] = [];

	constructor(deadMan: DeadMan) {
		this.deadMan = deadMan;
	}

	async mount(folder: string): Promise<void> {
		await mkdir(folder, { recursive: true });
		this.deadMan.undo(folder, ["umount", "--lazy", folder]);
		this.mounted.push(folder);
		const { status, stderr } = await runTool("mount", ["-t", "tmpfs", "-o", `size=${DISK},mode=0700`, "flotilla-chaos", folder]);
		if (status !== 0) throw new Error(`A small disk cannot be mounted at ${folder}: ${stderr.trim()}`);
	}

	async close(): Promise<void> {
		for (const folder of this.mounted.splice(0)) {
			await runTool("umount", ["--lazy", folder]);
			this.deadMan.done(folder);
		}
	}
}
