import { Dice, portableBytes } from "@flotilla/base";
import { describe, expect, it } from "vitest";
import { FileScripts } from "../../src/disk/file-script.ts";
import type { SimDisk } from "../../src/disk/memory-disk.ts";
import { FRAME_HEADER_BYTES, frameSeed, SEGMENT_HEADER_BYTES } from "../../src/wal/format.ts";
import { FileWindow, scanFrames } from "../../src/wal/frame-scan.ts";
import { IDENTITY, type LogUnderTest, Model, matchingSeq, newLog, reopened, SMALL, Steps } from "./log-fixture.ts";

interface FoundFrame {
	readonly path: string;
	readonly offset: number;
	readonly bytes: number;
	readonly seq: number;
	readonly last: boolean;
}

/** Where each frame lies on the disk. */
function framesOf(disk: SimDisk): FoundFrame[] {
	const frames: FoundFrame[] = [];
	for (const path of segmentsOf(disk)) {
		const steps = new Steps();
		const copy = disk.copy({ schedule: steps.schedule });
		const scripts = new FileScripts((op) => copy.submit(op));
		copy.onCompletion = (completion) => scripts.complete(completion);
		const bytes = disk.bytesOf(path);
		const firstSeq = (bytes[48] as number) + 256 * (bytes[49] as number);
		const window = new FileWindow(path, bytes.length);
		const seed = frameSeed(portableBytes, IDENTITY);
		const script = scanFrames(portableBytes, window, seed, SEGMENT_HEADER_BYTES, { seq: firstSeq, prevCrc: null }, (frame) => {
			frames.push({ path, offset: frame.offset, bytes: frame.bytes, seq: frame.header.seq, last: false });
			return "next";
		});
		scripts.run(script, () => {});
		steps.all();
	}
	return frames.map((frame, at) => ({ ...frame, last: at === frames.length - 1 }));
}

function segmentsOf(disk: SimDisk): string[] {
	return disk.paths().filter((path) => path.endsWith(".wal"));
}

/** A log of several segments; each frame was durable before the next one was written. It was not closed. */
function writtenLog(works = 40, options = SMALL): { log: LogUnderTest; model: Model } {
	const log = newLog(options);
	const model = new Model(new Dice("damage"), 60);
	for (let i = 0; i < works; i++) {
		log.append(model.appendSome());
		log.steps.all();
	}
	return { log, model };
}

/** Bytes of all files, to see that a refusal changed none. */
function image(disk: SimDisk): Map<string, string> {
	return new Map(disk.paths().map((path) => [path, portableBytes.latin1(disk.bytesOf(path))]));
}

/** Recovers a damaged copy; a refusal must leave every file as it was. */
function recoverDamaged(disk: SimDisk): LogUnderTest {
	const before = image(disk);
	const log = reopened(disk);
	if (log.opening?.ok === false) expect(image(log.disk)).toEqual(before);
	return log;
}

