import { marks } from "@flotilla/base";
import { describe, expect, test, vi } from "vitest";
import {
	AlarmAction,
	AlarmType,
	CommandKind,
	encodeAlarmCommand,
	type LeaseCall,
	type LeaseOutcome,
	type PeerMessage,
	type ReadCall,
	type ReadOutcome,
} from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { deleteBytes, leasedPutBytes, rangeOf, swapBytes } from "./world/requests.ts";
import { type Pending, World } from "./world/world.ts";

test("a deletion of very many keys is applied in slices: nothing of it is seen before its end, and nobody campaigns", () => {
	const KEYS = 5_000;
	const world = new World("large", { pendingCallsMax: 2 * KEYS }).up();
	const { theLeader: leader } = world;
	const { term } = leader.replica.status().core;
	world.grant(leader, 5n, 60);
	const puts = Array.from({ length: KEYS }, (_, at) => world.put(leader, `k${at}`, "v"));
	for (const call of puts) world.outcomeOf(call);
	world.settle();
	const keysAt = (member: Member): number => member.replica.store.keyCount;
	const sliced = new Map<Member, number>();
	const deleted = world.write(leader, CommandKind.deleteRange, deleteBytes("k", "l"));
	const later = world.put(leader, "later", "v");
	let looked: Pending<LeaseOutcome, LeaseCall> | null = null;
	world.until("all have applied it", () => {
		for (const member of world.members) {
			const { replica } = member;
			if (replica.stateDigest() !== null) continue;
			sliced.set(member, (sliced.get(member) ?? 0) + 1);
			const counted = replica.store.range({ ...rangeOf("k"), rangeEnd: Uint8Array.from([0x6c]), countOnly: true });
			expect([counted.ok && counted.count, replica.captureFloor()]).toEqual([KEYS, null]);
			if (member !== leader) continue;
			// What hangs on a lease is in between, too.
			looked ??= world.lease(leader, "look", 5n);
			expect([deleted.outcome, later.outcome, looked.outcome]).toEqual([null, null, null]);
		}
		return world.members.every((member) => keysAt(member) === 1);
	});
	for (const member of world.members) expect(sliced.get(member)).toBeGreaterThanOrEqual(2);
	expect(world.outcomeOf(deleted)).toMatchObject({ ok: true, command: { result: { deleted: KEYS } } });
	expect(world.outcomeOf(later)).toMatchObject({ ok: true });
	expect(looked).not.toBeNull();
	if (looked !== null) expect(world.outcomeOf<LeaseOutcome>(looked)).toMatchObject({ ok: true });
	world.settle();
	expect(new Set(world.members.map(({ replica }) => replica.stateDigest())).size).toBe(1);
	expect(world.theLeader.replica.status().core.term).toBe(term);
});

test("what a write asks to be read is read by the member that answers it, and by no other", () => {
	const world = new World("told to one").up();
	world.settle();
	const asked = world.followers[0] as Member;
	const txns = world.members.map(({ replica }) => vi.spyOn(replica.store, "txnSliced"));
	const deletions = world.members.map(({ replica }) => vi.spyOn(replica.store, "deleteRangeSliced"));
	world.outcomeOf(world.put(asked, "k", "v"));
	expect(world.outcomeOf(world.write(asked, CommandKind.txn, swapBytes("k", "v", "w")))).toMatchObject({ ok: true });
	// With prev_kv.
	const deletion = world.outcomeOf(world.write(asked, CommandKind.deleteRange, Uint8Array.from([...deleteBytes("k"), 0x18, 1])));
	expect(deletion).toMatchObject({ command: { result: { deleted: 1, prevKvs: [expect.anything()] } } });
	world.settle();
	const ofAsked = world.members.map((member) => [member === asked]);
	expect(txns.map(({ mock }) => mock.calls.map(([, told]) => told))).toEqual(ofAsked);
	expect(deletions.map(({ mock }) => mock.calls.map(([, told]) => told))).toEqual(ofAsked);
	expect(new Set(world.members.map(({ replica }) => replica.stateDigest())).size).toBe(1);
});

