/** What every disk of the key-value store must do; run by the tests of each implementation. */
import type { RecordBatch, StoredRecord } from "@flotilla/mvcc";
import { expect, test } from "vitest";
import type { StoreCompletion, StoreDisk, StoreOp } from "../ports.ts";

type Unnumbered<T> = T extends unknown ? Omit<T, "id"> : never;

/** Runs operations one at a time and hands back their completions. */
export class StoreRunner {
	private lastId = 0;
	private readonly waiting = new Map<number, (completion: StoreCompletion) => void>();
	readonly completed: number[] = [];
	readonly disk: StoreDisk;

	constructor(disk: StoreDisk) {
		this.disk = disk;
		disk.onCompletion = (completion) => {
			this.completed.push(completion.id);
			const resolve = this.waiting.get(completion.id);
			this.waiting.delete(completion.id);
			resolve?.(completion);
		};
	}

	run(op: Unnumbered<StoreOp>): Promise<StoreCompletion> {
		const id = ++this.lastId;
		return new Promise((resolve) => {
			this.waiting.set(id, resolve);
			this.disk.submit({ ...op, id } as StoreOp);
		});
	}

	async scanAll(recordsMax: number): Promise<StoredRecord[]> {
		const all: StoredRecord[] = [];
		for (;;) {
			const page = (await this.run({ kind: "scan", recordsMax })).records ?? [];
			all.push(...page);
			if (page.length < recordsMax) return all;
		}
	}
}

/** 17 bytes: main revision, `_`, sub revision. */
export function recordKey(revision: number, sub = 0): Uint8Array {
	const key = new Uint8Array(17);
	const view = new DataView(key.buffer);
	view.setUint32(4, revision);
	key[8] = 0x5f;
	view.setUint32(13, sub);
	return key;
}

export function batch(seq: number, puts: readonly StoredRecord[], deletes: readonly Uint8Array[] = []): RecordBatch {
	return { seq, puts, deletes, bytes: puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0) };
}

export function record(revision: number, text: string): StoredRecord {
	return { key: recordKey(revision), value: new TextEncoder().encode(text) };
}

const plain = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : [...bytes]);
const shape = (records: readonly StoredRecord[]) => records.map(({ key, value }) => [plain(key), plain(value)]);

