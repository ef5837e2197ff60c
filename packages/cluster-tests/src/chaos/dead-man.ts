/**
 * The dead man's switch: a process that is told which processes to end and which commands to run then should its parent vanish.
 * Lines on standard input: `watch <pid>`, `forget <pid>`, `undo <name> <command as JSON list>`, `done <name>`; the end of the
 * input without `bye` is the parent's death.
 */
import { spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessRow, processRow, stillRuns } from "../process/process-table.ts";

/** A killed process may take so long to let go of its files and mounts, and a command so long to run. */
const END_MS = 10_000;
const LOOK_MS = 20;
const COMMAND_MS = 60_000;
/** Commands that fail are tried again in so many rounds: what they take back may be held by somebody who is only just letting go. */
const ROUNDS = 20;
const AGAIN_MS = 500;

/** With the moment of each process's start: a number may be another's by then. */
const watched = new Map<number, ProcessRow | null>();
const undos = new Map<string, readonly string[]>();
let parted = false;

for await (const line of createInterface({ input: process.stdin })) {
	const [word, name = "", ...rest] = line.split(" ");
	if (word === "watch") watched.set(Number(name), processRow(Number(name)));
	else if (word === "forget") watched.delete(Number(name));
	else if (word === "undo") undos.set(name, JSON.parse(rest.join(" ")) as string[]);
	else if (word === "done") undos.delete(name);
	else if (word === "bye") parted = true;
}
if (!parted) {
	const left = [...watched.values()].filter((row) => row !== null && stillRuns(row)) as ProcessRow[];
	for (const { pid } of left) {
		for (const signal of ["SIGCONT", "SIGKILL"] as const) {
			try {
				process.kill(pid, signal);
			} catch {
				// It ended by itself.
			}
		}
	}
	// Nobody must write into a folder that is being removed.
	const untilMs = performance.now() + END_MS;
	while (left.some(stillRuns) && performance.now() < untilMs) await sleep(LOOK_MS);
	// What was made last is taken back first, when nobody uses it any more.
	let undone = [...undos.values()].reverse();
	for (let round = 1; round <= ROUNDS && undone.length > 0; round++) {
		if (round > 1) await sleep(AGAIN_MS);
		undone = undone.filter(([program = "", ...args]) => spawnSync(program, args, { timeout: COMMAND_MS }).status !== 0);
	}
}