test("an answer that nobody begins to read is given up with the next turn, and clean-up goes on", () => {
	const KEYS = 600;
	const world = new World("dropped", { pendingCallsMax: 2 * KEYS }).up();
	const { theLeader: leader } = world;
	const { store } = leader.replica;
	for (const call of Array.from({ length: KEYS }, (_, at) => world.put(leader, `k${at}`, "v"))) world.outcomeOf(call);
	// With prev_kv: more pairs than a turn reads.
	const deletion = world.write(leader, CommandKind.deleteRange, Uint8Array.from([...deleteBytes("k", "l"), 0x18, 1]));
	const dropped = marks.answerDropped;
	expect(world.outcomeOf(deletion)).toMatchObject({ ok: true, command: { result: { op: expect.anything() } } });
	world.outcomeOf(world.put(leader, "later", "v"));
	expect(marks.answerDropped).toBe(dropped + 1);
	expect(store.openReads).toBe(0);
	world.settle();
	expect(new Set(world.members.map(({ replica }) => replica.stateDigest())).size).toBe(1);
});

test("what the leader says of a lease is handed on behind the entry that ends it, not in the middle: its keys are read in that moment", () => {
	const KEYS = 5_000;
	const world = new World("told", { pendingCallsMax: 2 * KEYS }).up();
	const { theLeader: leader } = world;
	const member = world.followers[0] as Member;
	world.outcomeOf(world.grant(leader, 5n, 60));
	const puts = Array.from({ length: KEYS }, (_, at) => world.write(leader, CommandKind.put, leasedPutBytes(`k${at}`, "v", 5n)));
	for (const call of puts) world.outcomeOf(call);
	world.settle();
	const late: PeerMessage[] = [];
	world.network.drop = (message) => message.kind === "leaseTold" && late.push(message) > 0;
	const look = world.lease(member, "look", 5n);
	world.until("the leader has answered", () => late.length > 0);
	world.revoke(leader, 5n);
	const midway = (): boolean => member.replica.stateDigest() === null;
	world.until("its end is applied in part", midway);
	member.deliver(late);
	world.until("it is told", () => look.outcome !== null);
	expect([look.outcome, midway(), member.replica.store.keyCount]).toMatchObject([{ ok: true, grantedTtl: 60 }, false, 0]);
});

test("a deletion that takes longer to apply than its client's time is answered all the same; what waits behind it is not sure", () => {
	const KEYS = 5_000;
	const world = new World("slow", { pendingCallsMax: 2 * KEYS, unstoredBytesMax: 0 }).up();
	const { theLeader: leader } = world;
	for (const call of Array.from({ length: KEYS }, (_, at) => world.put(leader, `k${at}`, "v"))) world.outcomeOf(call);
	world.settle();
	for (const member of world.members) member.slowStoreUs = 100_000;
	const deleted = world.write(leader, CommandKind.deleteRange, deleteBytes("k", "l"), 5);
	world.until("it is applied in part", () => leader.replica.stateDigest() === null);
	const behind = world.put(leader, "behind", "v", 5);
	expect(world.outcomeOf(behind)).toEqual({ ok: false, fault: "timeout" });
	expect(deleted.outcome).toBeNull();
	expect(world.outcomeOf(deleted)).toMatchObject({ ok: true, command: { result: { deleted: KEYS } } });
});

