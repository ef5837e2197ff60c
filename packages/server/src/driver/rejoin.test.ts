/** Rule S6: a member whose store is lost behind a log that was cut takes the state of another one before it votes or serves. */
import { marksDuring, portableBytes } from "@flotilla/base";
import { MembershipCall } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import type { DiskCrash, SimDisk } from "../disk/memory-disk.ts";
import { decodeIdentity, decodeVoteFile } from "../wal/meta-files.ts";
import type { RecoveredLog } from "../wal/wal-interface.ts";
import { ADDRESS_FILE, addressRecord, decodeAddresses, encodeAddresses } from "./addresses.ts";
import { CLUSTER_ID, Machine, MEMBER_ID, testConfig } from "./boot.suite.ts";
import { decodeFloor, type FloorRecord } from "./floor-record.ts";
import { decodeFormat, encodeFormat, FORMAT_FILE } from "./format-file.ts";
import { fitOf, hardStateAt, REJOIN_RULES } from "./rejoin.ts";
import { IMAGE_HEAD_BYTES, ImageWriter, readSections } from "./snapshot-image.ts";

type Image = readonly Uint8Array[];

const CRASHES: readonly DiskCrash[] = ["power", "process"];
/** Floors after a few writes, behind which nothing of the log stays. */
const CUT = testConfig({ floorBytes: 1_000, snapshotCount: 5, walSegmentBytes: 4096, walKeepEntries: 0, walKeepBytes: 0 });
/** No floors, so nothing more is cut. */
const GROW = testConfig({ walSegmentBytes: 4096 });
const OTHER = { id: 77n, name: "other", peerUrls: ["http://127.0.0.1:9999"] };
const HELD = Array.from({ length: 120 }, (_, n) => `held ${n}`);
const LATER = Array.from({ length: 30 }, (_, n) => `later ${n}`);

interface Lost {
	/** Stopped; its log holds `LATER`, and of `HELD` only the end. Its folder says that there is another member. */
	readonly machine: Machine;
	/** Its state at the beginning, before and after `LATER` was written. */
	readonly early: Image;
	readonly before: Image;
	readonly after: Image;
	/** Its log without `LATER`. */
	readonly shorter: SimDisk;
}

function member(seed: string): Lost {
	const machine = new Machine(seed);
	expect(machine.boot(CUT)).toBe(null);
	machine.serve(CUT);
	machine.putAll(HELD.slice(0, 5));
	const early = machine.image();
	machine.putAll(HELD.slice(5));
	const before = machine.image();
	machine.stop();
	knowsAnother(machine.disk);
	const shorter = machine.disk.copy();
	expect(machine.boot(GROW)).toBe(null);
	machine.serve(GROW);
	machine.putAll(LATER);
	const after = machine.image();
	machine.stop();
	return { machine, early, before, after, shorter };
}

function knowsAnother(disk: SimDisk): void {
	const decoding = decodeFormat(disk.bytesOf(FORMAT_FILE));
	if (!decoding.ok) throw new Error(decoding.found);
	const { format } = decoding;
	disk.overwrite(FORMAT_FILE, encodeFormat({ ...format, initialMembers: [...format.initialMembers, OTHER] }));
}

function addOther(machine: Machine): void {
	let added = false;
	const member = { ...OTHER, name: "", clientUrls: [], learner: false };
	machine.up.driver.changeMembership(
		new MembershipCall({ kind: "add", member }, 0, ({ ok }) => {
			added = ok;
		}),
	);
	machine.runUntil(() => added);
}

/** A change of the members, answered. */
function changes(machine: Machine, change: MembershipCall["change"]): void {
	let done = false;
	machine.up.driver.changeMembership(
		new MembershipCall(change, 0, ({ ok }) => {
			expect(ok).toBe(true);
			done = true;
		}),
	);
	machine.runUntil(() => done);
}

/** The same machine once more. */
function twin({ machine }: Lost, seed: string, disk = machine.disk): Machine {
	const other = new Machine(seed);
	other.disk = disk.copy({ schedule: (work, extraMs) => void other.loop.after(other.dice.range(50, 400) / 1_000 + extraMs, work) });
	return other;
}

