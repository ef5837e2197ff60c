/** Memory of members' processes, as Linux counts it. */
import { readFile } from "node:fs/promises";
import type { ClusterMember } from "./cluster.ts";

const SAMPLE_MS = 50;

/** The highest memory of each process, looked at now and then. */
export class MemoryWatch {
	private readonly members: readonly ClusterMember[];
	private readonly peaks: number[];
	private readonly timer: NodeJS.Timeout;

	constructor(members: readonly ClusterMember[]) {
		this.members = members;
		this.peaks = members.map(() => 0);
		this.timer = setInterval(() => void this.look(), SAMPLE_MS);
	}

	async stop(): Promise<readonly number[]> {
		clearInterval(this.timer);
		await this.look();
		return this.peaks;
	}

	private async look(): Promise<void> {
		const bytes = await Promise.all(this.members.map((member) => ownBytes(member)));
		for (const [at, each] of bytes.entries()) this.peaks[at] = Math.max(this.peaks[at] as number, each);
	}
}

/** Without the pages of files: LevelDB maps its tables, and what it reads of them counts as resident. 0 while it does not run. */
export async function ownBytes({ process }: ClusterMember): Promise<number> {
	if (!process.running) return 0;
	const status = await readFile(`/proc/${process.pid}/status`, "utf8").catch(() => "");
	return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024;
}
