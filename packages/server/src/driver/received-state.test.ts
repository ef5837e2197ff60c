/** Rule N3: what a receiver does not verify, or does not make durable in this order, would be its state for good. */
import { concatBytes, portableBytes, writeU32 } from "@flotilla/base";
import { MemoryStorage, MvccStore, type StoredRecord, StoreRebuild } from "@flotilla/mvcc";
import { type ReplicaStatus, type TableRow, tableDigest } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import type { SnapshotAck, StoreOp } from "../ports.ts";
import { MemoryStore } from "../stores/memory-store.ts";
import { ManualTime } from "./driver.suite.ts";
import { decodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import { encodeHead, encodeRecords } from "./snapshot-codec.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";

const SENDER = 1n;
const RECEIVER = 2n;
const CONF = { voters: [SENDER, RECEIVER], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
const OPTIONS = { keepEvents: false, valueCacheBytes: 0 };
const RECORDS_A_PART = 4;

/** As its sender holds it: what is in the parts, record by record. */
interface State {
	floor: FloorRecord;
	rows: TableRow[];
	records: StoredRecord[];
}

const bytes = (text: string): Uint8Array => portableBytes.fromLatin1(text);

function soundState(): State {
	const store = new MvccStore(OPTIONS, new MemoryStorage(), portableBytes);
	for (let n = 0; n < 10; n++) {
		const key = bytes(`k${n % 4}`);
		store.put({ key, value: bytes(`v${n}`), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
	}
	const records = [...(store.takeBatch()?.puts ?? [])].map(({ key, value }) => ({ key: key.slice(), value: value.slice() }));
	expect(records.length).toBe(10);
	const rows = [1, 2, 3].map((n) => ({ key: `members/${n}`, value: bytes(`member ${n}`) }));
	return { floor: { ...identity(SENDER), ...ends(rows), mark: store.mark() }, rows, records };
}

const identity = (memberId: bigint) => ({ clusterId: 7n, memberId, generation: "1" });
const ends = (rows: readonly TableRow[]) => ({
	...{ appliedIndex: 50, term: 3, confState: CONF },
	tableDigest: tableDigest(portableBytes, rows),
});

/** Another value, and a checksum that is right for it. */
function forged({ key, value }: StoredRecord): StoredRecord {
	const body = value.slice(0, -4);
	body[body.length - 1] = (body[body.length - 1] as number) ^ 1;
	const crc = new Uint8Array(4);
	writeU32(crc, 0, portableBytes.crc32c(body, 0, body.length, portableBytes.crc32c(key)));
	return { key, value: concatBytes([body, crc]) };
}

class Receiving {
	readonly time = new ManualTime();
	/** Everything that was asked of disk and house, in order. */
	readonly asked: string[] = [];
	readonly floors: StoreOp[] = [];
	readonly acks: SnapshotAck[] = [];
	readonly told: string[] = [];
	/** Ends the sync of the folder. */
	endSync: (error: string | null) => void = () => expect.unreachable("nothing is being synced");
	readonly receiver: SnapshotReceiver;

	constructor() {
		const { time, asked, floors } = this;
		const store = new MemoryStore((work) => time.scheduler.soon(work));
		const submit = store.submit.bind(store);
		store.submit = (op) => {
			asked.push(op.kind);
			if (op.kind === "floor") floors.push(op);
			submit(op);
		};
		this.receiver = new SnapshotReceiver({
			clock: time.clock,
			stores: {
				list: (done) => done(["1"]),
				open: (_generation, _create, done) => done({ ok: true, store: Object.assign(store, { close: (closed: () => void) => closed() }) }),
				remove: (generation, done) => {
					asked.push(`remove ${generation}`);
					done(null);
				},
				sync: (done) => {
					asked.push("sync");
					this.endSync = done;
				},
			},
			restore: (mark, storage) => new StoreRebuild(mark, OPTIONS, storage, portableBytes),
			soon: (work) => time.scheduler.soon(work),
			identity: () => identity(RECEIVER),
			status: () => ({ core: { role: "follower", term: 3, commit: 10 }, appliedIndex: 10 }) as unknown as ReplicaStatus,
			installing: () => false,
			send: (ack) => void this.acks.push(ack),
			received: () => void asked.push("ready"),
			told: (name, _index, { reason = "" }) => void this.told.push(`${name} ${reason}`),
		});
	}

	take({ floor, rows, records }: State): this {
		const base = { kind: "snapshotPart", from: SENDER, to: RECEIVER, term: 3, transfer: 100 } as const;
		const parts = [encodeHead({ floor, rows, rowsBehind: 0 })];
		for (let at = 0; at < records.length; at += RECORDS_A_PART) parts.push(encodeRecords(records.slice(at, at + RECORDS_A_PART)));
		for (const [sequence, data] of parts.entries()) {
			this.receiver.part({ ...base, sequence, last: sequence === parts.length - 1, data });
			this.time.settle();
		}
		return this;
	}
}

describe("a state that is received", () => {
	test("becomes the member's own when records, then floor, then the name of its folder are durable, and not before", () => {
		const state = soundState();
		const to = new Receiving().take(state);
		expect(to.asked).toEqual(["batch", "batch", "batch", "barrier", "floor", "sync"]);
		expect(to.receiver.ready).toBe(null);
		expect(to.acks.map(({ outcome }) => outcome)).not.toContain("done");
		to.endSync(null);
		expect(to.asked.at(-1)).toBe("ready");
		const [floor] = to.floors as [Extract<StoreOp, { kind: "floor" }>];
		expect(floor.rows.slice(0, -1)).toEqual(state.rows);
		expect(floor.rows.at(-1)?.key).toBe(FLOOR_ROW);
		// The sender's state under the receiver's own name: a start compares both.
		const own = { ...state.floor, memberId: RECEIVER, generation: "2" };
		expect(decodeFloor(floor.rows.at(-1)?.value ?? new Uint8Array(0))).toEqual({ ok: true, floor: own });
		expect(to.receiver.ready?.floor).toEqual(own);
		expect(to.receiver.ready?.keyValues).toMatchObject({ revision: state.floor.mark.revision, keyCount: 4 });
	});

	test("is given up when its folder cannot be synced", () => {
		const to = new Receiving().take(soundState());
		to.endSync("EIO");
		expect([to.receiver.ready, to.acks.at(-1)?.outcome, to.asked.at(-1)]).toEqual([null, "refused", "remove 2"]);
	});

	test("is given up, and nothing of it stays, when its sender has been silent for a minute (rule N7)", () => {
		const to = new Receiving();
		const { floor, rows, records } = soundState();
		const base = { kind: "snapshotPart", from: SENDER, to: RECEIVER, term: 3, transfer: 100, last: false } as const;
		const parts = [encodeHead({ floor, rows, rowsBehind: 0 }), encodeRecords(records.slice(0, 4))];
		// Each of them is a sign of life.
		for (const [sequence, data] of parts.entries()) {
			to.receiver.part({ ...base, sequence, data });
			to.time.settle();
			to.time.jump(60_000);
			to.receiver.watch();
			expect(to.told).toEqual([]);
		}
		to.time.jump(1);
		to.receiver.watch();
		expect(to.told).toEqual(["snapshotFailed the sender is silent"]);
		expect([to.receiver.ready, to.acks.at(-1)?.outcome, to.asked.at(-1)]).toEqual([null, "refused", "remove 2"]);
	});

	const spoils: Readonly<Record<string, readonly [(state: State) => void, RegExp]>> = {
		"a record that lacks a bit": [({ records }) => spoil(records, 4, (value) => value.with(3, (value[3] as number) ^ 4)), /checksum/],
		"a record that was changed together with its checksum": [
			({ records }) => void records.splice(9, 1, forged(records[9] as StoredRecord)),
			/digest/,
		],
		"a record less in the middle": [({ records }) => void records.splice(5, 1), /follows where/],
		"a record less at the end": [({ records }) => void records.pop(), /end at revision/],
		"a record twice": [({ records }) => void records.splice(5, 0, records[5] as StoredRecord), /follows where|out of order/],
		"records in another order": [
			({ records }) => void records.splice(2, 2, records[3] as StoredRecord, records[2] as StoredRecord),
			/follows/,
		],
		"a floor that counts one more": [({ floor }) => Object.assign(floor.mark, { count: 11 }), /count of the records is 10/],
		"a floor with another first sum": [({ floor }) => Object.assign(floor.mark, { digest: floor.mark.digest ^ 1 }), /digest of/],
		"a floor with another second sum": [({ floor }) => Object.assign(floor.mark, { digest2: floor.mark.digest2 ^ 1 }), /digest2 of/],
		"a floor of another revision": [({ floor }) => Object.assign(floor.mark, { revision: floor.mark.revision + 1 }), /end at revision/],
		"a table row that lacks a bit": [({ rows }) => void rows.splice(1, 1, { key: "members/2", value: bytes("mEmber 2") }), /add up/],
		"a table row under another name": [({ rows }) => void rows.splice(1, 1, { key: "members/9", value: bytes("member 2") }), /add up/],
		"a table row less": [({ rows }) => void rows.pop(), /add up/],
		"a table row more": [({ rows }) => void rows.push({ key: "members/4", value: bytes("member 4") }), /add up/],
	};
	test.each(Object.entries(spoils))("with %s is refused, and nothing of it stays", (_name, [change, reason]) => {
		const state = soundState();
		change(state);
		const to = new Receiving().take(state);
		expect(to.told.length).toBe(1);
		expect(to.told[0]).toMatch(reason);
		expect([to.receiver.ready, to.acks.at(-1)?.outcome, to.asked.at(-1)]).toEqual([null, "refused", "remove 2"]);
		expect(to.floors).toEqual([]);
	});
});

function spoil(records: StoredRecord[], at: number, change: (value: Uint8Array) => Uint8Array): void {
	const { key, value } = records[at] as StoredRecord;
	records[at] = { key, value: change(value) };
}
