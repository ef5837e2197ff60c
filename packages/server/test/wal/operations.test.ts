import { Dice, marksDuring } from "@flotilla/base";
import { type AppendWork, Entry, type HardState } from "@flotilla/raft";
import { describe, expect, it } from "vitest";
import type { FileOp } from "../../src/disk/file-ops.ts";
import { SimDisk } from "../../src/disk/memory-disk.ts";
import { BASE, FIRST_STATE, LogUnderTest, Model, matchingSeq, newLog, reopened, SMALL, Steps } from "./log-fixture.ts";

const STATE: HardState = { term: 1, vote: 0n, commit: 1 };

function work(seq: number, part: Partial<AppendWork>): AppendWork {
	return { seq, hardState: STATE, truncateFrom: 0, entries: [], snapshot: null, mustSync: true, release: [], ...part };
}

function entry(index: number, bytes: number, term = 1): Entry {
	return new Entry(index, term, 0, new Uint8Array(bytes).fill(index));
}

function segmentsOf(disk: SimDisk): string[] {
	return disk.paths().filter((path) => path.endsWith(".wal"));
}

/** Writes entries of 100 bytes, one a frame, each durable before the next. */
function fill(log: LogUnderTest, fromIndex: number, count: number, fromSeq = fromIndex - 1): void {
	for (let i = 0; i < count; i++) {
		log.append(work(fromSeq + i, { entries: [entry(fromIndex + i, 100)] }));
		log.steps.all();
	}
}

function readNow(log: LogUnderTest, from: number, upto: number, bytesMax = 1_000_000): number[] | null {
	let found: number[] | null = null;
	log.wal.read(from, upto, bytesMax, (entries) => {
		found = entries.map(({ index }) => index);
	});
	expect(found).toBe(null);
	log.steps.all();
	return found;
}

