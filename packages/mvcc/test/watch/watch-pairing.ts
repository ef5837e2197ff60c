/**
 * A hub over a store, and the whole history beside it. A member's store follows a leader's some requests behind, and is now and
 * then exchanged for one that is made from the leader's records, as after a snapshot. Every message is judged as it comes.
 */
import { type Dice, portableBytes } from "@flotilla/base";
import {
	allEvents,
	type KeyValueStore,
	LeaseTable,
	MemoryStorage,
	type MvccStore,
	type RequestOp,
	StoreRebuild,
	WatchHub,
	type WatchMessage,
	type WatchRequest,
	type WatchStream,
} from "../../src/index.ts";
import { bytes, del, put, txn } from "../requests.ts";
import { finish, storeOf, type Workplace, workplace } from "../store-of.ts";
import { decodeEvent } from "./decode-event.ts";
import { type Interest, NaiveHistory, type NaiveOp } from "./naive-history.ts";

const KEYS = ["a", "a\0", "ab", "b", "b\xff", "c", "d", "\xff"];
const HAPPENINGS = [
	...(["create", "create", "cancel", "compact", "exchange", "block", "progress", "clock"] as const),
	...(["catchUp", "catchUp", "turn", "turn", "write", "write", "write", "write"] as const),
];
const ENDS = ["", "", "\0", "b", "c", "\xff"];

/** What a watcher has heard, and what it may hear. */
interface Listener {
	readonly id: bigint;
	readonly request: WatchRequest;
	readonly interest: Interest;
	created: boolean;
	/** All up to here was sent. */
	start: number;
	heard: number;
	over: "" | "canceled" | "compacted";
	/** Never behind, never parked: a compaction must not end it. */
	immune: boolean;
}

class Client {
	readonly stream: WatchStream;
	readonly listeners = new Map<bigint, Listener>();
	/** Refusals that are due, in order with the created ones. */
	readonly expected: Array<{ readonly id: bigint | null; readonly revision: number }> = [];
	room = Number.POSITIVE_INFINITY;

	constructor(pairing: WatchPairing) {
		this.stream = pairing.hub.openStream({
			take: (message) => {
				pairing.judge(this, message);
				this.room--;
				return this.room > 0;
			},
		});
	}
}

/** A request to the leader, as the member is to repeat it. */
interface Command {
	readonly naive: readonly NaiveOp[];
	readonly apply: (store: MvccStore) => void;
}

export class WatchPairing {
	readonly hub: WatchHub;
	readonly complaints: string[] = [];
	readonly counts = { events: 0, progress: 0, compacted: 0, canceled: 0, exchanges: 0, parked: 0 };
	private readonly dice: Dice;
	private readonly history = new NaiveHistory();
	private readonly leader = storeOf();
	private readonly eventsKeptMax: number;
	private member: Workplace;
	private readonly lag: Command[] = [];
	private readonly clients: Client[] = [];
	private lastValue = 0;

	constructor(dice: Dice) {
		this.dice = dice;
		this.eventsKeptMax = dice.pick([1, 2, 4_096]);
		this.member = storeOf(0, new LeaseTable(), this.eventsKeptMax);
		const limits = {
			streamBytesMax: dice.pick([100, 400, 1 << 20]),
			totalBytesMax: dice.pick([600, 1 << 20]),
			watcherBytesMax: 1 << 20,
			sliceRecords: dice.range(1, 8),
			sliceBytes: dice.pick([40, 1 << 20]),
			largeRecords: dice.pick([1, 2, 4_096]),
			gatheredBytesMax: 1 << 20,
		};
		this.hub = new WatchHub(limits, this.member.store, { bytes: portableBytes, wake() {} });
		for (let at = dice.range(1, 3); at > 0; at--) this.clients.push(new Client(this));
	}

	step(): void {
		const { dice } = this;
		const happens = dice.pick(HAPPENINGS);
		if (happens === "create") this.create();
		else if (happens === "cancel") this.cancel();
		else if (happens === "compact") this.compact();
		else if (happens === "exchange") this.exchange();
		else if (happens === "block") this.block();
		else if (happens === "progress") this.pick().stream.progress();
		else if (happens === "clock") this.pick().stream.tellProgress();
		else if (happens === "catchUp") this.hub.catchUp();
		else if (happens === "turn") this.turn(dice.range(1, 6));
		else this.write();
	}