/** `open` makes a fresh, empty disk. `again` ends it cleanly and opens what it left. */
export function storeSuite(name: string, open: () => Promise<StoreDisk>, again: (disk: StoreDisk) => Promise<StoreDisk>): void {
	test(`${name}: a record can be read back once its batch has returned`, async () => {
		const store = new StoreRunner(await open());
		expect(store.disk.get(recordKey(2))).toBeUndefined();
		await store.run({ kind: "batch", batch: batch(1, [record(2, "two"), record(3, "three")]) });
		expect(plain(store.disk.get(recordKey(3)))).toEqual(plain(new TextEncoder().encode("three")));
		await again(store.disk);
	});

	test(`${name}: completions come in the order of submission`, async () => {
		const store = new StoreRunner(await open());
		const runs: Promise<StoreCompletion>[] = [];
		for (let seq = 1; seq <= 50; seq++) runs.push(store.run({ kind: "batch", batch: batch(seq, [record(seq, `v${seq}`)]) }));
		runs.push(store.run({ kind: "barrier" }));
		runs.push(store.run({ kind: "floor", rows: [{ key: "FLOOR", value: new Uint8Array([1]) }] }));
		runs.push(store.run({ kind: "batch", batch: batch(51, [record(51, "v51")]) }));
		const done = await Promise.all(runs);
		expect(done.map(({ error }) => error)).toEqual(runs.map(() => null));
		expect(store.completed).toEqual(runs.map((_, at) => at + 1));
		await again(store.disk);
	});

	test(`${name}: a scan pages through all records in key order and sees no rows`, async () => {
		const store = new StoreRunner(await open());
		const records = Array.from({ length: 2_500 }, (_, at) => record(at + 2, `value ${at}`));
		await store.run({ kind: "batch", batch: batch(1, records.toReversed()) });
		await store.run({ kind: "floor", rows: [{ key: "members/a", value: new Uint8Array([7]) }] });
		expect(shape(await store.scanAll(1_000))).toEqual(shape(records));
		expect(shape(await store.scanAll(2_500))).toEqual(shape(records));
		await again(store.disk);
	});

	test(`${name}: rows are put and removed by floors and read in key order`, async () => {
		const store = new StoreRunner(await open());
		const rows = ["version/cluster", "FLOOR", "members/1f", "removed/0"].map((key) => ({ key, value: new TextEncoder().encode(key) }));
		await store.run({ kind: "floor", rows });
		await store.run({ kind: "floor", rows: [{ key: "members/1f", value: null }] });
		const read = await store.run({ kind: "readTables" });
		expect(read.rows?.map(({ key, value }) => [key, new TextDecoder().decode(value)])).toEqual(
			["FLOOR", "removed/0", "version/cluster"].map((key) => [key, key]),
		);
		await again(store.disk);
	});

	test(`${name}: records are removed by later batches and at start-up`, async () => {
		const store = new StoreRunner(await open());
		await store.run({ kind: "batch", batch: batch(1, [record(2, "a"), record(3, "b"), record(4, "c")]) });
		await store.run({ kind: "batch", batch: batch(2, [], [recordKey(2)]) });
		await store.run({ kind: "deleteRecords", keys: [recordKey(4)] });
		expect(shape(await store.scanAll(10))).toEqual(shape([record(3, "b")]));
		await again(store.disk);
	});

	test(`${name}: a clean end keeps everything`, async () => {
		const store = new StoreRunner(await open());
		await store.run({ kind: "batch", batch: batch(1, [record(2, "kept")]) });
		await store.run({ kind: "floor", rows: [{ key: "FLOOR", value: new Uint8Array([9]) }] });
		const reopened = new StoreRunner(await again(store.disk));
		expect(shape(await reopened.scanAll(10))).toEqual(shape([record(2, "kept")]));
		expect(reopened.disk.sizeBytes()).toBeGreaterThan(0);
		await again(reopened.disk);
	});

	test(`${name}: two views of different names do not know of each other`, async () => {
		const store = new StoreRunner(await open());
		const [one, two, three] = [record(2, "one"), record(3, "two"), record(4, "three")];
		await store.run({ kind: "batch", batch: batch(1, [one, two]) });
		await store.run({ kind: "openView", view: "transfer" });
		await store.run({ kind: "batch", batch: batch(2, [three]) });
		await store.run({ kind: "openView", view: "export" });
		const read = async (view: "transfer" | "export", bytesMax = 1): Promise<unknown> =>
			shape((await store.run({ kind: "readView", view, bytesMax })).records ?? []);
		expect(await read("transfer")).toEqual(shape([one]));
		expect(await read("export", 1_000)).toEqual(shape([one, two, three]));
		await store.run({ kind: "closeView", view: "export" });
		expect(await read("transfer", 1_000)).toEqual(shape([two]));
		expect(await read("transfer")).toEqual([]);
		await store.run({ kind: "closeView", view: "transfer" });
		await again(store.disk);
	});

	test(`${name}: a view shows the records of its moment in key order, whatever is written and deleted later`, async () => {
		const store = new StoreRunner(await open());
		const records = Array.from({ length: 30 }, (_, at) => record(at + 2, `value ${at}`));
		await store.run({ kind: "batch", batch: batch(1, records) });
		await store.run({ kind: "openView", view: "transfer" });
		await store.run({ kind: "batch", batch: batch(2, [record(99, "later")], [recordKey(2), recordKey(31)]) });
		const read: StoredRecord[] = [];
		for (;;) {
			const part = (await store.run({ kind: "readView", view: "transfer", bytesMax: 60 })).records ?? [];
			if (part.length === 0) break;
			expect(part.length).toBeLessThanOrEqual(2);
			read.push(...part);
		}
		expect(shape(read)).toEqual(shape(records));
		await store.run({ kind: "closeView", view: "transfer" });
		await store.run({ kind: "openView", view: "transfer" });
		expect(shape((await store.run({ kind: "readView", view: "transfer", bytesMax: 1 })).records ?? [])).toEqual(
			shape([record(3, "value 1")]),
		);
		await store.run({ kind: "closeView", view: "transfer" });
		await again(store.disk);
	});
}
