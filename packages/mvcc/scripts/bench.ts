/**
 * What the key space costs without disk and network:
 * `node --expose-gc --conditions=@flotilla/source packages/mvcc/scripts/bench.ts [keys]` (1,000,000 keys if not said).
 */
import { type ByteOps, Dice, portableBytes } from "@flotilla/base";
import { StoreRebuild } from "../src/rebuild.ts";
import { decodeRecordKey, encodeRecordKey } from "../src/record-key.ts";
import { type DeleteRangeRequest, PLAIN_RANGE, type PutRequest, type RangeRequest } from "../src/request.ts";
import type { RecordBatch, RecordStorage, StoredRecord } from "../src/storage.ts";
import { MvccStore } from "../src/store.ts";

const KEYS = Number(process.argv[2] ?? 1_000_000);
const VALUE_BYTES = 256;
const BUFFER_BYTES = 64 * 1024 * 1024;
const options = { keepEvents: true, valueCacheBytes: 32 * 1024 * 1024 };

interface NativeBytes {
	latin1Slice: (this: Uint8Array, start: number, end: number) => string;
}
const { latin1Slice } = Buffer.prototype as unknown as NativeBytes;

/** Node's own latin1 and compare, as a server would hand them in. */
const nodeBytes: ByteOps = {
	latin1: (bytes, start = 0, end = bytes.length) => latin1Slice.call(bytes, start, end),
	fromLatin1: (text) => Buffer.from(text, "latin1"),
	compare: (a, b) => Buffer.compare(a, b),
	crc32c: portableBytes.crc32c,
};

const dice = new Dice("bench");
const value = Uint8Array.from({ length: VALUE_BYTES }, () => dice.range(0, 255));
const keyText = (n: number): string => `key/${String(n).padStart(12, "0")}`;
const put = (n: number): PutRequest => ({
	key: nodeBytes.fromLatin1(keyText(n)),
	value,
	lease: 0n,
	prevKv: false,
	ignoreValue: false,
	ignoreLease: false,
});
const range = (from: string, rangeEnd: string, limit: number): RangeRequest => ({
	...PLAIN_RANGE,
	key: nodeBytes.fromLatin1(from),
	rangeEnd: nodeBytes.fromLatin1(rangeEnd),
	limit,
});

/**
 * A stand-in for a disk that leaves the heap alone: values lie end to end in large buffers, found by their revision. The
 * bench changes one key a revision.
 */
class FlatStorage implements RecordStorage {
	private readonly buffers: Uint8Array[] = [];
	private used = BUFFER_BYTES;
	/** By revision: where the value lies (0: nowhere), how long it is, and whether it is a tombstone. */
	private readonly at = new Float64Array(4 * KEYS);
	private readonly length = new Uint32Array(4 * KEYS);
	private readonly tombstone = new Uint8Array(4 * KEYS);

	write(batch: RecordBatch): void {
		for (const { key, value } of batch.puts) {
			const place = decodeRecordKey(key);
			if (place === null || place.sub !== 0) throw new Error("one key a revision");
			if (this.used + value.length > BUFFER_BYTES) {
				this.buffers.push(new Uint8Array(BUFFER_BYTES));
				this.used = 0;
			}
			(this.buffers.at(-1) as Uint8Array).set(value, this.used);
			this.at[place.main] = (this.buffers.length - 1) * BUFFER_BYTES + this.used;
			this.length[place.main] = value.length;
			this.tombstone[place.main] = place.tombstone ? 1 : 0;
			this.used += value.length;
		}
		for (const key of batch.deletes) this.length[decodeRecordKey(key)?.main ?? 0] = 0;
	}

	get(key: Uint8Array): Uint8Array | undefined {
		const main = decodeRecordKey(key)?.main ?? 0;
		return this.length[main] === 0 ? undefined : this.value(main);
	}

	*all(): Generator<StoredRecord> {
		for (let main = 2; main < this.length.length; main++) {
			if (this.length[main] !== 0) yield { key: encodeRecordKey(main, 0, this.tombstone[main] === 1), value: this.value(main) };
		}
	}

	private value(main: number): Uint8Array {
		const at = this.at[main] as number;
		const buffer = this.buffers[Math.floor(at / BUFFER_BYTES)] as Uint8Array;
		const start = at % BUFFER_BYTES;
		return buffer.slice(start, start + (this.length[main] as number));
	}
}

