/**
 * `flotilla chaos`, `npm run chaos`: breaks a real cluster and ends with a verdict and a report. Exit status 0: every promise was
 * kept; 1: one was broken; 2: the call was wrong; 3: nobody can tell; 4: the run could not be made.
 */

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wholeNumber } from "@flotilla/base/command";
import { isReaderGone, OutputLost, print } from "@flotilla/server/internal";
import { conclude } from "./conclusion.ts";
import { EarlyEnd } from "./early-end.ts";
import { takesOf } from "./faults/fault-table.ts";
import { FAULTS, missingFor } from "./faults/index.ts";
import { readHistory, writeHistory } from "./history-file.ts";
import type { Judgement } from "./judge.ts";
import { missingAt } from "./places/index.ts";
import { cannotAt, PLACES } from "./places/place.ts";
import { HISTORY, holdsRun, MEMBERS, ReportFolder, unusedFolder } from "./report-folder.ts";
import { type RunOptions, runScenario } from "./run.ts";
import { BOUNDS, parseScenario, type Scenario } from "./scenario.ts";
import { adaptersOf, labelOf, type PlannedRun, type RunEnd, tableOf, verdictOver } from "./series.ts";
import { LinesLeft, REST_MS, SHORT_SECONDS, shortForm } from "./short-form.ts";

const SCENARIOS = fileURLToPath(new URL("../../scenarios/", import.meta.url));
/** All of them are kept in memory until they are judged. */
const CALLS = { min: 0, max: 2_000_000 } as const;
const STATUS = { ok: 0, violated: 1, unknown: 3 } as const;
const WRONG_CALL = 2;
const NO_RUN = 4;
/** Before it a mistake is one of the call. */
let begun = false;

const USAGE = `flotilla chaos [--scenario NAME|FILE] [--seconds N] [--seed S] [--program flotilla|etcd]
               [--place processes|namespaces|containers] [--grpc-server native|grpc-js|both]
               [--report FOLDER] [--data-dir FOLDER] [--calls N] [--flag=FLAG ...]
               [--holders N] [--lockers N]
flotilla chaos --all [--grpc-server both] [the same but --scenario]
flotilla chaos --judge HISTORY [--report FOLDER]
flotilla chaos --list

Starts a cluster of real processes, runs a workload, strikes the faults of a scenario, heals, checks, and writes a report.
  --scenario   one that --list names, or a file of your own; mixed by default
  --seconds    how long faults go on, in place of the scenario's own; a slow machine goes on until enough has happened for a
               verdict, for five minutes at most
  --seed       what chance is drawn from; a random one by default, printed
  --program    what is tested: flotilla, or etcd as Debian's etcd-server installs it
  --place      where members live: processes behind proxies (the default), network namespaces of the tool's own
               (needs root, ip and iptables), or containers of the image of this working tree (needs a Docker engine)
  --grpc-server  which of flotilla's two adapters serves the clients; both: a run with each
  --all        every scenario that is shipped, one after another, in a short form: until each of its faults has struck (with
               --seconds as they are); what this machine cannot do is named and left out
  --report     folder for report.html, report.json and history.jsonl.gz (all that was recorded), and, unless every promise was
               kept, members/ (their data and logs), in which no earlier run has left its own; chaos-report/SCENARIO-SEED by
               default, with a number behind it from the second time on
  --data-dir   keep the members' data and logs there in any case; it must be empty
  --judge      judge a recorded history anew, without a run
  --calls      go on beyond the seconds until clients have made so many calls
  --holders, --lockers  clients with leases, and clients that queue for a lock, in place of the scenario's own
  --flag=FLAG  a flag for every member, may come several times

Ctrl-C ends the faults early: what happened until then is healed, checked and reported. A second one ends all at once.
Exit status: 0 every promise was kept, 1 one was broken, 3 nobody can tell, 2 the call was wrong, 4 the run could not be made, or not told on
standard output.
`;

