import { assert, marks, portableBytes } from "@flotilla/base";
import type { KeyValueStore, RecordBatch, Restored, StoreRestore } from "@flotilla/mvcc";
import type { LogIndex, SnapshotMessage } from "@flotilla/raft";
import { type ReplicaStatus, type TableRow, tableDigest } from "@flotilla/replica";
import type { Clock, OpenStore, SnapshotAck, SnapshotPart, StoreCompletion, StoreHouse, StoreOpening } from "../ports.ts";
import type { StoreIdentity } from "./floor.ts";
import { encodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import { decodeHead, decodeRecords, decodeRows, type SnapshotHead } from "./snapshot-codec.ts";
import { FINISH_SLICE, type RestoreStore } from "./store-scan.ts";

export interface SnapshotReceiverOwner {
	readonly clock: Clock;
	readonly stores: StoreHouse;
	readonly restore: RestoreStore;
	/** Runs work in a later turn. */
	soon(work: () => void): void;
	/** Of the store in use. */
	identity(): StoreIdentity;
	status(): ReplicaStatus;
	/** A former install is not durable yet. */
	installing(): boolean;
	send(ack: SnapshotAck): void;
	/** `ready` holds a state to be installed. */
	received(): void;
	told(name: "snapshotReceived" | "snapshotFailed", index: LogIndex, fields: Readonly<Record<string, string | number | bigint>>): void;
}

/** A state that lies verified on the disk behind its floor (rule N3). */
export interface ReceivedStore {
	readonly message: SnapshotMessage;
	readonly disk: OpenStore;
	readonly floor: FloorRecord;
	readonly rows: readonly TableRow[];
	readonly keyValues: KeyValueStore;
}

interface Incoming {
	readonly from: bigint;
	readonly to: bigint;
	readonly term: number;
	readonly transfer: number;
	readonly head: SnapshotHead;
	/** So far. */
	readonly rows: TableRow[];
	/** Parts that wait for the store to be open, or for one before them. */
	readonly waiting: Map<number, SnapshotPart>;
	disk: OpenStore | null;
	generation: string;
	rebuild: StoreRestore | null;
	/** Sequence of the next part, and the first that is not written. */
	next: number;
	written: number;
	ended: boolean;
	heardMs: number;
	readonly startedMs: number;
	/** What the operations of its store are for, by number. */
	lastOp: number;
	readonly ops: Map<number, () => void>;
}

type Finished = Pick<SnapshotAck, "transfer" | "next" | "outcome">;

/** More than a sender has under way. */
const UNWRITTEN_PARTS_MAX = 16;
/** A sender that is silent for so long is gone, or leads no more. */
const SILENCE_MAX_MS = 60_000;
/** Transfers of one process life count up from a random number: as far apart, two belong to two lives. */
const TRANSFERS_OF_A_LIFE = 1_000_000;

/**
 * Takes a state into a store of its own (rules N3, N7), part by part in order: what comes too early waits, what comes twice is
 * not taken. When all is there it is verified whole: records, their sums and count, table rows; then its
 * floor is written. Until the log names this generation it means nothing, and a start deletes it (rule N5).
 *
 * Deviation: the generation's folder has its final name from the start. A rename would add nothing: what no marker names is
 * never opened as the member's state.
 */
export class SnapshotReceiver {
	/** To be installed. */
	ready: ReceivedStore | null = null;
	private readonly owner: SnapshotReceiverOwner;
	private incoming: Incoming | null = null;
	/** The last transfer that ended: its sender may ask again. */
	private finished: Finished | null = null;
	private readonly closing = new Set<OpenStore>();
	private lastGeneration = 0;

	constructor(owner: SnapshotReceiverOwner) {
		this.owner = owner;
	}

	/** Stores that are open besides the one in use. */
	get openStores(): readonly OpenStore[] {
		return this.incoming === null || this.incoming.disk === null ? [] : [this.incoming.disk];
	}

	part(part: SnapshotPart): void {
		if (part.transfer === this.finished?.transfer) {
			this.answer(part, this.finished);
			return;
		}
		if (isFormer(part.transfer, this.finished?.transfer) || isFormer(part.transfer, this.incoming?.transfer)) return;
		if (part.transfer !== this.incoming?.transfer) {
			if (part.sequence === 0) this.begin(part);
			// It overtook part 0, or that was sent to a former life of this member: the sender knows.
			else {
				marks.snapshotPartOvertook++;
				this.answer(part, { transfer: part.transfer, next: 0, outcome: "more" });
			}
			return;
		}
		const { incoming } = this;
		incoming.heardMs = this.owner.clock.monotonicMs();
		const { next, written, waiting } = incoming;
		if (part.sequence < next || part.sequence >= written + UNWRITTEN_PARTS_MAX) {
			this.answer(incoming, { transfer: incoming.transfer, next: written, outcome: "more" });
			return;
		}
		waiting.set(part.sequence, part);
		this.takeWaiting(incoming);
	}

	/** Once a turn: gives up what nobody goes on with. */
	watch(): void {
		const { incoming } = this;
		if (incoming === null || this.ready !== null) return;
		if (this.owner.clock.monotonicMs() - incoming.heardMs > SILENCE_MAX_MS) this.fail("the sender is silent");
	}

	/** The state became the member's own, or was not needed: its sender may stop. */
	taken(installed: boolean): void {
		const { incoming, ready } = this;
		this.ready = null;
		if (incoming === null || ready === null) return;
		if (installed) {
			const { appliedIndex, mark } = ready.floor;
			const { from, generation, startedMs } = incoming;
			const tookMs = Math.round(this.owner.clock.monotonicMs() - startedMs);
			const { revision, count: records } = mark;
			this.owner.told("snapshotReceived", appliedIndex, { revision, records, generation, from, tookMs });
			incoming.disk = null;
		}
		this.end(incoming, "done");
	}

	/** The leader that the state came from is none any more. */
	refused(): void {
		this.ready = null;
		this.fail("its leader was succeeded");
	}

	private begin(part: SnapshotPart): void {
		const { owner } = this;
		const { core } = owner.status();
		const refuse = (): void => {
			marks.snapshotRefused++;
			this.answer(part, { transfer: part.transfer, next: 0, outcome: "refused" });
		};
		// Late copies of what a former transfer said do not end a newer one.
		if (this.incoming !== null && (part.term < this.incoming.term || this.ready !== null)) {
			refuse();
			return;
		}
		if (part.term < core.term || core.role === "leader" || owner.installing()) {
			refuse();
			return;
		}
		const head = decodeHead(part.data);
		const { clusterId, memberId } = owner.identity();
		if (head === null || head.floor.clusterId !== clusterId) {
			refuse();
			return;
		}
		const { confState, appliedIndex } = head.floor;
		if (![confState.voters, confState.votersOutgoing, confState.learners].some((ids) => ids.includes(memberId))) {
			refuse();
			return;
		}
		if (appliedIndex <= core.commit) {
			marks.snapshotNotNeeded++;
			this.finished = { transfer: part.transfer, next: 1, outcome: "done" };
			this.answer(part, this.finished);
			return;
		}
		if (this.incoming !== null) this.fail("another transfer began");
		const { from, to, term, transfer } = part;
		const incoming: Incoming = {
			from,
			to,
			term,
			transfer,
			head,
			rows: [...head.rows],
			waiting: new Map(),
			disk: null,
			generation: "",
			rebuild: null,
			next: 1,
			written: 0,
			ended: false,
			startedMs: owner.clock.monotonicMs(),
			heardMs: owner.clock.monotonicMs(),
			lastOp: 0,
			ops: new Map(),
		};
		this.incoming = incoming;
		owner.stores.list((generations, error) => this.listed(incoming, generations, error ?? null));
	}

	private listed(incoming: Incoming, generations: readonly string[], error: string | null): void {
		if (incoming.ended) return;
		if (error !== null) {
			this.fail(error);
			return;
		}
		// One that is being made or removed just now may be listed or not: no number is given twice in a process life.
		const taken = [...generations, this.owner.identity().generation].map((name) => Number.parseInt(name, 10) || 0);
		this.lastGeneration = Math.max(this.lastGeneration, ...taken) + 1;
		incoming.generation = String(this.lastGeneration);
		this.owner.stores.open(incoming.generation, true, (opening) => this.opened(incoming, opening));
	}

	private opened(incoming: Incoming, opening: StoreOpening): void {
		if (!opening.ok) {
			if (!incoming.ended) this.fail(opening.text);
			return;
		}
		incoming.disk = opening.store;
		if (incoming.ended) {
			this.remove(incoming);
			return;
		}
		opening.store.onCompletion = (completion) => this.completed(incoming, completion);
		incoming.rebuild = this.owner.restore(incoming.head.floor.mark, opening.store);
		incoming.written = 1;
		this.answer(incoming, { transfer: incoming.transfer, next: 1, outcome: "more" });
		this.takeWaiting(incoming);
	}

	private takeWaiting(incoming: Incoming): void {
		const { waiting } = incoming;
		if (incoming.rebuild === null) return;
		for (let part = waiting.get(incoming.next); part !== undefined && !incoming.ended; part = waiting.get(incoming.next)) {
			waiting.delete(incoming.next++);
			this.take(incoming, part);
		}
	}

	private take(incoming: Incoming, part: SnapshotPart): void {
		const { head, rows } = incoming;
		if (rows.length < head.rows.length + head.rowsBehind) this.takeRows(incoming, part);
		else this.takeRecords(incoming, part);
	}

	/** They come before all records, so nothing of this transfer is being written yet. */
	private takeRows(incoming: Incoming, part: SnapshotPart): void {
		const rows = decodeRows(part.data);
		if (rows === null || rows.length === 0 || part.last) {
			this.fail("a part of the table rows is damaged");
			return;
		}
		// They stay until the state is installed, and would keep all that came with them.
		for (const { key, value } of rows) incoming.rows.push({ key, value: value.slice() });
		incoming.written = part.sequence + 1;
		this.answer(incoming, { transfer: incoming.transfer, next: incoming.written, outcome: "more" });
	}

	private takeRecords(incoming: Incoming, part: SnapshotPart): void {
		const records = decodeRecords(part.data);
		if (records === null) {
			this.fail("a part is damaged");
			return;
		}
		for (const { key, value } of records) {
			const problem = incoming.rebuild?.record(key, value);
			if (typeof problem === "string") {
				this.fail(problem);
				return;
			}
		}
		const batch = { seq: part.sequence, puts: records, deletes: [], bytes: part.data.length };
		this.submit(incoming, { kind: "batch", batch }, () => {
			if (part.last) {
				this.finish(incoming);
				return;
			}
			incoming.written = part.sequence + 1;
			this.answer(incoming, { transfer: incoming.transfer, next: incoming.written, outcome: "more" });
		});
	}

	/** Puts the key index together, in slices: this member goes on hearing its leader. */
	private finish(incoming: Incoming): void {
		const work = incoming.rebuild?.finish();
		assert(work !== undefined, "a state that is complete was being restored");
		const goOn = (): void => {
			if (incoming.ended) return;
			if (work.step(FINISH_SLICE)) this.restored(incoming, work.result());
			else this.owner.soon(goOn);
		};
		goOn();
	}

	private restored(incoming: Incoming, restored: Restored): void {
		const { floor } = incoming.head;
		const { rows } = incoming;
		if (!restored.ok) {
			this.fail(restored.reason);
			return;
		}
		if (tableDigest(portableBytes, rows) !== floor.tableDigest) {
			this.fail("the table rows do not add up");
			return;
		}
		const { memberId } = this.owner.identity();
		const own: FloorRecord = { ...floor, memberId, generation: incoming.generation };
		this.submit(incoming, { kind: "barrier" }, () =>
			this.submit(incoming, { kind: "floor", rows: [...rows, { key: FLOOR_ROW, value: encodeFloor(own) }] }, () =>
				this.owner.stores.sync((error) => {
					if (incoming.ended) return;
					if (error !== null) {
						this.fail(error);
						return;
					}
					this.becomeReady(incoming, own, restored.store);
				}),
			),
		);
	}

	private becomeReady(incoming: Incoming, floor: FloorRecord, keyValues: KeyValueStore): void {
		const { from, to, term, disk, generation, rows } = incoming;
		if (disk === null) return;
		const meta = { index: floor.appliedIndex, term: floor.term, confState: floor.confState, generation };
		this.ready = { message: { kind: "snapshot", from, to, term, meta }, disk, floor, rows, keyValues };
		this.owner.received();
	}

	private submit(incoming: Incoming, op: WriteOp, done: () => void): void {
		const id = ++incoming.lastOp;
		incoming.ops.set(id, done);
		incoming.disk?.submit({ ...op, id });
	}

	private completed(incoming: Incoming, { id, error }: StoreCompletion): void {
		const done = incoming.ops.get(id);
		incoming.ops.delete(id);
		if (incoming.ended) return;
		// The member's own store is not concerned: it may have room where this one found none.
		if (error !== null) this.fail(error);
		else done?.();
	}

	private fail(reason: string): void {
		const { incoming } = this;
		if (incoming === null) return;
		this.owner.told("snapshotFailed", incoming.head.floor.appliedIndex, { reason, from: incoming.from });
		this.end(incoming, "refused");
	}

	private end(incoming: Incoming, outcome: "done" | "refused"): void {
		incoming.ended = true;
		this.incoming = null;
		this.finished = { transfer: incoming.transfer, next: incoming.next, outcome };
		this.answer(incoming, this.finished);
		this.remove(incoming);
	}

	private remove({ disk, generation }: Incoming): void {
		if (disk === null || this.closing.has(disk)) return;
		this.closing.add(disk);
		// What cannot be removed now goes at the next start.
		disk.close(() => this.owner.stores.remove(generation, () => void this.closing.delete(disk)));
	}

	private answer({ from, to, term }: Pick<SnapshotPart, "from" | "to" | "term">, { transfer, next, outcome }: Finished): void {
		this.owner.send({ kind: "snapshotAck", from: to, to: from, term, transfer, next, outcome });
	}
}

/** Late copies of what a former transfer of the same process life said. */
function isFormer(transfer: number, than: number | undefined): boolean {
	return than !== undefined && transfer < than && than - transfer < TRANSFERS_OF_A_LIFE;
}

type WriteOp =
	| { readonly kind: "batch"; readonly batch: RecordBatch }
	| { readonly kind: "barrier" }
	| { readonly kind: "floor"; readonly rows: readonly TableRow[] };
