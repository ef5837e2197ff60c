/** The leader's desk for changes of the members: what it takes, judges and proposes, and in which order. */
import { type Consensus, decodeConfChange, encodeConfChange, type MembershipRequest, type ProposeResult } from "@flotilla/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { CommandKind } from "./calls.ts";
import { EnvelopeReader } from "./envelope.ts";
import { Leadership } from "./leadership.ts";
import { decodeMember, readContext } from "./member-codec.ts";
import { MemberTable } from "./member-table.ts";
import type { MemberInfo } from "./members.ts";
import { encodeMembershipChange, type MembershipChange } from "./membership.ts";
import { MembershipDesk } from "./membership-desk.ts";
import type { MembershipAsk, MembershipRefused } from "./messages.ts";
import type { StateMachine } from "./state-machine.ts";

const SELF = 1n;
const TERM = 4;
const LIVES_MAX = 1_024;

let members: MemberTable;
let leadership: Leadership;
let desk: MembershipDesk;
let refused: MembershipRefused[];
let core: {
	membershipReady: boolean;
	answer: ProposeResult;
	proposed: string[];
	contexts: Array<{ readonly incarnation: number; readonly sequence: number }>;
	/** Of the learner that is to be promoted. */
	match: number;
};

function memberOf(id: bigint, more: Partial<MemberInfo> = {}): MemberInfo {
	return { id, name: `m${id}`, peerUrls: [`http://m${id}`], clientUrls: [], learner: false, ...more };
}

beforeEach(() => {
	members = new MemberTable();
	for (const id of [1n, 2n, 3n, 4n, 5n]) members.set(memberOf(id));
	leadership = new Leadership(SELF, TERM);
	leadership.update({ role: "leader", leader: SELF, term: TERM }, 0);
	refused = [];
	const rules = { strictReconfigCheck: true, maxLearners: 1 };
	desk = new MembershipDesk(rules, leadership, { members } as unknown as StateMachine, (message) => void refused.push(message));
	core = { membershipReady: true, answer: { ok: true, firstIndex: 10, term: TERM }, proposed: [], contexts: [], match: 100 };
});

/** Runs the desk as a turn does. */
function run(appliedIndex = 9): boolean {
	const { membershipReady } = core;
	return desk.run(
		{
			membershipReady,
			proposeMembership: (request: MembershipRequest) => propose(request),
			propose: ([payload]: readonly Uint8Array[]) => proposeUpdate(payload as Uint8Array),
			status: () => ({ peers: [{ id: 6n, match: core.match }], stable: 100 }),
		} as unknown as Consensus,
		appliedIndex,
	);
}

function propose(request: MembershipRequest): ProposeResult {
	if (!core.answer.ok) return core.answer;
	// As it would come back from the log.
	const { changes, context } = decodeConfChange(encodeConfChange(request)) as MembershipRequest;
	core.proposed.push(changes.map(({ op, node }) => `${op} ${node}`).join(", "));
	core.contexts.push(readContext(context));
	return core.answer;
}

function proposeUpdate(payload: Uint8Array): ProposeResult {
	if (!core.answer.ok) return core.answer;
	const envelope = new EnvelopeReader();
	envelope.open(payload, 1);
	expect(envelope.kind).toBe(CommandKind.memberUpdate);
	const { id, peerUrls } = decodeMember(envelope.payload);
	core.proposed.push(`update ${id} ${peerUrls.join()}`);
	core.contexts.push({ incarnation: envelope.incarnation, sequence: envelope.sequence });
	return core.answer;
}

function ask(change: MembershipChange, more: Partial<MembershipAsk> = {}): void {
	const base = { kind: "membershipAsk", from: 2n, to: SELF, term: TERM, incarnation: 70, sequence: 1 } as const;
	desk.take({ ...base, ...more, change: encodeMembershipChange(change) });
}

const removal = (id: bigint): MembershipChange => ({ kind: "remove", id });
const update = (id: bigint, url: string): MembershipChange => ({ kind: "update", id, peerUrls: [url] });
/** As apply would do. */
const applied = (id: bigint): void => members.change([{ op: "remove", node: id }], []);

