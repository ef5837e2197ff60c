/** Rule N6: a state that another member sent takes the place of this one's, whole, in one turn, or not at all. */
import { Entry, EntryKind, type ReadToken, type SnapshotMessage } from "@flotilla/raft";
import { describe, expect, test } from "vitest";
import { AlarmAction, AlarmType, CommandKind, encodeAlarmCommand, type ReceivedState, type ReplicaOptions } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { deleteBytes, pairOf, rangeOf } from "./world/requests.ts";
import { World } from "./world/world.ts";

interface Scene {
	readonly world: World;
	readonly leader: Member;
	/** Follows, and is about to be cut off. */
	readonly behind: Member;
}

function scene(seed: string, options: Partial<ReplicaOptions> = {}): Scene {
	const world = new World(seed, options).up();
	world.settle();
	return { world, leader: world.theLeader, behind: world.followers[0] as Member };
}

function cutOff({ world, behind }: Scene): void {
	for (const { id } of world.members) if (id !== behind.id) world.network.cut(behind.id, id);
}

/** What the leader would send now, as the receiver's driver hands it over. */
function sentBy({ world, leader, behind }: Scene): { readonly message: SnapshotMessage; readonly received: ReceivedState } {
	const { floors } = leader;
	leader.wantFloor();
	world.until("the leader has a floor", () => leader.floors > floors);
	const { restoredLog, store, tables } = leader.disk.restore();
	const { term } = leader.replica.status().core;
	const meta = { ...restoredLog.base, generation: "2" };
	return { message: { kind: "snapshot", from: leader.id, to: behind.id, term, meta }, received: { store, tables } };
}

function textAt({ replica }: Member, key: string): string | null {
	const result = replica.store.range(rangeOf(key));
	if (!("kvs" in result)) return null;
	const [pair] = result.kvs;
	return pair === undefined ? null : pairOf(pair).value;
}

/** Everything besides the key space that a client may ask for. */
const tablesOf = ({ replica }: Member) => ({
	members: replica.members,
	alarms: replica.alarms,
	version: replica.status().clusterVersion,
	leases: [...replica.store.leases.ids()],
});

function write(world: World, member: Member, count: number): void {
	for (let n = 0; n < count; n++) expect(world.outcomeOf(world.put(member, `k${n}`, `new ${n}`))).toMatchObject({ ok: true });
}

