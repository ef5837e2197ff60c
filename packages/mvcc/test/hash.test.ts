import { combineCrc32c, Dice, portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { EMPTY_HASH } from "../src/hash-walk.ts";
import { StoreRebuild } from "../src/index.ts";
import { Model } from "./model.ts";
import { bytes, del, op, put, txn } from "./requests.ts";
import { finish, storeOf, type Workplace } from "./store-of.ts";

/** The store of the published vectors: revisions 2 to 6. */
function example(): Workplace {
	const place = storeOf();
	place.store.put(put("a", "1"));
	place.store.put(put("b", "2"));
	place.store.put(put("a", "3"));
	place.store.deleteRange(del("b"));
	place.store.put(put("c", ""));
	return place;
}

const hashOf = ({ store }: Workplace, revision: number): { hash: number; compactRevision: number; hashRevision: number } => {
	const { hash, compactRevision, hashRevision } = finish(store.hashKv(revision));
	return { hash, compactRevision, hashRevision };
};

test("the first record is hashed as etcd stores it", () => {
	const batch = example().flush();
	const first = batch?.puts[0];
	expect(hex(first?.key)).toBe("00000000000000025f0000000000000000");
	expect(hex(first?.value.subarray(0, -4))).toBe("0a01611002180220012a0131");
});

for (const [revision, hash] of [
	[1, 1084519789],
	[2, 2587454935],
	[3, 1827592406],
	[4, 2069675932],
	[5, 1125682900],
	[6, 1947802976],
] as const) {
	test(`HashKV of revision ${revision}, never compacted`, () => {
		expect(hashOf(example(), revision)).toEqual({ hash, compactRevision: -1, hashRevision: revision });
	});
}

test("HashKV of the newest state names its revision", () => {
	expect(finish(example().store.hashKv(0))).toEqual({
		ok: true,
		hash: 1947802976,
		compactRevision: -1,
		hashRevision: 6,
		revision: 6,
	});
});

test("HashKV of an empty store is the prefix alone", () => {
	expect(hashOf(storeOf(), 0).hash).toBe(EMPTY_HASH);
});

test("a negative revision hashes the prefix alone", () => {
	expect(hashOf(example(), -1)).toEqual({ hash: EMPTY_HASH, compactRevision: -1, hashRevision: -1 });
});

for (const settled of [true, false]) {
	test(`HashKV after Compact(4), clean-up ${settled ? "done" : "pending"}`, () => {
		const place = example();
		place.store.compact(4);
		if (settled) place.settle();
		expect(hashOf(place, 5)).toEqual({ hash: 1468967122, compactRevision: 4, hashRevision: 5 });
		expect(hashOf(place, 0)).toEqual({ hash: 323977103, compactRevision: 4, hashRevision: 6 });
		expect(hashOf(place, 4)).toEqual({ hash: 2069675932, compactRevision: -1, hashRevision: 4 });
		expect(place.store.hashKv(3)).toEqual({ ok: false, code: "compacted" });
		expect(place.store.hashKv(7)).toEqual({ ok: false, code: "futureRevision" });
	});
}

for (const settled of [true, false]) {
	test(`HashKV after Compact(5), clean-up ${settled ? "done" : "pending"}: the compacted revision's hash is remembered`, () => {
		const place = example();
		place.store.compact(5);
		if (settled) place.settle();
		expect(hashOf(place, 5)).toEqual({ hash: 1125682900, compactRevision: -1, hashRevision: 5 });
		expect(hashOf(place, 0)).toEqual({ hash: 244968164, compactRevision: 5, hashRevision: 6 });
	});
}

test("HashKV at the compact revision when its hash is not remembered, as after a start", () => {
	const place = example();
	place.store.compact(5);
	place.settle();
	const mark = place.floor();
	const rebuild = new StoreRebuild(mark, { keepEvents: false, valueCacheBytes: 0 }, place.storage, portableBytes);
	for (const { key, value } of place.storage.all()) rebuild.record(key, value);
	const finished = finish(rebuild.finish());
	if (!finished.ok) throw new Error(finished.reason);
	expect(finish(finished.store.hashKv(5))).toMatchObject({ hash: 3184071396, compactRevision: 5, hashRevision: 5 });
});

test("the hash of a compacted revision outlives later compactions, of the last ten", () => {
	const place = storeOf();
	for (let i = 0; i < 14; i++) place.store.put(put("k", `${i}`));
	const before = Array.from({ length: 14 }, (_, i) => hashOf(place, i + 2).hash);
	place.store.compact(2);
	place.settle();
	expect(hashOf(place, 2).hash).toBe(before[0]);
	for (let revision = 3; revision <= 12; revision++) {
		place.store.compact(revision);
		place.settle();
	}
	expect(place.store.hashKv(2)).toEqual({ ok: false, code: "compacted" });
	expect(hashOf(place, 3).compactRevision).toBe(2);
});

test("Compact(0) leaves no remembered hash: 0 means the newest", () => {
	const place = example();
	place.store.compact(0);
	place.settle();
	expect(hashOf(place, 0)).toEqual({ hash: 1947802976, compactRevision: 0, hashRevision: 6 });
});

test("a hash shows the state of its call, whatever is written and compacted meanwhile", () => {
	const place = example();
	const work = place.store.hashKv(0);
	if ("code" in work) throw new Error("refused");
	work.step(2);
	place.store.put(put("a", "4"));
	place.store.compact(7);
	expect(place.store.compactionStep(1_000), "clean-up waits for the hash").toBe(false);
	expect(finish(work)).toMatchObject({ hash: 1947802976, compactRevision: -1, hashRevision: 6, revision: 6 });
	expect(place.store.compactionStep(1_000)).toBe(true);
});

test("a hash that is given up no longer holds back clean-up", () => {
	const place = example();
	const work = place.store.hashKv(0);
	place.store.compact(6);
	expect(place.store.compactionStep(1_000)).toBe(false);
	if (!("code" in work)) work.abandon();
	expect(place.store.compactionStep(1_000)).toBe(true);
});

test("of two changes of a key at the compact revision only the last one is retained, also when nothing lives", () => {
	const place = storeOf();
	place.store.txn(txn({ success: [op.put(put("a", "1")), op.del(del("a", "\0"))] }));
	place.store.compact(2);
	expect(hashOf(place, 0).hash).toBe(EMPTY_HASH);
});

describe("hashes are those of the rule's text, when often no key is alive", () => {
	for (let seed = 0; seed < 40; seed++) {
		test(`seed ${seed}`, () => {
			const dice = new Dice(`hash-${seed}`);
			const place = storeOf();
			const model = new Model();
			const remembered = new Map<number, { hash: number; compactRevision: number; hashRevision: number }>();
			for (let i = 0; i < 60; i++) {
				change(dice, place, model);
				if (dice.chance(1, 6) && model.revision > Math.max(model.compactRevision, 0)) {
					const target = dice.chance(1, 2) ? model.revision : dice.range(Math.max(model.compactRevision + 1, 1), model.revision);
					const compactRevision = model.compactRevision;
					remembered.set(target, { hash: model.hashKv(target, compactRevision, true), compactRevision, hashRevision: target });
					place.store.compact(target);
					model.compact(target);
				}
				if (dice.chance(1, 3)) place.store.compactionStep(dice.range(1, 6));
				const want = { hash: model.hashKv(0), compactRevision: model.compactRevision, hashRevision: model.revision };
				expect(hashOf(place, 0), `seed ${seed}, step ${i}`).toEqual(want);
				for (const [revision, hash] of [...remembered].slice(-10)) {
					expect(hashOf(place, revision), `seed ${seed}, step ${i}, compacted at ${revision}`).toEqual(hash);
				}
			}
		});
	}
});

function change(dice: Dice, place: Workplace, model: Model): void {
	const key = dice.pick(["a", "b"]);
	if (dice.chance(1, 2)) {
		place.store.put(put(key, "v"));
		model.put(put(key, "v"));
	} else if (dice.chance(1, 3)) {
		const both = txn({ success: [op.put(put(key, "w")), op.del(del("a", "\0"))] });
		place.store.txn(both);
		model.txn(both);
	} else {
		const erase = del("a", dice.pick(["", "\0"]));
		place.store.deleteRange(erase);
		model.deleteRange(erase);
	}
}

test("checksums of two strings combine to that of the string joined", () => {
	const dice = new Dice("crc");
	for (const length of [0, 1, 7, 17, 300, 4095, 4096, 70_000]) {
		const joined = Uint8Array.from({ length: 50 + length }, () => dice.range(0, 255));
		const first = portableBytes.crc32c(joined, 0, 50);
		const second = portableBytes.crc32c(joined, 50);
		expect(combineCrc32c(first, second, length), `${length} bytes`).toBe(portableBytes.crc32c(joined));
	}
	expect(combineCrc32c(0, portableBytes.crc32c(bytes("key")), 3)).toBe(EMPTY_HASH);
});

function hex(content: Uint8Array | undefined): string {
	return [...(content ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
