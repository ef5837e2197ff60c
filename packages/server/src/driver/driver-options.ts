/** What a driver is made with: its member's settings, and the parts that it joins. */
import type { StoredRecord } from "@flotilla/mvcc";
import type { ReplicaMachine } from "@flotilla/replica";
import type { OpenStore, WorldPorts } from "../ports.ts";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import type { AddressRecord } from "./addresses.ts";
import type { FirstElectionOptions } from "./first-election.ts";
import type { FloorPolicy, StoreIdentity } from "./floor.ts";
import type { SnapshotOptions, SnapshotWorld } from "./snapshots.ts";
import type { Watches } from "./watches.ts";

export interface DriverOptions {
	readonly tickMs: number;
	readonly electionTicks: number;
	readonly floor: FloorPolicy;
	/** A turn's apply that takes longer counts as slow. */
	readonly warningApplyMs: number;
	/** Client calls taken in one turn; those beyond are refused as too many. */
	readonly callsATurnMax: number;
	readonly identity: StoreIdentity;
	/** Rows that the store holds, and the index of its floor. */
	readonly rows: ReadonlyArray<{ readonly key: string; readonly value: Uint8Array }>;
	readonly floorIndex: number;
	/** What the folder's file of addresses says. */
	readonly addresses: AddressRecord;
	/** Null: the first election waits for its time-out like every other. */
	readonly firstElection: FirstElectionOptions | null;
	readonly snapshots: SnapshotOptions;
}

export interface DriverWorld extends WorldPorts {
	readonly machine: ReplicaMachine;
	readonly wal: WriteAheadLog;
	readonly watches: Watches;
	readonly store: OpenStore;
	/** Where the generations of the store are, and how the key space is put together from one. */
	readonly stores: SnapshotWorld["stores"];
	readonly restore: SnapshotWorld["restore"];
	/** Replaces that file durably; `done` in a later turn, with what failed. */
	noteAddresses(record: AddressRecord, done: (error: string | null) => void): void;
	/** Null, or what is wrong with a record as the store holds it. */
	recordFault(record: StoredRecord): string | null;
	/** Ends the process at once: the log or the store failed (rule W4). Called at most once. */
	die(reason: string): void;
	/** This member was removed from the cluster. Called at most once. */
	removed(): void;
}