describe("a request", () => {
	test("goes into the log with the name of whoever asked", () => {
		ask(removal(5n), { incarnation: 70, sequence: 3 });
		expect(run()).toBe(true);
		expect([core.proposed, core.contexts]).toMatchObject([["remove 5"], [{ incarnation: 70, sequence: 3 }]]);
		expect(run()).toBe(false);
	});

	test("that comes again, or behind a later one of its process life, is not taken again (rule F2)", () => {
		ask(removal(5n), { sequence: 3 });
		ask(removal(5n), { sequence: 3 });
		expect(run()).toBe(true);
		ask(removal(5n), { sequence: 3 });
		ask(removal(4n), { sequence: 2 });
		run();
		expect([core.proposed, refused]).toEqual([["remove 5"], []]);
	});

	test("that was refused is told so again when it comes again, whatever the members are by then", () => {
		ask(removal(9n), { sequence: 3 });
		expect(run()).toBe(false);
		members.set(memberOf(9n));
		ask(removal(9n), { sequence: 3 });
		run();
		expect(core.proposed).toEqual([]);
		const told = { kind: "membershipRefused", from: SELF, to: 2n, term: TERM, incarnation: 70, sequence: 3, reason: "memberNotFound" };
		expect(refused).toEqual([told, told]);
	});

	test("of another term, or to a member that does not lead, is not taken", () => {
		ask(removal(5n), { term: TERM - 1 });
		ask(removal(5n), { term: TERM + 1 });
		run();
		leadership.update({ role: "follower", leader: 2n, term: TERM }, 0);
		ask(removal(5n));
		leadership.update({ role: "leader", leader: SELF, term: TERM }, 0);
		run();
		expect([core.proposed, refused]).toEqual([[], []]);
	});

	test("that is no change at all is nobody's", () => {
		desk.take({
			...{ kind: "membershipAsk", from: 2n, to: SELF, term: TERM, incarnation: 70, sequence: 1 },
			change: Uint8Array.of(255, 255),
		});
		expect([run(), core.proposed, refused]).toEqual([false, [], []]);
	});

	test("is taken of so many process lives in one term, and again in the next", () => {
		for (let life = 1; life <= LIVES_MAX; life++) ask(removal(9n), { incarnation: life });
		ask(removal(5n), { incarnation: LIVES_MAX + 1 });
		run();
		expect([refused.length, core.proposed]).toEqual([LIVES_MAX, []]);
		desk.onLeadership();
		ask(removal(5n), { incarnation: LIVES_MAX + 1 });
		run();
		expect(core.proposed).toEqual(["remove 5"]);
	});

	test("that waits when the term ends is forgotten: its origin asks the next leader, and would be answered twice", () => {
		ask(removal(5n), { sequence: 3 });
		desk.onLeadership();
		expect(run()).toBe(false);
		// The same leader, in another term: the origin asks under the number that it had.
		ask(removal(5n), { sequence: 3 });
		expect(run()).toBe(true);
		expect(core.proposed).toEqual(["remove 5"]);
	});
});

describe("requests", () => {
	test("are judged in the order in which they came, each when the one before it is in the table", () => {
		ask(removal(5n), { incarnation: 70 });
		ask(removal(5n), { incarnation: 80 });
		ask(removal(4n), { incarnation: 90 });
		expect(run()).toBe(true);
		core.membershipReady = false;
		expect(run()).toBe(false);
		expect([core.proposed, refused]).toEqual([["remove 5"], []]);
		applied(5n);
		core.membershipReady = true;
		expect(run()).toBe(true);
		expect(core.proposed).toEqual(["remove 5", "remove 4"]);
		expect(refused).toMatchObject([{ incarnation: 80, reason: "memberNotFound" }]);
	});

	test("behind new addresses wait until those are applied, though the core is ready: they are no configuration", () => {
		ask(update(5n, "http://new"), { incarnation: 70 });
		ask(update(4n, "http://new"), { incarnation: 80 });
		expect(run(9)).toBe(true);
		expect(run(9)).toBe(false);
		expect([core.proposed, refused]).toEqual([["update 5 http://new"], []]);
		members.update(5n, ["http://new"]);
		expect(run(10)).toBe(false);
		expect(refused).toMatchObject([{ incarnation: 80, reason: "peerUrlExists" }]);
		expect(core.proposed.length).toBe(1);
	});

	test("that the core cannot take now stay where they are", () => {
		for (const reason of ["noLeader", "transferring", "notMember", "overloaded", "pendingConfig", "notReady"] as const) {
			core.answer = { ok: false, reason };
			ask(removal(5n), { sequence: core.proposed.length + 1 });
			expect(run()).toBe(false);
			core.answer = { ok: true, firstIndex: 10, term: TERM };
			expect(run()).toBe(true);
		}
		expect([core.proposed.length, refused]).toEqual([6, []]);
	});

	test("that the core will never take are refused", () => {
		for (const [reason, told] of [
			["badConfig", "notEnoughStartedMembers"],
			["tooLarge", "requestTooLarge"],
		] as const) {
			core.answer = { ok: false, reason };
			ask(removal(5n), { sequence: refused.length + 1 });
			expect(run()).toBe(false);
			expect(refused.at(-1)?.reason).toBe(told);
		}
	});

	test("to promote a learner wait for nothing and are refused while it lacks a tenth of the log", () => {
		members.set(memberOf(6n, { learner: true }));
		core.match = 89;
		ask({ kind: "promote", id: 6n }, { sequence: 1 });
		run();
		expect(refused).toMatchObject([{ reason: "learnerNotReady" }]);
		core.match = 90;
		ask({ kind: "promote", id: 6n }, { sequence: 2 });
		run();
		expect(core.proposed).toEqual(["addVoter 6"]);
	});
});
