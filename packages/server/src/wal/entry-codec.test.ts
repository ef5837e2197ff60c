import { Dice, portableBytes, writeU32, writeU64 } from "@flotilla/base";
import { Entry, EntryKind } from "@flotilla/raft";
import { describe, expect, test } from "vitest";
import { decodeEntries, ENTRY_HEADER_BYTES, encodeEntries, entriesBytes, slabCrc } from "./entry-codec.ts";
import { contentBytes, contentCrc, EMPTY_CONTENT, type FrameContent, writeContent } from "./records.ts";

function makeEntries(dice: Dice, count: number): Entry[] {
	let index = dice.range(1, 1e12);
	let term = dice.range(1, 1000);
	return Array.from({ length: count }, () => {
		term += dice.range(0, 1);
		const data = new Uint8Array(dice.range(0, 40)).map(() => dice.range(0, 255));
		return new Entry(index++, term, dice.chance(1, 5) ? EntryKind.config : EntryKind.normal, data);
	});
}

describe("entries as bytes", () => {
	test("what is encoded is decoded, for 300 random lists", () => {
		const dice = new Dice("entry-codec");
		for (let round = 0; round < 300; round++) {
			const entries = makeEntries(dice, dice.range(0, 20));
			const slab = encodeEntries(entries);
			expect(slab.length).toBe(entriesBytes(entries));
			expect(decodeEntries(slab, 0, slab.length)).toEqual(entries);
			const heads = entries.map(({ index, term, kind }) => new Entry(index, term, kind, new Uint8Array(0)));
			expect(decodeEntries(slab, 0, slab.length, false)).toEqual(heads);
		}
	});

	test("what was read without data is not what is written again", () => {
		const entries = makeEntries(new Dice(5), 5);
		const slab = encodeEntries(entries).slice();
		const heads = decodeEntries(slab, 0, slab.length, false) as Entry[];
		expect(encodeEntries(heads).length).toBe(5 * ENTRY_HEADER_BYTES);
	});

	test("the same entries share one slab, other entries do not", () => {
		const entries = makeEntries(new Dice(1), 5);
		const slab = encodeEntries(entries);
		expect(encodeEntries([...entries])).toBe(slab);
		const replaced = [...entries];
		const old = replaced[2] as Entry;
		replaced[2] = new Entry(old.index, old.term, old.kind, new Uint8Array([9, 9]));
		expect(encodeEntries(replaced)).not.toBe(slab);
		expect(decodeEntries(encodeEntries(replaced), 0, encodeEntries(replaced).length)).toEqual(replaced);
	});

	test("decoded entries are written again without copying them one by one", () => {
		const slab = encodeEntries(makeEntries(new Dice(2), 5)).slice();
		const decoded = decodeEntries(slab, 0, slab.length) as Entry[];
		expect(encodeEntries(decoded).buffer).toBe(slab.buffer);
	});

	test("every shortened slab is refused or gives fewer whole entries", () => {
		const entries = makeEntries(new Dice(3), 6);
		const slab = encodeEntries(entries);
		for (let end = 0; end < slab.length; end++) {
			const decoded = decodeEntries(slab, 0, end);
			if (decoded !== null) expect(decoded).toEqual(entries.slice(0, decoded.length));
		}
		expect(decodeEntries(slab, 0, slab.length + 1)).toBeNull();
	});

	const one = () => encodeEntries([new Entry(7, 3, EntryKind.normal, new Uint8Array([1, 2, 3]))]).slice();
	for (const [claim, damage] of [
		["an unknown record type", (b: Uint8Array) => b.set([3], 0)],
		["an unknown entry kind", (b: Uint8Array) => b.set([2], 1)],
		["reserved bytes that are set", (b: Uint8Array) => b.set([1], 3)],
		["a body shorter than its fixed part", (b: Uint8Array) => writeU32(b, 4, 15)],
		["a body beyond the end", (b: Uint8Array) => writeU32(b, 4, 16 + 9)],
		["a body of 4 GiB", (b: Uint8Array) => writeU32(b, 4, 0xffffffff)],
		["index 0", (b: Uint8Array) => writeU64(b, 8, 0)],
		["an index above 2^53 - 1", (b: Uint8Array) => b.fill(0xff, 8, 16)],
		["term 0", (b: Uint8Array) => writeU64(b, 16, 0)],
		["padding that is not zero", (b: Uint8Array) => b.set([1], ENTRY_HEADER_BYTES + 3)],
	] as Array<[string, (bytes: Uint8Array) => void]>) {
		test(`${claim} is refused`, () => {
			const bytes = one();
			expect(decodeEntries(bytes, 0, bytes.length)).not.toBeNull();
			damage(bytes);
			expect(decodeEntries(bytes, 0, bytes.length)).toBeNull();
			expect(decodeEntries(bytes, 0, bytes.length, false)).toBeNull();
		});
	}

	test("a gap, a repeated index and a falling term are refused", () => {
		const at = (index: number, term: number) => new Entry(index, term, EntryKind.normal, new Uint8Array(1));
		for (const bad of [
			[at(1, 1), at(3, 1)],
			[at(1, 1), at(1, 1)],
			[at(1, 2), at(2, 1)],
		]) {
			const slab = encodeEntries(bad);
			expect(decodeEntries(slab, 0, slab.length)).toBeNull();
			expect(decodeEntries(slab, 0, slab.length, false)).toBeNull();
		}
	});
});

