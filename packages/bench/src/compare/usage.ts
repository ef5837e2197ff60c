/** What a process has used so far, by Linux's /proc. */
import { readFile } from "node:fs/promises";

/** Clock ticks a second in /proc: the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface Usage {
	readonly cpuSeconds: number;
	readonly residentBytes: number;
}

/** Zeros where there is no /proc, or no such process. */
export async function usageOf(pid: number): Promise<Usage> {
	const [stat, status] = await Promise.all(["stat", "status"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "")));
	// The name of the program stands in brackets and may hold blanks.
	const fields = (stat as string).slice((stat as string).lastIndexOf(")") + 2).split(" ");
	const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
	const resident = Number(/VmRSS:\s+(\d+) kB/.exec(status as string)?.[1] ?? 0);
	return { cpuSeconds: ticks / TICKS_PER_SECOND, residentBytes: resident * 1_024 };
}
