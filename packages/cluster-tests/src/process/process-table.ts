/** The processes of this machine, as the kernel tells of them. */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessRow {
	readonly pid: number;
	readonly parent: number;
	/** `R`, `S`, `T` (stopped), `t` (by a tracer), `Z` and others. */
	readonly state: string;
	/** Since the machine's start; with the number it names a process for ever. */
	readonly start: string;
	readonly command: string;
}

/** Null when there is no such process. */
export function processRow(pid: number): ProcessRow | null {
	try {
		// Behind the name, which may hold anything but ends with the last bracket.
		const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
		const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
		return { pid, parent: Number(fields[1]), state: fields[0] ?? "", start: fields[19] ?? "", command };
	} catch {
		return null;
	}
}

/** Who follows its system calls; 0: nobody. */
export function tracerOf(pid: number): number {
	try {
		return Number(/^TracerPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
	} catch {
		return 0;
	}
}

/** Of one process all that it started, and what these started. */
export function descendants(pid: number): ProcessRow[] {
	const rows = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (processRow(Number(name)) ?? []) : []));
	const found: ProcessRow[] = [];
	const below = (parent: number): void => {
		for (const row of rows) {
			if (row.parent !== parent) continue;
			found.push(row);
			below(row.pid);
		}
	};
	below(pid);
	return found;
}

/** Whether this very process still runs; one that nobody has buried yet does not. */
export function stillRuns({ pid, start }: ProcessRow): boolean {
	const row = processRow(pid);
	return row !== null && row.start === start && row.state !== "Z";
}
