import { etcdserverpb } from "@flotilla/api";
import { Dice, portableBytes } from "@flotilla/base";
import { Entry, encodeConfChange } from "@flotilla/raft";
import {
	authCommand,
	CommandKind,
	EnvelopeEncoder,
	encodeAlarmCommand,
	encodeAuthCommand,
	encodeLeaseGrant,
	encodeLeaseRevoke,
	encodeMember,
	encodeMembershipContext,
} from "@flotilla/replica";
import { describe, expect, it } from "vitest";
import { LogJson } from "../../src/cli/log-json.ts";
import { LogWords } from "../../src/cli/log-words.ts";
import type { FileRequest, FileScript } from "../../src/disk/file-script.ts";
import type { SimDisk } from "../../src/disk/memory-disk.ts";
import { runScript } from "../../src/disk/run-script.ts";
import { type DumpCounts, type DumpFact, LogDump } from "../../src/wal/dump.ts";
import { Model, newLog } from "./log-fixture.ts";

const SEGMENT = "wal/0000000000000001-0000000000000002.wal";

async function read(disk: SimDisk, tell: (fact: DumpFact) => void): Promise<DumpCounts> {
	const copy = disk.copy({ schedule: (work) => setImmediate(work) });
	const log = new LogDump(portableBytes, "wal", tell);
	await runScript(copy, log.read());
	return runScript(copy, log.finish());
}

async function dump(disk: SimDisk, eachEntry: boolean): Promise<{ text: string; counts: DumpCounts }> {
	const lines: string[] = [];
	const words = new LogWords({ eachEntry, dataBytesMax: 2 }, (line) => void lines.push(line));
	const counts = await read(disk, (fact) => words.tell(fact));
	return { text: lines.join("\n"), counts };
}

