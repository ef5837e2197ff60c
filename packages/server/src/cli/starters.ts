/** The processes that stand between this one and whoever typed the command: `npm start` makes six of them. */
import { readFileSync } from "node:fs";

/** What npm and its likes set for everything below them. */
const SCRIPT_VARIABLE = "npm_lifecycle_event";
const CHAIN_MAX = 16;

interface Starter {
	readonly pid: number;
	/** Tells a process from a later one with the same number. */
	readonly startTime: string;
}

/**
 * Tells whether one of them died. None passes every signal on, so that without this check a killed `npm start` would leave its
 * cluster running where nobody sees it. A process that was started directly has no such chain and is never told to go.
 */
export function watchStarters(environment: NodeJS.ProcessEnv): () => boolean {
	if (environment[SCRIPT_VARIABLE] === undefined) return () => false;
	const parent = process.ppid;
	const chain = findStarters(parent);
	return () => process.ppid !== parent || chain.some(({ pid, startTime }) => readStat(pid)?.startTime !== startTime);
}

/** From the parent up to the package manager itself. Empty outside Linux. */
function findStarters(parent: number): readonly Starter[] {
	const chain: Starter[] = [];
	let pid = parent;
	while (pid > 1 && chain.length < CHAIN_MAX) {
		const stat = readStat(pid);
		if (stat === null) break;
		chain.push({ pid, startTime: stat.startTime });
		if (!runsInScript(pid)) break;
		pid = stat.parent;
	}
	return chain;
}

function readStat(pid: number): { readonly parent: number; readonly startTime: string } | null {
	try {
		// Behind the name, which may hold anything: the state is field 3 of proc(5).
		const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
		const [state, parent, startTime] = [fields[0], fields[1], fields[19]];
		return state === "Z" || parent === undefined || startTime === undefined ? null : { parent: Number(parent), startTime };
	} catch {
		return null;
	}
}

function runsInScript(pid: number): boolean {
	try {
		return readFileSync(`/proc/${pid}/environ`, "latin1")
			.split("\0")
			.some((line) => line.startsWith(`${SCRIPT_VARIABLE}=`));
	} catch {
		return false;
	}
}
