import { portableBytes } from "@flotilla/base";
import { LeaseTable } from "@flotilla/mvcc";
import type { AppendWork } from "@flotilla/raft";
import { describe, expect, test } from "vitest";
import { AlarmAction, AlarmTable, decodeAlarmCommand, encodeAlarmCommand } from "./alarms.ts";
import { AuthTable } from "./auth/auth-table.ts";
import { CommandKind } from "./calls.ts";
import { Connections } from "./connections.ts";
import { DurableTerm } from "./durable-term.ts";
import { EnvelopeEncoder, EnvelopeReader } from "./envelope.ts";
import { Leadership } from "./leadership.ts";
import { decodeMember, decodeMembershipContext, encodeMember, encodeMembershipContext } from "./member-codec.ts";
import { MemberTable } from "./member-table.ts";
import { AlarmType, type MemberInfo } from "./members.ts";
import { proposalBytes } from "./request-size.ts";
import { bootstrapTables, loadTables, tableDigest, tableRows } from "./tables.ts";
import { Timeouts } from "./timeouts.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

const MEMBER: MemberInfo = {
	id: 2n ** 64n - 1n,
	name: "größe",
	peerUrls: ["http://a", "http://b"],
	clientUrls: ["http://c"],
	learner: true,
};

describe("envelopes", () => {
	const content = { kind: CommandKind.put, sequence: 2 ** 40 + 3, user: "jörg", authRevision: 2 ** 33, payload: Uint8Array.of(1, 2, 3) };

	test("come back as they were written, the payload untouched", () => {
		const [plain, signed] = new EnvelopeEncoder(2n ** 64n - 2n, 2 ** 52 + 1).encode([{ ...content, user: "" }, content]);
		const reader = new EnvelopeReader();
		for (const [bytes, user] of [
			[plain, ""],
			[signed, "jörg"],
		] as const) {
			reader.open(bytes as Uint8Array, 1);
			const { kind, origin, incarnation, sequence, authRevision, payload } = reader;
			expect({ kind, sequence, user: reader.user, authRevision, payload }).toEqual({ ...content, user });
			expect([origin, incarnation]).toEqual([2n ** 64n - 2n, 2 ** 52 + 1]);
		}
	});

	test("that cannot be applied are refused whole, whatever is wrong with them", () => {
		const [bytes] = new EnvelopeEncoder(1n, 2).encode([content]) as [Uint8Array];
		const reader = new EnvelopeReader();
		for (let length = 0; length < 36; length++) expect(reader.tryOpen(bytes.subarray(0, length))).not.toBeNull();
		expect(reader.tryOpen(bytes.with(0, 2))).toContain("version");
		expect(reader.tryOpen(bytes.with(1, 200))).toContain("kind");
		expect(reader.tryOpen(bytes.with(3, 255))).toContain("user");
		expect(() => reader.open(bytes.with(0, 2), 9)).toThrow("version");
	});
});

describe("the durable term", () => {
	const frame = (seq: number, term: number): AppendWork => ({
		seq,
		hardState: { term, vote: 0n, commit: 1 },
		truncateFrom: 0,
		entries: [],
		snapshot: null,
		mustSync: true,
		release: [],
	});

	test("rises when the frame that carries it is durable, not when it is written", () => {
		const durable = new DurableTerm(3);
		durable.onAppend(frame(1, 3));
		durable.onAppend(frame(2, 5));
		durable.onAppend({ ...frame(3, 5), hardState: null });
		durable.onAppend(frame(4, 6));
		expect(durable.term).toBe(3);
		durable.onPersisted(1);
		expect(durable.term).toBe(3);
		durable.onPersisted(3);
		expect(durable.term).toBe(5);
		durable.onPersisted(4);
		expect(durable.term).toBe(6);
	});
});

describe("tables", () => {
	test("rows and memory say the same, in one order, with one digest", () => {
		const tables = {
			members: new MemberTable(),
			alarms: new AlarmTable(),
			leases: new LeaseTable(),
			users: new AuthTable(),
			clusterVersion: "3.6.0",
		};
		tables.members.set(MEMBER);
		tables.members.set({ ...MEMBER, id: 3n });
		tables.members.change([{ op: "remove", node: 3n }], []);
		tables.alarms.raise(MEMBER.id, AlarmType.corrupt);
		tables.alarms.raise(0n, AlarmType.noSpace);
		tables.leases.grant(5n, 60, 1);
		const rows = tableRows(tables);
		expect(rows.map(({ key }) => key)).toEqual([
			"alarms/0/1",
			"alarms/ffffffffffffffff/2",
			"leases/3cd",
			"members/ffffffffffffffff",
			"removed/3",
			"version/cluster",
		]);
		const loaded = {
			members: new MemberTable(),
			alarms: new AlarmTable(),
			leases: new LeaseTable(),
			users: new AuthTable(),
			clusterVersion: "",
		};
		loadTables([...rows].reverse(), loaded);
		expect(tableRows(loaded)).toEqual(rows);
		expect(loaded.members.members).toEqual([MEMBER]);
		expect([...loaded.members.removed]).toEqual([3n]);
		expect(loaded.leases.get(5n)).toEqual(tables.leases.get(5n));
		expect(tableDigest(portableBytes, [...rows].reverse())).toBe(tableDigest(portableBytes, rows));
		expect(tableDigest(portableBytes, rows.slice(1))).not.toBe(tableDigest(portableBytes, rows));
		expect(bootstrapTables([MEMBER])).toHaveLength(1);
	});

	test("members keep their attributes through changes of their part, and addresses stay unique", () => {
		const table = new MemberTable();
		table.change([{ op: "addLearner", node: 5n }], [{ ...MEMBER, id: 5n }]);
		expect(table.get(5n)).toEqual({ ...MEMBER, id: 5n, learner: true });
		table.change([{ op: "addVoter", node: 5n }], []);
		expect(table.get(5n)).toEqual({ ...MEMBER, id: 5n, learner: false });
		table.change([{ op: "addVoter", node: 6n }], []);
		expect(table.update(6n, ["http://b"])).toBe("peerUrlExists");
		expect(table.update(7n, ["http://x"])).toBe("memberNotFound");
		expect(table.update(6n, ["http://x"])).toBe("ok");
		expect(table.publish(7n, "x", [], 9)).toBeNull();
		// Which process life it was tells a member that lost its folder from one that was sent its own announcement.
		expect(table.publish(6n, "six", ["http://c"], 2 ** 53 - 1)).toEqual(table.get(6n));
		expect(decodeMember(encodeMember(table.get(6n) as MemberInfo))).toMatchObject({ id: 6n, name: "six", life: 2 ** 53 - 1 });
	});
});