describe("a state that is behind nothing of this member's", () => {
	test("brings key space, tables, index and digest together, before anything else is done", () => {
		const all = scene("whole", { strictReconfigCheck: false });
		const { world, leader, behind } = all;
		expect(world.outcomeOf(world.put(leader, "k0", "old"))).toMatchObject({ ok: true });
		const learner = { id: 9n, name: "", peerUrls: ["http://nine"], clientUrls: [], learner: true };
		expect(world.outcomeOf(world.change(leader, { kind: "add", member: learner }))).toEqual({ ok: true });
		world.settle();
		cutOff(all);
		write(world, leader, 5);
		// What is gone there must be gone here.
		expect(world.outcomeOf(world.change(leader, { kind: "remove", id: 9n }))).toEqual({ ok: true });
		expect(world.outcomeOf(world.grant(leader, 7n, 60))).toMatchObject({ ok: true });
		const alarm = encodeAlarmCommand({ action: AlarmAction.activate, member: leader.id, alarm: AlarmType.noSpace });
		expect(world.outcomeOf(world.write(leader, CommandKind.alarm, alarm))).toMatchObject({ ok: true });
		expect(world.outcomeOf(world.change(leader, { kind: "update", id: behind.id, peerUrls: ["http://moved"] }))).toEqual({ ok: true });
		const { message, received } = sentBy(all);
		expect(textAt(behind, "k0")).toBe("old");
		// A floor that was looked at just now has taken deletions out of the former store: they mean nothing to the new one.
		behind.replica.store.takeBatch = () => ({ seq: 1_000, puts: [], deletes: [Uint8Array.of(1)], bytes: 1 });
		expect(behind.replica.captureFloor()).not.toBe(null);
		expect(behind.replica.installSnapshot(message, received)).toBe(true);
		expect(tablesOf(behind)).toEqual(tablesOf(leader));
		expect(behind.replica.alarms.length).toBe(1);
		expect(behind.replica.members.find(({ id }) => id === behind.id)?.peerUrls).toEqual(["http://moved"]);
		expect([textAt(behind, "k0"), textAt(behind, "k4")]).toEqual(["new 0", "new 4"]);
		expect(behind.replica.store.revision).toBe(leader.replica.store.revision);
		const { appliedIndex, core } = behind.replica.status();
		expect([appliedIndex, core.commit, core.firstIndex]).toEqual([message.meta.index, message.meta.index, message.meta.index + 1]);
		expect(behind.replica.stateDigest()).toBe(leader.replica.stateDigest());
		// The transport hears of the new addresses in the turn of the marker.
		const output = behind.replica.drain();
		expect([output.membersChanged, output.appends.map(({ snapshot }) => snapshot?.index)]).toEqual([true, [message.meta.index]]);
		expect(output.batches).toEqual([]);
	});

	test("ends what may lie in the skipped range as unknown: writes and changes of the members on their way (rule F5)", () => {
		const all = scene("on their way");
		const { world, leader, behind } = all;
		world.network.drop = ({ kind }) => kind === "forward" || kind === "membershipAsk";
		const write1 = world.put(behind, "mine", "1");
		const change = world.change(behind, { kind: "update", id: leader.id, peerUrls: ["http://moved"] });
		world.run(20);
		cutOff(all);
		world.network.drop = () => false;
		write(world, leader, 5);
		const { message, received } = sentBy(all);
		expect([write1.outcome, change.outcome]).toEqual([null, null]);
		expect(behind.replica.installSnapshot(message, received)).toBe(true);
		const told = behind.replica.drain().completions.map(({ call, outcome }) => [call, outcome]);
		const unknown = { ok: false, fault: "outcomeUnknown" };
		expect(told).toEqual([
			[write1.call, unknown],
			[change.call, unknown],
		]);
	});

	test("lets a read be asked for again that its leader refused before an entry of its term was applied", () => {
		const all = scene("refused");
		const { world, leader, behind } = all;
		const asked: ReadToken[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "readIndex" && message.from === behind.id) asked.push(message.token);
		};
		world.network.drop = ({ kind }) => kind === "readIndex";
		world.read(behind);
		world.until("it has asked", () => asked.length > 0);
		behind.pause();
		cutOff(all);
		write(world, leader, 5);
		const { message, received } = sentBy(all);
		const { term } = message;
		const asks = (): number => behind.replica.drain().send.filter(({ kind }) => kind === "readIndex").length;
		for (const token of asked) behind.replica.receive({ kind: "readIndexResp", from: leader.id, to: behind.id, term, token, index: 0 });
		// Not at once: that leader would refuse it again. It is asked when an entry of its term is applied.
		expect(asks()).toBe(0);
		expect(behind.replica.installSnapshot(message, received)).toBe(true);
		expect(asks()).toBe(1);
	});

	test("ends the wait for a comparison in the skipped range: the next one is answered", () => {
		const all = scene("compared");
		const { world, leader, behind } = all;
		cutOff(all);
		write(world, leader, 5);
		const { message, received } = sentBy(all);
		const { replica } = behind;
		const { index } = message.meta;
		const base = { from: leader.id, to: behind.id, term: message.term };
		/** A turn, and another one when what it gave to the disk is written. */
		const answers = (): number[] => {
			const { appends, send } = replica.drain();
			for (const { seq } of appends) replica.onPersisted(seq);
			return [...send, ...replica.drain().send].flatMap((sent) => (sent.kind === "digest" ? [sent.appliedIndex] : []));
		};
		replica.receive({ kind: "digest", ...base, appliedIndex: index - 1, digest: 1 });
		expect(replica.installSnapshot(message, received)).toBe(true);
		expect(answers()).toEqual([]);
		replica.receive({ kind: "digest", ...base, appliedIndex: index + 1, digest: 1 });
		const entries = [new Entry(index + 1, message.term, EntryKind.normal, new Uint8Array(0))];
		const { term: prevTerm } = message.meta;
		replica.receive({ kind: "append", ...base, prevIndex: index, prevTerm, commit: index + 1, entries });
		expect(answers()).toEqual([index + 1]);
	});

	test("takes the place of entries that wait to be applied, and the next one follows it", () => {
		const all = scene("waiting", { unstoredBytesMax: 0 });
		const { world, leader, behind } = all;
		behind.slowStoreUs = 60_000_000;
		write(world, leader, 8);
		world.until("entries wait there", () => {
			const { appliedIndex, core } = behind.replica.status();
			return core.commit >= appliedIndex + 4;
		});
		cutOff(all);
		write(world, leader, 3);
		const { message, received } = sentBy(all);
		expect(behind.replica.installSnapshot(message, received)).toBe(true);
		behind.replica.drain();
		expect(behind.replica.status().appliedIndex).toBe(message.meta.index);
		expect(behind.replica.stateDigest()).toBe(leader.replica.stateDigest());
	});

	test("takes the place of a change that is applied in part", () => {
		const KEYS = 2_000;
		const all = scene("midway", { applySliceKeys: 1, pendingCallsMax: 2 * KEYS });
		const { world, leader, behind } = all;
		const puts = Array.from({ length: KEYS }, (_, n) => world.put(leader, `k${n}`, "v"));
		for (const call of puts) world.outcomeOf(call);
		world.settle();
		const deletion = world.write(leader, CommandKind.deleteRange, deleteBytes("k", "l"));
		world.until("it is in the middle", () => behind.replica.stateDigest() === null);
		behind.pause();
		cutOff(all);
		expect(world.outcomeOf(deletion)).toMatchObject({ ok: true });
		expect(world.outcomeOf(world.put(leader, "y", "1"))).toMatchObject({ ok: true });
		const { message, received } = sentBy(all);
		expect(behind.replica.stateDigest()).toBe(null);
		expect(behind.replica.installSnapshot(message, received)).toBe(true);
		behind.replica.drain();
		expect(behind.replica.stateDigest()).toBe(leader.replica.stateDigest());
	});
});

describe("a state that this member does not need", () => {
	test("changes nothing, whether it has applied that entry or only holds it (rule N4)", () => {
		const all = scene("not needed");
		const { world, leader, behind } = all;
		write(world, leader, 3);
		const early = sentBy(all);
		// Nobody tells it that the last entry is committed.
		world.network.drop = ({ kind, to }) => to === behind.id && kind === "heartbeat";
		write(world, leader, 3);
		world.settle();
		cutOff(all);
		const before = [behind.replica.status().appliedIndex, behind.replica.stateDigest(), behind.replica.store] as const;
		expect(early.message.meta.index).toBeLessThan(before[0]);
		expect(behind.replica.installSnapshot(early.message, early.received)).toBe(false);
		const { completions, appends } = behind.replica.drain();
		expect([completions, appends.filter(({ snapshot }) => snapshot !== null)]).toEqual([[], []]);
		expect([behind.replica.status().appliedIndex, behind.replica.stateDigest()]).toEqual([before[0], before[1]]);
		expect(behind.replica.store).toBe(before[2]);
	});
});