function floorOf([head]: Image): FloorRecord {
	const [section] = readSections((head as Uint8Array).subarray(IMAGE_HEAD_BYTES)) ?? [];
	const decoding = decodeFloor(section?.data ?? new Uint8Array(0));
	if (!decoding.ok) throw new Error(decoding.found);
	return decoding.floor;
}

/** The same state with another head. */
function withFloor(image: Image, change: Partial<FloorRecord>): Image {
	return [new ImageWriter().head({ ...floorOf(image), ...change }), ...image.slice(1)];
}

/** Why its starts did not believe the file of addresses. */
function ignored(machine: Machine): readonly unknown[] {
	return machine.events.filter(({ name }) => name === "addressesIgnored").map(({ fields }) => fields.because);
}

/** A line and its checksum. */
function checked(line: string): Uint8Array {
	const encoder = new TextEncoder();
	const sum = portableBytes
		.crc32c(encoder.encode(`${line}\n`))
		.toString(16)
		.padStart(8, "0");
	return encoder.encode(`${line}\n${sum}\n`);
}

function voteOf({ disk }: Machine): { readonly term: number; readonly vote: bigint } {
	const identity = decodeIdentity(portableBytes, disk.bytesOf("identity"));
	if ("code" in identity) throw new Error(identity.text);
	const slot = decodeVoteFile(portableBytes, identity.walId, disk.bytesOf("vote"));
	if ("code" in slot) throw new Error(slot.text);
	return { term: slot.term, vote: slot.vote };
}

function holds(machine: Machine, keys: readonly string[]): void {
	for (const key of keys) expect(machine.get(key), key).toBe(`value of ${key}`);
	expect(machine.stores.size).toBe(1);
}

/** A start that ends without a refusal, and the next one, which finds nothing to mend. */
function rejoins(machine: Machine, keys: readonly string[]): void {
	expect(machine.boot(GROW), machine.refusal?.text).toBe(null);
	machine.serve(GROW);
	holds(machine, keys);
	machine.putAll(["afterwards"]);
	machine.stop();
	machine.givers = ["nobody may be asked now"];
	const asked = machine.askedForState.length;
	expect(machine.boot(GROW), machine.refusal?.text).toBe(null);
	expect(machine.askedForState.length).toBe(asked);
	expect(machine.up.report.fetched).toBe(null);
	machine.serve(GROW);
	holds(machine, [...keys, "afterwards"]);
}