async function main(): Promise<number> {
	const { values } = parseArgs({
		options: {
			scenario: { type: "string", default: "mixed" },
			seconds: { type: "string" },
			seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
			program: { type: "string", default: "flotilla" },
			place: { type: "string", default: "processes" },
			"grpc-server": { type: "string" },
			report: { type: "string" },
			judge: { type: "string" },
			"data-dir": { type: "string" },
			calls: { type: "string", default: "0" },
			holders: { type: "string" },
			lockers: { type: "string" },
			flag: { type: "string", multiple: true, default: [] },
			all: { type: "boolean", default: false },
			list: { type: "boolean", default: false },
			help: { type: "boolean", default: false },
		},
	});
	if (values.help) {
		say(USAGE);
		return STATUS.ok;
	}
	if (values.list) return list();
	if (values.judge !== undefined) return judgeAgain(values.judge, values.report);
	const { program, seed } = values;
	if (program !== "flotilla" && program !== "etcd") throw new Error(`--program is flotilla or etcd, not ${program}`);
	const place = PLACES.find((name) => name === values.place);
	if (place === undefined) throw new Error(`--place is one of ${PLACES.join(", ")}, not ${values.place}`);
	const adapters = adaptersOf(values["grpc-server"], program);
	const changes: Partial<Record<"seconds" | "holders" | "lockers", number>> = {};
	for (const name of ["seconds", "holders", "lockers"] as const) {
		const text = values[name];
		if (text !== undefined) changes[name] = wholeNumber(`--${name}`, text, BOUNDS[name]);
	}
	const leastCalls = wholeNumber("--calls", values.calls, CALLS);
	const short = values.all && changes.seconds === undefined;
	const runs: PlannedRun[] = [];
	for (const source of values.all ? await shippedNames() : [values.scenario]) {
		const own = { ...(await load(source)), ...changes };
		const scenario = short ? { ...shortForm(own), seconds: SHORT_SECONDS } : own;
		runs.push(...adapters.map((adapter) => ({ source, scenario, adapter, short })));
	}
	const alone = runs.length === 1;
	const dataDirOf = (run: PlannedRun): string | null =>
		values["data-dir"] === undefined ? null : resolve(values["data-dir"], alone ? "" : labelOf(run));
	for (const run of runs)
		await refuseUsed(values.report === undefined ? null : reportPath(run, values.report, seed, alone), dataDirOf(run));
	// From the first word on.
	const early = EarlyEnd.listen(say);
	const ends: RunEnd[] = [];
	try {
		for (const run of runs) {
			if (early.signal.aborted && ends.length > 0) {
				ends.push({ run, verdict: null, note: "somebody ended the call before it" });
				continue;
			}
			const { scenario, adapter } = run;
			const missing = missingFor(scenario, program) ?? cannotAt(place, scenario) ?? (await missingAt(place, program));
			if (missing !== null) {
				if (alone) throw new Error(`Cannot run ${scenario.name}: ${missing}`);
				ends.push({ run, verdict: null, note: missing });
				continue;
			}
			const report = await ReportFolder.claim(reportPath(run, values.report, seed, alone));
			try {
				const folder = dataDirOf(run);
				const flags = [...values.flag, ...(adapter === null ? [] : [`--grpc-server=${adapter}`])];
				ends.push(await runOne(run, { program, place, seed, folder, leastCalls, leastFaults: 0, flags, enough: early.signal }, report));
			} finally {
				await report.release();
			}
			say(again(run, { seed, program, place, calls: leastCalls === 0 ? null : leastCalls }, values.flag));
		}
	} finally {
		early.close();
	}
	if (!alone) for (const line of tableOf(ends)) say(line);
	const verdict = verdictOver(ends);
	say(`verdict: ${verdict}`);
	return STATUS[verdict];
}

function reportPath(run: PlannedRun, folder: string | undefined, seed: string, alone: boolean): string {
	if (folder !== undefined) return resolve(folder, alone ? "" : labelOf(run));
	return unusedFolder(resolve(join("chaos-report", `${alone ? run.scenario.name : labelOf(run)}-${seed}`)));
}

/** What an earlier run found is no later one's to lose, and members that find data of others are no cluster of this run. Null: not asked for. */
async function refuseUsed(report: string | null, dataDir: string | null): Promise<void> {
	if (report !== null && holdsRun(report)) {
		throw new Error(`${report} holds what an earlier run found: remove it, or choose another folder with --report`);
	}
	if (dataDir === null) return;
	const there = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return [];
		throw new Error(`${dataDir} cannot be read: ${error.message}`, { cause: error });
	});
	if (there.length > 0) throw new Error(`${dataDir} is not empty: choose another folder with --data-dir`);
}

async function runOne(run: PlannedRun, options: Omit<RunOptions, "progress">, report: ReportFolder): Promise<RunEnd> {
	const { scenario, short, adapter } = run;
	const { program, place, seed } = options;
	const how = adapter === null ? "" : `, served by ${adapter}`;
	say(`${scenario.name}: ${scenario.title}`);
	say(
		`${scenario.members} members of ${program}, ${scenario.clients} clients, ${scenario.seconds} s of faults, in ${place}${how}, seed ${seed}`,
	);
	begun = true;
	const left = short ? new LinesLeft(scenario, null) : null;
	const shortly = left === null ? {} : { enoughOf: left.enoughOf, restMs: REST_MS };
	const { verdict } = await runAndConclude(scenario, { ...options, ...shortly }, report);
	const idle = left === null || options.enough?.aborted === true ? [] : left.lines;
	if (verdict !== "ok" || idle.length === 0) return { run, verdict, note: "" };
	return { run, verdict: "unknown", note: `${idle.map(({ fault }) => fault).join(", ")} never did what the line is there for` };
}

