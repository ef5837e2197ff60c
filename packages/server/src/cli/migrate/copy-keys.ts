/**
 * The keys of one revision, in the order in which they were created: whoever queues for a lock or an election keeps its place.
 * Keys with a lease go one by one, so that no two of them are created in one revision; others in batches.
 */
import type { mvccpb, etcdserverpb as pb } from "@flotilla/api";
import type { LeaseMirror } from "./lease-mirror.ts";
import { ALL_KEYS, RPC, type Side, SideError } from "./side.ts";

const LIST_KEYS = 10_000;
const BATCH_KEYS = 32;
const BATCH_BYTES = 1 << 20;

interface Listed {
	readonly key: Uint8Array;
	readonly created: number;
	readonly leased: boolean;
}

/** `progress`: keys done, and all of them. */
export async function copyKeys(
	source: Side,
	target: Side,
	leases: LeaseMirror,
	revision: number,
	progress: (done: number, all: number) => void,
): Promise<number> {
	const keys = await listKeys(source, revision);
	keys.sort((a, b) => a.created - b.created);
	for (let at = 0; at < keys.length; ) {
		const batch = batchFrom(keys, at);
		const pairs = await readKeys(source, batch, revision);
		for (const puts of fitting(pairs)) await writePairs(target, leases, puts);
		at += batch.length;
		progress(at, keys.length);
	}
	return keys.length;
}

async function listKeys(source: Side, revision: number): Promise<Listed[]> {
	const keys: Listed[] = [];
	let from: Uint8Array = ALL_KEYS.key;
	for (;;) {
		const { kvs, more } = await source.call(RPC.range, {
			key: from,
			rangeEnd: ALL_KEYS.rangeEnd,
			limit: LIST_KEYS,
			keysOnly: true,
			revision,
		});
		// A copy: the page that it is a view of goes.
		for (const { key, createRevision, lease } of kvs) keys.push({ key: key.slice(), created: createRevision, leased: lease !== 0n });
		const last = kvs.at(-1);
		if (!more || last === undefined) return keys;
		from = after(last.key);
	}
}

/** The key that follows directly. */
export function after(key: Uint8Array): Uint8Array {
	return Uint8Array.of(...key, 0);
}

function batchFrom(keys: readonly Listed[], at: number): readonly Listed[] {
	const first = keys[at] as Listed;
	if (first.leased) return [first];
	let end = at + 1;
	while (end < keys.length && end - at < BATCH_KEYS && !(keys[end] as Listed).leased) end++;
	return keys.slice(at, end);
}

async function readKeys(source: Side, batch: readonly Listed[], revision: number): Promise<readonly mvccpb.KeyValue[]> {
	const success = batch.map(({ key }): pb.RequestOp => ({ request: { kind: "requestRange", value: { ...NO_RANGE, key, revision } } }));
	const { responses } = await source.call(RPC.txn, { success });
	return responses.flatMap(({ response }) => (response?.kind === "responseRange" ? response.value.kvs : []));
}

function fitting(pairs: readonly mvccpb.KeyValue[]): ReadonlyArray<readonly mvccpb.KeyValue[]> {
	const groups: mvccpb.KeyValue[][] = [[]];
	let bytes = 0;
	for (const pair of pairs) {
		const size = pair.key.length + pair.value.length;
		const last = groups.at(-1) as mvccpb.KeyValue[];
		if (last.length > 0 && bytes + size > BATCH_BYTES) {
			groups.push([pair]);
			bytes = size;
		} else {
			last.push(pair);
			bytes += size;
		}
	}
	return groups;
}

async function writePairs(target: Side, leases: LeaseMirror, pairs: readonly mvccpb.KeyValue[]): Promise<void> {
	await writeOps(target, leases, async () => {
		const ops: pb.RequestOp[] = [];
		for (const { key, value, lease } of pairs) ops.push(putOp(key, value, await leases.ensure(lease)));
		return ops;
	});
}

export function putOp(key: Uint8Array, value: Uint8Array, lease: bigint): pb.RequestOp {
	const value_ = { key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false };
	return { request: { kind: "requestPut", value: value_ } };
}

/** One transaction. A lease may end at the target between the look and the write: then the source is asked again. */
export async function writeOps(target: Side, leases: LeaseMirror, makeOps: () => Promise<readonly pb.RequestOp[]>): Promise<void> {
	for (let tries = 0; ; tries++) {
		const success = await makeOps();
		try {
			await target.call(RPC.txn, { success });
			return;
		} catch (error) {
			if (!SideError.says(error, "requested lease not found") || tries > 3) throw error;
			for (const { request } of success) if (request?.kind === "requestPut") leases.forget(request.value.lease);
		}
	}
}

const NO_RANGE: pb.RangeRequest = {
	...{ key: new Uint8Array(0), rangeEnd: new Uint8Array(0), limit: 0, revision: 0, sortOrder: 0, sortTarget: 0 },
	...{ serializable: false, keysOnly: false, countOnly: false },
	...{ minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0 },
};
