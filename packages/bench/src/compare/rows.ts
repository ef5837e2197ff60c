/** The rows of a comparison: what is measured, how, and the ratio to etcd that flotilla aims at. */
import type { Settings } from "../load/settings.ts";
import type { H2Load } from "./h2load.ts";

type Shape = Pick<H2Load, "connections" | "streams">;

export type Measure =
	/** By h2load where it is installed, otherwise by the own client in the same shape. */
	| { readonly kind: "h2load"; readonly call: "put" | "range" | "serializable"; readonly shape: Shape; readonly aim: "leader" | "follower" }
	| { readonly kind: "own"; readonly settings: Partial<Settings> }
	/** Open loop at this share of the rate that etcd (or, without it, flotilla) reached in `of` in the same round. */
	| { readonly kind: "openLoop"; readonly of: string; readonly share: number; readonly settings: Partial<Settings> };

export interface RowValue {
	/** What the ratio is made of. */
	readonly name: "rate" | "p99" | "cpuPer100k" | "residentBytes" | "leaderCpuPerEvent" | "endByStart";
	/** Behind the row's title where the value is not the plain one. */
	readonly label: string;
	readonly unit: string;
	/** More of it is better. */
	readonly rises: boolean;
	/** flotilla's share of etcd's value, or null where none was set. */
	readonly goal: number | null;
	/** The goal is for flotilla's value, whatever etcd's is. */
	readonly goalIsOwn?: true;
}

export interface Row {
	readonly id: string;
	readonly title: string;
	readonly measure: Measure;
	readonly values: readonly RowValue[];
}

const rate = (goal: number | null, unit = "/s"): RowValue => ({ name: "rate", label: "", unit, rises: true, goal });

function h2(
	id: string,
	title: string,
	call: "put" | "range" | "serializable",
	shape: Shape,
	goal: number,
	aim: "leader" | "follower" = "leader",
): Row {
	return { id, title, measure: { kind: "h2load", call, shape, aim }, values: [rate(goal)] };
}

export const PROCESSOR_TIME: RowValue = {
	name: "cpuPer100k",
	label: ": processor time per 100,000, whole cluster",
	unit: " s",
	rises: false,
	goal: null,
};

/** Not many of them, on few connections; nothing was aimed at. */
function large(id: string, title: string, settings: Partial<Settings>): Row {
	return {
		id,
		title,
		measure: { kind: "own", settings: { load: "put", connections: 4, keys: 100, ...settings } },
		values: [rate(null), { name: "p99", label: ": p99", unit: " ms", rises: false, goal: null }, PROCESSOR_TIME],
	};
}

const PUT_256: Row = {
	...h2("put-256", "put, 256 streams on 16 connections", "put", { connections: 16, streams: 16 }, 4),
	values: [
		rate(4),
		{ ...PROCESSOR_TIME, goal: 0.3 },
		{ name: "residentBytes", label: ": resident memory of the largest member behind it", unit: " MiB", rises: false, goal: 1 },
	],
};

/** In the order in which they run: what makes the store large comes last, what measures single calls not first. */
export const ROWS: readonly Row[] = [
	h2("put-32", "put, 32 streams on 1 connection", "put", { connections: 1, streams: 32 }, 3),
	PUT_256,
	h2("put-1000", "put, 1,000 streams on 100 connections", "put", { connections: 100, streams: 10 }, 4),
	// Behind those that warm the members up: the first thousands of calls pay for the compilation of what all later ones run.
	h2("put-1", "put, 1 client", "put", { connections: 1, streams: 1 }, 1.3),
	h2("put-follower", "put through a follower, 256 streams", "put", { connections: 16, streams: 16 }, 3, "follower"),
	h2("range-256", "linearizable range of one key, 256 streams", "range", { connections: 16, streams: 16 }, 5),
	h2("range-1000", "linearizable range of one key, 1,000 streams", "range", { connections: 100, streams: 10 }, 5),
	h2("serializable-256", "serializable range, 256 streams", "serializable", { connections: 16, streams: 16 }, 5),
	h2("serializable-1000", "serializable range, 1,000 streams", "serializable", { connections: 100, streams: 10 }, 5),
	{
		id: "open-80",
		title: "p99 of puts at 80 % of etcd's saturation rate, open loop",
		measure: { kind: "openLoop", of: "put-256", share: 0.8, settings: { load: "put", clients: 1_000, connections: 16 } },
		values: [{ name: "p99", label: "", unit: " ms", rises: false, goal: 0.5 }],
	},
	{
		id: "txn-256",
		title: "txn (compare and put), 256 clients",
		measure: { kind: "own", settings: { load: "txn", clients: 256, connections: 16 } },
		values: [rate(3)],
	},
	{
		id: "lease-256",
		title: "lease keep-alive, 256 clients",
		measure: { kind: "own", settings: { load: "lease-keepalive", clients: 256, connections: 16 } },
		values: [rate(3)],
	},
	{
		id: "watch-fanout",
		title: "watch fan-out, 1,000 watchers on 10 streams",
		measure: { kind: "own", settings: { load: "watch-fanout", clients: 1_000, streams: 10, connections: 10, valueBytes: 256, ahead: 256 } },
		values: [
			rate(1, " events/s"),
			{ name: "leaderCpuPerEvent", label: ": the leader's processor time an event", unit: " us", rises: false, goal: 0.5 },
		],
	},
	{
		id: "watch-latency",
		title: "watch at 200 puts a second, 1,000 watchers of a prefix on 10 connections",
		measure: {
			kind: "own",
			settings: { load: "watch-latency", clients: 1_000, streams: 10, connections: 10, rate: 200, valueBytes: 256 },
		},
		values: [
			{ name: "p99", label: ": p99 from put to event", unit: " ms", rises: false, goal: 1 },
			{ name: "rate", label: ": events that arrived", unit: "/s", rises: true, goal: null },
		],
	},
	{
		id: "put-distinct",
		title: "put, distinct keys, 256 clients, own client",
		measure: { kind: "own", settings: { load: "put", clients: 256, connections: 16, keys: 100_000_000, operations: 1_000_000 } },
		values: [
			rate(3),
			{ name: "endByStart", label: ": rate at the end by rate at the start", unit: "", rises: true, goal: 0.8, goalIsOwn: true },
		],
	},
	large("put-64k", "put, values of 64 KiB, 32 clients", { clients: 32, valueBytes: 64 << 10, operations: 2_000 }),
	large("put-1m", "put, values of 1 MiB, 8 clients", { clients: 8, valueBytes: 1 << 20, operations: 200 }),
];
