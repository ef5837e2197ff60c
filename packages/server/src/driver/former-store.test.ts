/** Rule N6: a store that another state took the place of stays until the log says so durably and nobody reads in it any more. */
import { silentTap } from "@flotilla/base";
import { EMPTY_MARK } from "@flotilla/mvcc";
import type { ReplicaMachine } from "@flotilla/replica";
import { expect, test } from "vitest";
import type { StoreHouse } from "../ports.ts";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import { ManualTime } from "./driver.suite.ts";
import type { LiveStore } from "./live-store.ts";
import type { ReceivedStore } from "./snapshot-receiver.ts";
import { Snapshots, type SnapshotWorld } from "./snapshots.ts";

const MARKER_SEQ = 7;

class Place {
	readonly did: string[] = [];
	/** Long reads of the store that is in use, or was. */
	readonly reads = new Map([["1", 0]]);
	inUse = "1";
	takes = true;
	/** The file of addresses says who belongs to the state that came. */
	membersNoted = true;
	readonly snapshots: Snapshots;

	constructor() {
		const { did, reads } = this;
		const inUse = (): string => this.inUse;
		const machine = {
			status: () => ({ core: { term: 3, commit: 10 } }),
			installSnapshot: () => this.takes,
			get store() {
				const generation = inUse();
				return {
					get openReads() {
						return reads.get(generation) ?? 0;
					},
				};
			},
		} as unknown as ReplicaMachine;
		const storeOf = (generation: string): LiveStore => {
			const close = (closed: () => void): void => {
				did.push(`close ${generation}`);
				closed();
			};
			const disk = { close };
			return { generation, disk, retire: () => did.push(`retire ${generation}`) } as unknown as LiveStore;
		};
		const time = new ManualTime();
		const world: SnapshotWorld = {
			...{ clock: time.clock, scheduler: time.scheduler, tap: silentTap, machine },
			stores: { remove: (generation: string) => did.push(`remove ${generation}`) } as unknown as StoreHouse,
			restore: () => expect.unreachable("nothing is received here"),
			wal: { cutBehind: (index: number) => did.push(`cut behind ${index}`) } as unknown as WriteAheadLog,
			live: () => storeOf(this.inUse),
			send: () => {},
			schedule: () => {},
			noted: () => this.membersNoted,
			goLive: (_disk, { generation }) => {
				this.inUse = generation;
				did.push(`live ${generation}`);
			},
		};
		const identity = { clusterId: 7n, memberId: 2n, generation: "1" };
		this.snapshots = new Snapshots({ partBytes: 1_000, partPauseMs: 0, incarnation: 5 }, identity, world);
	}

	/** A state lies verified on the disk. */
	receive(generation: string, index: number): void {
		const confState = { voters: [2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
		const floor = { clusterId: 7n, memberId: 2n, generation, appliedIndex: index, term: 3, confState, mark: EMPTY_MARK, tableDigest: 0 };
		const received = { message: {}, disk: {}, floor, rows: [], keyValues: {} } as unknown as ReceivedStore;
		Reflect.set(Reflect.get(this.snapshots, "receiver") as object, "ready", received);
		this.snapshots.deliver(0);
	}

	/** What is done in a turn when so much of the log is durable. */
	turn(durableSeq: number): string[] {
		this.did.length = 0;
		this.snapshots.deliver(durableSeq);
		this.snapshots.turn();
		return [...this.did];
	}
}

test("stays until the marker is durable, and the log goes only then", () => {
	const place = new Place();
	place.receive("2", 50);
	expect(place.did).toEqual(["retire 1", "live 2"]);
	// Not even handed to the log yet.
	expect(place.turn(MARKER_SEQ)).toEqual([]);
	place.snapshots.marked(MARKER_SEQ);
	expect(place.turn(MARKER_SEQ - 1)).toEqual([]);
	expect(place.snapshots.openStores.length).toBe(1);
	expect(place.turn(MARKER_SEQ)).toEqual(["cut behind 50", "close 1", "remove 1"]);
	expect(place.snapshots.openStores.length).toBe(0);
	expect(place.turn(MARKER_SEQ + 1)).toEqual([]);
});

test("stays until its last long read has ended, however long the marker has been durable", () => {
	const place = new Place();
	place.reads.set("1", 2);
	place.receive("2", 50);
	place.snapshots.marked(MARKER_SEQ);
	expect(place.turn(MARKER_SEQ)).toEqual(["cut behind 50"]);
	place.reads.set("1", 1);
	expect(place.turn(MARKER_SEQ + 1)).toEqual([]);
	place.reads.set("1", 0);
	expect(place.turn(MARKER_SEQ + 2)).toEqual(["close 1", "remove 1"]);
});

test("is the one in use until the members of the state that came are noted: the log that names them goes with it", () => {
	const place = new Place();
	place.membersNoted = false;
	place.receive("2", 50);
	expect([place.did, place.turn(MARKER_SEQ), place.inUse]).toEqual([[], [], "1"]);
	place.membersNoted = true;
	expect([place.turn(MARKER_SEQ), place.inUse]).toEqual([["retire 1", "live 2"], "2"]);
});

test("is the one in use still where the state that came is not taken", () => {
	const place = new Place();
	place.takes = false;
	place.receive("2", 50);
	place.snapshots.marked(MARKER_SEQ);
	expect([place.did, place.turn(MARKER_SEQ), place.inUse]).toEqual([[], [], "1"]);
});
