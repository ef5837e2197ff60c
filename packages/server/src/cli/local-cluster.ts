/** `npm start`: three members on this machine, a live table of them, and keys to break and mend them. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { LocalMember } from "./local-member.ts";
import { type PortPlan, type PortRow, planPorts } from "./local-ports.ts";
import { LocalTable } from "./local-table.ts";

const PLAN_FILE = "cluster.json";
const STOP_MS = 10_000;
const REDRAW_MS = 500;

interface SavedPlan {
	readonly format: 1;
	readonly members: readonly PortRow[];
}

async function readPlan(path: string): Promise<SavedPlan | null> {
	let text: string;
	try {
		text = await readFile(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
		throw error;
	}
	const plan = parsePlan(text);
	if (plan === null) throw new Refusal(`${path} is not a file of this program. Name another folder with --data-dir, or remove it.`);
	return plan;
}

function parsePlan(text: string): SavedPlan | null {
	try {
		const plan = JSON.parse(text) as SavedPlan;
		const sound =
			plan.format === 1 && plan.members.length > 0 && plan.members.every(({ clientPort, peerPort }) => clientPort > 0 && peerPort > 0);
		return sound ? plan : null;
	} catch {
		return null;
	}
}

/** Something that the person can mend: its text is all that is printed. */
class Refusal extends Error {}

async function choosePorts(folder: string, say: (line: string) => void): Promise<readonly PortRow[]> {
	const path = join(folder, PLAN_FILE);
	const saved = await readPlan(path);
	const plan: PortPlan = await planPorts(saved?.members ?? null);
	if (plan.kind === "taken") {
		throw new Refusal(
			`Port ${plan.port} is taken, and the cluster in ${folder} was made with it. Stop what uses it, or name another folder: npm start -- --data-dir <folder>`,
		);
	}
	for (const { wanted, used } of plan.moved) say(`Port ${wanted} is taken; using ${used} instead.`);
	if (saved === null) await writeFile(path, `${JSON.stringify({ format: 1, members: plan.members } satisfies SavedPlan, null, "\t")}\n`);
	return plan.members;
}

async function run(): Promise<number> {
	const { values } = parseArgs({ options: { "data-dir": { type: "string", default: "flotilla-data" } } });
	const folder = resolve(values["data-dir"]);
	const say = (line: string): void => console.log(line);
	await mkdir(folder, { recursive: true, mode: 0o700 });
	const rows = await choosePorts(folder, say);
	const initialCluster = rows.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(",");
	const members = rows.map((row) => new LocalMember(row, folder, initialCluster));
	const table = new LocalTable(members, process.stdout);
	say(`Data: ${relative(process.cwd(), folder) || "."} (one folder and one log file a member)`);

	const stopping = new AbortController();
	const stop = (): void => stopping.abort();
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
	try {
		const started = performance.now();
		say("Starting three members ...");
		await Promise.all(members.map((member) => member.start()));
		say(`Ready after ${Math.round(performance.now() - started)} ms.\n`);
		await table.refresh();
		table.draw();
		sayWhatNext(rows, (line) => {
			say(line);
			table.linesBelow += line.split("\n").length;
		});
		const keys = takeKeys(members, table, stop);
		await watch(members, table, stopping.signal);
		keys();
	} finally {
		table.leave();
		say("Stopping ...");
		await Promise.all(members.map((member) => member.stop(STOP_MS)));
	}
	say("Stopped. The data stays; npm start goes on from it.");
	return 0;
}

function sayWhatNext(rows: readonly PortRow[], say: (line: string) => void): void {
	const endpoints = rows.map(({ clientPort }) => `127.0.0.1:${clientPort}`).join(",");
	say("\nTry next, in another terminal:\n");
	say(`  etcdctl --endpoints=${endpoints} put greeting hello`);
	say(`  etcdctl --endpoints=${endpoints} get greeting`);
	say(`  etcdctl --endpoints=${endpoints} endpoint status --write-out=table\n`);
	if (process.stdin.isTTY) say("Keys: k kills the leader, r starts dead members again, q stops.\n");
}

/** Returns what puts the terminal back. */
function takeKeys(members: readonly LocalMember[], table: LocalTable, stop: () => void): () => void {
	const { stdin } = process;
	if (!stdin.isTTY) return () => {};
	stdin.setRawMode(true);
	stdin.resume();
	stdin.on("data", (chunk: Buffer) => {
		for (const key of chunk.toString("latin1")) {
			if (key === "q" || key === "\u0003" || key === "\u0004") stop();
			else if (key === "k") table.leader()?.kill();
			else if (key === "r") for (const member of members) if (!member.running) member.start().catch(() => {});
		}
	});
	return () => {
		stdin.setRawMode(false);
		stdin.pause();
	};
}

async function watch(members: readonly LocalMember[], table: LocalTable, stopped: AbortSignal): Promise<void> {
	while (!stopped.aborted) {
		await new Promise<void>((wake) => {
			const timer = setTimeout(wake, REDRAW_MS);
			stopped.addEventListener("abort", () => {
				clearTimeout(timer);
				wake();
			});
		});
		await table.refresh();
		if (!stopped.aborted) table.draw();
		if (members.every((member) => !member.running) && !process.stdin.isTTY)
			throw new Refusal("All members have ended; see their log files.");
	}
}

try {
	process.exitCode = await run();
} catch (error) {
	console.error(error instanceof Error ? error.message : String(error));
	process.exitCode = 1;
}