describe("segments", () => {
	it("SC-101 are begun before they are full, and given back behind a floor, oldest first", () => {
		const log = newLog();
		fill(log, 2, 100);
		const before = segmentsOf(log.disk);
		expect(before.length).toBeGreaterThan(4);
		expect(log.disk.paths()).toContain("wal/spare.tmp");
		const gone: string[] = [];
		log.disk.onEffect = (op: FileOp) => {
			if (op.kind === "unlink") gone.push(op.path);
		};
		log.wal.cutBehind(60);
		log.steps.all();
		expect(gone).toEqual(before.slice(0, gone.length));
		expect(gone.length).toBeGreaterThan(1);
		expect(log.wal.firstIndex).toBeLessThanOrEqual(61);
		expect(log.wal.firstIndex).toBeGreaterThan(30);
		expect(log.cutTo).toBe(log.wal.firstIndex);
		expect(readNow(log, log.wal.firstIndex, 101)?.length).toBe(101 - log.wal.firstIndex + 1);
		expect(readNow(log, 2, 101)).toEqual([]);
		const next = reopened(log.disk);
		expect(next.wal.firstIndex).toBe(log.wal.firstIndex);
		expect(next.recovered.lastIndex).toBe(101);
	});

	it("stay as long as the retention wants them", () => {
		for (const [keepEntries, keepBytesMax] of [
			[50, 0],
			[0, 10_000],
			[50, 10_000],
		] as const) {
			const log = newLog({ ...SMALL, keepEntries, keepBytesMax });
			fill(log, 2, 200);
			const all = segmentsOf(log.disk).length;
			log.wal.cutBehind(180);
			log.steps.all();
			const left = segmentsOf(log.disk).length;
			expect(left).toBeLessThan(all);
			expect(180 - log.wal.firstIndex).toBeGreaterThanOrEqual(keepEntries);
			// 4 KiB hold some 25 frames.
			if (keepBytesMax > 0) expect(left).toBeGreaterThanOrEqual(3);
		}
	});

	it("begin when all before is durable, and take a frame only when their own name is (rule W5)", () => {
		const log = newLog();
		const done: string[] = [];
		log.disk.onEffect = (op) => {
			if (op.kind === "rename") done.push("name");
			else if (op.kind === "syncFolder") done.push("sync");
			else if (op.kind === "write" && op.path.endsWith(".wal")) done.push(op.path);
		};
		const [first] = segmentsOf(log.disk);
		fill(log, 2, 60);
		const [, second] = segmentsOf(log.disk);
		const named = done.indexOf("name");
		expect(done.slice(0, named).every((each) => each === first || each === "sync")).toBe(true);
		const begun = done.indexOf(second as string);
		expect(begun).toBeGreaterThan(named);
		expect(done.slice(named, begun)).toEqual(["name", "sync"]);
		expect(done.slice(begun)).not.toContain(first);
	});

	it("stay while a transfer holds them, whatever floor is made, and go with the hold (rule N2)", () => {
		const log = newLog();
		fill(log, 2, 200);
		log.wal.holdFrom(50);
		log.wal.cutBehind(180);
		log.steps.all();
		expect(log.wal.firstIndex).toBeGreaterThan(2);
		expect(log.wal.firstIndex).toBeLessThanOrEqual(50);
		log.wal.holdFrom(Number.POSITIVE_INFINITY);
		log.steps.all();
		expect(log.wal.firstIndex).toBeGreaterThan(50);
	});

	it("stay until the snapshot that replaces them is durable", () => {
		const log = newLog();
		fill(log, 2, 60);
		const before = segmentsOf(log.disk).length;
		log.append(work(61, { snapshot: { ...BASE, index: 500, generation: "2" }, hardState: { term: 1, vote: 0n, commit: 500 } }));
		log.wal.cutBehind(500);
		expect(segmentsOf(log.disk).length).toBe(before);
		log.wal.cutBehind(501);
		const held = log.steps.waiting.length;
		expect(held).toBe(1);
		log.steps.all();
		expect(segmentsOf(log.disk).length).toBe(1);
		expect(log.wal.firstIndex).toBe(501);
		const next = reopened(log.disk);
		expect(next.recovered.snapshot).toEqual({ ...BASE, index: 500, generation: "2" });
		expect(next.recovered.firstIndex).toBe(501);
	});

	it("take a frame that ends exactly at their end, one byte less and one byte more", () => {
		for (let bytes = 3_400; bytes < 4_100; bytes += 8) {
			for (const off of [0, 1]) {
				const log = newLog();
				log.append(work(1, { entries: [entry(2, bytes + off)] }));
				log.append(work(2, { entries: [entry(3, 10)] }));
				log.steps.all();
				expect(log.durableSeq).toBe(2);
				const next = reopened(log.disk);
				expect(next.readAll().map(({ data }) => data.length)).toEqual([bytes + off, 10]);
			}
		}
	});

	it("are made larger for a frame that is larger than they are", () => {
		const log = newLog();
		log.append(work(1, { entries: [entry(2, 50_000), entry(3, 7)] }));
		log.append(work(2, { entries: [entry(4, 10)] }));
		log.steps.all();
		fill(log, 5, 60, 3);
		const next = reopened(log.disk);
		expect(next.readAll().length).toBe(63);
		expect(next.disk.paths().filter((path) => path.endsWith("large.tmp"))).toEqual([]);
	});
});

