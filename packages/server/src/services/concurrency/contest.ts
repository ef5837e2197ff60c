/**
 * Who has the key that was created first under a name, and how others wait for their turn (etcd API 8.2): locks and elections
 * alike. Keys are `<name>/<lease in hex>`, as client libraries write them too.
 */
import { etcdserverpb, mvccpb } from "@flotilla/api";
import { concatBytes } from "@flotilla/base";
import {
	allEvents,
	type EventBatch,
	type LeaseId,
	PLAIN_RANGE,
	type RangeRequest,
	type RangeResult,
	SortOrder,
	SortTarget,
	type TxnResult,
} from "@flotilla/mvcc";
import { Grpc, type Status } from "../../front/seam.ts";
import type { InnerClient, OpenWatch } from "./inner-client.ts";

const NO_BYTES = new Uint8Array(0);
const SLASH = new Uint8Array([0x2f]);
/** The byte behind the slash: where the keys of a name end. */
const BEHIND_SLASH = new Uint8Array([0x30]);
const TOO_MANY: Status = { code: Grpc.unknown, message: "etcdserver: too many requests" };
export const OLDEST = { limit: 1, sortOrder: SortOrder.ascend, sortTarget: SortTarget.create } as const;
const { Compare_CompareResult: Result, Compare_CompareTarget: Target } = etcdserverpb;

export interface NameRange {
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
}

export function rangeOfName(name: Uint8Array): NameRange {
	return { key: concatBytes([name, SLASH]), rangeEnd: concatBytes([name, BEHIND_SLASH]) };
}

/** A negative id keeps its sign; no padding. */
export function keyOf(name: Uint8Array, lease: LeaseId): Uint8Array {
	return concatBytes([name, SLASH, Buffer.from(lease.toString(16))]);
}

/** Compare: the key's create revision is this one; 0: the key is not there. */
export function createdAt(key: Uint8Array, createRevision: number): etcdserverpb.Compare {
	const targetUnion = { kind: "createRevision", value: createRevision } as const;
	return { result: Result.EQUAL, target: Target.CREATE, key, rangeEnd: NO_BYTES, targetUnion };
}

export function putOp(key: Uint8Array, value: Uint8Array, lease: LeaseId): etcdserverpb.RequestOp {
	return { request: { kind: "requestPut", value: { key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false } } };
}

export function getOp(range: Partial<RangeRequest>): etcdserverpb.RequestOp {
	return { request: { kind: "requestRange", value: { ...PLAIN_RANGE, ...range } } };
}

export function deleteOp(key: Uint8Array): etcdserverpb.RequestOp {
	return { request: { kind: "requestDeleteRange", value: { key, rangeEnd: NO_BYTES, prevKv: false } } };
}

/** The first pair that the operation at `place` of a transaction read. */
export function pairIn(result: TxnResult, place: number): mvccpb.KeyValue | null {
	const response = result.responses[place];
	return response?.kind === "range" ? firstPair(response.range) : null;
}

export function firstPair({ kvs }: RangeResult): mvccpb.KeyValue | null {
	const [first] = kvs;
	return first === undefined ? null : mvccpb.KeyValue.decode(first);
}

/** Waits until no key of the name was created before `createRevision`: for one key at a time, the youngest of those. */
export class Turn {
	private readonly client: InnerClient;
	private readonly range: NameRange;
	private readonly createRevision: number;
	private readonly come: () => void;
	private readonly fail: (status: Status) => void;
	private watch: OpenWatch | null = null;
	private over = false;

	constructor(client: InnerClient, range: NameRange, createRevision: number, come: () => void, fail: (status: Status) => void) {
		this.client = client;
		this.range = range;
		this.createRevision = createRevision;
		this.come = come;
		this.fail = fail;
	}

	/** Looks, and waits if it must. */
	look(): void {
		const youngestBefore = {
			limit: 1,
			sortOrder: SortOrder.descend,
			sortTarget: SortTarget.create,
			maxCreateRevision: this.createRevision - 1,
		};
		this.client.get({ ...this.range, ...youngestBefore }, (result) => {
			if (this.over) return;
			const before = firstPair(result);
			if (before === null) this.finish(this.come);
			else this.awaitEnd(before.key, result.revision);
		});
	}

	stop(): void {
		this.over = true;
		this.watch?.close();
	}

	private awaitEnd(key: Uint8Array, seenRevision: number): void {
		let ended = false;
		const watch = this.client.watch({ key, rangeEnd: NO_BYTES, startRevision: seenRevision + 1 }, (message) => {
			if (message.kind === "refused") this.finish(() => this.fail(TOO_MANY));
			// What it would have heard is gone, or too much to be told: whoever looks again misses nothing.
			else if (message.kind === "compacted" || message.kind === "canceled") ended = true;
			else if (message.kind === "events") ended ||= tellsOfDelete(message.batch);
			if (ended && !this.over && this.watch !== null) this.lookAgain();
			return true;
		});
		this.watch = watch;
		if (this.over) watch.close();
		else if (ended) this.lookAgain();
	}

	private lookAgain(): void {
		this.watch?.close();
		this.watch = null;
		this.look();
	}

	private finish(then: () => void): void {
		if (this.over) return;
		this.stop();
		then();
	}
}

function tellsOfDelete(batch: EventBatch): boolean {
	for (const event of allEvents(batch)) if (mvccpb.Event.decode(event).type === mvccpb.Event_EventType.DELETE) return true;
	return false;
}