describe("the checksum of a frame's content", () => {
	const entries = makeEntries(new Dice(7), 200);
	const contents: Record<string, FrameContent> = {
		"many entries": { ...EMPTY_CONTENT, entries },
		"a state before them": { ...EMPTY_CONTENT, hardState: { term: 9, vote: 2n, commit: 3 }, truncateFrom: 4, truncateTerm: 3, entries },
		"a fence behind them": { ...EMPTY_CONTENT, entries, fence: { verifiedSeq: 8, closing: false } },
		"few entries": { ...EMPTY_CONTENT, entries: entries.slice(0, 2) },
		"no entries": { ...EMPTY_CONTENT, hardState: { term: 9, vote: 2n, commit: 3 } },
	};
	test.each(Object.entries(contents))("is that of its bytes: %s", (_what, content) => {
		const size = contentBytes(content);
		const bytes = new Uint8Array(size + 80).fill(0xaa);
		writeContent(bytes, 40, content);
		// Known from the peer that they came from, or summed here.
		for (const known of [true, false]) {
			if (known && content.entries.length > 0) {
				const slab = encodeEntries(content.entries).slice();
				const decoded = decodeEntries(slab, 0, slab.length, true, portableBytes.crc32c(slab)) as Entry[];
				expect(contentCrc(portableBytes, bytes, 40, 40 + size, { ...content, entries: decoded })).toBe(
					portableBytes.crc32c(bytes, 40, 40 + size),
				);
			} else expect(contentCrc(portableBytes, bytes, 40, 40 + size, content)).toBe(portableBytes.crc32c(bytes, 40, 40 + size));
		}
	});

	test("sums the entries of a slab once", () => {
		let summed = 0;
		const counting: typeof portableBytes = {
			...portableBytes,
			crc32c(bytes, start = 0, end = bytes.length, seed) {
				summed += end - start;
				return portableBytes.crc32c(bytes, start, end, seed);
			},
		};
		const content = { ...EMPTY_CONTENT, entries: makeEntries(new Dice(8), 200) };
		const bytes = new Uint8Array(contentBytes(content));
		writeContent(bytes, 0, content);
		contentCrc(counting, bytes, 0, bytes.length, content);
		slabCrc(counting, encodeEntries(content.entries));
		expect(summed).toBe(bytes.length);
	});
});
