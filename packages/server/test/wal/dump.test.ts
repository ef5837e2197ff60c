import { Dice, portableBytes } from "@flotilla/base";
import { Entry } from "@flotilla/raft";
import { describe, expect, it } from "vitest";
import type { SimDisk } from "../../src/disk/memory-disk.ts";
import { runScript } from "../../src/disk/run-script.ts";
import { type DumpCounts, dumpLog } from "../../src/wal/dump.ts";
import { Model, newLog } from "./log-fixture.ts";

async function dump(disk: SimDisk, eachEntry: boolean): Promise<{ text: string; counts: DumpCounts }> {
	const lines: string[] = [];
	const copy = disk.copy({ schedule: (work) => setImmediate(work) });
	const counts = await runScript(
		copy,
		dumpLog(portableBytes, { folder: "wal", eachEntry, dataBytesMax: 2 }, (line) => void lines.push(line)),
	);
	return { text: lines.join("\n"), counts };
}

function smallLog(): SimDisk {
	const log = newLog();
	const work = new Model(new Dice("dump")).appendSome();
	const entries = [new Entry(2, 1, 0, new Uint8Array([0xab, 1, 2]))];
	log.append({ ...work, entries, hardState: { term: 1, vote: 0n, commit: 1 } });
	log.append({ ...work, seq: 2, entries: [], hardState: { term: 2, vote: 0xa2n, commit: 1 } });
	log.append({ ...work, seq: 3, entries: [], truncateFrom: 2, hardState: { term: 2, vote: 0xa2n, commit: 1 } });
	log.steps.all();
	log.close();
	return log.disk;
}

describe("the dump of a log", () => {
	it("tells of every frame and record", async () => {
		const { text, counts } = await dump(smallLog(), true);
		expect(counts).toEqual({ segments: 1, frames: 6, entries: 1, problems: 0 });
		expect(text).toBe(
			[
				"identity: cluster c1, member a1, log 123456789abcdef0",
				"vote: term 2, vote a2, frames durable up to 6, write 4",
				"wal/0000000000000001-0000000000000002.wal: 4096 bytes",
				"  segment 1, version 2, first frame 1, cluster c1, member a1, log 123456789abcdef0",
				"  frame 1 at offset 64, 184 bytes, frames durable up to 0",
				"    checkpoint: last index 1, last term 1, cluster c1, member a1, log 123456789abcdef0",
				"      term 1, vote none, commit 1",
				"      snapshot at index 1, term 1, voters a1 a2 a3",
				"  frame 2 at offset 248, 88 bytes, frames durable up to 1",
				"    term 1, vote none, commit 1",
				"    fence: frames up to 1 were verified, start",
				"  frame 3 at offset 336, 104 bytes, frames durable up to 2",
				"    term 1, vote none, commit 1",
				"    entry 2, term 1, normal, 3 bytes: ab01...",
				"  frame 4 at offset 440, 72 bytes, frames durable up to 2",
				"    term 2, vote a2, commit 1",
				"  frame 5 at offset 512, 96 bytes, frames durable up to 3",
				"    term 2, vote a2, commit 1",
				"    cut from entry 2 on, term 1 before it",
				"  frame 6 at offset 608, 88 bytes, frames durable up to 5",
				"    term 2, vote a2, commit 1",
				"    fence: frames up to 5 were verified, clean stop",
				"  end at offset 696, zeros behind it",
				"1 segment, 6 frames, 1 entry, 0 problems",
			].join("\n"),
		);
	});

	it("sums up runs of entries", async () => {
		const { text } = await dump(smallLog(), false);
		expect(text).toContain("    entries 2 to 2, term 1, 3 bytes of data\n");
	});

	it("shows where a log is damaged, and goes on", async () => {
		const disk = smallLog();
		disk.flip("wal/0000000000000001-0000000000000002.wal", 440 + 45, 3);
		const { text, counts } = await dump(disk, true);
		expect(counts).toEqual({ segments: 1, frames: 3, entries: 1, problems: 1 });
		expect(text).toContain("PROBLEM: offset 440: found a frame that fails its checksum");
		expect(text).toContain("says that frames up to 5 were durable: frames that were durable are damaged");
	});

	it("changes nothing, and says what is missing", async () => {
		const disk = smallLog();
		disk.erase("identity");
		disk.erase("vote");
		const { text, counts } = await dump(disk, true);
		expect(counts.problems).toBe(1);
		expect(text).toContain("PROBLEM: identity: Cannot use the log: identity: the file is missing.");
		expect(counts.frames).toBe(6);
	});
});