function measure(name: string, count: number, work: (i: number) => void): void {
	let slowest = 0;
	const cpuBefore = process.cpuUsage();
	const begin = performance.now();
	for (let i = 0; i < count; i++) {
		const start = performance.now();
		work(i);
		slowest = Math.max(slowest, performance.now() - start);
	}
	const ms = performance.now() - begin;
	const { user, system } = process.cpuUsage(cpuBefore);
	const rate = Math.round((count / ms) * 1000).toLocaleString("en");
	report(name, `${rate}/s, ${((user + system) / count).toFixed(2)} us of CPU each, slowest ${slowest.toFixed(1)} ms`);
}

function report(name: string, text: string): void {
	console.log(`${name.padEnd(44)} ${text}`);
}

function heapMb(): number {
	globalThis.gc?.();
	const { heapUsed, arrayBuffers } = process.memoryUsage();
	return (heapUsed + arrayBuffers) / 1e6;
}

/** Takes what is pending, as the driver does once a turn. */
function turn(store: MvccStore, storage: FlatStorage | null): void {
	store.takeEvents();
	const batch = store.takeBatch();
	if (batch === null) return;
	storage?.write(batch);
	store.batchStored(batch.seq);
}

function fill(order: (i: number) => number, storage: FlatStorage | null, name: string): MvccStore {
	const store = new MvccStore(options, storage ?? { get: () => undefined }, nodeBytes);
	measure(name, KEYS, (i) => {
		store.put(put(order(i)));
		if (i % 100 === 99) turn(store, storage);
	});
	turn(store, storage);
	return store;
}

// Memory first, with nothing else on the heap: the values are let go when they are "stored".
const before = heapMb();
const bare = fill((i) => i, null, "put, new keys in order");
report("memory of keys and index", `${Math.round(((heapMb() - before - 32) * 1e6) / KEYS)} bytes a key`);
report("put of one key, checked", `${bare.keyCount.toLocaleString("en")} keys, revision ${bare.revision}`);

const storage = new FlatStorage();
const scattered = dice.shuffle(Array.from({ length: KEYS }, (_, i) => i));
const store = fill((i) => scattered[i] as number, storage, "put, new keys at random");
measure("put, keys that are there", KEYS, (i) => {
	store.put(put(scattered[(i * 7919) % KEYS] as number));
	if (i % 100 === 99) turn(store, storage);
});
turn(store, storage);
measure("range of one key", 300_000, (i) => void store.range(range(keyText(scattered[(i * 31) % KEYS] as number), "", 0)));
measure("range of 100 keys of many, limit", 5_000, (i) => void store.range(range(keyText(scattered[i % KEYS] as number), "\0", 100)));
measure("count of all keys", 10_000, () => void store.range({ ...range("key/", "\0", 0), countOnly: true }));
const deletes = Math.min(100_000, KEYS / 4);
measure("delete", deletes, (i) => {
	const request: DeleteRangeRequest = {
		key: nodeBytes.fromLatin1(keyText(scattered[i] as number)),
		rangeEnd: value.subarray(0, 0),
		prevKv: false,
	};
	store.deleteRange(request);
	if (i % 100 === 99) turn(store, storage);
});
turn(store, storage);

const hash = store.hashKv(0);
if ("code" in hash) throw new Error(hash.code);
measureSliced("HashKV", (budget) => hash.step(budget));
report("HashKV says", String(hash.result().hash));
store.compact(store.revision);
measureSliced("compaction of the newest revision", (budget) => store.compactionStep(budget));
const mark = store.mark();
store.floorWritten();
for (let batch = store.takeBatch(); batch !== null; batch = store.takeBatch()) {
	storage.write(batch);
	store.batchStored(batch.seq);
}
const rebuild = new StoreRebuild(mark, options, storage, nodeBytes);
const records = storage.all();
// The tombstone at the compact revision stays.
measure("rebuild: records read", KEYS - deletes + 1, () => {
	const next = records.next();
	if (next.done !== true) rebuild.record(next.value.key, next.value.value);
});
const finishing = rebuild.finish();
measureSliced("rebuild: finish", (budget) => finishing.step(budget));
const finished = finishing.result();
report("rebuild", finished.ok ? "equal to the mark" : finished.reason);

function measureSliced(name: string, step: (budget: number) => boolean): void {
	let slowest = 0;
	let slices = 0;
	const start = performance.now();
	for (let done = false; !done; slices++) {
		const sliceStart = performance.now();
		done = step(2_000);
		slowest = Math.max(slowest, performance.now() - sliceStart);
	}
	report(name, `${Math.round(performance.now() - start)} ms in ${slices} slices, slowest ${slowest.toFixed(1)} ms`);
}
