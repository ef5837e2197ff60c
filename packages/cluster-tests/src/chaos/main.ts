/**
 * `flotilla chaos`, `npm run chaos`: breaks a real cluster and ends with a verdict and a report. Exit status 0: every promise was
 * kept; 1: one was broken; 2: the call was wrong; 3: nobody can tell.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wholeNumber } from "../command-call.ts";
import { takesOf } from "./faults/fault-table.ts";
import { FAULTS, missingFor } from "./faults/index.ts";
import { judge } from "./judge.ts";
import { missingAt } from "./places/index.ts";
import { cannotAt, PLACES } from "./places/place.ts";
import { reportData } from "./report-data.ts";
import { reportPage } from "./report-page.ts";
import { runScenario } from "./run.ts";
import { BOUNDS, parseScenario, type Scenario } from "./scenario.ts";

const SCENARIOS = fileURLToPath(new URL("../../scenarios/", import.meta.url));
/** All of them are kept in memory until they are judged. */
const CALLS = { min: 0, max: 2_000_000 } as const;
const STATUS = { ok: 0, violated: 1, unknown: 3 } as const;

const USAGE = `flotilla chaos [--scenario NAME|FILE] [--seconds N] [--seed S] [--program flotilla|etcd]
               [--place processes|namespaces|containers] [--grpc-server native|grpc-js]
               [--report FOLDER] [--data-dir FOLDER] [--calls N] [--flag FLAG ...]
               [--holders N] [--lockers N] [--list]

Starts a cluster of real processes, runs a workload, strikes the faults of a scenario, heals, checks, and writes a report.
  --scenario   one that --list names, or a file of your own; mixed by default
  --seconds    how long faults go on, in place of the scenario's own; a slow machine goes on until enough has happened for a
               verdict, for five minutes at most
  --seed       what chance is drawn from; a random one by default, printed
  --program    what is tested: flotilla, or etcd from the PATH
  --place      where members live: processes behind proxies (the default), network namespaces of the tool's own
               (needs root, ip and iptables), or containers of the image of this working tree (needs a Docker engine)
  --grpc-server  which of flotilla's two adapters serves the clients
  --report     folder for report.html and report.json; chaos-report by default
  --data-dir   keep the members' data and logs there
  --calls      go on beyond the seconds until clients have made so many calls
  --holders, --lockers  clients with leases, and clients that queue for a lock, in place of the scenario's own
  --flag       a flag for every member, may come several times
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
			report: { type: "string", default: "chaos-report" },
			"data-dir": { type: "string" },
			calls: { type: "string", default: "0" },
			holders: { type: "string" },
			lockers: { type: "string" },
			flag: { type: "string", multiple: true, default: [] },
			list: { type: "boolean", default: false },
			help: { type: "boolean", default: false },
		},
	});
	if (values.help) return say(USAGE);
	if (values.list) return list();
	const { program, seed } = values;
	if (program !== "flotilla" && program !== "etcd") throw new Error(`--program is flotilla or etcd, not ${program}`);
	const place = PLACES.find((name) => name === values.place);
	if (place === undefined) throw new Error(`--place is one of ${PLACES.join(", ")}, not ${values.place}`);
	const adapter = values["grpc-server"];
	if (adapter !== undefined && adapter !== "native" && adapter !== "grpc-js") {
		throw new Error(`--grpc-server is native or grpc-js, not ${adapter}`);
	}
	if (adapter !== undefined && program === "etcd") throw new Error("--grpc-server is a choice of flotilla's");
	let scenario = await load(values.scenario);
	for (const name of ["seconds", "holders", "lockers"] as const) {
		const text = values[name];
		if (text !== undefined) scenario = { ...scenario, [name]: wholeNumber(`--${name}`, text, BOUNDS[name]) };
	}
	const leastCalls = wholeNumber("--calls", values.calls, CALLS);
	const missing = missingFor(scenario, program) ?? cannotAt(place, scenario) ?? (await missingAt(place, program));
	if (missing !== null) throw new Error(`Cannot run ${scenario.name}: ${missing}`);
	console.log(`${scenario.name}: ${scenario.title}`);
	console.log(
		`${scenario.members} members of ${program}, ${scenario.clients} clients, ${scenario.seconds} s of faults, in ${place}, seed ${seed}`,
	);
	const folder = values["data-dir"] === undefined ? null : resolve(values["data-dir"]);
	const record = await runScenario(scenario, {
		program,
		place,
		seed,
		folder,
		leastCalls,
		leastFaults: 0,
		flags: [...values.flag, ...(adapter === undefined ? [] : [`--grpc-server=${adapter}`])],
		progress: (line) => console.log(line),
	});
	const judgement = judge(record);
	const data = reportData(record, judgement);
	const report = resolve(values.report);
	await mkdir(report, { recursive: true });
	await writeFile(join(report, "report.json"), JSON.stringify(data, null, "\t"));
	await writeFile(join(report, "report.html"), reportPage(data));
	for (const line of data.summary) console.log(line);
	for (const { name, verdict, promise, findings } of judgement.checks) {
		console.log(`${verdict.padEnd(8)} ${name}: ${promise}`);
		for (const finding of findings) console.log(`         ${finding}`);
	}
	console.log(`report: ${join(report, "report.html")}`);
	const { seconds, holders, lockers } = scenario;
	const again = Object.entries({ scenario: values.scenario, seconds, holders, lockers, seed, program, place, "grpc-server": adapter })
		.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`]))
		.join(" ");
	console.log(`again:  npm run chaos -- ${again}`);
	console.log(`verdict: ${judgement.verdict}`);
	return STATUS[judgement.verdict];
}

async function load(nameOrFile: string): Promise<Scenario> {
	const file = nameOrFile.endsWith(".yaml");
	const path = file ? resolve(nameOrFile) : join(SCENARIOS, `${nameOrFile}.yaml`);
	const text = await readFile(path, "utf8").catch(() => {
		throw new Error(`There is no scenario ${nameOrFile}: --list names those that are shipped`);
	});
	return parseScenario(file ? nameOrFile : basename(path), text, FAULTS);
}

async function list(): Promise<number> {
	for (const file of (await readdir(SCENARIOS)).sort()) {
		const scenario = await load(basename(file, ".yaml"));
		console.log(`${scenario.name.padEnd(24)} ${scenario.title}`);
	}
	console.log("\nFaults:");
	for (const [name, fault] of FAULTS) {
		console.log(`${name.padEnd(24)} ${fault.about}${fault.lasts ? "" : " (it takes no for)"}`);
		for (const line of takesOf(fault)) console.log(`${"".padEnd(26)} ${line}`);
	}
	return 0;
}

function say(text: string): number {
	console.log(text);
	return 0;
}

try {
	process.exitCode = await main();
} catch (error) {
	// What says only its message was raised to be read, and so was what is wrong with the options; anything else is a mistake of ours.
	const meant = error instanceof Error && (error.constructor === Error || isWrongCall(error));
	console.error(meant ? error.message : error);
	process.exitCode = 2;
}

function isWrongCall(error: Error): boolean {
	return "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}
