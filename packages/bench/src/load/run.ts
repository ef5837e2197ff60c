/** One run of one load: prepared, warmed up, measured second by second, and checked by the revision that it moved. */
import type { GrpcConnection } from "../client/grpc-connection.ts";
import type { Target } from "../client/target.ts";
import { type OwnLoad, OwnLoadWatch } from "../measure/own-load.ts";
import { type Latency, type Point, Recorder } from "../measure/recorder.ts";
import { LeaseLoad } from "./lease-load.ts";
import { fillRequests, requestsOf } from "./requests.ts";
import type { Settings } from "./settings.ts";
import { askAll, type RunningLoad, UnaryLoad } from "./unary-load.ts";
import { WatchLoad } from "./watch-load.ts";

export interface RunResult {
	readonly settings: Settings;
	/** What the load went to. */
	readonly endpoints: readonly string[];
	readonly startedMs: number;
	/** Length of the measured time. */
	readonly seconds: number;
	readonly operations: number;
	readonly perSecond: number;
	readonly failed: number;
	readonly failures: Readonly<Record<string, number>>;
	readonly latency: Latency;
	readonly points: readonly Point[];
	readonly client: OwnLoad;
	/** By how much the store's revision rose over the whole run, its preparation excepted. */
	readonly revisionMoved: number;
	/** Set when the load writes and the revision rose by less than was acknowledged, or when events did not arrive. */
	readonly doubt: string | null;
}

export interface RunHooks {
	/** After each second. */
	second?(point: Point, part: { readonly of: number; readonly at: number }): void;
	/** When the measured time is over and the load still runs: for what would disturb it. */
	afterMeasuring?(): Promise<void>;
}

const WALL = (): number => performance.timeOrigin + performance.now();

export async function runLoad(target: Target, settings: Settings, hooks: RunHooks = {}): Promise<RunResult> {
	const endpoints = await target.aim(settings.aim);
	const dial = (n: number): Promise<GrpcConnection> => target.dial(endpoints[n % endpoints.length] as string);
	const connections = await Promise.all(Array.from({ length: settings.connections }, (_, n) => dial(n)));
	try {
		await fillKeys(connections[0] as GrpcConnection, settings);
		const recorder = new Recorder();
		const { load, written, lost } = await makeLoad(connections, settings, recorder, dial);
		const before = await target.revision();
		const startedMs = WALL();
		recorder.beginSeconds(startedMs);
		load.start();
		await seconds(settings.warmUpSeconds, recorder, true, hooks, () => false);
		recorder.beginMeasuring();
		const own = new OwnLoadWatch();
		const measuredMs = performance.now();
		await seconds(settings.seconds, recorder, false, hooks, () => settings.operations > 0 && recorder.operations >= settings.operations);
		const tookSeconds = (performance.now() - measuredMs) / 1_000;
		recorder.endMeasuring();
		const client = own.look();
		await hooks.afterMeasuring?.();
		await load.stop();
		const moved = (await target.revision()) - before;
		const { operations } = recorder;
		return {
			...{ settings, endpoints, startedMs, operations, client },
			seconds: tookSeconds,
			perSecond: operations / tookSeconds,
			failed: recorder.failedCount,
			failures: Object.fromEntries(recorder.failures),
			latency: recorder.latency,
			points: recorder.points,
			revisionMoved: moved,
			doubt:
				moved >= written(operations)
					? (lost?.() ?? null)
					: `${written(operations)} writes were acknowledged, the revision rose by ${moved}`,
		};
	} finally {
		for (const connection of connections) connection.close();
	}
}

interface Made {
	readonly load: RunningLoad;
	/** Revisions that so many measured operations must have made at least. */
	readonly written: (operations: number) => number;
	/** Once it has stopped: what its clients should have heard and did not. */
	readonly lost?: () => string | null;
}

async function makeLoad(
	connections: readonly GrpcConnection[],
	settings: Settings,
	recorder: Recorder,
	redial: (n: number) => Promise<GrpcConnection>,
): Promise<Made> {
	const { clients, streams, rate, valueBytes } = settings;
	switch (settings.load) {
		case "put":
		case "range":
		case "mixed":
		case "txn": {
			const load = new UnaryLoad(connections, { clients, rate, recorder, redial, requests: requestsOf(settings) });
			const share = settings.load === "range" ? 0 : settings.load === "mixed" ? 1 - settings.readShare : 1;
			// Of a mixture the part that ends within the measured time may differ by what was under way.
			return { load, written: (operations) => Math.floor(operations * share - (share < 1 ? clients : 0)) };
		}
		case "watch-fanout":
		case "watch-latency": {
			const everyLatency = settings.load === "watch-latency";
			const load = new WatchLoad(connections, {
				watchers: clients,
				streams,
				rate,
				ahead: settings.ahead,
				valueBytes,
				recorder,
				everyLatency,
			});
			await load.prepare();
			return { load, written: () => load.puts, lost: () => load.doubt() };
		}
		case "lease-keepalive": {
			const load = new LeaseLoad(connections, { clients, rate, recorder });
			await load.prepare();
			return { load, written: () => 0 };
		}
	}
}

/** What is read must be there. */
async function fillKeys(connection: GrpcConnection, settings: Settings): Promise<void> {
	if (settings.load !== "range" && settings.load !== "mixed") return;
	await askAll(connection, settings.keys, fillRequests(settings));
}

async function seconds(count: number, recorder: Recorder, warmUp: boolean, hooks: RunHooks, enough: () => boolean): Promise<void> {
	const startedMs = performance.now();
	for (let at = 1; at <= count && !enough(); at++) {
		const untilMs = startedMs + at * 1_000;
		await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilMs - performance.now())));
		const point = recorder.endSecond(WALL(), warmUp);
		hooks.second?.(point, { of: count, at });
	}
}
