import { assert, type ByteOps, marks } from "@flotilla/base";
import { Changes } from "./changes.ts";
import { Compactor } from "./compactor.ts";
import { DoomedRecords } from "./doomed-records.ts";
import { HashWork, readySliced, rememberedResult } from "./hash-work.ts";
import { History } from "./history.ts";
import { type IndexCensus, KeyIndex } from "./key-index.ts";
import { LeaseTable } from "./lease/lease-table.ts";
import { RangeChunks } from "./range-chunks.ts";
import { rangeAt, viewOf } from "./range-steps.ts";
import { type RangeParts, type RangeView, RangeWork } from "./range-work.ts";
import { mix32 } from "./record-sums.ts";
import type { DeleteRangeRequest, LeaseId, PutRequest, RangeRequest, Revision, TxnRequest } from "./request.ts";
import type {
	CompactResult,
	DeleteRangeResult,
	EndLeaseResult,
	EventGroup,
	HashResult,
	PutResult,
	RangeResult,
	Refusal,
	RefusalCode,
	TxnResult,
} from "./result.ts";
import { STRIDE, sliced, wholly } from "./sliced.ts";
import type { RecordBatch, RecordStorage, StoreMark } from "./storage.ts";
import { EMPTY_MARK, type KeyValueStore, type Sliced, type SlicedRead, type StoreCounts, type StoreOptions } from "./store-interface.ts";
import { type DeleteDone, deleteNow, type RunParts, runPath, type TxnDone } from "./txn.ts";
import { answerAtOnce, answerDelete, answerTxn, Unanswered } from "./txn-answer.ts";
import { type CheckState, checkPath, checkPutState, choosePath } from "./txn-path.ts";
import { type ReadState, readPath } from "./txn-reads.ts";
import { ValueStore } from "./value-store.ts";

/** Compacted records whose deletion is handed out in one batch, about: some 0.3 ms of the turn that hands it to LevelDB. */
const DELETES_PER_BATCH = 256;
/** Where no option says otherwise. */
const EVENTS_KEPT_MAX = 4_096;
const NO_DELETES: readonly Uint8Array[] = [];

/** What a rebuild found in the storage. */
export interface RebuiltState {
	readonly index: KeyIndex;
	readonly doomed: DoomedRecords;
	readonly revision: Revision;
	readonly compactRevision: Revision;
}

/**
 * The key space. This file decides what is refused; `Changes` writes, `RangeWork` reads, `Compactor` cleans up, and the
 * records in memory and storage are `ValueStore`'s.
 */
export class MvccStore implements KeyValueStore, CheckState {
	readonly parts: RangeParts;
	readonly leases: LeaseTable;
	readonly history: History;
	compactRevision: Revision;
	private readonly index: KeyIndex;
	private readonly values: ValueStore;
	private readonly doomed: DoomedRecords;
	private readonly compactor: Compactor;
	private readonly changes: Changes;
	private readonly runParts: RunParts;
	/** The last batch that held deletions. */
	private deletesSeq = 0;
	/** Answers that were handed out and may not have been begun. */
	private offered: Unanswered<unknown>[] = [];
	private ranges = 0;
	private txns = 0;

	/** `rebuilt`: made by `StoreRebuild`; without it the store is empty. */
	constructor(
		options: StoreOptions,
		storage: RecordStorage,
		bytes: ByteOps,
		leases = new LeaseTable(),
		rebuilt: RebuiltState | null = null,
	) {
		this.index = rebuilt?.index ?? new KeyIndex();
		this.doomed = rebuilt?.doomed ?? new DoomedRecords();
		this.compactRevision = rebuilt?.compactRevision ?? EMPTY_MARK.compactRevision;
		this.leases = leases;
		const { index } = this;
		this.values = new ValueStore(index, storage, bytes, options.valueCacheBytes);
		this.parts = { index, values: this.values, ops: bytes };
		this.history = new History(this.parts, () => this.revision);
		this.compactor = new Compactor(index, this.doomed, this.compactRevision);
		const eventsKeptMax = options.keepEvents ? (options.eventsKeptMax ?? EVENTS_KEPT_MAX) : 0;
		const stride = options.changeStride ?? STRIDE;
		this.changes = new Changes(rebuilt?.revision ?? EMPTY_MARK.revision, { eventsKeptMax, stride }, { ...this.parts, leases });
		this.runParts = { ...this.parts, changes: this.changes, stride };
	}

	get revision(): Revision {
		return this.changes.revision;
	}

	get keyCount(): number {
		return this.index.tree.alive;
	}

	/** What the index holds, dead keys and old records included. */
	census(): IndexCensus {
		return this.index.census();
	}

	get logicalBytes(): number {
		return this.index.retained.bytes;
	}

	get counts(): StoreCounts {
		const { ranges, txns } = this;
		const { puts, putBytes, deletes } = this.changes;
		return { ranges, puts, putBytes, deletes, txns, compactedRecords: this.compactor.removed };
	}

	get openReads(): number {
		return this.compactor.pinned;
	}

