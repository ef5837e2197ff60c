import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { portableBytes, writeU32 } from "@flotilla/base";
import { EMPTY_MARK } from "@flotilla/mvcc";
import { tableDigest } from "@flotilla/replica";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FloorRecord } from "../driver/floor-record.ts";
import { ImageWriter } from "../driver/snapshot-image.ts";
import { readSnapshot } from "./snapshot-file.ts";

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "snapshot-file-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const ROWS = ["auth/a", "leases/1", "leases/2"].map((key) => ({ key, value: portableBytes.fromLatin1(`value of ${key}`) }));
const RECORDS = Array.from({ length: 20 }, (_, at) => ({ key: new Uint8Array(17).fill(at), value: new Uint8Array(100 + at).fill(at) }));

function floor(rows = ROWS): FloorRecord {
	return {
		...{ clusterId: 1n, memberId: 2n, generation: "1", appliedIndex: 7, term: 3, mark: { ...EMPTY_MARK, revision: 21 } },
		confState: { voters: [2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
		tableDigest: tableDigest(portableBytes, rows),
	};
}

function withDigest(image: Uint8Array): Buffer {
	return Buffer.concat([image, createHash("sha256").update(image).digest()]);
}

function imageOf(spoil: (sections: Uint8Array[]) => Uint8Array[] = (sections) => sections): Buffer {
	const image = new ImageWriter();
	const sections = [image.head(floor()), image.rows(ROWS.slice(0, 1)), image.rows(ROWS.slice(1))];
	sections.push(image.records(RECORDS.slice(0, 12)), image.records(RECORDS.slice(12)), image.end());
	return Buffer.concat(spoil(sections));
}

async function read(bytes: Uint8Array, skipHashCheck = false) {
	const path = join(folder, "file");
	writeFileSync(path, bytes);
	const all: unknown[] = [];
	for await (const section of readSnapshot(path, { skipHashCheck })) all.push(section);
	return all;
}

describe("a saved state", () => {
	test("is read as it was written, in whole blocks", async () => {
		expect(imageOf().length % 512).toBe(0);
		const plain = (await read(withDigest(imageOf()))) as Array<{ kind: string; floor?: unknown; rows?: unknown; records?: typeof RECORDS }>;
		expect(plain.map(({ kind }) => kind)).toEqual(["head", "rows", "records", "records"]);
		expect(plain[0]?.floor).toEqual(floor());
		expect(plain[1]?.rows).toEqual(ROWS);
		expect([...(plain[2]?.records ?? []), ...(plain[3]?.records ?? [])]).toEqual(RECORDS);
	});

	test("of nothing at all is whole, too", async () => {
		const image = new ImageWriter();
		const bytes = Buffer.concat([image.head(floor([])), image.end()]);
		expect((await read(withDigest(bytes))).length).toBe(2);
	});

	test("is refused with any byte flipped, the digest checked or not", async () => {
		const whole = withDigest(imageOf());
		for (let at = 0; at < whole.length; at += 13) {
			const bytes = Buffer.from(whole);
			bytes.writeUInt8(whole.readUInt8(at) ^ 0x10, at);
			await expect(read(bytes), `byte ${at}`).rejects.toThrow(/^snapshot .*(checksum|goes beyond|format|is no snapshot|SHA-256)/);
			if (at < whole.length - 32) await expect(read(bytes, true), `byte ${at}`).rejects.toThrow(/^snapshot /);
		}
	});

	test("is refused cut off anywhere, by what is missing", async () => {
		const whole = withDigest(imageOf());
		for (let length = 1; length < whole.length; length += 37)
			await expect(read(whole.subarray(0, length)), `${length}`).rejects.toThrow(/^snapshot /);
		await expect(read(new Uint8Array(0))).rejects.toThrow("is empty");
		await expect(read(imageOf())).rejects.toThrow("no digest at its end");
		expect((await read(imageOf(), true)).length).toBe(4);
	});

	test("is refused when sections are missing or come twice, sound as each of them is", async () => {
		const without = (place: number) => withDigest(imageOf((sections) => sections.filter((_, at) => at !== place)));
		const padded = (place: number) => read(without(place), true);
		await expect(padded(1)).rejects.toThrow("the table rows add up to");
		await expect(padded(3)).rejects.toThrow("holds 3 rows and 8 records, its end says 3 and 20");
		await expect(padded(5)).rejects.toThrow("goes beyond the end of the file");
		await expect(
			read(withDigest(imageOf(([head, ...more]) => [head as Uint8Array, ...more, more[2] as Uint8Array])), true),
		).rejects.toThrow("goes on behind its end");
	});

	test("of another format names both", async () => {
		const image = imageOf();
		writeU32(image, 8, 2);
		await expect(read(withDigest(image))).rejects.toThrow("has format 2, this version reads format 1");
		await expect(read(Buffer.alloc(512 + 32))).rejects.toThrow("is no snapshot of flotilla");
	});

	test("that is not there", async () => {
		const missing = readSnapshot(join(folder, "none"), { skipHashCheck: false });
		await expect(missing.next()).rejects.toThrow("no such file or directory");
	});
});
