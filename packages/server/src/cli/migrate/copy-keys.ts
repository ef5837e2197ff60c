/**
 * The keys of one revision, in the order in which they were created: whoever queues for a lock or an election keeps its place.
 * What the target holds already is left alone, so a copy that the source's compaction overtook goes on at a later revision.
 */
import type { mvccpb, etcdserverpb as pb } from "@flotilla/api";
import { type Change, putOf } from "./changes.ts";
import type { LeaseMirror } from "./lease-mirror.ts";
import { ahead, keysOf, Portion } from "./pages.ts";
import { ALL_KEYS, RPC } from "./rpc.ts";
import type { Side } from "./side.ts";
import { writeChanges } from "./write-changes.ts";

interface Listed {
	readonly key: Uint8Array;
	readonly created: number;
	readonly modified: number;
}

export interface Span {
	/** Each key that the target has is as the source had it at this revision or later. */
	readonly held: number;
	/** What the target is to hold. */
	readonly revision: number;
}

/** `progress`: keys done, and all that are to be copied. Resolves with the number of keys that the source has. */
export async function copyKeys(
	source: Side,
	target: Side,
	leases: LeaseMirror,
	{ held, revision }: Span,
	progress: (done: number, all: number) => void,
): Promise<number> {
	const keys = await listKeys(source, revision);
	const missing = await prepareTarget(target, leases, keys, held);
	const wanted = keys.filter((key) => key.modified > held || missing.has(key)).sort((a, b) => a.created - b.created);
	let done = 0;
	for await (const pairs of ahead(readKeys(source, wanted, revision))) {
		leases.assertWell();
		const lists = pairs.map((pair) => [putOf(pair, true)]);
		await writeChanges(target, leases, lists);
		done += pairs.length;
		progress(done, wanted.length);
	}
	return keys.length;
}

async function listKeys(source: Side, revision: number): Promise<Listed[]> {
	const keys: Listed[] = [];
	for await (const page of keysOf(source, revision)) {
		// A copy: the page that it is a view of goes.
		for (const { key, createRevision, modRevision } of page)
			keys.push({ key: key.slice(), created: createRevision, modified: modRevision });
	}
	return keys;
}

/** Takes away what is gone or was created anew since; resolves with what is not there. `keys`: of the source, in their order. */
async function prepareTarget(target: Side, leases: LeaseMirror, keys: readonly Listed[], held: number): Promise<ReadonlySet<Listed>> {
	const missing = new Set<Listed>();
	let at = 0;
	const skipTo = (key: Uint8Array | null): void => {
		for (; at < keys.length && (key === null || Buffer.compare((keys[at] as Listed).key, key) < 0); at++) missing.add(keys[at] as Listed);
	};
	for await (const page of keysOf(target, await target.revision())) {
		const stale: Change[][] = [];
		for (const { key } of page) {
			skipTo(key);
			const here = keys[at];
			const same = here !== undefined && Buffer.compare(here.key, key) === 0;
			if (!same || here.created > held) stale.push([{ kind: "delete", key }]);
			if (same) at++;
		}
		await writeChanges(target, leases, stale);
	}
	skipTo(null);
	return missing;
}

async function* readKeys(source: Side, keys: readonly Listed[], revision: number): AsyncGenerator<readonly mvccpb.KeyValue[], void> {
	const portion = new Portion();
	for (let at = 0; at < keys.length; ) {
		const part = portion.of(keys, at);
		const success = part.map(({ key }): pb.RequestOp => ({ request: { kind: "requestRange", value: { ...NO_RANGE, key, revision } } }));
		const { responses } = await source.call(RPC.txn, { success });
		const pairs = responses.flatMap(({ response }) => (response?.kind === "responseRange" ? response.value.kvs : []));
		at += part.length;
		portion.came(pairs);
		yield pairs;
	}
}

const NO_RANGE: pb.RangeRequest = {
	...{ key: ALL_KEYS.key, rangeEnd: new Uint8Array(0), limit: 0, revision: 0, sortOrder: 0, sortTarget: 0 },
	...{ serializable: false, keysOnly: false, countOnly: false },
	...{ minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0 },
};