describe("a full disk", () => {
	function onSmallDisk(capacityBytes: number): LogUnderTest {
		const steps = new Steps();
		const disk = new SimDisk({ schedule: steps.schedule, dice: new Dice(1), capacityBytes });
		const log = new LogUnderTest(disk, steps).create();
		steps.all();
		return log;
	}

	it("SC-093 is met while the segment in use still has room, and forgotten when room is made", () => {
		const log = onSmallDisk(5 * 4096 + 9_000);
		let seq = 1;
		while (log.failure === null && segmentsOf(log.disk).length < 5) fill(log, seq + 1, 1, seq++);
		expect(log.failure).toBe(null);
		expect(log.disk.paths()).not.toContain("wal/spare.tmp");
		fill(log, seq + 1, 3, seq);
		expect(log.failure).toBe(null);
		log.wal.cutBehind(seq - 1);
		log.steps.all();
		expect(log.disk.paths()).toContain("wal/spare.tmp");
		fill(log, seq + 4, 60, seq + 3);
		expect(log.failure).toBe(null);
	});

	it("SC-093 ends the member when no room is left at all; with room it starts again with everything", () => {
		const log = onSmallDisk(3 * 4096 + 9_000);
		let seq = 1;
		const during = marksDuring(() => {
			while (log.failure === null) {
				log.append(work(seq, { entries: [entry(seq + 1, 100)] }));
				seq++;
				log.steps.all();
			}
		});
		expect(log.failure).toMatch(/ENOSPC, and the segment in use has no room/);
		expect(during.rolledWithoutRoom).toBe(1);
		const durable = log.durableSeq;
		expect(durable).toBe(seq - 2);
		// Without room for a single frame it does not start, and with room nothing is missing.
		expect(reopened(log.disk).refusal).toMatch(/^io: .*ENOSPC/);
		const steps = new Steps();
		const next = new LogUnderTest(log.disk.copy({ schedule: steps.schedule, capacityBytes: 1_000_000 }), steps).recover();
		steps.all();
		expect(next.recovered.lastIndex).toBe(durable + 1);
		expect(next.readAll().length).toBe(durable);
	});
});

describe("an operation that fails", () => {
	it("ends the log at once, whatever it is, and nothing is told afterwards", () => {
		for (const kind of ["write", "rename", "syncFolder", "unlink", "close"] as const) {
			for (let skip = 0; skip < 6; skip++) {
				const log = newLog();
				const model = new Model(new Dice(`${kind}/${skip}`));
				log.disk.fail([kind], "EIO", skip);
				for (let i = 0; i < 200 && log.failure === null; i++) {
					log.append(model.appendSome());
					log.steps.all();
					log.wal.cutBehind(Math.max(1, model.lastIndex - 30));
				}
				log.steps.all();
				if (kind !== "close")
					expect(log.failure, `${kind} ${skip}`).toMatch(/^Cannot write the log: .*EIO.* Mend the disk, then start again/);
				const told = log.durableSeq;
				if (log.failure !== null) {
					log.wal.append(work(1, {}));
					log.wal.flush();
					log.wal.cutBehind(1_000_000);
					log.wal.noteHead();
				}
				expect(log.steps.waiting.length).toBe(0);
				expect(log.durableSeq).toBe(told);
				const next = reopened(log.disk.crash("process"));
				const seq = matchingSeq(model, told, next.recovered, next.readAll());
				expect(typeof seq, String(seq)).toBe("number");
			}
		}
	});

	it("refuses a start when it fails there, and the next start finds all", () => {
		const log = newLog();
		fill(log, 2, 60);
		let refused = 0;
		for (const kind of ["size", "read", "list", "write", "syncFolder", "unlink", "create"] as const) {
			for (let skip = 0; skip < 4; skip++) {
				const steps = new Steps();
				const disk = log.disk.copy({ schedule: steps.schedule });
				disk.fail([kind], "EIO", skip);
				const next = new LogUnderTest(disk, steps).recover();
				steps.all();
				if (next.opening?.ok === false) {
					refused++;
					expect(next.refusal, `${kind} ${skip}`).toMatch(/^io: .*(failed with EIO|failed: EIO)/);
				}
				expect(reopened(disk.crash("process")).recovered.lastIndex).toBe(61);
			}
		}
		expect(refused).toBeGreaterThan(8);
	});

	it("is a short write, too", () => {
		const log = newLog();
		const complete = log.folder.complete.bind(log.folder);
		log.disk.onCompletion = (completion) => complete(completion.bytes > 100 ? { ...completion, bytes: completion.bytes - 1 } : completion);
		log.append(work(1, { entries: [entry(2, 100)] }));
		log.steps.all();
		expect(log.failure).toMatch(/\d+ of \d+ bytes written/);
		expect(log.durableSeq).toBe(0);
	});

	it("is damage that a read meets: the member ends, and no peer gets it", () => {
		const log = newLog();
		fill(log, 2, 60);
		log.disk.flip(segmentsOf(log.disk)[1] as string, 1_000, 2);
		let answered = false;
		log.wal.read(2, 61, 1_000_000, () => {
			answered = true;
		});
		log.steps.all();
		expect(answered).toBe(false);
		expect(log.failure).toMatch(/where a frame was verified before|that was verified before is damaged/);
	});
});

