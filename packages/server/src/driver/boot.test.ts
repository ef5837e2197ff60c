import { marksDuring, portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import type { DiskCrash } from "../disk/memory-disk.ts";
import { Machine, MEMBER_ID, type StoreFault, testConfig } from "./boot.suite.ts";
import { FLOOR_ROW } from "./floor-record.ts";
import { FORMAT_FILE } from "./format-file.ts";

const CRASHES: readonly DiskCrash[] = ["power", "process"];
/** Floors after a few writes. */
const FLOORS = testConfig({ floorBytes: 1_000, snapshotCount: 5 });

function running(seed: string, config = testConfig()): Machine {
	const machine = new Machine(seed);
	expect(machine.boot(config)).toBe(null);
	machine.serve(config);
	return machine;
}

function restarted(machine: Machine, config = testConfig()): void {
	expect(machine.boot(config), machine.refusal?.text).toBe(null);
	machine.serve(config);
}

describe("a new member", () => {
	test("is made, serves, and is found again after a clean stop", () => {
		const machine = running("new");
		expect(machine.up.report).toMatchObject({ made: true, floorIndex: 1, lastIndex: 1 });
		machine.putAll(["a", "b"]);
		machine.stop();
		restarted(machine);
		expect(machine.up.report).toMatchObject({ made: false, cleanStop: true, tornBytes: 0, rebuiltBecause: null });
		expect(machine.get("a")).toBe("value of a");
		expect(machine.get("b")).toBe("value of b");
	});

	test("that joins a running cluster begins with nothing, votes for nobody, and is found so again", () => {
		const machine = new Machine("existing");
		const config = testConfig({ initialClusterState: "existing" });
		for (const made of [true, false]) {
			expect(machine.boot(config)).toBe(null);
			expect(machine.up.report).toMatchObject({ made, floorIndex: 0, lastIndex: 0 });
			const { core, appliedIndex } = machine.up.driver.status();
			expect({ ...core, appliedIndex }).toMatchObject({ commit: 0, appliedIndex: 0, confState: { voters: [] } });
			machine.stop();
		}
	});

	test.each(CRASHES)("that was removed from its cluster is not started again, also after a crash (%s)", (kind) => {
		const machine = running(`removed ${kind}`);
		machine.putAll(["a"]);
		let noted = false;
		machine.up.noteRemoval(() => {
			noted = true;
		});
		while (!noted) machine.loop.step();
		machine.crash(kind);
		expect(machine.boot()).toBe("removed");
		expect(machine.refusal?.text).toContain("the member has been permanently removed from the cluster");
		expect(machine.refusal?.text).toContain("data-dir used by this member must be removed");
		expect(machine.boot()).toBe("removed");
	});

	test.each(CRASHES)("crashed at any step of its first start (%s) is made by the next one", (kind) => {
		const whole = new Machine("bootstrap");
		whole.boot();
		const steps = whole.loop.steps;
		expect(steps).toBeGreaterThan(30);
		for (let at = 1; at <= steps; at++) {
			const machine = new Machine(`bootstrap ${at}`);
			machine.begin();
			for (let step = 0; step < at; step++) machine.loop.step();
			machine.crash(kind);
			// And once more in the middle of the second attempt.
			machine.begin();
			for (let step = 0; step < machine.dice.range(1, steps); step++) machine.loop.step();
			machine.crash(kind);
			expect(machine.boot(), `crash after step ${at}: ${machine.refusal?.text}`).toBe(null);
			machine.serve();
			machine.putAll(["k"]);
			expect(machine.get("k")).toBe("value of k");
		}
	});

	test("that was interrupted may be started with other flags: nothing was promised yet", () => {
		const machine = new Machine("other flags");
		machine.begin();
		machine.runUntil(() => machine.disk.paths().includes(FORMAT_FILE));
		machine.crash("process");
		const during = marksDuring(() => expect(machine.boot(testConfig({ clusterId: 5n }))).toBe(null));
		expect(during.firstStartRepeated).toBe(1);
		expect(machine.up.driver.clusterId).toBe(5n);
	});
});

describe("acknowledged writes", () => {
	test.each(CRASHES)("survive a crash at any step of writing and of floors (%s)", (kind) => {
		const keys = Array.from({ length: 24 }, (_, n) => `key ${n}`);
		const measured = running("writes", FLOORS);
		const before = measured.loop.steps;
		measured.putAll(keys);
		const steps = measured.loop.steps - before;
		expect(measured.events.filter(({ name }) => name === "floorWritten").length).toBeGreaterThan(2);
		const stride = Math.max(1, Math.floor(steps / 60));
		for (let at = 1; at <= steps; at += stride) {
			const machine = running(`writes ${at}`, FLOORS);
			const acknowledged: string[] = [];
			let key = 0;
			let put = machine.put(keys[0] as string, `value of ${keys[0]}`);
			for (let step = 0; step < at && key < keys.length; step++) {
				machine.loop.step();
				if (!put.done) continue;
				acknowledged.push(keys[key++] as string);
				if (key < keys.length) put = machine.put(keys[key] as string, `value of ${keys[key]}`);
			}
			machine.crash(kind);
			// A second crash in the middle of the recovery changes nothing.
			machine.begin(FLOORS);
			for (let step = 0; step < machine.dice.range(0, 40); step++) machine.loop.step();
			machine.crash(kind);
			restarted(machine, FLOORS);
			for (const known of acknowledged) expect(machine.get(known), `${known} after step ${at}`).toBe(`value of ${known}`);
			expect(machine.up.driver.store.revision).toBeGreaterThanOrEqual(1 + acknowledged.length);
			expect(machine.up.driver.store.revision).toBeLessThanOrEqual(2 + acknowledged.length);
			expect(machine.up.report.rebuiltBecause).toBe(null);
		}
	});

	test("term and applied state never fall over many lives", () => {
		const machine = running("lives", FLOORS);
		let [term, revision] = [0, 0];
		for (let life = 0; life < 12; life++) {
			machine.putAll([`life ${life} a`, `life ${life} b`, `life ${life} c`]);
			const { durableTerm } = machine.up.driver.status();
			expect(durableTerm).toBeGreaterThan(term);
			expect(machine.up.driver.store.revision).toBe(revision === 0 ? 4 : revision + 3);
			term = durableTerm;
			revision = machine.up.driver.store.revision;
			if (life % 3 === 2) machine.stop();
			else machine.crash(CRASHES[life % 2] as DiskCrash);
			restarted(machine, FLOORS);
		}
		expect(machine.get("life 0 a")).toBe("value of life 0 a");
	});
});

/** A member with data, cleanly stopped. */
function stopped(seed: string, config = testConfig()): Machine {
	const machine = running(seed, config);
	machine.putAll(Array.from({ length: 12 }, (_, n) => `key ${n}`));
	machine.stop();
	return machine;
}

/** The folder as it was, byte by byte. */
function picture(machine: Machine): string {
	return machine.disk
		.paths()
		.map((path) => `${path} ${portableBytes.crc32c(machine.disk.bytesOf(path))}`)
		.join("\n");
}

describe("a start is refused, without a change of any file,", () => {
	const refused = (machine: Machine, code: string, text: RegExp, config = testConfig()): void => {
		const before = picture(machine);
		expect(machine.boot(config)).toBe(code);
		expect(machine.refusal?.text).toMatch(text);
		expect(machine.refusal?.text).toMatch(new RegExp(`^Cannot start \\(${code}\\): `));
		expect(picture(machine)).toBe(before);
		// The locks were released: the next attempt is refused for the same reason, not for a lock.
		expect(machine.boot(config)).toBe(code);
	};

	test("by flags of another cluster or member", () => {
		const machine = stopped("foreign");
		refused(
			machine,
			"foreign",
			/found cluster cdf818194e3a8c32, need cluster 99 by the flags\. Start with the flags/,
			testConfig({ clusterId: 0x99n }),
		);
		const other = [{ id: 7n, name: "one", peerUrls: ["http://127.0.0.1:2380"] }];
		refused(machine, "foreign", /found member 8e9e05c52164694d, need member 7/, testConfig({ memberId: 7n, initialCluster: other }));
	});

	test("SC-109 when the format file is gone, damaged, or of a later version", () => {
		const gone = stopped("format gone");
		gone.disk.erase(FORMAT_FILE);
		refused(gone, "identityMissing", /found no such file beside .*, need the file, or an empty folder\. Restore the file/);
		const damaged = stopped("format damaged");
		damaged.disk.flip(FORMAT_FILE, 40, 3);
		refused(damaged, "identityDamaged", /format: found checksum [0-9a-f]{8}, need checksum [0-9a-f]{8}/);
		const newer = stopped("format newer");
		newer.disk.overwrite(FORMAT_FILE, new TextEncoder().encode('{"format":2,"store":"other"}\n'));
		refused(newer, "newer", /found format 2, need format 1\. Start the later version/);
	});

	test("when files of the log are gone", () => {
		const identity = stopped("identity gone");
		identity.disk.erase("identity");
		refused(identity, "logMissing", /identity/);
		const vote = stopped("vote gone");
		vote.disk.erase("vote");
		refused(vote, "logMissing", /vote/);
		const log = stopped("log gone");
		for (const path of log.disk.paths()) if (path.startsWith("wal/")) log.disk.erase(path);
		refused(log, "logMissing", /no segment/);
	});

	test("SC-103 when the log is damaged in the middle, naming file and offset", () => {
		const machine = stopped("log damaged");
		const segment = machine.disk.paths().find((path) => path.endsWith(".wal")) as string;
		const name = segment.replace("wal/", "");
		machine.disk.flip(segment, 900, 1);
		refused(machine, "logDamaged", new RegExp(`${name}.*offset \\d+`));
	});

	test("SC-094 when the log lost its end behind the store's floor", () => {
		const machine = running("older log", FLOORS);
		machine.putAll(["a", "b"]);
		machine.stop();
		const earlier = machine.disk.copy();
		restarted(machine, FLOORS);
		machine.putAll(Array.from({ length: 30 }, (_, n) => `key ${n}`));
		machine.stop();
		machine.disk = earlier;
		refused(
			machine,
			"logBehindStore",
			/the log has lost its end\. wal: found entries up to \d+, need entries up to \d+, which the store has applied/,
			FLOORS,
		);
	});

	test("when the store is another member's", () => {
		const machine = stopped("mine");
		const other = new Machine("theirs");
		const config = testConfig({ memberId: 7n, initialCluster: [{ id: 7n, name: "one", peerUrls: ["http://127.0.0.1:2380"] }] });
		expect(other.boot(config)).toBe(null);
		other.serve(config);
		other.stop();
		machine.stores = other.stores;
		refused(machine, "foreign", new RegExp(`store\\.1, row ${FLOOR_ROW}: found member 7, need member ${MEMBER_ID.toString(16)}`));
	});

	test("while another process holds the lock, with etcd's words", () => {
		const machine = running("lock");
		refused(machine.rival(), "locked", /data directory is in use by another process/);
		machine.putAll(["undisturbed"]);
	});
});

describe("a store that is not what its floor says is made again from the log (rule S6)", () => {
	const rebuilt = (machine: Machine, reason: RegExp): void => {
		restarted(machine, FLOORS);
		expect(machine.up.report.rebuiltBecause).toMatch(reason);
		for (let n = 0; n < 12; n++) expect(machine.get(`key ${n}`)).toBe(`value of key ${n}`);
		expect([...machine.stores.keys()]).toEqual(["2"]);
		machine.putAll(["after"]);
		machine.stop();
		restarted(machine, FLOORS);
		expect(machine.up.report.rebuiltBecause).toBe(null);
		expect(machine.get("after")).toBe("value of after");
	};
	const raw = (machine: Machine) => machine.stores.get("1")?.raw() as ReturnType<NonNullable<ReturnType<Machine["stores"]["get"]>>["raw"]>;

	test.each(CRASHES)("the commit that a start took from the floor is not forgotten with the store (%s)", (kind) => {
		const machine = running(`commit ${kind}`);
		machine.putAll(["a", "b", "c"]);
		const { driver } = machine.up;
		driver.wantFloor();
		machine.runUntil(() => !driver.floorBusy);
		const known = driver.status().appliedIndex;
		machine.crash("process");
		// The last write's commit would have been written down with the next frame, and there was none.
		const during = marksDuring(() => expect(machine.boot()).toBe(null));
		expect(during.commitNotedByStart).toBe(1);
		expect([machine.up.report.floorIndex, machine.up.driver.status().core.commit]).toEqual([known, known]);
		machine.crash(kind);
		machine.stores.clear();
		expect(machine.boot(), machine.refusal?.text).toBe(null);
		expect(machine.up.report.floorIndex).toBe(1);
		expect(machine.up.driver.status().core.commit).toBe(known);
	});

	test("its folder is gone", () => {
		const machine = stopped("store gone", FLOORS);
		machine.stores.delete("1");
		rebuilt(machine, /the folder does not exist/);
	});

	test("it was emptied", () => {
		const machine = stopped("store emptied", FLOORS);
		raw(machine).rows.clear();
		raw(machine).records.clear();
		rebuilt(machine, /the row FLOOR is missing/);
	});

	test("its floor is damaged", () => {
		const machine = stopped("floor damaged", FLOORS);
		const floor = raw(machine).rows.get(FLOOR_ROW) as Uint8Array;
		floor[20] = (floor[20] as number) ^ 1;
		rebuilt(machine, /the row FLOOR has checksum/);
	});

	test("a table row differs", () => {
		const machine = stopped("row damaged", FLOORS);
		const row = [...raw(machine).rows].find(([key]) => key.startsWith("members/")) as [string, Uint8Array];
		row[1][3] = (row[1][3] as number) ^ 1;
		rebuilt(machine, /the table rows add up to/);
	});

	test("a record is missing, or damaged", () => {
		const missing = stopped("record missing", FLOORS);
		const [key] = [...raw(missing).records.keys()].sort();
		raw(missing).records.delete(key as string);
		rebuilt(missing, /./);
		const damaged = stopped("record damaged", FLOORS);
		const [name] = [...raw(damaged).records.keys()].sort();
		const value = raw(damaged).records.get(name as string) as Uint8Array;
		value[4] = (value[4] as number) ^ 1;
		rebuilt(damaged, /./);
	});

	test.each(["open", "readTables", "scan", "deleteRecords"] as const)("it is found damaged by the operation %s", (at) => {
		const machine = stopped(`damage met by ${at}`, FLOORS);
		// A record above the floor, so that there is something to delete.
		raw(machine).records.set("\0\0\0\0\0\0\xff\xff_\0\0\0\0\0\0\0\0", new Uint8Array(9));
		machine.storeFault = { at, error: "Corruption: bad block type", damaged: true };
		rebuilt(machine, /^Corruption: bad block type$/);
	});

	test("unless the log was cut: then the store's damage is named, and nothing is changed or made", () => {
		const cut = testConfig({ floorBytes: 1_000, snapshotCount: 5, walSegmentBytes: 4096, walKeepEntries: 0, walKeepBytes: 0 });
		const machine = running("damaged and cut", cut);
		machine.putAll(Array.from({ length: 200 }, (_, n) => `key ${n}`));
		machine.stop();
		const before = picture(machine);
		machine.storeFault = { at: "scan", error: "Corruption: bad block type", damaged: true };
		expect(machine.boot(cut)).toBe("storeDamaged");
		expect(machine.refusal?.text).toMatch(
			/^Cannot start \(storeDamaged\): the store is damaged and the log does not reach back far enough to make it again\. store\.1: found Corruption: bad block type; and a log from entry \d+ on, need a log from entry 2 on\. Log and votes are left as they are: restore the folder store\.1 from a copy, or: .*\(etcdctl member remove\).*\. A cluster of one is made anew from a saved state \(flotilla snapshot restore\)\.$/,
		);
		expect(picture(machine)).toBe(before);
		expect([...machine.stores.keys()]).toEqual(["1"]);
		machine.storeFault = null;
		restarted(machine, cut);
		expect(machine.get("key 199")).toBe("value of key 199");
	});

	test("an older copy of it is as good as any: the log is replayed from there", () => {
		const machine = running("older store", FLOORS);
		machine.putAll(["first"]);
		machine.stop();
		const { records, rows } = raw(machine);
		const copy = { records: new Map(records), rows: new Map(rows) };
		restarted(machine, FLOORS);
		machine.putAll(Array.from({ length: 30 }, (_, n) => `key ${n}`));
		machine.stop();
		const later = raw(machine);
		later.records.clear();
		later.rows.clear();
		for (const [key, value] of copy.records) later.records.set(key, value);
		for (const [key, value] of copy.rows) later.rows.set(key, value);
		restarted(machine, FLOORS);
		expect(machine.up.report).toMatchObject({ rebuiltBecause: null, floorIndex: 1 });
		for (const key of ["first", "key 0", "key 29"]) expect(machine.get(key)).toBe(`value of ${key}`);
	});

	test("and a crash at any step of that is repaired by the next start", () => {
		const damage = (machine: Machine): void => {
			raw(machine).rows.clear();
		};
		const measured = stopped("rebuild", FLOORS);
		damage(measured);
		const before = measured.loop.steps;
		measured.boot(FLOORS);
		const steps = measured.loop.steps - before;
		for (let at = 1; at <= steps; at++) {
			const machine = stopped(`rebuild ${at}`, FLOORS);
			damage(machine);
			machine.begin(FLOORS);
			for (let step = 0; step < at; step++) machine.loop.step();
			machine.crash(at % 2 === 0 ? "power" : "process");
			restarted(machine, FLOORS);
			for (let n = 0; n < 12; n++) expect(machine.get(`key ${n}`), `after step ${at}`).toBe(`value of key ${n}`);
			expect(machine.stores.size).toBe(1);
		}
	});
});

describe("a failing disk", () => {
	const faults: ReadonlyArray<Omit<StoreFault, "damaged"> & { readonly says: RegExp }> = [
		{ at: "list", error: "EMFILE: too many open files, scandir", says: /listing the stores failed\. the member's folder: EMFILE/ },
		{
			at: "open",
			error: "IO error: store.1/LOCK: Read-only file system",
			says: /opening the store failed\. store\.1: .*Read-only file system\./,
		},
		{
			at: "readTables",
			error: "IO error: store.1/000005.ldb: Too many open files",
			says: /reading the store's tables failed\. store\.1: IO error/,
		},
		{
			at: "scan",
			error: "IO error: store.1/000005.ldb: Input/output error",
			says: /reading the store's records failed\. store\.1: IO error/,
		},
	];
	test.each(faults)("under the store ($at) is not taken for a damaged store, and no other store is begun", ({ says, ...fault }) => {
		const machine = stopped(`failing ${fault.at}`, FLOORS);
		const before = picture(machine);
		machine.storeFault = { ...fault, damaged: false };
		for (let attempt = 0; attempt < 2; attempt++) {
			expect(machine.boot(FLOORS)).toBe("io");
			expect(machine.refusal?.text).toMatch(says);
			expect(machine.refusal?.text).toMatch(
				/^Cannot start \(io\): .*The data may be sound, so keep the folder: repair the disk, its mount/,
			);
			expect(machine.refusal?.text).not.toMatch(/need no error|storeDamaged/);
			expect(picture(machine)).toBe(before);
			expect([...machine.stores.keys()]).toEqual(["1"]);
		}
		machine.storeFault = null;
		restarted(machine, FLOORS);
		expect(machine.up.report.rebuiltBecause).toBe(null);
		expect(machine.get("key 11")).toBe("value of key 11");
	});

	test("on which no store can be made says so, at the first start and when one is missing", () => {
		const fault: StoreFault = { at: "make", error: "EROFS: read-only file system, mkdir 'store.1'", damaged: false };
		const first = new Machine("first start");
		first.storeFault = fault;
		expect(first.boot()).toBe("io");
		expect(first.refusal?.text).toMatch(/making the store failed\. store\.1: EROFS/);
		const missing = stopped("missing and failing", FLOORS);
		missing.stores.delete("1");
		missing.storeFault = fault;
		expect(missing.boot(FLOORS)).toBe("io");
		expect(missing.refusal?.text).toMatch(/making the store failed\. store\.2: EROFS/);
		for (const machine of [first, missing]) {
			machine.storeFault = null;
			expect(machine.boot(FLOORS)).toBe(null);
		}
	});

	test("ends the process with what to do, and nothing that it had not written is acknowledged", () => {
		const machine = running("failing");
		machine.putAll(["a"]);
		machine.disk.failNextWrite();
		const put = machine.put("b", "value of b");
		for (let step = 0; step < 2_000; step++) machine.loop.step();
		expect(put.done).toBe(false);
		expect(machine.deaths.length).toBe(1);
		expect(machine.deaths[0]).toMatch(/^Cannot write the log: .*EIO.*Mend the disk, then start again/);
		machine.crash("process");
		machine.disk.mend();
		restarted(machine);
		expect(machine.get("a")).toBe("value of a");
	});
});