	get unstoredBytes(): number {
		return this.values.unstoredBytes;
	}

	range(request: RangeRequest): RangeResult | Refusal {
		this.ranges++;
		const refusal = this.checkRevision(request.revision);
		return refusal === null ? rangeAt(this.parts, request, this.viewOf(request)) : { ok: false, code: refusal };
	}

	rangeSliced(request: RangeRequest): SlicedRead<RangeResult> | Refusal {
		this.ranges++;
		const refusal = this.checkRevision(request.revision);
		if (refusal !== null) return { ok: false, code: refusal };
		return new RangeWork(this.parts, request, this.viewOf(request), this.pinFor(request));
	}

	rangeChunks(request: RangeRequest): RangeChunks | Refusal {
		this.ranges++;
		const refusal = this.checkRevision(request.revision);
		if (refusal !== null) return { ok: false, code: refusal };
		return new RangeChunks(this.parts, request, this.viewOf(request), this.pinFor(request));
	}

	put(request: PutRequest): PutResult | Refusal {
		this.assertWhole();
		const refusal = checkPutState(this, request);
		if (refusal !== null) return { ok: false, code: refusal };
		const prevKv = this.changes.put(request);
		return { ok: true, revision: this.changes.end(), prevKv };
	}

	deleteRange(request: DeleteRangeRequest): DeleteRangeResult | Refusal {
		return answered(wholly(this.deleteRangeSliced(request)));
	}

	deleteRangeSliced(request: DeleteRangeRequest, told = true): Sliced<DeleteRangeResult | Unanswered<DeleteRangeResult>> {
		return sliced(this.deleteSteps(request, told), this.runParts.stride);
	}

	txn(request: TxnRequest): TxnResult | Refusal {
		const result = wholly(this.txnSliced(request));
		return result.ok ? answered(result) : result;
	}

	txnSliced(request: TxnRequest, told = true): Sliced<TxnResult | Unanswered<TxnResult> | Refusal> {
		return sliced(this.txnSteps(request, told), this.runParts.stride);
	}

	dropAnswers(): void {
		if (this.offered.length === 0) return;
		for (const answer of this.offered) {
			if (answer.begun) continue;
			marks.answerDropped++;
			answer.close();
		}
		this.offered = [];
	}

	readTxn(request: TxnRequest): Sliced<TxnResult | Unanswered<TxnResult> | Refusal> {
		this.txns++;
		const { compactRevision, revision } = this;
		if (this.changing) marks.midwayRead++;
		const release = this.compactor.pin(compactRevision);
		const state: ReadState = { revision, compactRevision, unmoved: () => this.revision === revision && !this.changing };
		return { ...sliced(this.readSteps(request, state, release)), abandon: release };
	}

	private *readSteps(
		request: TxnRequest,
		state: ReadState,
		release: () => void,
	): Generator<void, TxnResult | Unanswered<TxnResult> | Refusal> {
		const done = yield* readPath(this.parts, request, state);
		if ("ok" in done) {
			release();
			return done;
		}
		const reading = () => answerTxn(this.runParts, done);
		const answer = this.soon(reading);
		if (answer === null) return new Unanswered(this.runParts, done, state.revision, reading, release);
		release();
		return answer;
	}

	endLease(id: LeaseId): EndLeaseResult | Refusal {
		return wholly(this.endLeaseSliced(id));
	}

	endLeaseSliced(id: LeaseId): Sliced<EndLeaseResult | Refusal> {
		return sliced(this.endLeaseSteps(id), this.runParts.stride);
	}

	get changing(): boolean {
		return this.changes.open;
	}

	private *deleteSteps(request: DeleteRangeRequest, told: boolean): Generator<void, DeleteRangeResult | Unanswered<DeleteRangeResult>> {
		this.assertWhole();
		const done = yield* deleteNow(this.runParts, request, told);
		this.changes.end();
		return this.answer(done, () => answerDelete(this.runParts, done));
	}

	private *txnSteps(request: TxnRequest, told: boolean): Generator<void, TxnResult | Unanswered<TxnResult> | Refusal> {
		this.assertWhole();
		this.txns++;
		const { runParts } = this;
		const path = yield* choosePath(runParts, request, { at: this.revision, stride: runParts.stride, visited: 0 });
		const refusal = checkPath(this, path);
		if (refusal !== null) return { ok: false, code: refusal };
		const done: TxnDone = { kind: "txn", txn: yield* runPath(runParts, path, told) };
		this.changes.end();
		return answerAtOnce(runParts, done) ?? this.answer(done, () => answerTxn(runParts, done));
	}

	/** To a change that has ended. */
	private answer<T>(done: TxnDone | DeleteDone, reading: () => Generator<void, T>): T | Unanswered<T> {
		const answer = this.soon(reading);
		if (answer !== null) return answer;
		const later = new Unanswered(this.runParts, done, this.revision, reading, this.compactor.pin(this.compactRevision));
		this.offered.push(later);
		marks.answeredLater++;
		return later;
	}