describe("a read for a slow peer", () => {
	it("gives what was asked for, at least one entry, across segments", () => {
		const log = newLog();
		fill(log, 2, 100);
		expect(readNow(log, 2, 101)?.length).toBe(100);
		expect(readNow(log, 40, 60)).toEqual(Array.from({ length: 21 }, (_, i) => 40 + i));
		expect(readNow(log, 40, 60, 1)).toEqual([40]);
		// An entry of 100 bytes takes 128.
		expect(readNow(log, 40, 60, 300)).toEqual([40, 41]);
		expect(readNow(log, 101, 500)).toEqual([101]);
		expect(readNow(log, 102, 500)).toEqual([]);
	});

	it("runs beside writes, cuts, truncations and a snapshot, and never gives an entry that was not in force", () => {
		for (let round = 0; round < 30; round++) {
			const dice = new Dice(`reads/${round}`);
			const log = newLog({ ...SMALL, segmentBytes: 1500 }, `reads/${round}`);
			const model = new Model(dice.fork("model"), 60);
			let answers = 0;
			for (let i = 0; i < 120; i++) {
				log.append(model.next());
				if (dice.chance(1, 3)) {
					const from = dice.range(log.wal.firstIndex, model.lastIndex + 1);
					log.wal.read(from, from + dice.range(0, 30), dice.range(1, 2_000), (entries) => {
						answers++;
						for (const [at, { index, term }] of entries.entries()) {
							if (at === 0 && index !== from) throw new Error(`round ${round}: asked for ${from}, got ${index}`);
							const held = model.states
								.slice(log.durableSeq)
								.some(({ entries: all, snapshot }) => all[index - snapshot.index - 1]?.term === term);
							if (!held) throw new Error(`round ${round}: entry ${index} of term ${term} is void`);
						}
					});
				}
				if (dice.chance(1, 6)) log.wal.cutBehind(model.at(log.durableSeq).hardState.commit);
				for (let step = dice.range(0, 4); step > 0; step--) log.steps.one(dice);
			}
			log.steps.all(dice);
			expect(log.failure).toBe(null);
			expect(answers).toBeGreaterThan(20);
			expect(matchingSeq(model, model.lastSeq, { ...reopened(log.disk).recovered }, log.readAll())).toBe(model.lastSeq);
		}
	});

	it("begins anew when the entries were cut off under it", () => {
		const log = newLog();
		fill(log, 2, 20);
		let read: readonly Entry[] = [];
		log.wal.read(2, 21, 1_000_000, (entries) => {
			read = entries;
		});
		// The cut is handed over while the read waits for the disk.
		log.append(work(21, { truncateFrom: 10, entries: [entry(10, 5, 2)], hardState: { term: 2, vote: 0n, commit: 1 } }));
		log.steps.all();
		expect(read.filter(({ index, term }) => index >= 10 && term === 1)).toEqual([]);
		expect(read.length).toBeGreaterThanOrEqual(8);
	});

	it("keeps a segment that is about to go until it has ended", () => {
		const log = newLog();
		fill(log, 2, 100);
		let read: readonly Entry[] = [];
		log.wal.read(2, 101, 1_000_000, (entries) => {
			read = entries;
		});
		log.wal.cutBehind(80);
		expect(log.steps.waiting.length).toBe(1);
		log.steps.all();
		expect(log.failure).toBe(null);
		expect(read[0]?.index).toBe(2);
		expect(segmentsOf(log.disk).length).toBeLessThan(4);
	});
});

