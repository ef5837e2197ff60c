/** Both ends of a transfer, message by message: what the sender cuts into parts, the receiver puts together. */
import { portableBytes } from "@flotilla/base";
import { EMPTY_MARK, StoreRebuild } from "@flotilla/mvcc";
import { type FloorImage, type ReplicaStatus, type TableRow, tableDigest } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import type { SnapshotAck, SnapshotPart, StoreCompletion, StoreOpening } from "../ports.ts";
import { MemoryStore } from "../stores/memory-store.ts";
import { record } from "../stores/store.suite.ts";
import { ManualTime } from "./driver.suite.ts";
import type { LiveStore } from "./live-store.ts";
import { decodeRecords } from "./snapshot-codec.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

const CLUSTER = 7n;
const SENDER = 1n;
const RECEIVER = 2n;
const CONF = { voters: [SENDER, RECEIVER], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

const statusOf = (role: "leader" | "follower", index: number): ReplicaStatus =>
	({ core: { role, term: 3, commit: index }, appliedIndex: index }) as ReplicaStatus;

function imageOf(tables: readonly TableRow[], appliedIndex = 50): FloorImage {
	const digest = tableDigest(portableBytes, tables);
	return { appliedIndex, term: 3, confState: CONF, mark: EMPTY_MARK, tables, tableDigest: digest, batchSeq: 0 };
}

/** A state without records, to be sent. */
class SendingEnd {
	readonly time: ManualTime;
	readonly parts: SnapshotPart[] = [];
	readonly reports: boolean[] = [];
	/** What the store is to answer. */
	readonly asked: Array<{ readonly kind: string; readonly done: (completion: StoreCompletion) => void }> = [];
	readonly sender: SnapshotSender;

	constructor(image: FloorImage, partBytes: number, time: ManualTime) {
		this.time = time;
		const live = {
			storedSeq: 0,
			view: ({ kind }: { kind: string }, done: (completion: StoreCompletion) => void) => void this.asked.push({ kind, done }),
		};
		this.sender = new SnapshotSender({
			identity: { clusterId: CLUSTER, memberId: SENDER, generation: "1" },
			...{ clock: time.clock, scheduler: time.scheduler, partBytes, partPauseMs: 0, firstTransfer: 100 },
			status: () => statusOf("leader", image.appliedIndex),
			capture: () => image,
			store: () => live as unknown as LiveStore,
			send: (part) => void this.parts.push(part),
			report: (_peer, ok) => void this.reports.push(ok),
			hold: () => {},
			told: () => {},
		});
	}

	want(): void {
		this.sender.want({ peer: RECEIVER, minIndex: 1 });
		this.sender.turn();
		this.sender.turn();
	}

	/** The store has done what it was asked for first. */
	answer(): string | undefined {
		const first = this.asked.shift();
		first?.done({ id: 1, error: null, rows: null, records: [] });
		return first?.kind;
	}
}

class ReceivingEnd {
	readonly acks: SnapshotAck[] = [];
	readonly lists: Array<(generations: readonly string[]) => void> = [];
	readonly opens: Array<{ readonly generation: string; readonly done: (opening: StoreOpening) => void }> = [];
	readonly receiver: SnapshotReceiver;

	constructor(time: ManualTime) {
		this.receiver = new SnapshotReceiver({
			clock: time.clock,
			stores: {
				list: (done) => void this.lists.push(done),
				open: (generation, _create, done) => void this.opens.push({ generation, done }),
				remove: (_generation, done) => done(null),
				sync: (done) => done(null),
			},
			restore: (mark, storage) => new StoreRebuild(mark, { keepEvents: false, valueCacheBytes: 0 }, storage, portableBytes),
			soon: (work) => time.scheduler.soon(work),
			identity: () => ({ clusterId: CLUSTER, memberId: RECEIVER, generation: "1" }),
			status: () => statusOf("follower", 10),
			installing: () => false,
			send: (ack) => void this.acks.push(ack),
			received: () => {},
			told: () => {},
		});
	}
}

function rowsOf(count: number, bytes: number): TableRow[] {
	return Array.from({ length: count }, (_, n) => ({ key: `leases/${String(n).padStart(4, "0")}`, value: new Uint8Array(bytes).fill(n) }));
}

/** Hands everything to and fro until nobody says anything any more. */
function exchange(time: ManualTime, from: SendingEnd, to: ReceivingEnd): void {
	for (let quiet = 0; quiet < 3; quiet++) {
		time.settle();
		for (const part of from.parts.splice(0)) {
			to.receiver.part(part);
			quiet = 0;
		}
		for (const done of to.lists.splice(0)) done(["1"]);
		for (const { done } of to.opens.splice(0)) {
			const store = new MemoryStore((work) => time.scheduler.soon(work));
			done({ ok: true, store: Object.assign(store, { close: (closed: () => void) => closed() }) });
			quiet = 0;
		}
		time.settle();
		for (const ack of to.acks.splice(0)) {
			from.sender.acknowledged(ack);
			quiet = 0;
		}
		while (from.answer() !== undefined) quiet = 0;
	}
}

describe("a state that is sent", () => {
	test.each([
		["tables that are far larger than a part", rowsOf(1_000, 100), 2_000],
		["rows that are larger than a part, each by itself", rowsOf(20, 3_000), 1_000],
		["tables that fit into the first part", rowsOf(3, 10), 1 << 20],
		["no tables", [], 1 << 20],
	])("%s", (_name, rows, partBytes) => {
		const time = new ManualTime();
		const [from, to] = [new SendingEnd(imageOf(rows), partBytes, time), new ReceivingEnd(time)];
		let largest = 0;
		const send = from.parts.push.bind(from.parts);
		from.parts.push = (part) => {
			largest = Math.max(largest, part.data.length);
			return send(part);
		};
		from.want();
		exchange(time, from, to);
		expect(to.receiver.ready?.rows).toEqual(rows);
		expect(to.receiver.ready?.floor).toMatchObject({ appliedIndex: 50, memberId: RECEIVER, generation: "2" });
		// A head of two hundred bytes, or one row.
		expect(largest).toBeLessThan(Math.max(partBytes, 3_100) + 300);
		to.receiver.taken(true);
		exchange(time, from, to);
		expect(from.reports).toEqual([true]);
	});

	test("holds no record above its revision, though the view has some: they belong to entries that the receiver gets from the log (rule N2)", () => {
		const { revision } = EMPTY_MARK;
		const from = new SendingEnd(imageOf([]), 1_000, new ManualTime());
		from.want();
		expect(from.answer()).toBe("openView");
		const read = from.asked.shift();
		expect(read?.kind).toBe("readView");
		read?.done({ id: 1, error: null, rows: null, records: [record(revision, "of the state"), record(revision + 1, "later")] });
		const told = from.parts.at(-1);
		expect(told?.last).toBe(true);
		expect(decodeRecords(told?.data ?? new Uint8Array(0))).toEqual([record(revision, "of the state")]);
	});

	test("ends when its view has become too old, however lively the receiver is, and begins anew with a young one (rule N7)", () => {
		const time = new ManualTime();
		const from = new SendingEnd(imageOf([]), 1_000, time);
		from.want();
		expect(from.answer()).toBe("openView");
		const more = { kind: "snapshotAck", from: RECEIVER, to: SENDER, term: 3, transfer: 100, next: 1, outcome: "more" } as const;
		const beginsMs = time.nowMs;
		const goOn = (untilMs: number): void => {
			while (time.nowMs < beginsMs + untilMs) {
				time.jump(10_000);
				from.sender.acknowledged(more);
				from.sender.turn();
			}
		};
		goOn(3_600_000);
		expect(from.asked.map(({ kind }) => kind)).toEqual(["readView"]);
		goOn(3_610_000);
		expect(from.asked.map(({ kind }) => kind)).toEqual(["readView", "closeView"]);
		time.pass(1_000);
		expect(from.reports).toEqual([false]);
		from.answer();
		from.answer();
		from.want();
		expect(from.asked.map(({ kind }) => kind)).toEqual(["openView"]);
	});

	test("with rows that are missing is refused", () => {
		const time = new ManualTime();
		const [from, to] = [new SendingEnd(imageOf(rowsOf(100, 100)), 2_000, time), new ReceivingEnd(time)];
		const send = from.parts.push.bind(from.parts);
		// What should be rows says that it is the last of the records.
		from.parts.push = (part) => send(part.sequence === 2 ? { ...part, last: true } : part);
		from.want();
		exchange(time, from, to);
		expect(to.receiver.ready).toBe(null);
		time.pass(1_100);
		expect(from.reports).toEqual([false]);
	});

	test("is sent anew to a peer that asks again while the end of the former transfer is not through", () => {
		const time = new ManualTime();
		const from = new SendingEnd(imageOf([]), 1_000, time);
		from.want();
		expect(from.answer()).toBe("openView");
		const ack = { kind: "snapshotAck", from: RECEIVER, to: SENDER, term: 3, transfer: 100, next: 1, outcome: "done" } as const;
		from.sender.acknowledged(ack);
		expect(from.reports).toEqual([true]);
		from.want();
		expect(from.asked.map(({ kind }) => kind)).toEqual(["readView", "closeView"]);
		from.answer();
		from.answer();
		from.sender.turn();
		from.sender.turn();
		expect(from.asked.map(({ kind }) => kind)).toEqual(["openView"]);
	});
});

test("two states that are received one after the other never share a folder, though the first is not listed yet", () => {
	const time = new ManualTime();
	const to = new ReceivingEnd(time);
	for (const first of [1, 2]) {
		const from = new SendingEnd(imageOf([], 50 + first), 1_000, time);
		// Of two leaders, whose numbers are far apart.
		Object.assign(from.sender, { made: first * 10_000_000 });
		from.want();
		from.answer();
		to.receiver.part(from.parts[0] as SnapshotPart);
		to.lists.shift()?.(["1"]);
	}
	expect(to.opens.map(({ generation }) => generation)).toEqual(["2", "3"]);
});
