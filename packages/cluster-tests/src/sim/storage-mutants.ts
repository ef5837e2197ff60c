import type { ReplicaMachine, TableRow } from "@flotilla/replica";
import type { FileDisk, FileOp, OpenStore, StoreHouse, StoreOp } from "@flotilla/server/internal";

/** Bugs of what is stored and of states that take another's place (rules W7, S2, N3, N6). */
export const STORAGE_MUTANTS = ["trustsPageCache", "skipsBarriers", "forgetsFolder", "mixesStates"] as const;
export type StorageMutant = (typeof STORAGE_MUTANTS)[number];

export function isStorageMutant(name: string | null): name is StorageMutant {
	return STORAGE_MUTANTS.some((each) => each === name);
}

/** Rule W7: a start believes what it reads at the end of its log. Of all writes only its own repair writes what it has just read. */
export function skipRepairs(disk: FileDisk): FileDisk {
	const read = new WeakSet<Uint8Array>();
	const skipped = new Map<number, number>();
	return {
		submit: (op: FileOp) => {
			if (op.kind !== "write" || !read.has(op.data)) {
				disk.submit(op);
				return;
			}
			skipped.set(op.id, op.data.length);
			// It takes a moment, as the write would.
			disk.submit({ kind: "size", id: op.id, path: op.path });
		},
		get onCompletion() {
			return disk.onCompletion;
		},
		set onCompletion(listener) {
			disk.onCompletion = (completion) => {
				if (completion.data !== null) read.add(completion.data);
				const bytes = skipped.get(completion.id);
				skipped.delete(completion.id);
				listener(bytes === undefined ? completion : { ...completion, bytes });
			};
		},
	};
}

/** Rules S2 and N3: floors are written over records that a power cut may still take. Reading the table rows changes nothing and takes a moment. */
export function skipBarriers(house: StoreHouse): StoreHouse {
	return {
		...house,
		open: (generation, create, done) =>
			house.open(generation, create, (opening) => done(opening.ok ? { ok: true, store: withoutBarriers(opening.store) } : opening)),
	};
}

function withoutBarriers(store: OpenStore): OpenStore {
	return {
		get: (key) => store.get(key),
		submit: (op: StoreOp) => store.submit(op.kind === "barrier" ? { id: op.id, kind: "readTables" } : op),
		get onCompletion() {
			return store.onCompletion;
		},
		set onCompletion(listener) {
			store.onCompletion = listener;
		},
		sizeBytes: () => store.sizeBytes(),
		close: (done) => store.close(done),
	};
}

/** Rule N3: the name of a state that was received is not made durable before the log's marker names it. */
export function skipFolderSyncs(house: StoreHouse): StoreHouse {
	return { ...house, sync: (done) => house.list(() => done(null)) };
}

export function spoilInstalls(machine: ReplicaMachine, mutant: StorageMutant): Partial<ReplicaMachine> {
	if (mutant !== "mixesStates") return {};
	// Rule N6: key space and index are exchanged, and the tables stay what they were.
	return {
		installSnapshot: (message, received) => {
			const own: readonly TableRow[] | undefined = machine.captureFloor()?.tables;
			return machine.installSnapshot(message, own === undefined ? received : { ...received, tables: own });
		},
	};
}
