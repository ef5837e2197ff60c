/** Everything that a run is made of; data only. */
import type { Aim } from "../client/target.ts";

export const LOAD_NAMES = ["put", "range", "mixed", "txn", "watch-fanout", "watch-latency", "lease-keepalive"] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

export interface Settings {
	readonly load: LoadName;
	readonly aim: Aim;
	readonly connections: number;
	/** Calls under way at once, over all connections; watchers or leases where the load has them. */
	readonly clients: number;
	/** Calls a second of an open loop; 0: a closed one, each client asks again when it was answered. */
	readonly rate: number;
	readonly warmUpSeconds: number;
	readonly seconds: number;
	/** The measured time ends earlier when so many were answered; 0: it does not. */
	readonly operations: number;
	readonly keyBytes: number;
	readonly valueBytes: number;
	/** Distinct keys, taken in turn. */
	readonly keys: number;
	/** Of `range` and of the reads of `mixed`. */
	readonly serializable: boolean;
	/** Of `mixed`. */
	readonly readShare: number;
	/** Of the loads with watchers: streams that they share. */
	readonly streams: number;
	/** Of the same: puts that may be under way, and ahead of the watchers. */
	readonly ahead: number;
}

export const DEFAULT_SETTINGS: Settings = {
	load: "put",
	aim: "leader",
	connections: 1,
	clients: 1,
	rate: 0,
	warmUpSeconds: 2,
	seconds: 10,
	operations: 0,
	keyBytes: 8,
	valueBytes: 256,
	keys: 1,
	serializable: false,
	readShare: 0.8,
	streams: 10,
	ahead: 16,
};