	/** What is read in one slice, as nearly all answers are, is read at once. */
	private soon<T>(reading: () => Generator<void, T>): T | null {
		const { stride } = this.runParts;
		const work = sliced(reading(), stride);
		return work.step(stride) ? work.result() : null;
	}

	private *endLeaseSteps(id: LeaseId): Generator<void, EndLeaseResult | Refusal> {
		this.assertWhole();
		const lease = this.leases.get(id);
		if (lease === undefined) return { ok: false, code: "leaseNotFound" };
		const deleted = yield* this.changes.deleteKeys(lease.attachedKeys(), lease.keyCount);
		this.leases.remove(lease);
		return { ok: true, revision: this.changes.end(), deleted };
	}

	compact(revision: Revision): CompactResult | Refusal {
		this.assertWhole();
		if (revision <= this.compactRevision) return { ok: false, code: "compacted" };
		if (revision > this.revision) return { ok: false, code: "futureRevision" };
		this.compactor.request(this.compactRevision, revision);
		this.compactRevision = revision;
		return { ok: true, revision: this.revision };
	}

	hashKv(revision: Revision): Sliced<HashResult> | Refusal {
		const headerRevision = this.revision;
		const cached = this.compactor.hashes.get(revision);
		if (cached !== null) return readySliced(rememberedResult(cached, headerRevision));
		if (revision > 0 && revision < this.compactRevision) return { ok: false, code: "compacted" };
		if (revision > headerRevision) return { ok: false, code: "futureRevision" };
		const at = revision === 0 ? headerRevision : revision;
		return new HashWork(this.index, this.compactor, { requested: revision, at, compactRevision: this.compactRevision, headerRevision });
	}

	compactionStep(budget: number): boolean {
		if (this.changing) marks.midwayCleanUp++;
		return this.compactor.step(budget);
	}

	get compactionPending(): boolean {
		return this.compactor.pending;
	}

	get compactionRunning(): boolean {
		return this.compactor.running;
	}

	get compactionHeld(): boolean {
		return this.compactor.held;
	}

	get eventsWanted(): boolean {
		return this.changes.eventsWanted;
	}

	set eventsWanted(wanted: boolean) {
		this.changes.eventsWanted = wanted;
	}

	takeEvents(): EventGroup[] {
		return this.changes.takeEvents();
	}

	takeBatch(): RecordBatch | null {
		// One batch with deletions at a time: the disk's own pace, and what is written meanwhile waits behind few of them.
		const deletes = this.values.storedUpto(this.deletesSeq) ? this.doomed.take(DELETES_PER_BATCH) : NO_DELETES;
		const batch = this.values.takeBatch(deletes);
		if (batch !== null && deletes.length > 0) this.deletesSeq = batch.seq;
		return batch;
	}

	batchStored(seq: number): void {
		this.values.batchStored(seq);
	}

	mark(): StoreMark {
		assert(!this.compactionRunning, "no floor is taken in the middle of a compaction pass (rule S3)");
		assert(!this.changing, "no floor is taken in the middle of a change");
		this.doomed.mark();
		const { count, digest, digest2 } = this.index.retained;
		return { revision: this.revision, compactRevision: this.compactRevision, count, digest, digest2 };
	}

	floorWritten(): void {
		this.doomed.floorWritten();
	}

	digest(): number {
		assert(!this.changing, "in the middle of a change the state is that of no index");
		const { count, digest, digest2 } = this.index.retained;
		let mixed = mix32(digest ^ Math.imul(digest2, 0x9e3779b1) ^ this.leases.digest());
		for (const number of [this.revision, this.compactRevision, count]) {
			mixed = mix32(mixed ^ (number % 0x1_0000_0000) ^ Math.imul(Math.floor(number / 0x1_0000_0000) + 1, 0x85ebca6b));
		}
		return mixed;
	}

	/** One change at a time: another one would take over, and end, what the first has begun. */
	private assertWhole(): void {
		assert(!this.changing, "nothing else changes the store in the middle of a change");
	}

	private checkRevision(revision: Revision): RefusalCode | null {
		if (revision > this.revision) return "futureRevision";
		return revision > 0 && revision < this.compactRevision ? "compacted" : null;
	}

	/** Revisions at or below zero mean the newest state. */
	private viewOf(request: RangeRequest): RangeView {
		const current = this.revision;
		if (this.changing) marks.midwayRead++;
		// In the middle of a change the newest state is one that no revision shows yet.
		const newest = (request.revision <= 0 || request.revision === current) && !this.changing;
		const { log } = this.index;
		const end = newest ? log.end : log.firstAt((request.revision <= 0 ? current : request.revision) + 1);
		return viewOf(this.parts, request, { end, newest, headerRevision: current });
	}

	/** Of a revision that a request names. */
	private pinFor(request: RangeRequest): () => void {
		return this.compactor.pin(request.revision <= 0 ? this.revision : request.revision);
	}
}

/** For those who do not wait. */
function answered<T extends object>(result: T | Unanswered<T>): T {
	return result instanceof Unanswered ? result.whole() : result;
}
