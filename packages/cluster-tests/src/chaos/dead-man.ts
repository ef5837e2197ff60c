/**
 * The dead man's switch: a process that is told which processes to end and which commands to run then should its parent vanish.
 * Lines on standard input: `watch <pid>`, `forget <pid>`, `undo <name> <command as JSON list>`, `done <name>`; the end of the
 * input without `bye` is the parent's death.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** With the moment of each process's start: a number may be another's by then. */
const pids = new Map<number, string>();
const undos = new Map<string, readonly string[]>();
let parted = false;

for await (const line of createInterface({ input: process.stdin })) {
	const [word, name = "", ...rest] = line.split(" ");
	if (word === "watch") pids.set(Number(name), startOf(Number(name)));
	else if (word === "forget") pids.delete(Number(name));
	else if (word === "undo") undos.set(name, JSON.parse(rest.join(" ")) as string[]);
	else if (word === "done") undos.delete(name);
	else if (word === "bye") parted = true;
}
if (!parted) {
	for (const [pid, start] of pids) {
		if (start === "" || startOf(pid) !== start) continue;
		for (const signal of ["SIGCONT", "SIGKILL"] as const) {
			try {
				process.kill(pid, signal);
			} catch {
				// It ended by itself.
			}
		}
	}
	// What was made last is taken back first, when nobody uses it any more.
	for (const [program = "", ...args] of [...undos.values()].reverse()) spawnSync(program, args);
}

/** Empty when there is no such process. */
function startOf(pid: number): string {
	try {
		// Behind the name, which may hold anything but ends with the last bracket, the start is the 20th field.
		return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19] ?? "";
	} catch {
		return "";
	}
}
