/** What is written to the target, cut into transactions that it takes. */
import type { mvccpb, etcdserverpb as pb } from "@flotilla/api";

/** Operations of one transaction: etcd's limit, and flotilla's. */
export const OPS_MAX = 128;
const OPS_BYTES = 1 << 20;
const DELETED = 1;

export type Change =
	| { readonly kind: "delete"; readonly key: Uint8Array }
	| { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array; readonly lease: bigint; readonly creates: boolean };

export function changeOf({ type, kv }: mvccpb.Event): Change | null {
	if (kv === null) return null;
	if (type === DELETED) return { kind: "delete", key: kv.key };
	return putOf(kv, kv.createRevision === kv.modRevision);
}

export function putOf({ key, value, lease }: mvccpb.KeyValue, creates: boolean): Change {
	return { kind: "put", key, value, lease, creates };
}

export function bytesOf(change: Change): number {
	return change.key.length + (change.kind === "put" ? change.value.length : 0);
}

/**
 * In their order, each list of changes belonging together: several lists share a transaction where they fit, a list that no
 * transaction holds comes in parts. No key stands twice in one. Two keys with leases are created in one revision only where they
 * came in one list: whoever queues for a lock or an election keeps its place.
 */
export function transactionsOf(lists: ReadonlyArray<readonly Change[]>): ReadonlyArray<readonly Change[]> {
	const transactions: Transaction[] = [];
	let open = new Transaction();
	const close = (): void => {
		if (open.changes.length > 0) transactions.push(open);
		open = new Transaction();
	};
	for (const list of lists) {
		if (open.takes(list)) {
			for (const change of list) open.add(change);
			continue;
		}
		close();
		for (const change of list) {
			if (!open.hasRoomFor(change)) close();
			open.add(change);
		}
	}
	close();
	return transactions.map(({ changes }) => changes);
}

class Transaction {
	readonly changes: Change[] = [];
	private readonly keys = new Set<string>();
	private bytes = 0;
	private queues = false;

	takes(list: readonly Change[]): boolean {
		if (this.changes.length + list.length > OPS_MAX || (this.changes.length > 0 && (this.queues || list.some(isPlaceInQueue))))
			return false;
		const names = new Set(list.map(nameOf));
		if (names.size < list.length || [...names].some((name) => this.keys.has(name))) return false;
		return this.bytes + list.reduce((sum, change) => sum + bytesOf(change), 0) <= OPS_BYTES;
	}

	/** The first one always has. */
	hasRoomFor(change: Change): boolean {
		if (this.changes.length === 0) return true;
		return this.changes.length < OPS_MAX && this.bytes + bytesOf(change) <= OPS_BYTES && !this.keys.has(nameOf(change));
	}

	add(change: Change): void {
		this.changes.push(change);
		this.keys.add(nameOf(change));
		this.bytes += bytesOf(change);
		this.queues ||= isPlaceInQueue(change);
	}
}

function isPlaceInQueue(change: Change): boolean {
	return change.kind === "put" && change.creates && change.lease !== 0n;
}

function nameOf({ key }: Change): string {
	return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** `lease`: the one at the target, for the one that the change names. */
export function operationOf(change: Change, lease: bigint): pb.RequestOp {
	const { key } = change;
	if (change.kind === "delete")
		return { request: { kind: "requestDeleteRange", value: { key, rangeEnd: new Uint8Array(0), prevKv: false } } };
	const value = { key, value: change.value, lease, prevKv: false, ignoreValue: false, ignoreLease: false };
	return { request: { kind: "requestPut", value } };
}
