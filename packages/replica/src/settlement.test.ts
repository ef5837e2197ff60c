/** Rule C3 on this side of the core: who stays, who is told, and who may go, turn by turn. */
import type { Consensus, NodeId, Role } from "@flotilla/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { Leadership } from "./leadership.ts";
import { MemberTable } from "./member-table.ts";
import { Outbox } from "./outbox.ts";
import { Settlement } from "./settlement.ts";
import type { StateMachine } from "./state-machine.ts";

const SELF = 1n;
/** Where this member's last configuration stood when it started. */
const START = 5;
const REPEAT_TICKS = 100;

let members: MemberTable;
let state: { readonly members: MemberTable; addressesChanged: boolean };
let outbox: Outbox;
let leadership: Leadership;
let settlement: Settlement;
let settledCommit: number;
let tick: number;

function start(confIndex = START): void {
	settlement = new Settlement(leadership, state as unknown as StateMachine, outbox, confIndex);
}

beforeEach(() => {
	members = new MemberTable();
	for (const id of [1n, 2n, 3n]) members.set({ id, name: `m${id}`, peerUrls: [`http://m${id}`], clientUrls: [], learner: false });
	state = { members, addressesChanged: false };
	outbox = new Outbox();
	leadership = new Leadership(SELF, 2);
	settledCommit = 0;
	tick = 0;
	start();
});

function become(role: Role): void {
	leadership.update({ role, leader: role === "leader" ? SELF : 2n, term: 2 }, tick);
}

function remove(index: number, ...ids: NodeId[]): void {
	settlement.onConfiguration(index, ids);
	members.change(
		ids.map((node) => ({ op: "remove", node })),
		[],
	);
}

/** Ends a turn; whom it told of what. */
function turn(afterTicks = 1): string[] {
	tick += afterTicks;
	settlement.run({ settledCommit } as Consensus, tick);
	return outbox.take().send.map((message) => (message.kind === "configSettled" ? `${message.to}: ${message.index}` : message.kind));
}

const contacts = (): ReadonlySet<NodeId> => new Set(settlement.contacts.map(({ id }) => id));

describe("whom a change removed", () => {
	test("stays connected until it is settled, is told so with all others in that turn, and is turned away from then on", () => {
		become("leader");
		remove(7, 3n);
		settledCommit = 6;
		// What is settled so far is told now; the removal is not.
		expect(turn()).toEqual(["2: 6", "3: 6"]);
		expect([contacts(), [...settlement.removed], state.addressesChanged]).toEqual([new Set([1n, 2n, 3n]), [], false]);
		settledCommit = 7;
		expect(turn()).toEqual(["2: 7", "3: 7"]);
		expect([contacts(), [...settlement.removed], state.addressesChanged]).toEqual([new Set([1n, 2n]), [3n], true]);
		expect(turn()).toEqual([]);
	});

	test("two at once by two changes: the first stays as long as the second is not settled", () => {
		become("leader");
		remove(7, 3n);
		remove(8, 2n);
		settledCommit = 7;
		turn();
		expect(contacts()).toEqual(new Set([1n, 2n, 3n]));
		settledCommit = 8;
		turn();
		expect(contacts()).toEqual(new Set([1n]));
	});

	test("is no contact any more behind a state sent whole, which may have left out its departure", () => {
		remove(7, 3n);
		settlement.onInstalled(20);
		expect(contacts()).toEqual(new Set([1n, 2n]));
		turn();
		expect([...settlement.removed]).toEqual([]);
		settlement.advance(20, false);
		turn();
		expect([...settlement.removed]).toEqual([3n]);
	});
});

describe("a member that was removed itself", () => {
	test("goes when that is settled", () => {
		become("follower");
		remove(7, SELF);
		settlement.advance(6, false);
		expect(settlement.selfRemoved).toBe(false);
		settlement.advance(7, false);
		expect(settlement.selfRemoved).toBe(true);
	});

	test("does not go while it leads: its successor has to be there first", () => {
		become("leader");
		remove(7, SELF);
		settlement.advance(7, true);
		expect(settlement.selfRemoved).toBe(false);
		become("follower");
		expect(settlement.selfRemoved).toBe(true);
	});

	test("and was started anew since, knows no more than before what is settled", () => {
		members.change([{ op: "remove", node: SELF }], []);
		start(7);
		become("follower");
		expect(settlement.selfRemoved).toBe(false);
		settlement.advance(6, false);
		expect(settlement.selfRemoved).toBe(false);
		settlement.advance(7, false);
		expect(settlement.selfRemoved).toBe(true);
	});

	test("and learns it from a state sent whole, waits for word of that state's configuration", () => {
		become("follower");
		settlement.advance(START, false);
		members.change([{ op: "remove", node: SELF }], []);
		settlement.onInstalled(20);
		settlement.advance(19, false);
		expect(settlement.selfRemoved).toBe(false);
		settlement.advance(20, false);
		expect(settlement.selfRemoved).toBe(true);
	});

	test("goes at the word of any member that turns it away, whether it has heard of its removal or not", () => {
		settlement.turnedAway();
		expect(settlement.selfRemoved).toBe(true);
		// Nothing is settled by that for those that it knows: another change may be under way.
		expect(settlement.index).toBe(0);
		remove(7, SELF);
		settlement.turnedAway();
		expect(settlement.index).toBe(7);
	});
});

describe("word of what is settled", () => {
	test("is said by the leader as soon as it knows, and again once in a while", () => {
		become("leader");
		remove(7, 3n);
		settledCommit = 7;
		expect(turn()).toEqual(["2: 7", "3: 7"]);
		settledCommit = 9;
		expect(turn(REPEAT_TICKS - 1)).toEqual([]);
		expect(turn()).toEqual(["2: 9"]);
	});

	test("is said again at once when somebody came back who may have missed it", () => {
		become("leader");
		settledCommit = 7;
		turn();
		expect(turn()).toEqual([]);
		settlement.repeat();
		expect(turn()).toEqual(["2: 7", "3: 7"]);
	});

	test("is not passed on by those who were told", () => {
		become("follower");
		expect(turn()).toEqual([]);
		settlement.advance(7, false);
		expect(turn(2 * REPEAT_TICKS)).toEqual([]);
	});

	test("is said once by a leader that stepped down with it: nobody else may know yet", () => {
		become("leader");
		remove(7, SELF);
		turn();
		settlement.advance(7, true);
		become("follower");
		expect(turn()).toEqual(["2: 7", "3: 7"]);
		expect(turn(2 * REPEAT_TICKS)).toEqual([]);
	});

	test("never falls, whoever says less", () => {
		settlement.advance(9, false);
		settlement.advance(4, false);
		expect(settlement.index).toBe(9);
	});
});
