import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { assert, unreachable } from "@flotilla/base";
import type { RecordBatch, StoredRecord } from "@flotilla/mvcc";
import { ClassicLevel, type Iterator } from "classic-level";
import type { StoreCompletion, StoreDisk, StoreOp, ViewName } from "../ports.ts";
import { describeLevelError, isDamage, type LevelRefusal, levelRefusal } from "./level-errors.ts";
import { damagedTable } from "./level-tables.ts";
import { RecordChain } from "./record-chain.ts";
import { SpaceReclaimer } from "./space-reclaimer.ts";
import { takeBytes } from "./take-bytes.ts";

type Level = ClassicLevel<Uint8Array, Uint8Array>;
type RecordIterator = Iterator<Level, Uint8Array, Uint8Array>;

/** What one reader sees: the store at one moment, and what was read of it and not taken yet. */
interface View {
	readonly iterator: RecordIterator;
	page: StoredRecord[];
}

/** Key spaces: revision records and table rows. The barrier's interval lies below both, so that it meets no table. */
const RECORD = 0x72;
const ROW = 0x74;
const BELOW_ALL = new Uint8Array([0]);
/** Of a key without the mark of a deletion. */
const RECORD_KEY_BYTES = 17;

/** Queued batches up to so many bytes become one write. A merged batch is lost or kept whole, as rule S1 allows. */
const MERGED_BYTES_MAX = 1 << 20;
/**
 * Nobody waits for records to be stored but floors, and whoever has too many that are not: so those of some turns are gathered, and
 * go at once when they are many or something else is asked for. Each write is a trip through another thread and a turn of its own.
 */
const GATHER_MS = 10;
const GATHERED_BYTES_MAX = 256 << 10;
const PAGE_RECORDS = 1_000;
/** Of a scan, which nobody else waits for: each page is a trip through another thread. */
const SCAN_PAGE_RECORDS = 4_000;
const PAGE_BYTES = 1 << 20;

export type LevelOpening = { readonly ok: true; readonly store: LevelStore } | LevelRefusal;

/**
 * The key-value store's disk on LevelDB. Operations run strictly one after another, which keeps batches in order (two
 * threads of the pool may swap them) and holds the pool to one thread (decisions on the pool's budget).
 *
 * LevelDB verifies nothing it reads and may drop records from the middle of an unsynced log, so nothing here is proof of
 * anything: the floor and the records' own checksums are (rules S2, S3).
 */
export class LevelStore implements StoreDisk {
	onCompletion: (completion: StoreCompletion) => void = () => {};
	/** A scan has read every record. */
	onScanned: () => void = () => {};
	private readonly level: Level;
	private readonly folder: string;
	private readonly queue: StoreOp[] = [];
	/** Bytes of the batches in it, and of other work how much. */
	private queuedBytes = 0;
	private pressing = 0;
	private running = false;
	private gathering: NodeJS.Timeout | null = null;
	private closing = false;
	private onIdle: () => void = () => {};
	private scanning: RecordIterator | null = null;
	private scanPage: StoredRecord[] = [];
	private scanAhead: Promise<Array<[Uint8Array, Uint8Array]>> | null = null;
	/** LevelDB takes its snapshot when the iterator is made. */
	private readonly views = new Map<ViewName, View>();
	private bytesMeasured = 0;
	private bytesSince = 0;
	private measuring = false;
	private readonly reclaimer = new SpaceReclaimer({
		merge: (from, to) => this.level.compactRange(recordKey(from), recordKey(to)),
		size: (from, to) => this.level.approximateSize(recordKey(from), recordKey(to)),
	});

	private constructor(level: Level, folder: string) {
		this.level = level;
		this.folder = folder;
	}

	/** Takes LevelDB's file lock. `create`: the folder holds no store yet. Otherwise every table is verified first. */
	static async open(folder: string, create: boolean): Promise<LevelOpening> {
		const problem = create ? null : await lookAt(folder);
		if (problem !== null) return problem;
		const damage = create ? null : await damagedTable(folder);
		if (damage !== null) return { ok: false, code: "damaged", text: damage };
		const level: Level = new ClassicLevel(folder, {
			keyEncoding: "view",
			valueEncoding: "view",
			createIfMissing: create,
			writeBufferSize: 8 << 20,
			cacheSize: 8 << 20,
		});
		try {
			await level.open();
		} catch (error) {
			return levelRefusal(error, create);
		}
		const store = new LevelStore(level, folder);
		await store.measure();
		return { ok: true, store };
	}

	get(key: Uint8Array): Uint8Array | undefined {
		try {
			return this.level.getSync(recordKey(key));
		} catch (error) {
			// Nothing can be answered or applied without it: this ends the process, with the place.
			throw new Error(`Cannot read record ${Buffer.from(key).toString("hex")} of ${basename(this.folder)}: ${describeLevelError(error)}`);
		}
	}