describe("a torn tail", () => {
	it("SC-089 is cut wherever the last write was torn, and what was durable before stays", () => {
		const { log, model } = writtenLog();
		const last = framesOf(log.disk).at(-1) as FoundFrame;
		const dice = new Dice("torn");
		for (let cut = last.offset; cut < last.offset + last.bytes; cut++) {
			for (const how of ["zeros", "garbage", "sector"] as const) {
				const disk = log.disk.copy();
				const bytes = disk.bytesOf(last.path);
				const end = how === "sector" ? Math.min(cut + 8, last.offset + last.bytes) : last.offset + last.bytes;
				for (let at = cut; at < end; at++) bytes[at] = how === "garbage" ? dice.range(0, 255) : 0;
				const whole = portableBytes.compare(bytes, log.disk.bytesOf(last.path)) === 0;
				disk.overwrite(last.path, bytes);
				const next = reopened(disk);
				expect(next.refusal, `${how} from offset ${cut}`).toBe("(open)");
				const seq = matchingSeq(model, model.lastSeq - 1, next.recovered, next.readAll());
				expect(seq, `${how} from offset ${cut}`).toBe(whole ? model.lastSeq : model.lastSeq - 1);
				if (cut > last.offset && !whole) expect(next.recovered.tornBytes).toBeGreaterThan(0);
			}
		}
	});

	it("leaves nothing behind but a copy for whoever wants to look", () => {
		const { log } = writtenLog();
		const last = framesOf(log.disk).at(-1) as FoundFrame;
		log.disk.flip(last.path, last.offset + FRAME_HEADER_BYTES + 3, 5);
		const next = reopened(log.disk);
		const frames = framesOf(next.disk);
		const fence = frames.at(-1) as FoundFrame;
		expect(fence.offset).toBe(last.offset);
		expect(
			next.disk
				.bytesOf(last.path)
				.subarray(fence.offset + fence.bytes)
				.every((byte) => byte === 0),
		).toBe(true);
		const copy = next.disk.paths().filter((path) => path.includes(".torn-"));
		expect(copy).toEqual([`${last.path}.torn-${last.seq}`]);
		expect(next.disk.bytesOf(copy[0] as string).length).toBe(next.recovered.tornBytes);
		expect(reopened(next.disk).recovered.tornBytes).toBe(0);
	});

	it("is cut although a later write of the same moment is whole", () => {
		const log = newLog({ ...SMALL, depth: 3 });
		const model = new Model(new Dice("out of order"), 60);
		for (let i = 0; i < 4; i++) log.append(model.appendSome());
		log.steps.all();
		const frames = framesOf(log.disk);
		// Works 1 to 3 were under way together.
		const first = frames[frames.length - 4] as FoundFrame;
		log.disk.flip(first.path, first.offset + FRAME_HEADER_BYTES, 0);
		const next = recoverDamaged(log.disk);
		// The fourth was written when the first was durable, so it is evidence; without it, there is none.
		expect(next.refusal).toMatch(/^corrupt: /);
		const fourth = frames.at(-1) as FoundFrame;
		const bytes = log.disk.bytesOf(fourth.path).fill(0, fourth.offset);
		log.disk.overwrite(fourth.path, bytes);
		const later = recoverDamaged(log.disk);
		expect(later.refusal).toBe("(open)");
		expect(matchingSeq(model, 0, later.recovered, later.readAll())).toBe(0);
	});

	it("is damage when the vote file knows that it was durable", () => {
		const { log } = writtenLog();
		log.wal.noteHead();
		log.steps.all();
		const last = framesOf(log.disk).at(-1) as FoundFrame;
		for (const how of ["flip", "zero"]) {
			const disk = log.disk.copy();
			if (how === "flip") disk.flip(last.path, last.offset + FRAME_HEADER_BYTES + 10, 1);
			else disk.overwrite(last.path, disk.bytesOf(last.path).fill(0, last.offset));
			const next = recoverDamaged(disk);
			expect(next.refusal).toContain(`${last.path}, offset ${last.offset}, frame ${last.seq}: frames up to ${last.seq} were durable`);
		}
	});
});

