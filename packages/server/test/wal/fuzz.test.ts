import { Dice, portableBytes } from "@flotilla/base";
import { describe, expect, it } from "vitest";
import { LogJson } from "../../src/cli/log-json.ts";
import { LogWords } from "../../src/cli/log-words.ts";
import type { SimDisk } from "../../src/disk/memory-disk.ts";
import { runScript } from "../../src/disk/run-script.ts";
import { LogDump } from "../../src/wal/dump.ts";
import { FRAME_HEADER_BYTES, frameSeed, SEGMENT_HEADER_BYTES, sealFrame } from "../../src/wal/format.ts";
import { contentBytes, readContent, writeContent } from "../../src/wal/records.ts";
import { IDENTITY, LogUnderTest, Model, newLog, SMALL, Steps } from "./log-fixture.ts";

/** Recovers and dumps whatever is on the disk: it must answer, in bounded steps. */
async function survive(disk: SimDisk, where: string): Promise<void> {
	const steps = new Steps();
	const log = new LogUnderTest(disk.copy({ schedule: steps.schedule }), steps).recover();
	try {
		steps.all(undefined, 5_000);
	} catch (error) {
		throw new Error(`${where}: ${String(error)}`, { cause: error });
	}
	expect(log.opening, where).not.toBe(null);
	if (log.opening?.ok === false) expect(log.opening.refusal.text, where).toMatch(/^Cannot use the log: .+\. .+\.$/);
	else log.readAll();
	const copy = disk.copy({ schedule: (work) => setImmediate(work) });
	let lines = 0;
	const words = new LogWords({ eachEntry: true, dataBytesMax: 8 }, () => void lines++);
	const json = new LogJson(8, (line) => void JSON.parse(line));
	const dump = new LogDump(portableBytes, "wal", (fact) => {
		words.tell(fact);
		json.tell(fact);
	});
	await runScript(copy, dump.read());
	await runScript(copy, dump.again());
	const counts = await runScript(copy, dump.finish());
	expect(lines, where).toBeGreaterThan(0);
	if (log.opening?.ok === false && log.opening.refusal.code !== "io") expect(counts.frames + counts.problems, where).toBeGreaterThan(0);
}

function someLog(seed: string): SimDisk {
	const log = newLog(SMALL, seed);
	const model = new Model(new Dice(seed), 40);
	for (let i = 0; i < 25; i++) {
		log.append(model.next());
		log.steps.all();
	}
	return log.disk;
}

describe("recovery and dump on arbitrary bytes", () => {
	it("answer for files of random bytes", { timeout: 120_000 }, async () => {
		for (let round = 0; round < 150; round++) {
			const dice = new Dice(`random/${round}`);
			const disk = someLog("random");
			const path = dice.pick(disk.paths());
			const bytes = new Uint8Array(dice.pick([0, 1, 40, 63, 64, 104, 4096, 8192]));
			for (let at = 0; at < bytes.length; at++) bytes[at] = dice.range(0, 255);
			disk.overwrite(path, bytes);
			await survive(disk, `seed random/${round}, ${path}`);
		}
	});

	it("answer for logs with damage anywhere", { timeout: 120_000 }, async () => {
		for (let round = 0; round < 200; round++) {
			const dice = new Dice(`damage/${round}`);
			const disk = someLog("damage");
			for (let times = dice.range(1, 6); times > 0; times--) {
				const path = dice.pick(disk.paths());
				const bytes = disk.bytesOf(path);
				const [from, length] = [dice.range(0, bytes.length), dice.range(1, 200)];
				const kind = dice.range(0, 3);
				if (kind === 0) bytes.copyWithin(from, dice.range(0, bytes.length), dice.range(0, bytes.length));
				else if (kind === 1) bytes.fill(dice.pick([0, 255]), from, from + length);
				else for (let at = from; at < Math.min(from + length, bytes.length); at++) if (dice.chance(1, 9)) bytes[at] = dice.range(0, 255);
				disk.overwrite(path, kind === 3 ? bytes.slice(0, from) : bytes);
			}
			await survive(disk, `seed damage/${round}`);
		}
	});

	it("answer for frames that are well sealed and make no sense", { timeout: 120_000 }, async () => {
		const clean = someLog("sealed");
		const path = clean.paths().filter((name) => name.endsWith(".wal"))[0] as string;
		for (let round = 0; round < 300; round++) {
			const dice = new Dice(`sealed/${round}`);
			const bytes = clean.bytesOf(path);
			const at = SEGMENT_HEADER_BYTES;
			const view = new DataView(bytes.buffer);
			const payloadBytes = view.getUint32(at + 16, true);
			const payload = at + FRAME_HEADER_BYTES;
			for (let times = dice.range(1, 4); times > 0; times--) bytes[payload + dice.range(0, payloadBytes - 1)] = dice.range(0, 255);
			const frame = { payloadBytes, records: view.getUint32(at + 20, true), prevCrc: view.getUint32(at + 8, true), seq: 1, syncedSeq: 0 };
			sealFrame(portableBytes, bytes, at, frameSeed(portableBytes, IDENTITY), frame);
			const disk = clean.copy();
			disk.overwrite(path, bytes);
			await survive(disk, `seed sealed/${round}`);
		}
	});

	it("records of random bytes are refused or read, never more", () => {
		const dice = new Dice("records");
		let read = 0;
		for (let round = 0; round < 20_000; round++) {
			const bytes = new Uint8Array(8 * dice.range(1, 12));
			for (let at = 0; at < bytes.length; at++) bytes[at] = dice.chance(9, 10) ? 0 : dice.range(0, 255);
			// A type that exists and a length that may fit: otherwise hardly any gets beyond the first byte.
			bytes[0] = dice.range(0, 8);
			bytes[2] = 0;
			bytes[3] = 0;
			bytes.set([dice.chance(3, 4) ? bytes.length - 8 : 8 * dice.range(0, 12), 0, 0, 0], 4);
			const content = readContent(bytes, 0, bytes.length, 1);
			if (content === null) continue;
			read++;
			const again = new Uint8Array(contentBytes(content));
			expect(writeContent(again, 0, content)).toBe(bytes.length);
			expect(again).toEqual(bytes);
		}
		expect(read).toBeGreaterThan(100);
	});
});
