/** One row for one cluster: run, checked, and turned into the row's values. */
import { etcdserverpb } from "@flotilla/api";
import type { Target } from "../client/target.ts";
import { type RunHooks, type RunResult, runLoad } from "../load/run.ts";
import { DEFAULT_SETTINGS, type Settings } from "../load/settings.ts";
import { BOUND_SHARE } from "../measure/own-load.ts";
import type { Point } from "../measure/recorder.ts";
import { type H2Result, haveH2load, runH2load } from "./h2load.ts";
import type { Row, RowValue } from "./rows.ts";
import type { Trio } from "./trio.ts";
import type { Usage } from "./usage.ts";

export interface Measured {
	readonly values: Readonly<Partial<Record<RowValue["name"], number>>>;
	/** The figures may be those of the load generator. */
	readonly clientBound: boolean;
}

export interface Pace {
	readonly seconds: number;
	readonly warmUpSeconds: number;
	/** Calls a second of the row's open loop. */
	readonly rate: number;
}

/** Rows that run until a number of operations take at most so many times the seconds of the others. */
const COUNTED_TIMES = 30;
const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const GRPC_HEAD_BYTES = 5;
const KEY = Buffer.from("benchkey");
const VALUE = Buffer.alloc(DEFAULT_SETTINGS.valueBytes, "v");

export async function measureRow(row: Row, trio: Trio, target: Target, pace: Pace, hooks: RunHooks): Promise<Measured> {
	const before = await trio.usage();
	const leader = (await target.states()).find(({ leads }) => leads)?.endpoint;
	const { operations, perSecond, result, total, clientBound } =
		row.measure.kind === "h2load" && haveH2load() ? await byH2load(row.measure, target, pace) : await byOwnClient(row, target, pace, hooks);
	const after = await trio.usage();
	const values: Partial<Record<RowValue["name"], number>> = { rate: perSecond };
	const spent = cpuSeconds(before, after);
	if (total > 0) values.cpuPer100k = (sum(spent) / total) * 100_000;
	values.residentBytes = Math.max(...after.map(({ residentBytes }) => residentBytes)) / 2 ** 20;
	if (result !== null) {
		values.p99 = result.latency.p99Us / 1_000;
		values.leaderCpuPerEvent = ((spent[trio.endpoints.indexOf(leader ?? "")] ?? 0) * 1e6) / total;
		values.endByStart = endByStart(result.points);
	}
	if (operations === 0) throw new Error(`${row.id}: nothing was answered by ${trio.name}`);
	return { values, clientBound };
}

interface Ran {
	readonly operations: number;
	readonly perSecond: number;
	readonly result: RunResult | null;
	/** Everything that was answered, warm-up included: what the processor time was spent on. */
	readonly total: number;
	readonly clientBound: boolean;
}

async function byH2load({ call, shape, aim }: Extract<Row["measure"], { kind: "h2load" }>, target: Target, pace: Pace): Promise<Ran> {
	const [endpoint] = (await target.aim(aim)) as [string];
	const put = etcdserverpb.PutRequest.encode({ key: KEY, value: VALUE });
	await target.ask(PUT, put);
	const path = call === "put" ? PUT : RANGE;
	const message = call === "put" ? put : etcdserverpb.RangeRequest.encode({ key: KEY, serializable: call === "serializable" });
	const answerBytes = GRPC_HEAD_BYTES + (await answerOf(target, endpoint, path, message)).length;
	// The warm-up is a call of its own, so that all that is counted can be checked.
	const run = (seconds: number): Promise<H2Result> => runH2load(endpoint, path, message, { ...shape, seconds }, target.loginToken);
	const warmUp = pace.warmUpSeconds > 0 ? await run(pace.warmUpSeconds) : null;
	const before = await target.revision();
	const ran = await run(pace.seconds);
	checkH2load(ran, { call, answerBytes, moved: (await target.revision()) - before, atOnce: shape.connections * shape.streams });
	return {
		...{ operations: ran.answered, perSecond: ran.perSecond, result: null, total: ran.answered + (warmUp?.answered ?? 0) },
		clientBound: ran.cpuShare > BOUND_SHARE,
	};
}

/** Of this very member: its id is in the answer, and not all ids are of one length. */
async function answerOf(target: Target, endpoint: string, path: string, message: Uint8Array): Promise<Buffer> {
	const connection = await target.dial(endpoint);
	try {
		return await connection.ask(path, message);
	} finally {
		connection.close();
	}
}

/**
 * h2load takes refusals for answers: throws unless every one of them was an answer. `answerBytes`: of the shortest answer. `moved`: by how
 * much the revision rose. `atOnce`: calls that may have been under way when it ended, and count nowhere.
 */
export function checkH2load(
	{ answered, bodyBytes }: Pick<H2Result, "answered" | "bodyBytes">,
	{ call, answerBytes, moved, atOnce }: { call: "put" | "range" | "serializable"; answerBytes: number; moved: number; atOnce: number },
): void {
	if (bodyBytes < answered * answerBytes) {
		throw new Error(
			`h2load counted ${answered} answers, which would be ${answered * answerBytes} bytes, but ${bodyBytes} came: some were refusals`,
		);
	}
	if (call !== "put" && moved !== 0) throw new Error("reads have moved the revision");
	// When it ends, as many may be under way, and as many answered that it has not counted yet.
	if (call === "put" && (moved < answered || moved > answered + 2 * atOnce)) {
		throw new Error(`h2load counted ${answered} answers with ${atOnce} at once, but the revision rose by ${moved}`);
	}
}

async function byOwnClient(row: Row, target: Target, pace: Pace, hooks: RunHooks): Promise<Ran> {
	const settings = settingsOf(row, pace);
	const result = await runLoad(target, settings, hooks);
	if (result.doubt !== null) throw new Error(`${row.id}: ${result.doubt}`);
	if (result.failed > 0) throw new Error(`${row.id}: ${result.failed} calls failed: ${Object.keys(result.failures).join("; ")}`);
	const total = result.points.reduce((count, { operations }) => count + operations, 0);
	return { operations: result.operations, perSecond: result.perSecond, result, total, clientBound: result.client.clientBound };
}

function settingsOf({ measure }: Row, { seconds, warmUpSeconds, rate }: Pace): Settings {
	const common = { ...DEFAULT_SETTINGS, seconds, warmUpSeconds };
	switch (measure.kind) {
		case "own": {
			const counted = (measure.settings.operations ?? 0) > 0;
			return { ...common, ...measure.settings, seconds: counted ? COUNTED_TIMES * seconds : seconds };
		}
		case "openLoop":
			return { ...common, ...measure.settings, rate };
		case "h2load": {
			const { call, shape, aim } = measure;
			const load = call === "put" ? "put" : "range";
			return {
				...common,
				load,
				aim,
				serializable: call === "serializable",
				connections: shape.connections,
				clients: shape.connections * shape.streams,
			};
		}
	}
}

function cpuSeconds(before: readonly Usage[], after: readonly Usage[]): number[] {
	return after.map(({ cpuSeconds: spent }, at) => spent - (before[at]?.cpuSeconds ?? 0));
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((total, number) => total + number, 0);
}

/** Rate of the last tenth of the measured time by that of the first tenth. */
function endByStart(points: readonly Point[]): number {
	const measured = points.filter(({ warmUp }) => !warmUp).map(({ operations }) => operations);
	const part = Math.max(1, Math.floor(measured.length / 10));
	return sum(measured.slice(-part)) / Math.max(1, sum(measured.slice(0, part)));
}
