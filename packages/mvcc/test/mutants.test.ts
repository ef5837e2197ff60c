/** Bugs planted in compaction: the twin must find each of them, or it is not worth its time. */
import { expect, test } from "vitest";
import { DoomedRecords } from "../src/doomed-records.ts";
import { HashWalk } from "../src/hash-walk.ts";
import { MvccStore } from "../src/index.ts";
import { KeyIndex } from "../src/key-index.ts";
import { KeyTable } from "../src/key-table.ts";
import { RecordLog } from "../src/record-log.ts";
import { SlotTable } from "../src/slot-table.ts";
import { compareTwins } from "./twins.ts";

const SEEDS_MAX = 60;

/** Puts `spoilt` in the place of a method; returns the way back. */
function plant<T extends object>(owner: T, name: string, spoilt: (original: (...args: never[]) => unknown) => unknown): () => void {
	const original = Reflect.get(owner, name) as (...args: never[]) => unknown;
	Reflect.set(owner, name, spoilt(original));
	return () => void Reflect.set(owner, name, original);
}

type Method = (this: never, ...args: never[]) => unknown;
const call = (original: Method, self: unknown, ...args: readonly unknown[]): unknown => Reflect.apply(original, self, args);

const MUTANTS: Readonly<Record<string, () => () => void>> = {
	"forgets one revision too many": () =>
		plant(MvccStore.prototype, "compact", (original) => {
			return function (this: MvccStore, revision: number) {
				const result = call(original, this, revision);
				if ((result as { ok: boolean }).ok) this.compactRevision = revision + 1;
				return result;
			};
		}),
	"deletes the neighbour of a compacted record": () =>
		plant(DoomedRecords.prototype, "add", (original) => {
			return function (this: DoomedRecords, main: number, sub: number, tombstone: boolean) {
				call(original, this, main + 1, sub, tombstone);
			};
		}),
	"never gives the space of a record back": () =>
		plant(DoomedRecords.prototype, "add", (original) => {
			return function (this: DoomedRecords, main: number, sub: number, tombstone: boolean) {
				if (main % 7 !== 0) call(original, this, main, sub, tombstone);
			};
		}),
	"loses what is left of a key": () =>
		plant(SlotTable.prototype, "setBase", (original) => {
			return function (this: SlotTable, slot: number, main: number, ...rest: readonly number[]) {
				if (main % 5 !== 0) call(original, this, slot, main, ...rest);
			};
		}),
	"keeps a tombstone for good": () => plant(KeyIndex.prototype, "remove", () => () => {}),
	"keeps the place of a key that is gone": () => plant(KeyTable.prototype, "remove", () => () => {}),
	"cuts the log one record too far": () =>
		plant(RecordLog.prototype, "dropBefore", (original) => {
			return function (this: RecordLog, ordinal: number) {
				call(original, this, Math.min(this.end, ordinal + 1));
			};
		}),
	"counts a record that went": () =>
		plant(KeyIndex.prototype, "retire", (original) => {
			return function (this: KeyIndex, from: number, to: number) {
				call(original, this, from, Math.max(from, to - 1));
			};
		}),
	"hashes all records of a key at the compact revision": () => plant(HashWalk.prototype as object, "isNewestAtCompact", () => () => true),
};

/** A planted bug may also break an assertion, which is as good. */
function findsDifference(seed: string): boolean {
	try {
		return compareTwins(seed, 250) !== null;
	} catch {
		return true;
	}
}

test.each(Object.keys(MUTANTS))("%s", (name) => {
	const restore = (MUTANTS[name] as () => () => void)();
	try {
		const found = Array.from({ length: SEEDS_MAX }, (_, seed) => `mutant-${seed}`).find(findsDifference);
		expect(found, `found within ${SEEDS_MAX} runs`).toBeDefined();
	} finally {
		restore();
	}
});