describe("a member whose store is lost behind a log that was cut", () => {
	test.each(["before", "after"] as const)(
		"keeps its log where that holds the entry of the state, and replays what is behind it (%s)",
		(moment) => {
			const lost = member("kept");
			const machine = twin(lost, `kept ${moment}`);
			const vote = voteOf(machine);
			machine.givers = [lost[moment]];
			const during = marksDuring(() => expect(machine.boot(GROW), machine.refusal?.text).toBe(null));
			expect([during.rejoinedLogKept, during.rejoinedLogReplaced]).toEqual([1, 0]);
			const floorIndex = floorOf(lost[moment]).appliedIndex;
			expect(machine.up.report).toMatchObject({ fetched: { from: OTHER.id, log: "kept" }, floorIndex, rebuiltBecause: null });
			expect(voteOf(machine)).toEqual(vote);
			machine.crash("power");
			rejoins(machine, [...HELD, ...LATER]);
		},
	);

	test("replaces its log by the marker of a state beyond it; term and vote stay", () => {
		const lost = member("replaced");
		const machine = twin(lost, "replaced", lost.shorter);
		const vote = voteOf(machine);
		const { appliedIndex, term } = floorOf(lost.after);
		// As elected later, but in a term that this member has voted in.
		machine.givers = [withFloor(lost.after, { term: vote.term })];
		expect(term).toBeGreaterThan(vote.term);
		const during = marksDuring(() => expect(machine.boot(GROW), machine.refusal?.text).toBe(null));
		expect([during.rejoinedLogKept, during.rejoinedLogReplaced]).toEqual([0, 1]);
		expect(machine.up.report).toMatchObject({ fetched: { log: "replaced" }, floorIndex: appliedIndex, lastIndex: appliedIndex });
		expect(machine.up.driver.status().core).toMatchObject({ term: vote.term, commit: appliedIndex, lastIndex: appliedIndex });
		expect(voteOf(machine)).toEqual(vote);
		machine.crash("power");
		expect(voteOf(machine)).toEqual(vote);
		rejoins(machine, [...HELD, ...LATER]);
	});

	describe("replaces its log by a state that contradicts the end of it, which nobody ever committed,", () => {
		/** Its log ends with an entry that only it holds; the state is of another entry at that place. */
		function contradicted(seed: string): { readonly machine: Machine; readonly state: Image; readonly term: number } {
			const machine = new Machine(seed);
			expect(machine.boot(CUT)).toBe(null);
			machine.serve(CUT);
			machine.putAll(HELD);
			addOther(machine);
			const state = machine.image();
			const { lastIndex, term } = machine.up.driver.status().core;
			for (const key of LATER) machine.put(key, "nobody else ever hears of it");
			machine.runUntil(() => machine.up.driver.status().core.stable > lastIndex + 20);
			expect(machine.up.driver.status().core.commit).toBe(lastIndex);
			machine.crash("process");
			machine.stores.clear();
			knowsAnother(machine.disk);
			return { machine, state: withFloor(state, { appliedIndex: lastIndex + 5, term: term + 1 }), term };
		}

		test("with what stands above", () => {
			const { machine, state, term } = contradicted("contradicted");
			const { appliedIndex } = floorOf(state);
			machine.givers = [state];
			expect(machine.boot(GROW), machine.refusal?.text).toBe(null);
			expect(machine.up.report).toMatchObject({ fetched: { log: "replaced" }, lastIndex: appliedIndex });
			expect(machine.up.driver.status().core).toMatchObject({ term: term + 1, commit: appliedIndex, lastIndex: appliedIndex });
			machine.crash("power");
			expect(machine.boot(GROW), machine.refusal?.text).toBe(null);
			expect(machine.up.driver.status().core).toMatchObject({ term: term + 1, commit: appliedIndex, lastIndex: appliedIndex });
		});

		test("and would have two histories if it did not", () => {
			const { machine, state } = contradicted("two histories");
			machine.givers = [state];
			machine.rejoinRules = { ...REJOIN_RULES, fit: () => ({ ok: true, log: "kept" }) };
			expect(() => machine.boot(GROW)).toThrow("terms must not fall along the log");
			machine.crash("power");
			expect(machine.boot(GROW)).toBe("logBehindStore");
			expect(machine.refusal?.text).toContain("log and store are of different histories");
		});
	});

	test("with a rule less is not mended: what a state too old lacks is gone, and no log takes a frame that forgets the vote", () => {
		const lost = member("rule less");
		const old = twin(lost, "too old");
		old.givers = [lost.early];
		old.rejoinRules = { ...REJOIN_RULES, fit: () => ({ ok: true, log: "kept" }) };
		expect(old.boot(GROW)).toBe("logDamaged");
		const forgetful = twin(lost, "forgets", lost.shorter);
		forgetful.givers = [withFloor(lost.after, { term: voteOf(forgetful).term })];
		forgetful.rejoinRules = { ...REJOIN_RULES, hardState: (floor, before) => ({ ...hardStateAt(floor, before), vote: 0n }) };
		forgetful.begin(GROW);
		expect(() => forgetful.runUntil(() => forgetful.booted !== null)).toThrow(/a vote must not change within a term/);
	});

	test("moves to the term of a state of a later one, in which it has voted for nobody", () => {
		const lost = member("later term");
		const machine = twin(lost, "later term", lost.shorter);
		const { term } = floorOf(lost.after);
		expect(voteOf(machine).term).toBeLessThan(term);
		machine.givers = [lost.after];
		expect(machine.boot(GROW)).toBe(null);
		expect(voteOf(machine)).toEqual({ term, vote: 0n });
		machine.crash("power");
		rejoins(machine, [...HELD, ...LATER]);
	});

	test("that the log alone names is made again under a later number, whatever the folder still holds", () => {
		const lost = member("named by the log");
		const machine = twin(lost, "named by the log", lost.shorter);
		const format = machine.disk.bytesOf(FORMAT_FILE).slice();
		machine.givers = [lost.after];
		expect(machine.boot(GROW)).toBe(null);
		machine.crash("process");
		const [generation] = [...machine.stores.keys()];
		// As a crash between the switch and the format file leaves it; then that store is lost as well.
		machine.disk.overwrite(FORMAT_FILE, format);
		machine.stores.clear();
		machine.givers = ["ECONNREFUSED", lost.after];
		rejoins(machine, [...HELD, ...LATER]);
		expect(Number([...machine.stores.keys()][0])).toBeGreaterThan(Number(generation));
	});

	describe("and whose file of addresses is not its own", () => {
		const STRANGE = "http://127.0.0.1:1";
		const foreign = encodeAddresses(0x99n, addressRecord(1_000_000, [{ id: OTHER.id, peerUrls: [STRANGE] }]));

		test.each([
			["of another cluster", foreign, /^it is of cluster 99, and this member of [0-9a-f]+$/],
			["damaged", foreign.with(5, 0), /^it is damaged$/],
		])("asks those that the first configuration names, and tells of it (%s)", (_what, file, because) => {
			const lost = member("not its own");
			const machine = twin(lost, "not its own");
			machine.disk.overwrite(ADDRESS_FILE, file);
			machine.givers = [lost.after];
			expect(machine.boot(GROW), machine.refusal?.text).toBe(null);
			expect(machine.askedForState).toEqual([`${OTHER.id} at ${OTHER.peerUrls[0]}`]);
			expect(ignored(machine)).toEqual([expect.stringMatching(because)]);
			// What the state says of the members stands there now.
			expect(decodeAddresses(machine.disk.bytesOf(ADDRESS_FILE))?.clusterId).toBe(CLUSTER_ID);
			machine.crash("process");
			rejoins(machine, [...HELD, ...LATER]);
			expect(ignored(machine).length).toBe(1);
		});

		test("has it written anew by a start whose store is whole, which is told once", () => {
			const machine = new Machine("store is whole");
			expect(machine.boot(CUT)).toBe(null);
			machine.serve(CUT);
			machine.putAll(HELD);
			for (const round of [1, 2]) {
				machine.stop();
				if (round === 1) machine.disk.overwrite(ADDRESS_FILE, foreign);
				expect(machine.boot(CUT)).toBe(null);
				machine.serve(CUT);
				expect(machine.up.report.addressesFault === null).toBe(round === 2);
				expect(ignored(machine).length).toBe(1);
			}
			const file = decodeAddresses(machine.disk.bytesOf(ADDRESS_FILE));
			expect([file?.clusterId, file?.record.members.map(({ id }) => id)]).toEqual([CLUSTER_ID, [MEMBER_ID]]);
		});
	});

	describe("which has heard of others since it was made", () => {
		const MOVED = "http://127.0.0.1:7777";
		/** Of the others only the file of addresses and the log tell; `rest` of the writes come when they are known. */
		function grown(seed: string, rest: readonly string[]): { readonly machine: Machine; readonly state: Image } {
			const machine = new Machine(seed);
			expect(machine.boot(CUT)).toBe(null);
			machine.serve(CUT);
			machine.putAll(HELD);
			changes(machine, { kind: "add", member: { ...OTHER, name: "", clientUrls: [], learner: true } });
			changes(machine, { kind: "update", id: OTHER.id, peerUrls: [MOVED] });
			machine.putAll(rest);
			const state = machine.image();
			return { machine, state };
		}

		function lose(machine: Machine, kind: DiskCrash): Machine {
			machine.crash(kind);
			machine.stores.clear();
			machine.givers = ["ECONNREFUSED"];
			return machine;
		}

		test.each(CRASHES)("knows where they are when the log that told of them is cut (%s)", (kind) => {
			const { machine, state } = grown(`grown ${kind}`, LATER);
			lose(machine, kind);
			machine.givers = [state];
			rejoins(machine, [...HELD, ...LATER]);
			expect(machine.askedForState[0]).toBe(`${OTHER.id} at ${MOVED}`);
		});

		test("knows it by its log where no file says so yet, and waits for them", () => {
			const machine = lose(grown("by the log", []).machine, "process");
			machine.disk = machine.disk.copy({ schedule: (work) => void machine.loop.after(0.1, work) });
			if (machine.disk.paths().includes(ADDRESS_FILE)) machine.disk.overwrite(ADDRESS_FILE, new Uint8Array(0));
			machine.begin(GROW);
			machine.runUntil(() => machine.askedForState.length > 0);
			expect(machine.askedForState[0]).toBe(`${OTHER.id} at ${MOVED}`);
			expect(machine.refusal).toBe(null);
		});

		test("is refused as a member alone without the file: it is what tells of them", () => {
			const machine = lose(grown("no file", LATER).machine, "process");
			const damaged = machine.disk.bytesOf(ADDRESS_FILE);
			machine.disk.overwrite(ADDRESS_FILE, damaged.with(20, (damaged[20] as number) ^ 1));
			expect(machine.boot(GROW)).toBe("storeMismatch");
			expect(machine.askedForState).toEqual([]);
			expect(machine.refusal?.text).toContain("the file addresses, which names the other members, is not believed: it is damaged");
			expect(ignored(machine)).toEqual(["it is damaged"]);
		});

		test("believes a file that was written before it named its cluster, and names it there", () => {
			const { machine, state } = grown("older form", LATER);
			lose(machine, "process");
			const line = new TextDecoder().decode(machine.disk.bytesOf(ADDRESS_FILE)).split("\n")[0] as string;
			machine.disk.overwrite(ADDRESS_FILE, checked(line.replace(/"clusterId":"[^"]+",/, "")));
			expect(decodeAddresses(machine.disk.bytesOf(ADDRESS_FILE))?.clusterId).toBe(null);
			machine.givers = [state];
			rejoins(machine, [...HELD, ...LATER]);
			expect(machine.askedForState[0]).toBe(`${OTHER.id} at ${MOVED}`);
			expect(ignored(machine)).toEqual([]);
			expect(decodeAddresses(machine.disk.bytesOf(ADDRESS_FILE))?.clusterId).toBe(CLUSTER_ID);
		});

		test.each(CRASHES)("and dies at any step of hearing of them (%s), knows each that it heard of", (kind) => {
			const begin = (seed: string): Machine => {
				const machine = new Machine(seed);
				expect(machine.boot(CUT)).toBe(null);
				machine.serve(CUT);
				machine.putAll(HELD);
				return machine;
			};
			const heard = (machine: Machine): { added: boolean; moved: boolean } => {
				const seen = { added: false, moved: false };
				const { driver } = machine.up;
				const move = new MembershipCall({ kind: "update", id: OTHER.id, peerUrls: [MOVED] }, 0, ({ ok }) => {
					seen.moved = ok;
					if (ok) for (const key of LATER) machine.put(key, `value of ${key}`);
				});
				const member = { ...OTHER, name: "", clientUrls: [], learner: true };
				const add = new MembershipCall({ kind: "add", member }, 0, ({ ok }) => {
					seen.added = ok;
					driver.changeMembership(move);
				});
				driver.changeMembership(add);
				return seen;
			};
			const whole = begin("hearing");
			const before = whole.loop.steps;
			heard(whole);
			whole.runUntil(() => whole.up.driver.status().appliedIndex > HELD.length + LATER.length + 3);
			const steps = whole.loop.steps - before + 40;
			let known = 0;
			for (let at = 1; at <= steps; at++) {
				const machine = begin("hearing");
				const seen = heard(machine);
				for (let step = 0; step < at; step++) machine.loop.step();
				lose(machine, kind);
				machine.begin(GROW);
				machine.runUntil(() => machine.refusal !== null || machine.askedForState.length > 0);
				const [asked] = machine.askedForState;
				if (seen.added) expect(asked, `after step ${at}`).toMatch(/^77 at /);
				if (seen.moved) expect(asked, `after step ${at}`).toMatch(`77 at ${MOVED}`);
				if (seen.moved) known++;
			}
			expect(known).toBeGreaterThan(10);
		});
	});

	test("of which a bit is inverted, is found out and made again in the same way", () => {
		const { machine, after } = member("a bit");
		const { records } = machine.stores.get("1")?.raw() ?? { records: new Map<string, Uint8Array>() };
		const [key, value] = [...records][3] as [string, Uint8Array];
		records.set(key, value.with(4, (value[4] as number) ^ 1));
		machine.givers = [after];
		rejoins(machine, [...HELD, ...LATER]);
		expect([...machine.stores.keys()]).toEqual(["2"]);
	});

	test("waits while there is nobody, says whom it has asked and why in vain, and again only when that changes", () => {
		const lost = member("waits");
		const machine = twin(lost, "waits");
		const FOUND = { id: 78n, peerUrls: ["http://127.0.0.1:8888"] };
		machine.named = [FOUND, { id: MEMBER_ID, peerUrls: ["http://127.0.0.1:2380"] }];
		machine.givers = [
			...Array.from({ length: 8 }, () => "ECONNREFUSED"),
			...Array.from({ length: 4 }, () => "it does not know this member"),
			lost.after,
		];
		machine.begin(GROW);
		machine.runUntil(() => machine.askedForState.length === 12);
		expect(machine.booted).toBe(null);
		machine.runUntil(() => machine.booted !== null);
		expect(machine.askedForState.slice(0, 4)).toEqual([
			"77 at http://127.0.0.1:9999",
			"78 at http://127.0.0.1:8888",
			"77 at http://127.0.0.1:9999",
			"78 at http://127.0.0.1:8888",
		]);
		const told = machine.events.filter(({ name }) => name === "stateAwaited").map(({ fields }) => fields.answers);
		expect(told).toEqual(
			["ECONNREFUSED", "it does not know this member"].map(
				(why) => `member 4d at http://127.0.0.1:9999: ${why}; member 4e at http://127.0.0.1:8888: ${why}`,
			),
		);
		// Six rounds, each after a longer wait than the one before: no more than some seconds.
		expect(machine.loop.nowMs).toBeGreaterThan(250 + 500 + 1_000 + 2_000 + 4_000);
		expect(machine.loop.nowMs).toBeLessThan(60_000);
	});

	test("that was removed meanwhile ends with the text of a removal, and its folder stays as it is", () => {
		const lost = member("removed");
		const machine = twin(lost, "removed");
		machine.givers = ["ECONNREFUSED", "removed"];
		expect(machine.boot(GROW)).toBe("removed");
		expect(machine.refusal?.text).toContain("the member has been permanently removed from the cluster");
		machine.givers = [lost.after];
		rejoins(machine, [...HELD, ...LATER]);
	});

	const spoils: Readonly<Record<string, (lost: Lost) => Image>> = {
		"ends before the log begins": ({ early }) => early,
		"is of another cluster": ({ after }) => withFloor(after, { clusterId: 5n }),
		"does not count this member": ({ after }) => withFloor(after, { confState: { ...floorOf(after).confState, voters: [OTHER.id] } }),
		"has another term where this log is committed": ({ before }) => withFloor(before, { term: floorOf(before).term + 1 }),
		"counts another number of records": ({ after }) => withFloor(after, { mark: { ...floorOf(after).mark, count: 3 } }),
		"has another digest of its tables": ({ after }) => withFloor(after, { tableDigest: 1 }),
		"breaks off": ({ after }) => after.slice(0, -1),
		"lacks its rows": ({ after }) => after.filter((_, at) => at !== 1),
		"lacks its records": ({ after }) => after.filter((_, at) => at !== after.length - 2),
		"lacks its head": ({ after }) => after.slice(1),
		"was damaged on the way": ({ after }) => after.map((part, at) => (at === 2 ? part.with(40, (part[40] as number) ^ 1) : part)),
	};
	test.each(Object.entries(spoils))("does not take a state that %s, asks on, and keeps nothing of it", (_name, spoil) => {
		const lost = member("spoilt");
		const machine = twin(lost, "spoilt");
		machine.givers = [spoil(lost), lost.after];
		machine.begin(GROW);
		machine.runUntil(() => machine.askedForState.length === 2);
		expect(machine.events.filter(({ name }) => name === "stateAwaited").length).toBe(1);
		machine.runUntil(() => machine.booted !== null);
		machine.crash("process");
		rejoins(machine, [...HELD, ...LATER]);
	});

	test("is refused as before where nobody else was ever a member, where nobody can be asked, and where it is to go on alone", () => {
		const lost = member("refused");
		const cannotAsk = twin(lost, "cannot ask");
		expect(cannotAsk.boot(GROW)).toBe("storeMismatch");
		expect(cannotAsk.refusal?.text).toMatch(
			/start the member while another one runs, and it takes the state from there; or restore the folder store\.1/,
		);
		const alone = twin(lost, "alone");
		alone.givers = [lost.after];
		expect(alone.boot({ ...GROW, forceNewCluster: true })).toBe("storeMismatch");
		const single = twin(lost, "single");
		const decoding = decodeFormat(single.disk.bytesOf(FORMAT_FILE));
		if (!decoding.ok) throw new Error(decoding.found);
		const { format } = decoding;
		single.disk.overwrite(FORMAT_FILE, encodeFormat({ ...format, initialMembers: format.initialMembers.slice(0, 1) }));
		single.givers = [lost.after];
		expect(single.boot(GROW)).toBe("storeMismatch");
		for (const { refusal, askedForState } of [alone, single]) {
			expect(askedForState).toEqual([]);
			expect(refusal?.text).toMatch(
				/Log and votes are left as they are: restore the folder store\.1 from a copy, or: .*\(flotilla snapshot restore\)\.$/,
			);
		}
	});

	test.each(CRASHES)("and which dies at any step of that (%s) does it again from where it was", (kind) => {
		const lost = member("crash");
		const variants = [
			["kept", lost.machine.disk, lost.before],
			["replaced", lost.shorter, lost.after],
		] as const;
		for (const [log, disk, image] of variants) {
			const whole = twin(lost, `${log} whole`, disk);
			whole.givers = [image];
			whole.boot(GROW);
			expect(whole.up.report.fetched?.log).toBe(log);
			const { steps } = whole.loop;
			expect(steps).toBeGreaterThan(40);
			for (let at = 1; at <= steps; at++) {
				const machine = twin(lost, `${log} ${kind} ${at}`, disk);
				const { term, vote } = voteOf(machine);
				machine.givers = [image];
				machine.begin(GROW);
				for (let step = 0; step < at; step++) machine.loop.step();
				machine.crash(kind);
				const after = voteOf(machine);
				expect(after.term > term || after.vote === vote, `the vote after step ${at}`).toBe(true);
				expect(machine.boot(GROW), `after step ${at}: ${machine.refusal?.text}`).toBe(null);
				machine.serve(GROW);
				for (const key of ["held 0", "held 119", "later 0", "later 29"])
					expect(machine.get(key), `${key} after step ${at}`).toBe(`value of ${key}`);
				expect(machine.stores.size).toBe(1);
			}
		}
	});
});

describe("which states may take the place of a store", () => {
	/** Entries 10 of term 3 to 20 of term 5, committed up to 15. */
	const recovered = { firstIndex: 10, lastIndex: 20, lastTerm: 5, hardState: { term: 7, vote: 2n, commit: 15 } } as unknown as RecoveredLog;
	const log = { recovered, termAt: (index: number) => (index < 9 || index > 20 ? null : index < 14 ? 3 : 5) };
	const fit = (appliedIndex: number, term: number, of = log) => {
		const found = fitOf({ appliedIndex, term } as FloorRecord, of);
		return found.ok ? found.log : found.reason;
	};

	test.each([
		[8, 3, /applied entries up to 8 only, 9 are needed/],
		[9, 3, /^kept$/],
		[9, 4, /both are committed/],
		[13, 3, /^kept$/],
		[13, 5, /both are committed/],
		[15, 6, /both are committed/],
		[16, 5, /^kept$/],
		[16, 6, /^replaced$/],
		[20, 5, /^kept$/],
		[20, 6, /^replaced$/],
		[21, 5, /^replaced$/],
		[900, 9, /^replaced$/],
	])("one at entry %i of term %i", (index, term, says) => {
		expect(fit(index, term)).toMatch(says);
	});

	test("the past of a log may have lost its term, and was committed all the same", () => {
		const forgetful = { recovered, termAt: (index: number) => (index === 9 ? null : log.termAt(index)) };
		expect(fit(9, 3, forgetful)).toBe("kept");
		const unwritten = { ...log, recovered: { ...recovered, hardState: { ...recovered.hardState, commit: 3 } } };
		expect(fit(9, 4, unwritten)).toMatch(/both are committed/);
	});

	test("neither term nor vote nor commit ever fall", () => {
		const before = { term: 7, vote: 2n, commit: 15 };
		expect(hardStateAt({ appliedIndex: 30, term: 6 } as FloorRecord, before)).toEqual({ term: 7, vote: 2n, commit: 30 });
		expect(hardStateAt({ appliedIndex: 30, term: 7 } as FloorRecord, before)).toEqual({ term: 7, vote: 2n, commit: 30 });
		expect(hardStateAt({ appliedIndex: 30, term: 8 } as FloorRecord, before)).toEqual({ term: 8, vote: 0n, commit: 30 });
	});
});