	/** Everybody reads, all is applied, and nobody may lack anything. */
	finish(): void {
		this.turn(this.lag.length);
		for (let round = 0; round < 3; round++) {
			for (const client of this.clients) this.drain(client, Number.POSITIVE_INFINITY);
			for (let left = 100_000; this.hub.catchUp(); left--) if (left === 0) this.complain("catching up does not end");
		}
		for (const client of this.clients) {
			for (const listener of client.listeners.values()) {
				if (!listener.created) this.complain(`${listener.id} was not created`);
				if (listener.over === "") this.expectNothing(listener, this.hub.revision, "at the end");
			}
			const live = [...client.listeners.values()].some(({ over }) => over !== "compacted");
			const before = this.counts.progress;
			client.stream.progress();
			const reached = [...client.listeners.values()].every(
				({ over, request }) => over !== "" || request.startRevision <= this.hub.revision,
			);
			if (this.counts.progress > before !== (live && reached)) this.complain(`progress at the end: ${this.counts.progress > before}`);
		}
		if (this.hub.queuedBytes !== 0) this.complain(`${this.hub.queuedBytes} bytes are left in queues`);
		for (const client of this.clients) client.stream.close();
	}

	judge(client: Client, message: WatchMessage): void {
		switch (message.kind) {
			case "created":
				this.judgeAnswer(client, message.id, message.revision);
				break;
			case "refused":
				this.judgeAnswer(client, null, message.revision);
				break;
			case "events":
				this.judgeEvents(client, message);
				break;
			case "progress":
				this.judgeProgress(client, message.id, message.revision);
				break;
			case "canceled":
				this.counts.canceled++;
				break;
			case "compacted":
				this.judgeCompacted(client, message.watcher.id, message.compactRevision);
		}
	}

	/** `id`: null for a refusal. */
	private judgeAnswer(client: Client, id: bigint | null, revision: number): void {
		const want = client.expected.shift();
		if (id !== want?.id || revision !== want.revision) this.complain(`answered ${id} at ${revision}, not ${want?.id} at ${want?.revision}`);
		const listener = id === null ? undefined : client.listeners.get(id);
		if (listener !== undefined) listener.created = true;
	}

	private judgeEvents(client: Client, message: WatchMessage & { readonly kind: "events" }): void {
		const listener = client.listeners.get(message.watcher.id);
		if (listener === undefined || listener.over !== "") {
			this.complain(`events for ${message.watcher.id}, which is not there`);
			return;
		}
		if (!listener.created) this.complain("events before created");
		const { batch } = message;
		const events = Array.from(allEvents(batch), decodeEvent);
		const last = events.at(-1)?.revision ?? 0;
		if (events.length === 0) this.complain("a response without events");
		this.counts.events += events.length;
		if (message.revision < last) this.complain(`header ${message.revision} below event ${last}`);
		const want = this.history.heard(listener.interest, listener.heard + 1, last);
		if (want.length !== events.length) this.complain(`${events.length} events up to ${last}, not ${want.length}`);
		for (const [at, { type, key, revision, pair, previous }] of want.entries()) {
			const got = events[at];
			if (got === undefined) break;
			const equal = got.type === type && got.key === key && got.revision === revision && JSON.stringify(got.pair) === JSON.stringify(pair);
			if (!equal) this.complain(`heard ${JSON.stringify(got)}, not ${JSON.stringify(want[at])}`);
			const hidden = revision - 1 < this.leader.store.compactRevision;
			const wantPrevious = listener.request.prevKv ? previous : null;
			const fits = JSON.stringify(got.previous) === JSON.stringify(wantPrevious) || (got.previous === null && hidden);
			if (!fits) this.complain(`previous pair ${JSON.stringify(got.previous)}, not ${JSON.stringify(wantPrevious)}`);
		}
		listener.heard = last;
	}