describe("limits", () => {
	test("a put passes up to etcd's size and not one byte more", () => {
		const world = new World("size").up();
		const { theLeader: leader } = world;
		expect(world.outcomeOf(world.put(leader, "k", new Uint8Array(1_572_839)))).toMatchObject({ ok: true });
		expect(world.outcomeOf(world.put(leader, "k", new Uint8Array(1_572_840)))).toEqual({ ok: false, fault: "requestTooLarge" });
	});

	test("no flag lets in what does not fit into an entry, at whichever member", () => {
		const world = new World("entry", { maxRequestBytes: 64 << 20 }).up();
		for (const member of [world.theLeader, world.followers[0] as Member]) {
			expect(world.outcomeOf(world.put(member, "k", new Uint8Array(2 << 20)))).toMatchObject({ ok: true });
			expect(world.outcomeOf(world.put(member, "k", new Uint8Array(16 << 20)), 1_000)).toEqual({ ok: false, fault: "requestTooLarge" });
		}
	});

	test("writes and reads beyond the bound are refused at once, and there is room again when some were answered", () => {
		const world = new World("bounds", { pendingCallsMax: 10 }).up();
		const member = world.followers[0] as Member;
		const writes = Array.from({ length: 15 }, (_, at) => world.put(member, "k", `v${at}`));
		const reads = Array.from({ length: 15 }, () => world.read(member));
		for (const call of [...writes, ...reads]) world.outcomeOf<unknown>(call);
		expect(writes.map(({ outcome }) => outcome?.ok)).toEqual([...Array(10).fill(true), ...Array(5).fill(false)]);
		expect(writes[14]?.outcome).toEqual({ ok: false, fault: "tooManyRequests" });
		expect(reads.map(({ outcome }) => outcome?.ok)).toEqual([...Array(10).fill(true), ...Array(5).fill(false)]);
		expect(world.outcomeOf(world.put(member, "k", "again"))).toMatchObject({ ok: true });
	});

	test("clients that leave free their places, even when nothing moves", () => {
		const world = new World("cancel", { pendingCallsMax: 10 }).up();
		world.settle();
		const member = world.followers[0] as Member;
		for (const other of world.members) if (other !== member) world.network.cut(member.id, other.id);
		world.until("it has given the leader up", () => member.replica.status().leader === 0n);
		for (let i = 0; i < 200; i++) {
			const write = world.put(member, "k", "gone");
			const read = world.read(member);
			world.run(1);
			member.input((machine) => {
				machine.cancel(write.call);
				machine.cancel(read.call);
			});
			world.run(1);
			expect([write.outcome, read.outcome]).toEqual([null, null]);
		}
		const write = world.put(member, "k", "stays");
		world.network.heal();
		expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		world.settle();
		expect([...world.written.values()]).toEqual(["stays"]);
	});

	test("payload bytes of waiting writes are bounded", () => {
		const world = new World("bytes", { pendingCallsMax: 1_000 }).up();
		world.settle();
		const member = world.theLeader;
		for (const each of world.members) each.holdDisk();
		const value = new Uint8Array(1_500_000);
		const writes = Array.from({ length: 100 }, () => world.put(member, "k", value));
		world.run(20);
		const refused = writes.filter(({ outcome }) => outcome !== null);
		expect(refused.length).toBe(100 - Math.floor((128 << 20) / 1_500_013));
		for (const { outcome } of refused) expect(outcome).toEqual({ ok: false, fault: "tooManyRequests" });
	});

	test("bytes of the requests of waiting reads are bounded", () => {
		const world = new World("read bytes", { pendingCallsMax: 1_000 }).up();
		world.settle();
		const member = world.followers[0] as Member;
		const others = world.members.filter((each) => each !== member);
		for (const each of others) world.network.cut(member.id, each.id);
		const ask = (): Pending<ReadOutcome, ReadCall> => world.read(member, () => {}, 0, 1_500_000);
		const room = Math.floor((128 << 20) / 1_500_000);
		const reads = Array.from({ length: 100 }, ask);
		world.run(5);
		const refused = { ok: false, fault: "tooManyRequests" };
		expect(reads.map(({ outcome }) => outcome)).toEqual(reads.map((_, at) => (at < room ? null : refused)));
		// Neither those that are given up nor those that are answered count any more.
		member.input((machine) => {
			for (const { call } of reads.slice(0, 10)) machine.cancel(call);
		});
		world.network.heal();
		for (const read of [...reads.slice(10, room), ...Array.from({ length: 10 }, ask)]) expect(world.outcomeOf(read)).toEqual({ ok: true });
		for (const read of Array.from({ length: room }, ask)) expect(world.outcomeOf(read)).toEqual({ ok: true });
	});

	test("a follower sends its leader no more than a window, and an overloaded leader less and less often", () => {
		const world = new World("window", { pendingCallsMax: 1_000 }).up();
		world.settle();
		const { theLeader: leader } = world;
		const [member] = world.followers as [Member, Member];
		for (const each of world.members) each.holdDisk();
		const value = new Uint8Array(1_400_000);
		const big = Array.from({ length: 60 }, () => world.put(leader, "k", value));
		world.run(20);
		let forwardedBytes = 0;
		let refusals = 0;
		world.network.onSend = (message) => {
			if (message.kind === "forward") forwardedBytes += message.envelopes.reduce((sum, { length }) => sum + length, 0);
			if (message.kind === "forwardRefused" && message.reason === "overloaded") refusals++;
		};
		const writes = Array.from({ length: 40 }, () => world.put(member, "k", value));
		world.run(20);
		expect(forwardedBytes).toBeGreaterThan(15 << 20);
		expect(forwardedBytes).toBeLessThan(19 << 20);
		world.run(1_000);
		// 12 batches at 0, 50, 150, 310 and 630 ms.
		expect(refusals).toBeGreaterThan(12);
		expect(refusals).toBeLessThanOrEqual(6 * 12);
		for (const each of world.members) each.releaseDisk();
		for (const write of [...big, ...writes]) expect(world.outcomeOf(write)).toMatchObject({ ok: true });
	});

	test("SC-086 entries that wait for the store hold apply back, and then writes are refused", () => {
		const world = new World("backlog", { unstoredBytesMax: 1_000, applyBacklogMax: 20, pendingCallsMax: 1_000 }, 1).up();
		const { theLeader: leader } = world;
		const { replica } = leader;
		const store = replica.store.batchStored.bind(replica.store);
		const held: number[] = [];
		replica.store.batchStored = (seq) => void held.push(seq);
		const writes = Array.from({ length: 100 }, (_, at) => world.put(leader, `k${at}`, "x".repeat(100)));
		world.run(50);
		expect(replica.store.unstoredBytes).toBeLessThan(2_000);
		expect(replica.status().core.commit - replica.status().appliedIndex).toBeGreaterThan(20);
		expect(world.outcomeOf(world.put(leader, "k", "v"))).toEqual({ ok: false, fault: "applyBacklog" });
		replica.store.batchStored = store;
		for (const seq of held) leader.input((machine) => machine.onStored(seq));
		for (const write of writes) expect(world.outcomeOf(write)).toMatchObject({ ok: true });
	});

	test("entries that are applied are let go of, though behind a slow store there are always others", () => {
		const world = new World("always", { unstoredBytesMax: 1_000, applyBacklogMax: 100_000, pendingCallsMax: 100_000 }, 1).up();
		const { theLeader: leader } = world;
		const { replica } = leader;
		const stored = replica.store.batchStored.bind(replica.store);
		const held: number[] = [];
		replica.store.batchStored = (seq) => void held.push(seq);
		const { applier } = replica as unknown as { applier: { readonly queue: readonly unknown[]; readonly waiting: boolean } };
		for (let i = 0; i < 200; i++) world.put(leader, `k${i}`, "x".repeat(100));
		world.run(20);
		let longest = 0;
		const before = replica.status().appliedIndex;
		for (let round = 0; round < 600; round++) {
			for (let i = 0; i < 8; i++) world.put(leader, `k${i}`, "x".repeat(100));
			const seq = held.shift();
			leader.input(() => {
				if (seq !== undefined) stored(seq);
			});
			world.run(2);
			const { commit } = replica.status().core;
			expect(applier.waiting).toBe(true);
			longest = Math.max(longest, applier.queue.length / (commit - replica.status().appliedIndex));
		}
		expect(replica.status().appliedIndex - before, "much was applied").toBeGreaterThan(1_000);
		expect(longest).toBeLessThan(3);
	});

	test("a stopping member takes nothing new and answers what it had proposed", () => {
		const world = new World("stop").up();
		const { theLeader: leader } = world;
		const proposed = world.put(leader, "k", "v");
		world.run(1);
		leader.input((machine) => machine.beginStop());
		const late = world.put(leader, "k", "late");
		expect(world.outcomeOf(late)).toEqual({ ok: false, fault: "stopped" });
		expect(world.outcomeOf(world.read(leader))).toEqual({ ok: false, fault: "stopped" });
		expect(world.outcomeOf(proposed)).toMatchObject({ ok: true });
	});
});

