import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import {
	decodeHead,
	decodeRecords,
	decodeRows,
	encodeHead,
	encodeRecords,
	encodeRows,
	rowsEnd,
	type SnapshotHead,
} from "./snapshot-codec.ts";

const HEAD: SnapshotHead = {
	floor: {
		clusterId: 0xc1n,
		memberId: 2n,
		generation: "3",
		appliedIndex: 900,
		term: 4,
		confState: { voters: [1n, 2n, 3n], learners: [4n], votersOutgoing: [], learnersNext: [], autoLeave: false },
		mark: { revision: 700, compactRevision: 600, count: 80, digest: 5, digest2: 6 },
		tableDigest: 7,
	},
	rows: [
		{ key: "members/1", value: new Uint8Array([1, 2]) },
		{ key: "version/cluster", value: new Uint8Array(0) },
	],
	rowsBehind: 70_000,
};

test("what a state is, and its records, are read as they were written", () => {
	expect(decodeHead(encodeHead(HEAD))).toEqual(HEAD);
	const records = Array.from({ length: 5 }, (_, n) => ({
		key: new Uint8Array(17 + (n % 2)).fill(n),
		value: new Uint8Array(n * 100).fill(n),
	}));
	expect(decodeRecords(encodeRecords(records))).toEqual(records);
	expect(decodeRecords(new Uint8Array(0))).toEqual([]);
});

test("bytes that are cut off or changed are no sound head, and never an exception", () => {
	const whole = encodeHead(HEAD);
	for (let bytes = 0; bytes < whole.length - 1; bytes++) {
		const head = decodeHead(whole.slice(0, bytes));
		// Between two rows a cut is seen by their digest, which the floor holds.
		if (head !== null) expect(head.rows.length).toBeLessThan(HEAD.rows.length);
	}
	const dice = new Dice(1);
	for (let at = 4; at < 100; at++) {
		const damaged = whole.slice();
		damaged[at] = (damaged[at] as number) ^ dice.range(1, 255);
		const head = decodeHead(damaged);
		if (head !== null) expect(head.floor).toEqual(HEAD.floor);
	}
});

test("rows that do not fit into one part are spread over several, one at least in each", () => {
	const rows = [10, 50, 100, 5, 5, 5, 40].map((bytes, at) => ({ key: `leases/00${at}`, value: new Uint8Array(bytes).fill(at) }));
	for (const bytesMax of [1, 60, 100, 1_000]) {
		const parts = [];
		for (let from = 0; from < rows.length; from = rowsEnd(rows, from, bytesMax)) {
			const part = rows.slice(from, rowsEnd(rows, from, bytesMax));
			if (part.length > 1) expect(encodeRows(part).length).toBeLessThanOrEqual(bytesMax);
			parts.push(encodeRows(part));
		}
		expect(parts.flatMap((part) => decodeRows(part))).toEqual(rows);
	}
	expect(rowsEnd(rows, rows.length, 10)).toBe(rows.length);
});
