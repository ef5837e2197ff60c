/** `flotilla bench <load>`: one run or a sweep, told on the terminal and written where it was asked for. */
import { readFile, writeFile } from "node:fs/promises";
import { print, readLogin } from "@flotilla/server/internal";
import type { Access } from "../client/access.ts";
import { Target } from "../client/target.ts";
import { type RunResult, runLoad } from "../load/run.ts";
import type { Settings } from "../load/settings.ts";
import { loadPage } from "../report/page.ts";
import { kneeOf, type Sweep, sweepClients } from "../report/sweep.ts";
import { stageLines, summaryLines, sweepLines } from "../report/text.ts";
import { type ClusterEvent, ClusterEvents } from "../tap/cluster-events.ts";
import { type Stages, sampleStages } from "../tap/stages.ts";
import type { AccessFlags, LoadCall } from "./options.ts";
import { Progress } from "./progress.ts";

/** What the JSON file holds. */
export interface LoadReport {
	readonly tool: "flotilla bench";
	readonly version: 1;
	readonly server: string;
	readonly runs: readonly RunResult[];
	/** Place of the knee among the runs; null without a sweep. */
	readonly knee: number | null;
	readonly stages: Stages | null;
	readonly events: readonly ClusterEvent[];
}

export async function loadCommand(call: LoadCall): Promise<number> {
	const target = new Target(call.endpoints, await accessOf(call.access));
	const progress = new Progress(process.stderr);
	const events = new ClusterEvents(call.taps);
	try {
		await target.login();
		const [state] = await target.states();
		let stages: Stages | null = null;
		const sample = async (): Promise<void> => {
			if (call.taps.length > 0) stages = await sampleStages(call.taps);
		};
		const run = (settings: Settings): Promise<RunResult> =>
			runLoad(target, settings, { second: (point, part) => progress.second(point, part), afterMeasuring: sample });
		const clients = call.sweep ? sweepClients(call.settings.clients) : [call.settings.clients];
		const runs: RunResult[] = [];
		for (const count of clients) {
			const connections = Math.min(call.settings.connections, count);
			runs.push(await run({ ...call.settings, clients: count, connections }));
			progress.end();
		}
		const sweep: Sweep | null = call.sweep ? sweepOf(runs) : null;
		const report: LoadReport = {
			...{ tool: "flotilla bench", version: 1, server: state?.version ?? "", runs, stages },
			knee: sweep?.knee ?? null,
			events: events.take(),
		};
		// With JSON on standard output the words go beside it.
		tell(report, sweep, call.json === "-" ? aside : print);
		await write(call.json, `${JSON.stringify(report, null, "\t")}\n`);
		await write(call.html, loadPage(report));
		return runs.every(({ doubt, operations }) => doubt === null && operations > 0) ? 0 : 1;
	} finally {
		target.close();
	}
}

async function accessOf({ cacert, cert, key, trustAnybody, user }: AccessFlags): Promise<Access> {
	const files = {
		...(cacert === null ? {} : { ca: await readFile(cacert) }),
		...(cert === null ? {} : { cert: await readFile(cert) }),
		...(key === null ? {} : { key: await readFile(key) }),
	};
	return { tls: { ...files, trustAnybody }, user: (await readLogin(user ?? undefined)) ?? null };
}

function sweepOf(runs: readonly RunResult[]): Sweep {
	const steps = runs.map((result) => ({ clients: result.settings.clients, result }));
	return { steps, knee: kneeOf(steps) };
}

function tell({ runs, stages }: LoadReport, sweep: Sweep | null, say: (text: string) => void): void {
	const lines = sweep === null ? runs.flatMap(summaryLines) : sweepLines(sweep);
	if (stages !== null) lines.push(...stageLines(stages));
	say(`${lines.join("\n")}\n`);
}

/** Words that are no result, or stand beside one. */
export function aside(text: string): void {
	process.stderr.write(text);
}

/** `-` is standard output. */
export async function write(path: string | null, text: string): Promise<void> {
	if (path === "-") print(text);
	else if (path !== null) await writeFile(path, text);
}