describe("alarms", () => {
	test("the quota refuses at the door, raises the alarm for that member, and the alarm refuses everywhere until it is cleared", () => {
		const world = new World("quota", { quotaBytes: 10_000 }).up();
		const [a, b] = world.members as [Member, Member];
		expect(world.outcomeOf(world.put(a, "k", "x".repeat(5_000)))).toMatchObject({ ok: true });
		expect(world.outcomeOf(world.put(a, "l", "x".repeat(5_000)))).toEqual({ ok: false, fault: "noSpace" });
		world.until("the alarm is raised", () => world.members.every((member) => member.replica.alarms.length === 1));
		expect(b.replica.alarms).toEqual([{ member: a.id, alarm: AlarmType.noSpace }]);
		expect(world.outcomeOf(world.put(b, "m", "small"))).toEqual({ ok: false, fault: "noSpace" });
		expect(world.outcomeOf(world.write(b, CommandKind.deleteRange, deleteBytes("k")))).toMatchObject({ ok: true });
		const clear = encodeAlarmCommand({ action: AlarmAction.deactivate, member: a.id, alarm: AlarmType.noSpace });
		expect(world.outcomeOf(world.write(b, CommandKind.alarm, clear))).toMatchObject({ ok: true });
		expect(world.outcomeOf(world.put(b, "m", "small"))).toMatchObject({ ok: true });
	});

	test("a write that reaches the quota at apply succeeds, and the alarm follows", () => {
		const world = new World("crossing", { quotaBytes: 1_200 }).up();
		const { theLeader: leader } = world;
		// Each alone fits at the door.
		const writes = Array.from({ length: 3 }, (_, at) => world.put(leader, `k${at}`, "x".repeat(600)));
		const outcomes = writes.map((write) => world.outcomeOf(write));
		expect(outcomes.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(2);
		world.until("the alarm is raised", () => leader.replica.alarms.some(({ alarm }) => alarm === AlarmType.noSpace));
	});

	test("get, activate, repeat and deactivate are as etcd answers them", () => {
		const world = new World("table").up();
		const { theLeader: leader } = world;
		const send = (action: AlarmAction, member: bigint, alarm: AlarmType): unknown => {
			const outcome = world.outcomeOf(world.write(leader, CommandKind.alarm, encodeAlarmCommand({ action, member, alarm })));
			return outcome.ok && outcome.command.kind === "alarm" ? outcome.command.alarms : outcome;
		};
		const { activate, deactivate, get } = AlarmAction;
		const corrupt = { member: 99n, alarm: AlarmType.corrupt };
		expect(send(activate, 99n, AlarmType.corrupt)).toEqual([corrupt]);
		expect(send(activate, 99n, AlarmType.corrupt)).toEqual([corrupt]);
		expect(send(activate, 0n, AlarmType.none)).toEqual([]);
		expect(send(get, 0n, AlarmType.none)).toEqual([corrupt]);
		expect(send(get, 0n, AlarmType.noSpace)).toEqual([]);
		expect(world.outcomeOf(world.put(leader, "k", "v"))).toEqual({ ok: false, fault: "corrupt" });
		expect(send(deactivate, 0n, AlarmType.corrupt)).toEqual([]);
		expect(send(deactivate, 99n, AlarmType.corrupt)).toEqual([corrupt]);
		expect(world.outcomeOf(world.put(leader, "k", "v"))).toMatchObject({ ok: true });
	});

	test("are part of the state's digest, and so is the cluster version", () => {
		const world = new World("digest", {}, 1).up();
		const { theLeader: leader } = world;
		world.until("the version is decided", () => leader.replica.status().clusterVersion !== "");
		const digests = new Set([leader.replica.stateDigest()]);
		for (const member of [1n, 2n]) {
			const command = { action: AlarmAction.activate, member, alarm: AlarmType.corrupt };
			world.outcomeOf(world.write(leader, CommandKind.alarm, encodeAlarmCommand(command)));
			digests.add(leader.replica.stateDigest());
		}
		expect(digests.size).toBe(3);
	});

	test("SC-100 a member whose state differs is found by its digest and named in a corrupt alarm (S7)", () => {
		const world = new World("corrupt").up();
		world.settle();
		const broken = world.followers[0] as Member;
		const digest = broken.replica.store.digest.bind(broken.replica.store);
		let differ = 0;
		world.ignoreDigests = true;
		broken.replica.store.digest = () => {
			differ++;
			return digest() ^ 1;
		};
		world.until("the alarm is raised", () => world.theLeader.replica.alarms.length === 1);
		expect(world.theLeader.replica.alarms).toEqual([{ member: broken.id, alarm: AlarmType.corrupt }]);
		expect(differ).toBeGreaterThan(0);
		expect(world.outcomeOf(world.put(world.theLeader, "k", "v"))).toEqual({ ok: false, fault: "corrupt" });
	});
});
