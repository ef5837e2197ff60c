import { marks, portableBytes } from "@flotilla/base";
import type { KeyValueStore, RecordStorage, StoreMark, StoreRestore } from "@flotilla/mvcc";
import { type TableRow, tableDigest } from "@flotilla/replica";
import type { OpenStore } from "../ports.ts";
import { decodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import { FORMAT_FILE, type MemberFormat } from "./format-file.ts";
import type { StoreProblem } from "./open-stores.ts";
import { ask, attempt, refuse, type Steps } from "./recovery-steps.ts";

/** Records read and fed to the key space in one step of a start: some milliseconds. */
const PAGE_RECORDS = 4_000;
/** Keys put in order between two looks at what else there is to do: some milliseconds. */
export const FINISH_SLICE = 8_192;

/** The store as its floor vouches for it. */
export interface StoreState {
	readonly floor: FloorRecord;
	/** Without the floor's own row. */
	readonly rows: readonly TableRow[];
	readonly keyValues: KeyValueStore;
	readonly records: number;
}

/** A store that cannot be trusted may be made again from the log (rule S6). */
export type StoreReading = { readonly ok: true; readonly state: StoreState } | ({ readonly ok: false } & StoreProblem);

export type RestoreStore = (mark: StoreMark, storage: RecordStorage) => StoreRestore;

/** Reads the floor, removes what lies above it, feeds all other records to the key space and has them add up (rule S5). */
export function* readStore(disk: OpenStore, format: MemberFormat, restore: RestoreStore): Steps<StoreReading> {
	const tables = yield* attempt(disk, format.generation, { kind: "readTables" });
	if (tables.error !== null) return damaged(tables.error);
	const all = tables.rows ?? [];
	const floorRow = all.find(({ key }) => key === FLOOR_ROW);
	if (floorRow === undefined) return mismatch(`the row ${FLOOR_ROW} is missing: the store was emptied or never finished`);
	const decoding = decodeFloor(floorRow.value);
	const place = `store.${format.generation}, row ${FLOOR_ROW}`;
	if (!decoding.ok) {
		if (decoding.code === "damaged") return mismatch(`the row ${FLOOR_ROW} has ${decoding.found}, need ${decoding.wanted}`);
		throw refuse("newer", {
			what: "the store was written by a later version",
			where: place,
			found: decoding.found,
			wanted: decoding.wanted,
			next: "Start the later version",
		});
	}
	const { floor } = decoding;
	checkOwner(floor, format, place);
	const rows = all.filter((row) => row !== floorRow);
	const digest = tableDigest(portableBytes, rows);
	if (digest !== floor.tableDigest) {
		return mismatch(`the table rows add up to ${digest.toString(16)}, the floor says ${floor.tableDigest.toString(16)}`);
	}
	return yield* scanRecords(disk, floor, rows, restore);
}

function checkOwner(floor: FloorRecord, format: MemberFormat, where: string): void {
	const say = (name: string, found: string, wanted: string) =>
		refuse("foreign", {
			what: `the store belongs to another ${name}`,
			where,
			found: `${name} ${found}`,
			wanted: `${name} ${wanted} as in the file ${FORMAT_FILE}`,
			next: "Put back the store that belongs to this data folder",
		});
	if (floor.clusterId !== format.clusterId) throw say("cluster", floor.clusterId.toString(16), format.clusterId.toString(16));
	if (floor.memberId !== format.memberId) throw say("member", floor.memberId.toString(16), format.memberId.toString(16));
	if (floor.generation !== format.generation) throw say("generation", floor.generation, format.generation);
}

function* scanRecords(disk: OpenStore, floor: FloorRecord, rows: readonly TableRow[], restore: RestoreStore): Steps<StoreReading> {
	const restoring = restore(floor.mark, disk);
	let records = 0;
	for (;;) {
		const scan = yield* attempt(disk, floor.generation, { kind: "scan", recordsMax: PAGE_RECORDS });
		if (scan.error !== null) return damaged(scan.error);
		const page = scan.records ?? [];
		const above: Uint8Array[] = [];
		let problem: string | null = null;
		for (const { key, value } of page) {
			// Records above the floor come from the log again; which of them survived a crash means nothing.
			if (key.length >= 8 && mainRevision(key) > floor.mark.revision) above.push(key);
			else problem ??= restoring.record(key, value);
		}
		if (problem !== null) return mismatch(problem);
		if (above.length > 0) {
			marks.recordsAboveFloor++;
			const deletion = yield* attempt(disk, floor.generation, { kind: "deleteRecords", keys: above });
			if (deletion.error !== null) return damaged(deletion.error);
		}
		records += page.length - above.length;
		if (page.length < PAGE_RECORDS) break;
	}
	const finishing = restoring.finish();
	while (!finishing.step(FINISH_SLICE)) yield* ask({ on: "pause" });
	const restored = finishing.result();
	return restored.ok ? { ok: true, state: { floor, rows, keyValues: restored.store, records } } : mismatch(restored.reason);
}

/** Readable, but not what its floor says. */
function mismatch(reason: string): StoreReading {
	return { ok: false, code: "storeMismatch", reason };
}

function damaged(reason: string): StoreReading {
	return { ok: false, code: "storeDamaged", reason };
}

/** The first 8 bytes of a record's key, big endian. */
function mainRevision(key: Uint8Array): number {
	let revision = 0;
	for (let at = 0; at < 8; at++) revision = revision * 256 + (key[at] as number);
	return revision;
}