describe("codecs of the tables", () => {
	test("members and their lists come back as they were written", () => {
		expect(decodeMember(encodeMember(MEMBER))).toEqual(MEMBER);
		const members = [MEMBER, { ...MEMBER, id: 1n, learner: false }];
		const origin = { incarnation: 2 ** 53 - 1, sequence: 2 ** 40 };
		expect(decodeMembershipContext(encodeMembershipContext(members, origin))).toEqual({ added: members, ...origin });
		expect(decodeMembershipContext(new Uint8Array(0))).toEqual({ added: [], incarnation: 0, sequence: 0 });
	});

	test("alarm commands come back; numbers without a meaning give none", () => {
		const command = { action: AlarmAction.deactivate, member: 2n ** 63n + 5n, alarm: AlarmType.corrupt };
		expect(decodeAlarmCommand(encodeAlarmCommand(command))).toEqual(command);
		expect(decodeAlarmCommand(encodeAlarmCommand({ ...command, action: 3 as never }))).toBeNull();
		expect(decodeAlarmCommand(encodeAlarmCommand({ ...command, alarm: 7 as never }))).toBeNull();
	});

	test("any bytes have one reading as UTF-8, and well-formed text survives", () => {
		for (const text of ["", "plain", "größe", "漢字", "🚢 fleet", "\u0000\u007f\u0080\u07ff\u0800\uffff"]) {
			expect(decodeUtf8(encodeUtf8(text))).toBe(text);
		}
		for (const bytes of [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
			expect(decodeUtf8(Uint8Array.from(bytes))).toContain("\ufffd");
		}
	});
});

describe("sizes", () => {
	// The largest put with a 1-byte key at the default limit: request = 3 + 4 + value bytes.
	test("reproduce etcd's boundary", () => {
		expect(proposalBytes(3 + 4 + 1_572_839, "", 0)).toBe(1_572_864);
		expect(proposalBytes(3 + 4 + 1_572_840, "", 0)).toBe(1_572_865);
	});

	test("count the user and the auth revision", () => {
		// root: tag, length, 4 bytes; revision: tag, 1 byte.
		expect(proposalBytes(100, "root", 5) - proposalBytes(100, "", 0)).toBe(8);
		expect(proposalBytes(100, "u".repeat(200), 5) - proposalBytes(100, "", 0)).toBe(1 + 2 + 200 + 2 + 1);
	});
});

describe("the guess at a time-out's cause", () => {
	const members = [1n, 2n, 3n].map((id) => ({ ...MEMBER, id, learner: false }));
	const at = (role: "leader" | "follower", leader: bigint, electedTick: number) => {
		const leadership = new Leadership(1n, 4);
		const connections = new Connections();
		leadership.update({ role, leader, term: 5 }, electedTick);
		return { connections, explain: (since: number) => new Timeouts(100, leadership, connections).explain(since, members) };
	};

	test("names the leader when it changed shortly after the request came", () => {
		expect(at("follower", 2n, 1_000).explain(900)).toBe("timeoutLeaderFailed");
		expect(at("follower", 2n, 1_000).explain(700)).toBe("timeout");
		expect(at("follower", 2n, 1_000).explain(1_001)).toBe("timeout");
	});

	test("names the connection to the leader when that broke meanwhile", () => {
		const { connections, explain } = at("follower", 2n, 10);
		connections.unreachable(2n);
		expect(explain(2_000)).toBe("timeoutConnectionLost");
		connections.connected(2n, 2_100);
		expect(explain(2_000)).toBe("timeoutConnectionLost");
		expect(explain(2_200)).toBe("timeout");
	});

	test("at the leader asks for a quorum of connections", () => {
		const { connections, explain } = at("leader", 1n, 10);
		connections.unreachable(2n);
		expect(explain(2_000)).toBe("timeout");
		connections.unreachable(3n);
		expect(explain(2_000)).toBe("timeoutConnectionLost");
	});
});
