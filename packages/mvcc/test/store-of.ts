/** A store over memory, told what is done to it in few words. */
import { portableBytes } from "@flotilla/base";
import { LeaseTable, MemoryStorage, MvccStore, type RecordBatch, type StoreMark } from "../src/index.ts";
import type { Sliced } from "../src/store-interface.ts";

export interface Workplace {
	readonly store: MvccStore;
	readonly storage: MemoryStorage;
	/** Writes what is pending; the batch or null. */
	flush(): RecordBatch | null;
	/** Finishes compactions. */
	settle(): void;
	/** A whole floor: mark, barrier, row. */
	floor(): StoreMark;
}

/** A table in which these leases were granted. */
export function leasesOf(ids: Iterable<bigint>): LeaseTable {
	const table = new LeaseTable();
	for (const id of ids) table.grant(id, 60, table.count + 1);
	return table;
}

export function storeOf(valueCacheBytes = 0, leases = new LeaseTable(), eventsKeptMax = 4_096): Workplace {
	const storage = new MemoryStorage();
	return workplace(new MvccStore({ keepEvents: true, valueCacheBytes, eventsKeptMax }, storage, portableBytes, leases), storage);
}

export function workplace(store: MvccStore, storage: MemoryStorage): Workplace {
	const flush = (): RecordBatch | null => {
		const batch = store.takeBatch();
		if (batch === null) return null;
		storage.write(batch);
		store.batchStored(batch.seq);
		return batch;
	};
	return {
		store,
		storage,
		flush,
		settle() {
			for (let i = 0; i < 10_000; i++) if (store.compactionStep(100)) return;
			throw new Error("compaction does not end");
		},
		floor() {
			const mark = store.mark();
			flush();
			store.floorWritten();
			return mark;
		},
	};
}

export function finish<T>(work: Sliced<T> | { readonly ok: false; readonly code: string }): T {
	if ("code" in work) throw new Error(`refused: ${work.code}`);
	for (let i = 0; i < 100_000; i++) if (work.step(3)) return work.result();
	throw new Error("the work does not end");
}