	submit(op: StoreOp): void {
		this.queue.push(op);
		if (op.kind === "batch") this.queuedBytes += op.batch.bytes;
		if (isPressing(op)) this.pressing++;
		if (this.running) return;
		if (this.mayGather()) {
			this.gather();
			return;
		}
		this.endGathering();
		// In a turn of its own: the answers of this turn are on their way to the clients by then.
		this.running = true;
		setImmediate(() => {
			this.running = false;
			this.startNext();
		});
	}

	/** As of the last floor, and the bytes written since. */
	sizeBytes(): number {
		return this.bytesMeasured + this.bytesSince;
	}

	/** Waits for what was submitted, then releases the lock. */
	async close(): Promise<void> {
		this.closing = true;
		if (this.gathering !== null) this.startNext();
		if (this.running || this.queue.length > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
		await this.reclaimer.stop();
		await this.scanning?.close();
		for (const { iterator } of this.views.values()) await iterator.close();
		await this.level.close();
	}

	private mayGather(): boolean {
		return this.pressing === 0 && this.queuedBytes < GATHERED_BYTES_MAX && !this.closing;
	}

	private gather(): void {
		this.gathering ??= setTimeout(() => this.startNext(), GATHER_MS);
	}

	private endGathering(): void {
		if (this.gathering !== null) clearTimeout(this.gathering);
		this.gathering = null;
	}

	/** After something has ended. */
	private goOn(): void {
		if (this.queue.length > 0 && this.mayGather()) this.gather();
		else this.startNext();
	}

	private take(): StoreOp | undefined {
		const op = this.queue.shift();
		if (op === undefined) return undefined;
		if (op.kind === "batch") this.queuedBytes -= op.batch.bytes;
		if (isPressing(op)) this.pressing--;
		return op;
	}

	private startNext(): void {
		this.endGathering();
		const op = this.take();
		if (op === undefined) {
			this.onIdle();
			return;
		}
		this.running = true;
		if (op.kind === "batch") {
			this.runBatches(op);
			return;
		}
		this.run(op).then(
			(completion) => this.finish(completion),
			(error: unknown) => this.finish(failed(op.id, error)),
		);
	}

	private finish(completion: StoreCompletion): void {
		this.running = false;
		this.onCompletion(completion);
		if (!this.running) this.goOn();
	}

	/** Takes the batches that wait directly behind the first one along. */
	private runBatches(first: StoreOp & { kind: "batch" }): void {
		const ids = [first.id];
		const chain = new RecordChain(this.level);
		let bytes = addBatch(chain, first.batch);
		this.reclaimer.deleted(first.batch.deletes);
		for (let next = this.queue[0]; next?.kind === "batch" && bytes < MERGED_BYTES_MAX; next = this.queue[0]) {
			this.take();
			ids.push(next.id);
			bytes += addBatch(chain, next.batch);
			this.reclaimer.deleted(next.batch.deletes);
		}
		this.bytesSince += bytes;
		const done = (error: string | null) => {
			this.running = false;
			if (this.queue.length === 0 && this.reclaimer.due) this.reclaimer.start(() => void this.measure());
			for (const id of ids) this.onCompletion({ id, error, rows: null, records: null });
			if (!this.running) this.goOn();
		};
		chain.write().then(
			() => done(null),
			(error: unknown) => done(describeLevelError(error)),
		);
	}

	private async run(op: Exclude<StoreOp, { kind: "batch" }>): Promise<StoreCompletion> {
		switch (op.kind) {
			case "barrier":
				await this.level.compactRange(BELOW_ALL, BELOW_ALL);
				void this.measure();
				return { id: op.id, error: null, rows: null, records: null };
			case "floor":
				await this.level.batch(
					op.rows.map(({ key, value }) =>
						value === null ? { type: "del" as const, key: rowKey(key) } : { type: "put" as const, key: rowKey(key), value },
					),
					{ sync: true },
				);
				return { id: op.id, error: null, rows: null, records: null };
			case "readTables": {
				const range = { gte: new Uint8Array([ROW]), lt: new Uint8Array([ROW + 1]) };
				const rows: Array<{ key: string; value: Uint8Array }> = [];
				for await (const [key, value] of this.level.iterator<Uint8Array, Uint8Array>(range)) rows.push({ key: rowName(key), value });
				return { id: op.id, error: null, rows, records: null };
			}
			case "scan":
				return { id: op.id, error: null, rows: null, records: await this.scan(op.recordsMax) };
			case "deleteRecords":
				await this.level.batch(op.keys.map((key) => ({ type: "del" as const, key: recordKey(key) })));
				return { id: op.id, error: null, rows: null, records: null };
			case "openView":
				assert(!this.views.has(op.view), "one view of a name at a time");
				this.views.set(op.view, { iterator: this.iterate(), page: [] });
				return { id: op.id, error: null, rows: null, records: null };
			case "readView":
				return { id: op.id, error: null, rows: null, records: await this.readView(op.view, op.bytesMax) };
			case "closeView":
				await this.views.get(op.view)?.iterator.close();
				this.views.delete(op.view);
				return { id: op.id, error: null, rows: null, records: null };
			default:
				return unreachable(op);
		}
	}

	/** The next page is read while whoever scans looks at this one. */
	private async scan(recordsMax: number): Promise<StoredRecord[]> {
		assert(recordsMax > 0, "a scan asks for at least one record");
		this.scanning ??= this.iterate();
		const records = this.scanPage;
		this.scanPage = [];
		while (records.length < recordsMax) {
			const entries = await (this.scanAhead ?? this.scanning.nextv(SCAN_PAGE_RECORDS));
			this.scanAhead = null;
			for (const [key, value] of entries) records.push({ key: key.subarray(1), value });
			if (entries.length === 0) {
				await this.scanning.close();
				this.scanning = null;
				this.onScanned();
				return records;
			}
			this.scanAhead = this.scanning.nextv(SCAN_PAGE_RECORDS);
			// It is awaited by the next call; until then an error of it is nobody's.
			this.scanAhead.catch(() => {});
		}
		this.scanPage = records.splice(recordsMax);
		return records;
	}

	private iterate(): RecordIterator {
		return this.level.iterator({
			gte: new Uint8Array([RECORD]),
			lt: new Uint8Array([RECORD + 1]),
			highWaterMarkBytes: PAGE_BYTES,
			fillCache: false,
		});
	}

	private async readView(name: ViewName, bytesMax: number): Promise<StoredRecord[]> {
		const view = this.views.get(name);
		assert(view !== undefined, "a view is opened before it is read");
		if (view.page.length === 0) {
			const entries = await view.iterator.nextv(PAGE_RECORDS);
			view.page = entries.map(([key, value]) => ({ key: key.subarray(1), value }));
		}
		return takeBytes(view.page, bytesMax);
	}

	/** Sums the files of the folder; those that vanish meanwhile were replaced by others. */
	private async measure(): Promise<void> {
		if (this.measuring) return;
		this.measuring = true;
		const names = await readdir(this.folder).catch(() => []);
		const sizes = await Promise.all(
			names.map((name) =>
				stat(join(this.folder, name)).then(
					(file) => file.size,
					() => 0,
				),
			),
		);
		this.bytesMeasured = sizes.reduce((sum, size) => sum + size, 0);
		this.bytesSince = 0;
		this.measuring = false;
	}
}

/** Deletions make room, and the next ones wait for them. */
function isPressing(op: StoreOp): boolean {
	return op.kind !== "batch" || op.batch.deletes.length > 0;
}

function addBatch(chain: RecordChain, batch: RecordBatch): number {
	for (const { key, value } of batch.puts) chain.put(lentKey(key), value);
	for (const key of batch.deletes) chain.del(lentKey(key));
	return batch.bytes;
}

/** Keys of both lengths that there are, one after another in the same bytes: a chain copies what it is given before it returns. */
const lent = [RECORD_KEY_BYTES, RECORD_KEY_BYTES + 1].map((bytes) => new Uint8Array(1 + bytes).fill(RECORD, 0, 1));

function lentKey(key: Uint8Array): Uint8Array {
	const prefixed = lent[key.length - RECORD_KEY_BYTES];
	if (prefixed === undefined) return recordKey(key);
	prefixed.set(key, 1);
	return prefixed;
}

function recordKey(key: Uint8Array): Uint8Array {
	const prefixed = new Uint8Array(key.length + 1);
	prefixed[0] = RECORD;
	prefixed.set(key, 1);
	return prefixed;
}

function rowKey(name: string): Uint8Array {
	return Buffer.from(String.fromCharCode(ROW) + name, "latin1");
}

function rowName(key: Uint8Array): string {
	return Buffer.from(key.buffer, key.byteOffset + 1, key.length - 1).toString("latin1");
}

async function lookAt(folder: string): Promise<LevelRefusal | null> {
	try {
		await stat(folder);
		return null;
	} catch (error) {
		const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
		if (missing) return { ok: false, code: "missing", text: "the folder does not exist" };
		return { ok: false, code: "io", text: describeLevelError(error) };
	}
}

function failed(id: number, error: unknown): StoreCompletion {
	const text = describeLevelError(error);
	return { id, error: text, damaged: isDamage(text), rows: null, records: null };
}
