import { assert, fail } from "@flotilla/base";
import type { FloorImage, TableRow } from "@flotilla/replica";
import type { StoreCompletion } from "../ports.ts";
import { encodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";

export interface FloorOwner {
	readonly identity: StoreIdentity;
	/** Hands an operation to the store's disk and returns the number it got. */
	submit(op: FloorOp): number;
	/** The floor is durable: the log may be cut behind it (rule S2, step 4). */
	floorDurable(image: FloorImage): void;
	/** The store's disk failed: the process must end. */
	floorFailed(reason: string): void;
}

export type FloorOp =
	| { readonly kind: "barrier" }
	| { readonly kind: "floor"; readonly rows: ReadonlyArray<{ readonly key: string; readonly value: Uint8Array | null }> };

type Step =
	| { readonly name: "idle" }
	| { readonly name: "batches"; readonly image: FloorImage }
	| { readonly name: "barrier"; readonly image: FloorImage; readonly op: number }
	| { readonly name: "write"; readonly image: FloorImage; readonly op: number };

/**
 * Makes floors, one at a time, in the order of rule S2: every record batch of the image has returned, then a barrier,
 * then one synced write of the changed rows and the floor, then word to the owner. No clock, no promise: it is told what
 * completed.
 */
export class FloorMachine {
	private readonly owner: FloorOwner;
	private step: Step = { name: "idle" };
	private storedSeq = 0;
	/** Rows as the last durable floor has them. */
	private written: ReadonlyMap<string, Uint8Array>;

	constructor(owner: FloorOwner, rows: readonly TableRow[]) {
		this.owner = owner;
		this.written = new Map(rows.map(({ key, value }) => [key, value]));
	}

	get busy(): boolean {
		return this.step.name !== "idle";
	}

	/** All record batches up to `seq` have returned from the disk. */
	batchStored(seq: number): void {
		assert(seq > this.storedSeq, "record batches return in order");
		this.storedSeq = seq;
		this.afterBatches();
	}

	start(image: FloorImage): void {
		assert(!this.busy, "one floor at a time");
		this.step = { name: "batches", image };
		this.afterBatches();
	}

	/** True when the completion belonged to a floor. */
	complete(completion: StoreCompletion): boolean {
		const { step } = this;
		if (step.name === "idle" || step.name === "batches" || step.op !== completion.id) return false;
		if (completion.error !== null) {
			this.owner.floorFailed(completion.error);
			return true;
		}
		if (step.name === "barrier") {
			this.step = { name: "write", image: step.image, op: this.owner.submit({ kind: "floor", rows: this.changedRows(step.image) }) };
			return true;
		}
		this.written = new Map(step.image.tables.map(({ key, value }) => [key, value]));
		this.step = { name: "idle" };
		this.owner.floorDurable(step.image);
		return true;
	}

	private afterBatches(): void {
		const { step } = this;
		if (step.name !== "batches" || this.storedSeq < step.image.batchSeq) return;
		this.step = { name: "barrier", image: step.image, op: this.owner.submit({ kind: "barrier" }) };
	}

	private changedRows(image: FloorImage): Array<{ key: string; value: Uint8Array | null }> {
		const rows: Array<{ key: string; value: Uint8Array | null }> = [];
		const present = new Set<string>();
		for (const { key, value } of image.tables) {
			if (key === FLOOR_ROW) fail("no table row is named as the floor", { key });
			present.add(key);
			const before = this.written.get(key);
			if (before === undefined || !sameBytes(before, value)) rows.push({ key, value });
		}
		for (const key of this.written.keys()) if (!present.has(key)) rows.push({ key, value: null });
		rows.push({ key: FLOOR_ROW, value: encodeFloor(floorOf(this.owner.identity, image)) });
		return rows;
	}
}

/** What identifies the store that a floor belongs to. */
export type StoreIdentity = Pick<FloorRecord, "clusterId" | "memberId" | "generation">;

export function floorOf({ clusterId, memberId, generation }: StoreIdentity, image: FloorImage): FloorRecord {
	const { appliedIndex, term, confState, mark, tableDigest } = image;
	return { clusterId, memberId, generation, appliedIndex, term, confState, mark, tableDigest };
}

/** Most rows of a floor are those of the one before, down to the object: with very many leases there are megabytes of them. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
	if (a === b) return true;
	if (a.length !== b.length) return false;
	for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
	return true;
}

/** When a floor is due (rule S2, retention). */
export interface FloorPolicy {
	/** Log bytes between floors. */
	readonly bytes: number;
	/** Least distance in entries (`--snapshot-count`), kept unless the log has grown by eight times `bytes`. */
	readonly entries: number;
}

export function floorDue(policy: FloorPolicy, logBytes: number, entries: number): boolean {
	if (entries === 0) return false;
	return logBytes >= 8 * policy.bytes || (logBytes >= policy.bytes && entries >= policy.entries);
}