describe("the vote file", () => {
	it("is written before a frame that changes term or vote is told to be durable", () => {
		const log = newLog();
		log.append(work(1, { hardState: { term: 4, vote: 0xa2n, commit: 1 } }));
		const done: string[] = [];
		log.disk.onEffect = (op: FileOp) => {
			if (op.kind === "write") done.push(op.path);
		};
		// The frame's write returns first.
		log.steps.waiting.splice(1, 1)[0]?.();
		expect(done).toEqual([segmentsOf(log.disk)[0]]);
		expect(log.durableSeq).toBe(0);
		log.steps.all();
		expect(done).toContain("vote");
		expect(log.durableSeq).toBe(1);
	});

	it("saves a vote that the log lost", () => {
		const log = newLog();
		log.append(work(1, { hardState: { term: 4, vote: 0xa2n, commit: 1 } }));
		log.steps.waiting.splice(0, 1)[0]?.();
		expect(log.durableSeq).toBe(0);
		const steps = new Steps();
		// A dice for which the frame under way leaves nothing.
		for (let seed = 0; ; seed++) {
			const copy = newLog();
			copy.append(work(1, { hardState: { term: 4, vote: 0xa2n, commit: 1 } }));
			copy.steps.waiting.splice(0, 1)[0]?.();
			const next = reopened(copy.disk.crash("power", { schedule: steps.schedule, dice: new Dice(seed) }));
			expect(next.recovered.hardState).toEqual({ term: 4, vote: 0xa2n, commit: 1 });
			if (next.recovered.nextSeq === 3) return;
		}
	});
});

describe("what rides", () => {
	it("SC-124 needs no frame of its own, and is kept by the next one, by noteHead and by a clean stop", () => {
		const log = newLog();
		fill(log, 2, 5);
		const frames = log.framesSynced;
		const commit = (upto: number): HardState => ({ term: 1, vote: 0n, commit: upto });
		log.append(work(6, { hardState: commit(3), mustSync: false }));
		expect(log.durableSeq).toBe(6);
		log.append(work(7, { hardState: null, mustSync: false }));
		expect(log.durableSeq).toBe(7);
		log.steps.all();
		expect(log.framesSynced).toBe(frames);
		expect(reopened(log.disk).recovered.hardState.commit).toBe(1);
		log.wal.noteHead();
		log.steps.all();
		expect(reopened(log.disk).recovered.hardState.commit).toBe(3);
		log.append(work(8, { hardState: commit(4), mustSync: false }));
		log.append(work(9, { hardState: commit(4), entries: [entry(7, 10)] }));
		log.append(work(10, { hardState: commit(5), mustSync: false }));
		expect(log.durableSeq).toBe(8);
		log.steps.all();
		expect(log.durableSeq).toBe(10);
		expect(reopened(log.disk).recovered.hardState.commit).toBe(4);
		log.close();
		expect(reopened(log.disk).recovered.hardState.commit).toBe(5);
	});
});

describe("what must be synced without a change of its own", () => {
	it("takes along what rides: an answer that waits for it may speak of that commit (rule C3)", () => {
		const log = newLog();
		fill(log, 2, 5);
		log.append(work(6, { hardState: { term: 1, vote: 0n, commit: 3 }, mustSync: false }));
		log.append(work(7, { hardState: null }));
		expect(log.durableSeq).toBe(6);
		log.steps.all();
		expect(log.durableSeq).toBe(7);
		expect(reopened(log.disk).recovered.hardState.commit).toBe(3);
		const frames = log.framesSynced;
		log.append(work(8, { hardState: null }));
		expect(log.durableSeq).toBe(8);
		expect(log.framesSynced).toBe(frames);
	});
});

describe("a first start", () => {
	it("leaves a log that starts from its base", () => {
		const { recovered } = newLog();
		expect(recovered).toMatchObject({ hardState: FIRST_STATE, snapshot: BASE, firstIndex: 2, lastIndex: 1, lastTerm: 1, tornBytes: 0 });
		expect(recovered.changesMembers).toBe(false);
	});
});
