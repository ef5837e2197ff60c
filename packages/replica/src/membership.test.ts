import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { MemberTable } from "./member-table.ts";
import type { MemberInfo } from "./members.ts";
import { decodeMembershipChange, encodeMembershipChange, type MembershipChange } from "./membership.ts";
import { type Reachability, refusalOfChange, strictRefusal } from "./reconfig-rules.ts";

const MAX_ID = 2n ** 64n - 1n;

function member(id: bigint, more: Partial<MemberInfo> = {}): MemberInfo {
	return { id, name: `m${id}`, peerUrls: [`http://m${id}`], clientUrls: [], learner: false, ...more };
}

/** Voters 1 to n, of which the first have started. */
function voters(count: number, started = count): MemberInfo[] {
	return Array.from({ length: count }, (_, at) => member(BigInt(at + 1), at < started ? {} : { name: "" }));
}

function reach(steady: number): Reachability {
	return { steady: (id) => id <= BigInt(steady), reached: (id) => id <= BigInt(steady) };
}

const ADD: MembershipChange = { kind: "add", member: member(9n, { name: "" }) };
const ADD_LEARNER: MembershipChange = { kind: "add", member: member(9n, { name: "", learner: true }) };
const remove = (id: bigint): MembershipChange => ({ kind: "remove", id });

describe("changes on the wire", () => {
	const changes: MembershipChange[] = [
		{ kind: "add", member: member(MAX_ID, { name: "", peerUrls: ["http://a:1", "unix://b"], learner: true }) },
		remove(MAX_ID),
		{ kind: "promote", id: 1n },
		{ kind: "update", id: 2n, peerUrls: ["nonsense", "ünd"] },
	];

	test("come back as they were written", () => {
		for (const change of changes) expect(decodeMembershipChange(encodeMembershipChange(change))).toEqual(change);
	});

	test("that are cut or spoiled are none, or another sound change; nothing throws", () => {
		const dice = new Dice("changes");
		for (const change of changes) {
			const bytes = encodeMembershipChange(change);
			for (let length = 0; length < bytes.length; length++) decodeMembershipChange(bytes.subarray(0, length));
			for (let at = 0; at < bytes.length; at++) {
				const decoded = decodeMembershipChange(bytes.with(at, (bytes[at] as number) ^ dice.range(1, 255)));
				if (decoded !== null) expect(["add", "remove", "promote", "update"]).toContain(decoded.kind);
			}
		}
		expect(decodeMembershipChange(new Uint8Array(0))).toBeNull();
		expect(decodeMembershipChange(encodeMembershipChange({ kind: "add", member: member(0n) }))).toBeNull();
	});
});

describe("the strict check (etcd API, MemberAdd and MemberRemove)", () => {
	test.each([
		// started of so many voters, steady connections with this member's own: the verdict on one voter more
		[1, 1, 1, null],
		[1, 2, 2, "notEnoughStartedMembers"],
		[2, 2, 2, null],
		[2, 2, 1, "unhealthyCluster"],
		[2, 3, 3, "notEnoughStartedMembers"],
		[3, 3, 3, null],
		[3, 3, 2, "unhealthyCluster"],
		[3, 4, 4, null],
		[3, 4, 3, null],
		[5, 5, 4, null],
		[5, 5, 3, "unhealthyCluster"],
	] as const)("a voter more, %i of %i started, %i steady: %s", (started, count, steady, verdict) => {
		expect(strictRefusal(ADD, voters(count, started), reach(steady))).toBe(verdict);
	});

	test.each([
		[3, 3, 3, null],
		[3, 3, 2, "unhealthyCluster"],
		[2, 2, 2, null],
		[1, 1, 1, "notEnoughStartedMembers"],
		[2, 3, 3, "notEnoughStartedMembers"],
		[5, 5, 4, null],
		[5, 5, 3, "unhealthyCluster"],
	] as const)("the first voter less, %i of %i started, %i steady: %s", (started, count, steady, verdict) => {
		expect(strictRefusal(remove(1n), voters(count, started), reach(steady))).toBe(verdict);
	});

	test("who cannot be reached may go, and learners always", () => {
		expect(strictRefusal(remove(3n), voters(3), reach(2))).toBeNull();
		expect(strictRefusal(remove(9n), [...voters(3), member(9n, { learner: true })], reach(1))).toBeNull();
	});

	test("a learner needs steady connections and no started members; updates and promotions are not asked here", () => {
		expect(strictRefusal(ADD_LEARNER, voters(3, 1), reach(3))).toBeNull();
		expect(strictRefusal(ADD_LEARNER, voters(3), reach(1))).toBe("unhealthyCluster");
		expect(strictRefusal(ADD_LEARNER, voters(1), reach(0))).toBeNull();
		expect(strictRefusal({ kind: "update", id: 1n, peerUrls: [] }, voters(3, 0), reach(0))).toBeNull();
		expect(strictRefusal({ kind: "promote", id: 1n }, voters(3, 0), reach(0))).toBeNull();
	});
});

describe("the leader's judgement", () => {
	const rules = { strictReconfigCheck: true, maxLearners: 1 };

	function tableOf(members: readonly MemberInfo[], ...removed: bigint[]): MemberTable {
		const table = new MemberTable();
		for (const each of members) table.set(each);
		for (const id of removed) table.removed.add(id);
		return table;
	}

	test("SC-072 an id of the past comes before one in use, that before an address in use, that before too many learners", () => {
		const table = tableOf([...voters(2), member(3n, { learner: true })], 9n);
		const add = (id: bigint, url: string, learner: boolean): string | null =>
			refusalOfChange({ kind: "add", member: member(id, { peerUrls: [url], learner }) }, table, rules, () => true);
		expect(add(9n, "http://m1", true)).toBe("memberNotFound");
		expect(add(1n, "http://m2", true)).toBe("memberExists");
		expect(add(8n, "http://m2", true)).toBe("peerUrlExists");
		expect(add(8n, "http://m8", true)).toBe("tooManyLearners");
		expect(add(8n, "http://m8", false)).toBeNull();
	});

	test("a promotion: of nobody, of a voter, of one that lags, of one too many that never started", () => {
		const learner = member(3n, { learner: true });
		const promote = (id: bigint, members: readonly MemberInfo[], inSync = true, strict = true): string | null =>
			refusalOfChange({ kind: "promote", id }, tableOf(members), { ...rules, strictReconfigCheck: strict }, () => inSync);
		expect(promote(7n, voters(2))).toBe("memberNotFound");
		expect(promote(1n, voters(2))).toBe("memberNotLearner");
		expect(promote(3n, [...voters(2), learner], false)).toBe("learnerNotReady");
		expect(promote(3n, [...voters(2), learner])).toBeNull();
		expect(promote(3n, [...voters(2, 0), learner])).toBe("notEnoughStartedMembers");
		expect(promote(3n, [...voters(2, 0), learner], true, false)).toBeNull();
	});
});