/** The call that repeats a run. */
function again(
	{ source, scenario, adapter, short }: PlannedRun,
	same: Readonly<Record<string, string | number | null>>,
	flags: readonly string[],
): string {
	const { seconds, holders, lockers } = scenario;
	// A short form has no call of its own: as it is shipped, for as long.
	const own = { scenario: source, seconds: short ? null : seconds, holders, lockers, ...same, "grpc-server": adapter };
	const options = Object.entries(own).flatMap(([name, value]) => (value === null ? [] : [`--${name} ${quoted(String(value))}`]));
	return `again:  npm run chaos -- ${[...options, ...flags.map((flag) => `--flag=${quoted(flag)}`)].join(" ")}`;
}

async function shippedNames(): Promise<string[]> {
	return (await readdir(SCENARIOS)).map((file) => basename(file, ".yaml")).sort();
}

/** What was recorded is written before it is judged: a mistake of the judge costs no run. */
async function runAndConclude(scenario: Scenario, options: Omit<RunOptions, "progress">, report: ReportFolder): Promise<Judgement> {
	await report.clear("report.html", "report.json", HISTORY, MEMBERS);
	let judgement: Judgement | null = null;
	await runScenario(scenario, {
		...options,
		progress: say,
		keep: async (record, folder) => {
			await writeHistory(report.file(HISTORY), record);
			judgement = await conclude(record, report, say);
			if (judgement.verdict === "ok" || options.folder !== null) return;
			await report.keep(MEMBERS, folder);
			say(`members: ${report.file(MEMBERS)} (data and logs)`);
		},
	});
	say(`history: ${report.file(HISTORY)}`);
	say(`report: ${report.file("report.html")}`);
	return judgement as unknown as Judgement;
}

async function judgeAgain(history: string, folder: string | undefined): Promise<number> {
	const file = resolve(history);
	const record = await readHistory(file);
	const path = resolve(folder ?? dirname(file));
	if (path !== dirname(file) && existsSync(join(path, HISTORY))) {
		throw new Error(`${path} holds what another run found: choose another folder with --report`);
	}
	const report = await ReportFolder.claim(path);
	begun = true;
	try {
		const { verdict } = await conclude(record, report, say);
		say(`report: ${report.file("report.html")}`);
		say(`verdict: ${verdict}`);
		return STATUS[verdict];
	} finally {
		await report.release();
	}
}

/** For a shell. */
function quoted(text: string): string {
	return /^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function load(nameOrFile: string): Promise<Scenario> {
	const file = /\.ya?ml$/.test(nameOrFile);
	const path = file ? resolve(nameOrFile) : join(SCENARIOS, `${nameOrFile}.yaml`);
	const text = await readFile(path, "utf8").catch(() => {
		throw new Error(`There is no scenario ${nameOrFile}: --list names those that are shipped`);
	});
	return parseScenario(file ? nameOrFile : basename(path), text, FAULTS);
}

async function list(): Promise<number> {
	for (const name of await shippedNames()) {
		const scenario = await load(name);
		say(`${scenario.name.padEnd(24)} ${scenario.title}`);
	}
	say("\nFaults:");
	for (const [name, fault] of FAULTS) {
		say(`${name.padEnd(24)} ${fault.about}${fault.lasts ? "" : " (it takes no for)"}`);
		for (const line of takesOf(fault)) say(`${"".padEnd(26)} ${line}`);
	}
	return 0;
}

let isLost = false;

/** A run goes on to its report, whoever hears of it; what it could not say is said once, and in its exit status. */
function say(line: string): void {
	if (isLost) return;
	try {
		print(`${line}\n`);
	} catch (error) {
		outputLost(error as Error);
	}
}

function outputLost({ message }: Error): void {
	if (!isLost) process.stderr.write(`${message}\n`);
	isLost = true;
}

// A mistake of ours is no broken promise. The dead man's switch ends the members.
process.on("uncaughtException", (error) => {
	console.error(error);
	process.exit(NO_RUN);
});
// Whoever reads no more of what is said wants the report all the same.
process.stderr.on("error", () => {});
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (!isReaderGone(error)) outputLost(new OutputLost(error));
});

try {
	const status = await main();
	process.exitCode = isLost && status === STATUS.ok ? NO_RUN : status;
} catch (error) {
	// What says only its message was raised to be read, and so was what is wrong with the options; anything else is a mistake of ours.
	const meant = error instanceof Error && (error.constructor === Error || isWrongCall(error));
	console.error(meant ? error.message : error);
	process.exitCode = begun ? NO_RUN : WRONG_CALL;
}

function isWrongCall(error: Error): boolean {
	return "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}