	private judgeProgress(client: Client, id: bigint, revision: number): void {
		this.counts.progress++;
		for (const listener of client.listeners.values()) {
			// It speaks for those that the client knows of.
			if (listener.over !== "" || !listener.created || (id !== -1n && listener.id !== id)) continue;
			if (listener.request.startRevision > revision) this.complain("progress before the first revision of a watcher");
			this.expectNothing(listener, revision, "before a progress response");
		}
	}

	private judgeCompacted(client: Client, id: bigint, compactRevision: number): void {
		this.counts.compacted++;
		const listener = client.listeners.get(id);
		if (listener === undefined || listener.over !== "") {
			this.complain(`compaction ends ${id}, which is not there`);
			return;
		}
		if (listener.immune) this.complain(`compaction ends ${id}, which had seen everything`);
		if (compactRevision > this.member.store.compactRevision) this.complain("a compact revision above the store's");
		if (listener.heard >= compactRevision || listener.start >= compactRevision)
			this.complain("a compaction that took nothing ends a watcher");
		listener.over = "compacted";
	}

	private expectNothing(listener: Listener, upto: number, when: string): void {
		const missing = this.history.heard(listener.interest, listener.heard + 1, upto);
		if (missing.length > 0) this.complain(`${listener.id} lacks ${missing.length} events ${when}, the first at ${missing[0]?.revision}`);
	}

	// ---- what happens

	private create(): void {
		const { dice } = this;
		const client = this.pick();
		const rangeEnd = dice.pick(ENDS);
		const key = dice.pick(KEYS);
		const startRevision = dice.chance(1, 2) ? 0 : Math.max(0, dice.range(this.hub.revision - 12, this.hub.revision + 4));
		// Not -1: a client that chooses it cannot tell its progress from the stream's.
		const watchId = dice.chance(2, 3) ? 0n : BigInt(dice.pick([-3, -2, 1, 2, 3, 4, 5, 6]));
		const request: WatchRequest = {
			...{ key: bytes(key), rangeEnd: bytes(rangeEnd), startRevision, watchId, fragment: dice.chance(1, 3) },
			...{ prevKv: dice.chance(1, 2), noPut: dice.chance(1, 6), noDelete: dice.chance(1, 6), progressNotify: dice.chance(1, 2) },
		};
		const emptyRange = rangeEnd !== "" && rangeEnd !== "\0" && key >= rangeEnd;
		const taken = watchId !== 0n && client.listeners.has(watchId);
		if (emptyRange || taken) {
			client.expected.push({ id: null, revision: this.hub.revision });
			client.stream.create(request);
			return;
		}
		const id = watchId === 0n ? this.nextId(client) : watchId;
		const to = rangeEnd === "" ? `${key}\0` : rangeEnd === "\0" ? null : rangeEnd;
		const start = startRevision === 0 ? this.hub.revision + 1 : startRevision;
		client.expected.push({ id, revision: this.hub.revision });
		client.listeners.set(id, {
			...{ id, request, interest: { from: key, to, noPut: request.noPut, noDelete: request.noDelete } },
			...{
				created: false,
				start,
				heard: start - 1,
				over: "",
				immune: start > this.hub.revision && client.room === Number.POSITIVE_INFINITY,
			},
		});
		client.stream.create(request);
	}

	private readonly ids = new Map<Client, bigint>();
	private nextId(client: Client): bigint {
		let id = this.ids.get(client) ?? 0n;
		while (client.listeners.has(id)) id++;
		this.ids.set(client, id + 1n);
		return id;
	}

	private cancel(): void {
		const client = this.pick();
		const [id] = this.dice.shuffle([...client.listeners.keys()]);
		if (id !== undefined) client.listeners.delete(id);
		client.stream.cancel(id ?? 99n);
	}

	/** The client takes some messages and then none, or all again. */
	private block(): void {
		this.drain(this.pick(), this.dice.chance(1, 3) ? Number.POSITIVE_INFINITY : this.dice.range(1, 3));
	}