describe("damage that no crash explains", () => {
	it("SC-090 is refused wherever one bit of a durable frame is inverted", () => {
		const { log } = writtenLog();
		const frames = framesOf(log.disk);
		expect(segmentsOf(log.disk).length).toBeGreaterThan(2);
		const dice = new Dice("flips");
		for (const frame of frames) {
			if (frame.last) continue;
			const fields = [0, 4, 8, 12, 16, 20, 24, 32, FRAME_HEADER_BYTES, frame.bytes - 1];
			for (const field of [...fields, dice.range(0, frame.bytes - 1), dice.range(0, frame.bytes - 1)]) {
				const disk = log.disk.copy();
				disk.flip(frame.path, frame.offset + field, dice.range(0, 7));
				const next = recoverDamaged(disk);
				const where = `frame ${frame.seq}, byte ${field}`;
				expect(next.refusal, where).toContain(`corrupt: Cannot use the log: ${frame.path}, offset ${frame.offset}, frame ${frame.seq}: `);
				expect(next.refusal, where).toMatch(/remove this member from the cluster and add it anew .* or put back an intact copy/);
			}
		}
	});

	it("is told from a shorter log by these tests, should a start cut the log there instead (a bug of recovery, planted)", () => {
		const { log, model } = writtenLog();
		const frames = framesOf(log.disk);
		const { path } = frames.at(-1) as FoundFrame;
		const cuts = frames.filter((frame) => frame.path === path && !frame.last);
		let opened = 0;
		for (const { offset } of cuts) {
			const disk = log.disk.copy();
			const bytes = disk.bytesOf(path);
			bytes.fill(0, offset);
			disk.overwrite(path, bytes);
			const next = reopened(disk);
			if (next.refusal !== "(open)") continue;
			opened++;
			expect(matchingSeq(model, model.lastSeq - 1, next.recovered, next.readAll())).toMatch(/^durable up to/);
		}
		expect(opened).toBeGreaterThan(0);
	});

	it("is refused wherever the last segment is cut, whatever size the next start would give segments", () => {
		const { log } = writtenLog();
		const last = framesOf(log.disk).at(-1) as FoundFrame;
		const bytes = log.disk.bytesOf(last.path);
		for (let size = SEGMENT_HEADER_BYTES; size < bytes.length; size++) {
			const disk = log.disk.copy();
			disk.overwrite(last.path, bytes.slice(0, size));
			const before = image(disk);
			for (const segmentBytes of [2048, SMALL.segmentBytes]) {
				const next = reopened(disk, { ...SMALL, segmentBytes });
				expect(next.refusal).toContain(`corrupt: Cannot use the log: ${last.path}: the file was cut short: it has ${size} bytes`);
				expect(next.refusal).toMatch(/it was made with 4096, .*remove this member from the cluster .* or put back an intact copy/);
				expect(image(next.disk)).toEqual(before);
			}
		}
	});

	it("is not what somebody put behind the end of a segment, which no frame ever reaches", () => {
		const { log, model } = writtenLog();
		const path = segmentsOf(log.disk).at(-1) as string;
		const bytes = log.disk.bytesOf(path);
		const longer = new Uint8Array(bytes.length + 8192).fill(7);
		longer.set(bytes);
		log.disk.overwrite(path, longer);
		const next = reopened(log.disk);
		expect(matchingSeq(model, model.lastSeq, next.recovered, next.readAll())).toBe(model.lastSeq);
		const more = new Model(new Dice("behind"), 60);
		more.restart(model.last);
		for (let i = 0; i < 20; i++) {
			next.append(more.appendSome());
			next.steps.all();
		}
		expect(segmentsOf(next.disk).at(-1)).not.toBe(path);
		const again = reopened(next.disk);
		expect(matchingSeq(more, more.lastSeq, again.recovered, again.readAll())).toBe(more.lastSeq);
	});

	it("is refused for every bit of a segment's header", () => {
		const { log } = writtenLog();
		for (const path of segmentsOf(log.disk)) {
			for (let at = 0; at < SEGMENT_HEADER_BYTES; at++) {
				const disk = log.disk.copy();
				disk.flip(path, at, at % 8);
				expect(recoverDamaged(disk).refusal, `${path}, byte ${at}`).toMatch(/^corrupt: .*offset 0: the segment header/);
			}
		}
	});

	it("is refused when a segment is missing, short, empty, doubled, of another log, or put in the place of another", () => {
		const { log } = writtenLog();
		const paths = segmentsOf(log.disk);
		const [first, second, third] = paths as [string, string, string];
		const last = paths.at(-1) as string;
		const other = newLog();
		const cases: ReadonlyArray<readonly [string, (disk: SimDisk) => void, RegExp]> = [
			["middle missing", (disk) => disk.erase(second), /^missing: .*segment 3 follows segment 1/],
			["last missing", (disk) => disk.erase(last), /^corrupt: .*frames up to \d+ were durable, found /],
			["all missing", (disk) => eraseAll(disk, paths), /^missing: .*holds no segment/],
			[
				"second cut short",
				(disk) => disk.overwrite(second, disk.bytesOf(second).slice(0, 1000)),
				/^corrupt: .*0000000000000002-.*the file was cut short: it has 1000 bytes, it was made with 4096/,
			],
			["second empty", (disk) => disk.overwrite(second, new Uint8Array(0)), /^corrupt: .*ends after 0 bytes/],
			["second of zeros", (disk) => disk.overwrite(second, new Uint8Array(4096)), /^corrupt: .*filled with zeros/],
			["second is the third", (disk) => disk.overwrite(second, disk.bytesOf(third)), /^corrupt: .*header is that of segment 3/],
			[
				"first of another log",
				(disk) => disk.overwrite(first, other.disk.bytesOf(segmentsOf(other.disk)[0] as string)),
				/^corrupt: .*frame \d+ should begin/,
			],
			[
				"last cut to its header",
				(disk) => disk.overwrite(last, disk.bytesOf(last).slice(0, 64)),
				/^corrupt: .*cut short: it has 64 bytes, it was made with 4096/,
			],
		];
		for (const [name, damage, expected] of cases) {
			const disk = log.disk.copy();
			damage(disk);
			expect(recoverDamaged(disk).refusal, name).toMatch(expected);
		}
	});

	it("SC-104 is refused when identity or vote file are missing, empty, damaged, newer or foreign", () => {
		const { log } = writtenLog(3);
		const versioned = (bytes: Uint8Array, version: number, at: number, crcAt: number, from: number, end: number): Uint8Array => {
			bytes[at] = version;
			new DataView(bytes.buffer).setUint32(crcAt, portableBytes.crc32c(bytes, from, end), true);
			return bytes;
		};
		const cases: ReadonlyArray<readonly [string, (disk: SimDisk) => void, RegExp]> = [
			["no identity", (disk) => disk.erase("identity"), /^missing: .*identity: the file is missing/],
			["empty identity", (disk) => disk.overwrite("identity", new Uint8Array(0)), /^corrupt: .*identity: the file is empty/],
			[
				"zeros for identity",
				(disk) => disk.overwrite("identity", new Uint8Array(48)),
				/^corrupt: .*identity: the file is filled with zeros/,
			],
			["damaged identity", (disk) => disk.flip("identity", 20, 3), /^corrupt: .*identity: the file fails its checksum/],
			[
				"newer identity",
				(disk) => disk.overwrite("identity", versioned(disk.bytesOf("identity"), 3, 8, 40, 0, 40)),
				/^newer: .*version 3, this program reads version 2 only. Start the newer program/,
			],
			[
				"older identity",
				(disk) => disk.overwrite("identity", versioned(disk.bytesOf("identity"), 1, 8, 40, 0, 40)),
				/^older: .*identity: its format is version 1, this program reads version 2 only. Start the older program that wrote it/,
			],
			["identity of another log", (disk) => disk.overwrite("identity", foreignIdentity(disk)), /^foreign: .*belongs to log/],
			["no vote file", (disk) => disk.erase("vote"), /^missing: .*vote: the file is missing/],
			["short vote file", (disk) => disk.overwrite("vote", disk.bytesOf("vote").slice(0, 5000)), /^corrupt: .*5000 bytes instead of 8192/],
			["both slots damaged", (disk) => flipBoth(disk), /^corrupt: .*both of its slots/],
		];
		for (const [name, damage, expected] of cases) {
			const disk = log.disk.copy();
			damage(disk);
			expect(recoverDamaged(disk).refusal, name).toMatch(expected);
		}
		// One slot is what a crash may cost.
		for (const at of [20, 4116]) {
			const disk = log.disk.copy();
			disk.flip("vote", at, 0);
			expect(recoverDamaged(disk).refusal).toBe("(open)");
		}
	});

	it("SC-104 is refused when log and vote file hold different votes for one term", () => {
		const log = newLog();
		log.append({ ...new Model(new Dice(1)).appendSome(), entries: [], hardState: { term: 5, vote: 0xa1n, commit: 1 } });
		log.steps.all();
		const [mine, other] = [log.disk.bytesOf("vote"), newLog()];
		other.append({ ...new Model(new Dice(1)).appendSome(), entries: [], hardState: { term: 5, vote: 0xa2n, commit: 1 } });
		other.steps.all();
		log.disk.overwrite("vote", other.disk.bytesOf("vote"));
		expect(recoverDamaged(log.disk).refusal).toMatch(/^corrupt: .*vote: it holds another vote for term 5/);
		log.disk.overwrite("vote", mine);
		expect(recoverDamaged(log.disk).refusal).toBe("(open)");
	});
});

function foreignIdentity(disk: SimDisk): Uint8Array {
	const bytes = disk.bytesOf("identity");
	bytes[32] = (bytes[32] as number) ^ 1;
	new DataView(bytes.buffer).setUint32(40, portableBytes.crc32c(bytes, 0, 40), true);
	return bytes;
}

function eraseAll(disk: SimDisk, paths: readonly string[]): void {
	for (const path of paths) disk.erase(path);
}

function flipBoth(disk: SimDisk): void {
	for (const at of [20, 4116]) disk.flip("vote", at, 0);
}