async function dumpJson(disk: SimDisk, valueBytesMax = 1000): Promise<Array<Record<string, unknown>>> {
	const lines: Array<Record<string, unknown>> = [];
	const json = new LogJson(valueBytesMax, (line) => void lines.push(JSON.parse(line)));
	await read(disk, (fact) => json.tell(fact));
	return lines;
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
		disk.flip(SEGMENT, 440 + 45, 3);
		const { text, counts } = await dump(disk, true);
		expect(counts).toEqual({ segments: 1, frames: 3, entries: 1, problems: 1 });
		expect(text).toContain("PROBLEM: offset 440: found a frame that fails its checksum");
		expect(text).toContain("says that frames up to 5 were durable: frames that were durable are damaged");
	});

	it("says so when one of the two slots for the vote is damaged", async () => {
		const disk = smallLog();
		disk.flip("vote", 20, 1);
		const { text, counts } = await dump(disk, true);
		expect(text).toMatch(/^vote: term \d+, vote \S+, frames durable up to \d+, write \d+; one of its two slots fails its checksum$/m);
		expect(counts.problems).toBe(0);
		expect((await dumpJson(disk)).find(({ type }) => type === "vote")).toMatchObject({ damagedSlots: 1 });
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

const KEY = new Uint8Array([0xff, 0x00, 0x6b]);

/** A log of one member life with an entry of every kind. */
function spokenLog(): SimDisk {
	const log = newLog();
	const text = (value: string): Uint8Array => Buffer.from(value);
	const envelopes = new EnvelopeEncoder(0xa1n, 77);
	const { PutRequest, DeleteRangeRequest, TxnRequest, CompactionRequest } = etcdserverpb;
	const member = { id: 0xa1n, name: "m1", peerUrls: ["http://p"], clientUrls: ["http://c"], learner: false };
	const contents: ReadonlyArray<readonly [CommandKind, Uint8Array]> = [
		[CommandKind.put, PutRequest.encode({ key: text("käse"), value: text("grün".repeat(100)), lease: 0x7bn, prevKv: true })],
		[CommandKind.put, PutRequest.encode({ key: KEY, value: KEY })],
		[CommandKind.deleteRange, DeleteRangeRequest.encode({ key: text("a"), rangeEnd: text("\0") })],
		[
			CommandKind.txn,
			TxnRequest.encode({
				compare: [
					{
						result: etcdserverpb.Compare_CompareResult.EQUAL,
						target: etcdserverpb.Compare_CompareTarget.VALUE,
						key: text("k"),
						rangeEnd: text(""),
						targetUnion: { kind: "value", value: text("") },
					},
				],
				success: [{ request: { kind: "requestPut", value: PutRequest.create({ key: text("k"), value: text("v") }) } }],
				failure: [],
			}),
		],
		[CommandKind.compact, CompactionRequest.encode({ revision: 12, physical: true })],
		[CommandKind.publish, encodeMember(member)],
		[CommandKind.memberUpdate, encodeMember(member)],
		[CommandKind.clusterVersion, text("3.6.0")],
		[CommandKind.alarm, encodeAlarmCommand({ action: 1, member: 0xa2n, alarm: 1 })],
		[CommandKind.auth, encodeAuthCommand(authCommand("userAdd", { user: "ann", passwordHash: "$2b$10$secret" }))],
		[CommandKind.auth, encodeAuthCommand(authCommand("authenticate", { user: "ann", tokenHash: "secret", checkedRevision: 3 }))],
		[
			CommandKind.auth,
			encodeAuthCommand(authCommand("roleGrantPermission", { role: "r", permission: { type: 2, key: "k", rangeEnd: "\xff" } })),
		],
		[CommandKind.put, new Uint8Array([0x0a, 0x7f])],
		[CommandKind.leaseGrant, encodeLeaseGrant({ id: -2n, ttl: 30 })],
		[CommandKind.leaseRevoke, encodeLeaseRevoke(0x1234n)],
		[CommandKind.leaseGrant, new Uint8Array([1, 2])],
	];
	const data = envelopes.encode(
		contents.map(([kind, payload], i) => ({ kind, payload, sequence: i + 1, user: i === 4 ? "root" : "", authRevision: 3 })),
	);
	const context = encodeMembershipContext([member], { incarnation: 77, sequence: 40 });
	const change = encodeConfChange({ changes: [{ op: "addLearner", node: 0xa4n }], transition: "auto", context });
	const entries = [new Uint8Array(0), ...data, change, new Uint8Array([9, 9])].map(
		(bytes, i) => new Entry(2 + i, 1, bytes === change ? 1 : 0, bytes),
	);
	log.append({ ...new Model(new Dice("dump")).appendSome(), entries, hardState: { term: 1, vote: 0n, commit: 1 } });
	log.steps.all();
	log.close();
	return log.disk;
}

describe("the dump as JSON lines", () => {
	it("has an object for each entry, which says in words what it asks for", async () => {
		const lines = await dumpJson(spokenLog());
		const entries = lines.filter(({ type }) => type === "entry");
		for (const entry of entries)
			for (const name of ["type", "term", "frame", "bytes"]) expect(Reflect.deleteProperty(entry, name)).toBe(true);
		const by = (sequence: number): object => ({ origin: "a1", life: 77, sequence });
		const member = { member: "a1", name: "m1", clientUrls: ["http://c"] };
		expect(entries).toEqual([
			{ index: 2, kind: "empty" },
			{
				...{ index: 3, kind: "put", ...by(1) },
				operation: { key: "käse", value: "grün".repeat(100), valueBytes: 500, lease: "7b", prevKv: true },
			},
			{ index: 4, kind: "put", ...by(2), operation: { keyBase64: "/wBr", valueBase64: "/wBr", valueBytes: 3 } },
			{ index: 5, kind: "deleteRange", ...by(3), operation: { key: "a", rangeEnd: "\0" } },
			{
				...{ index: 6, kind: "txn", ...by(4) },
				operation: {
					compare: [{ target: "VALUE", key: "k", value: "", valueBytes: 0 }],
					success: [{ requestPut: { key: "k", value: "v", valueBytes: 1 } }],
				},
			},
			{ index: 7, kind: "compact", ...by(5), user: "root", authRevision: 3, operation: { revision: 12, physical: true } },
			{ index: 8, kind: "publish", ...by(6), operation: member },
			{ index: 9, kind: "memberUpdate", ...by(7), operation: { member: "a1", peerUrls: ["http://p"] } },
			{ index: 10, kind: "clusterVersion", ...by(8), operation: { version: "3.6.0" } },
			{ index: 11, kind: "alarm", ...by(9), operation: { action: "activate", member: "a2", alarm: "noSpace" } },
			// Without the hashes of passwords and tokens.
			{ index: 12, kind: "auth", ...by(10), operation: { action: "userAdd", user: "ann" } },
			{ index: 13, kind: "auth", ...by(11), operation: { action: "authenticate", user: "ann" } },
			{
				...{ index: 14, kind: "auth", ...by(12) },
				operation: { action: "roleGrantPermission", role: "r", permission: "readWrite", key: "k", rangeEndBase64: "/w==" },
			},
			{ index: 15, kind: "unreadable", reason: expect.any(String), dataBase64: expect.any(String) },
			{ index: 16, kind: "leaseGrant", ...by(14), operation: { lease: "fffffffffffffffe", ttl: 30 } },
			{ index: 17, kind: "leaseRevoke", ...by(15), operation: { lease: "1234" } },
			{ index: 18, kind: "leaseGrant", ...by(16), operation: { payload: "\u0001\u0002", payloadBytes: 2 } },
			{
				...{ index: 19, kind: "config", life: 77, sequence: 40 },
				operation: {
					changes: [{ op: "addLearner", member: "a4" }],
					transition: "auto",
					added: [{ ...member, peerUrls: ["http://p"], learner: false }],
				},
			},
			{ index: 20, kind: "unreadable", reason: "an envelope is shorter than its head", dataBase64: "CQk=" },
		]);
	});

	it("tells of the log itself: identity, vote, segments, states, marks and the end", async () => {
		const lines = await dumpJson(smallLog());
		expect(lines).toEqual([
			{ type: "identity", file: "identity", cluster: "c1", member: "a1", log: "123456789abcdef0" },
			{ type: "vote", file: "vote", term: 2, vote: "a2", durableFrame: 6, write: 4 },
			{ type: "segment", file: SEGMENT, fileBytes: 4096, sequence: 1, version: 2, firstFrame: 1 },
			{
				...{ type: "checkpoint", frame: 1, offset: 64, lastIndex: 1, lastTerm: 1 },
				snapshot: { index: 1, term: 1, configuration: { voters: ["a1", "a2", "a3"], learners: [] } },
			},
			{ type: "state", frame: 1, term: 1, vote: "0", commit: 1 },
			{ type: "fence", frame: 2, offset: 248, verifiedFrame: 1, cleanStop: false },
			{ type: "entry", index: 2, term: 1, kind: "unreadable", reason: expect.any(String), dataBase64: "qwEC", bytes: 3, frame: 3 },
			{ type: "state", frame: 4, term: 2, vote: "a2", commit: 1 },
			{ type: "truncate", frame: 5, offset: 512, fromIndex: 2, termBefore: 1 },
			{ type: "fence", frame: 6, offset: 608, verifiedFrame: 5, cleanStop: true },
			{ type: "end", file: SEGMENT, offset: 696, growing: false },
			{ type: "totals", segments: 1, frames: 6, entries: 1, problems: 0 },
		]);
	});

	it("cuts values where asked to, at whole characters, and says so", async () => {
		const lines = await dumpJson(spokenLog(), 3);
		const values = lines.filter(({ kind }) => kind === "put").map(({ operation }) => operation);
		expect(values).toEqual([
			{ key: "käse", value: "gr", valueBytes: 500, valueCut: true, lease: "7b", prevKv: true },
			{ keyBase64: "/wBr", valueBase64: "/wBr", valueBytes: 3 },
		]);
	});

	it("places a problem in its file and says whether frames that were durable are lost", async () => {
		const disk = smallLog();
		disk.flip(SEGMENT, 440 + 45, 3);
		const lines = await dumpJson(disk);
		expect(lines.slice(-3)).toEqual([
			{ type: "problem", file: SEGMENT, text: expect.stringContaining("offset 440: found a frame that fails its checksum") },
			{ type: "leftover", offset: 608, frame: 6, durableFrame: 5, durableFramesLost: true },
			{ type: "totals", segments: 1, frames: 3, entries: 1, problems: 1 },
		]);
	});
});

describe("the dump of a log that is being written", () => {
	/** A log whose newest frame is only half there; `repair` writes the rest of it. */
	function underWay(): { readonly disk: SimDisk; readonly repair: () => void } {
		const disk = smallLog();
		const whole = disk.bytesOf(SEGMENT);
		disk.overwrite(SEGMENT, whole.slice().fill(0, 608 + 50, 608 + 88));
		return { disk, repair: () => disk.overwrite(SEGMENT, whole) };
	}

	async function twice(between: (disk: SimDisk) => void): Promise<{ settled: readonly boolean[]; counts: DumpCounts; last: DumpFact[] }> {
		const { disk } = underWay();
		const copy = disk.copy({ schedule: (work) => setImmediate(work) });
		const facts: DumpFact[] = [];
		const log = new LogDump(portableBytes, "wal", (fact) => void facts.push(fact));
		const first = await runScript(copy, log.read());
		between(copy);
		const second = await runScript(copy, log.again());
		return { settled: [first, second], counts: await runScript(copy, log.finish()), last: facts.slice(-3) };
	}

	it("is whole when the write under way has ended", async () => {
		const { repair, disk } = underWay();
		repair();
		const whole = disk.bytesOf(SEGMENT);
		const { settled, counts, last } = await twice((copy) => copy.overwrite(SEGMENT, whole));
		expect(settled).toEqual([false, true]);
		expect(counts).toEqual({ segments: 1, frames: 6, entries: 1, problems: 0 });
		expect(last[1]).toEqual({ kind: "end", path: SEGMENT, offset: 696, growing: true });
	});

	it("has a torn end when nobody writes any more", async () => {
		const { settled, counts, last } = await twice(() => {});
		expect(settled).toEqual([false, false]);
		expect(counts).toEqual({ segments: 1, frames: 5, entries: 1, problems: 1 });
		expect(last[0]).toMatchObject({ kind: "problem", path: SEGMENT });
		expect(last[1]).toEqual({ kind: "leftover", offset: 608, seq: 6, syncedSeq: 5, lost: false });
	});

	it("does without segments that the member lets go of meanwhile", async () => {
		const copy = smallLog().copy({ schedule: (work) => setImmediate(work) });
		const facts: DumpFact[] = [];
		const log = new LogDump(portableBytes, "wal", (fact) => void facts.push(fact));
		await runScript(
			copy,
			// Listed, and gone when it is opened.
			watched(log.read(), (request) => {
				if (request.kind === "size" && request.path === SEGMENT) copy.erase(SEGMENT);
			}),
		);
		await runScript(copy, log.finish());
		expect(facts.slice(2)).toEqual([
			{ kind: "dropped", path: SEGMENT },
			{ kind: "totals", counts: { segments: 0, frames: 0, entries: 0, problems: 0 } },
		]);
	});

	function* watched<T>(script: FileScript<T>, before: (request: FileRequest) => void): FileScript<T> {
		let step = script.next();
		while (step.done !== true) {
			before(step.value);
			step = script.next(yield step.value);
		}
		return step.value;
	}
});