	private drain(client: Client, room: number): void {
		client.room = room;
		if (room !== Number.POSITIVE_INFINITY) for (const listener of client.listeners.values()) listener.immune = false;
		client.stream.drained();
	}

	private write(): void {
		const ops = this.drawOps();
		const naive = ops.flat();
		this.history.apply(naive);
		const apply = (store: MvccStore): void => {
			const [first] = naive;
			if (naive.length === 1 && first !== undefined) {
				if (first.kind === "put") store.put(put(first.key, first.value));
				else store.deleteRange(del(first.key));
			} else store.txn(txn({ success: naive.map(requestOp) }));
		};
		apply(this.leader.store);
		this.lag.push({ naive, apply });
	}

	/** One change, a transaction over several keys, or a put and a delete of one key in one revision. */
	private drawOps(): NaiveOp[] {
		const { dice } = this;
		const one = (key: string): NaiveOp =>
			dice.chance(1, 4) ? { kind: "delete", key } : { kind: "put", key, value: `v${++this.lastValue}` };
		if (dice.chance(2, 3)) return [one(dice.pick(KEYS))];
		const keys = dice.shuffle([...KEYS]).slice(0, dice.range(2, 4));
		const ops = keys.map(one);
		const [first] = ops;
		if (first?.kind === "put" && dice.chance(1, 3)) ops.push({ kind: "delete", key: first.key });
		return ops;
	}

	private compact(): void {
		const { leader, dice } = this;
		if (leader.store.compactRevision === leader.store.revision) return;
		const revision = dice.range(Math.max(1, leader.store.compactRevision + 1), leader.store.revision);
		leader.store.compact(revision);
		leader.settle();
		this.lag.push({ naive: [], apply: (store) => void store.compact(revision) });
	}

	/** Some requests reach the member; what they did is shown at the end of the turn, after some clean-up. */
	private turn(requests: number): void {
		for (const { apply } of this.lag.splice(0, requests)) apply(this.member.store);
		this.member.store.compactionStep(this.dice.range(1, 20));
		this.show();
		if (this.dice.chance(1, 2)) this.member.flush();
	}

	/** The member gets the leader's state whole, and perhaps applies more in the same turn. */
	private exchange(): void {
		const { leader, dice } = this;
		if (this.lag.length === 0 && dice.chance(2, 3)) return;
		this.counts.exchanges++;
		leader.settle();
		const mark = leader.floor();
		const storage = new MemoryStorage();
		storage.write({ seq: 1, puts: leader.storage.all(), deletes: [], bytes: 0 });
		const options = { keepEvents: true, valueCacheBytes: 0, eventsKeptMax: this.eventsKeptMax };
		const restore = new StoreRebuild(mark, options, storage, portableBytes, new LeaseTable());
		for (const { key, value } of leader.storage.all()) restore.record(key, value);
		const finished = finish(restore.finish());
		if (!finished.ok) throw new Error(finished.reason);
		this.lag.length = 0;
		this.member = workplace(finished.store as MvccStore, storage);
		this.endImmunity();
		if (dice.chance(1, 2)) {
			this.write();
			for (const { apply } of this.lag.splice(0)) apply(this.member.store);
		}
		this.show();
	}

	private endImmunity(): void {
		for (const { listeners } of this.clients) for (const listener of listeners.values()) listener.immune = false;
	}

	private show(): void {
		this.counts.parked += this.clients.filter(({ stream }) => stream.parked > 0).length;
		const store: KeyValueStore = this.member.store;
		const groups = store.takeEvents();
		// Whoever had seen everything has to read the past now.
		if (groups.some(({ events }) => events === null)) this.endImmunity();
		this.hub.publish(store, groups);
		this.hub.deliver();
	}

	private pick(): Client {
		return this.dice.pick(this.clients);
	}

	private complain(text: string): void {
		this.complaints.push(text);
	}
}

function requestOp(op: NaiveOp): RequestOp {
	if (op.kind === "put") return { kind: "put", put: put(op.key, op.value) };
	// A range of one key: what is put before it in the same transaction may then be deleted.
	return { kind: "deleteRange", deleteRange: del(op.key, `${op.key}\0`) };
}
