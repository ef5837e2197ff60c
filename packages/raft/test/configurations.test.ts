import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { changedConf, isWellFormed } from "../src/conf-change.ts";
import type { ConfState, MembershipOp, MembershipRequest, NodeId } from "../src/index.ts";
import { bootstrapPoint, decodeConfChange, decodeConfState, encodeConfChange, encodeConfState } from "../src/index.ts";
import { confAfter, describeConf } from "./sim/twin.ts";

function drawRequest(dice: Dice): MembershipRequest {
	const changes: { op: MembershipOp; node: NodeId }[] = [];
	for (let i = dice.range(0, 3); i > 0; i--)
		changes.push({ op: dice.pick(["addVoter", "addLearner", "remove"]), node: BigInt(dice.range(1, 6)) });
	const context = new Uint8Array(dice.range(0, 5)).fill(dice.range(0, 255));
	return { changes, transition: dice.pick(["auto", "jointImplicit", "jointExplicit"]), context };
}

function quorumsMeet(a: ConfState, b: ConfState): boolean {
	const ids = [...new Set([...a.voters, ...a.votersOutgoing, ...b.voters, ...b.votersOutgoing])];
	const wins = (conf: ConfState, mask: number) =>
		[conf.voters, conf.votersOutgoing].every(
			(half) => half.length === 0 || half.filter((id) => (mask >> ids.indexOf(id)) & 1).length * 2 > half.length,
		);
	const all = 2 ** ids.length;
	for (let mask = 0; mask < all; mask++) if (wins(a, mask) && wins(b, all - 1 - mask)) return false;
	return true;
}

test("SC-071 random changes: as the twin computes them, well-formed, and every quorum meets every quorum of the one before", () => {
	let changed = 0;
	for (let seed = 1; seed <= 150; seed++) {
		const dice = new Dice(seed);
		let conf = bootstrapPoint([1n, 2n, 3n].slice(0, dice.range(1, 3))).confState;
		for (let step = 0; step < 12; step++) {
			const request = drawRequest(dice);
			const next = changedConf(conf, request);
			if (next === null) continue;
			changed++;
			const where = `seed ${seed}: ${describeConf(conf)} to ${describeConf(next)}`;
			expect(describeConf(next), where).toBe(describeConf(confAfter(conf, request)));
			expect(isWellFormed(next), where).toBe(true);
			expect(quorumsMeet(conf, next), where).toBe(true);
			conf = next;
		}
	}
	expect(changed).toBeGreaterThan(300);
});

for (const [name, conf, changes] of [
	[
		"leaving nothing",
		"1|2",
		[
			["remove", 1n],
			["remove", 2n],
		],
	],
	["node 0", "1|2", [["addVoter", 0n]]],
	[
		"two things of one node",
		"1|2",
		[
			["addVoter", 3n],
			["remove", 3n],
		],
	],
	["leaving what is not joint", "1|2", []],
] as [string, string, [MembershipOp, NodeId][]][]) {
	test(`a change is refused that asks for ${name}`, () => {
		const { confState } = bootstrapPoint(conf.split("|").map(BigInt));
		const request: MembershipRequest = {
			changes: changes.map(([op, node]) => ({ op, node })),
			transition: "auto",
			context: new Uint8Array(0),
		};
		expect(changedConf(confState, request)).toBe(null);
	});
}

test("SC-066 a voter that becomes a learner in a joint configuration waits for its end", () => {
	const { confState } = bootstrapPoint([1n, 2n, 3n]);
	const demote: MembershipRequest = {
		changes: [
			{ op: "addLearner", node: 3n },
			{ op: "addVoter", node: 4n },
		],
		transition: "auto",
		context: new Uint8Array(0),
	};
	const joint = changedConf(confState, demote) as ConfState;
	expect(joint).toEqual({ voters: [1n, 2n, 4n], learners: [], votersOutgoing: [1n, 2n, 3n], learnersNext: [3n], autoLeave: true });
	expect(changedConf(joint, demote)).toBe(null);
	expect(changedConf(joint, { ...demote, changes: [] })).toEqual({
		voters: [1n, 2n, 4n],
		learners: [3n],
		votersOutgoing: [],
		learnersNext: [],
		autoLeave: false,
	});
});

test("SC-071 configurations and changes come back as they were written", () => {
	for (let seed = 1; seed <= 200; seed++) {
		const dice = new Dice(seed);
		const request = drawRequest(dice);
		const bytes = encodeConfChange(request);
		expect(decodeConfChange(bytes)).toEqual(request);
		const { confState } = bootstrapPoint([2n ** 64n - 1n, BigInt(dice.range(1, 9))]);
		const conf = changedConf(confState, request) ?? confState;
		expect(decodeConfState(encodeConfState(conf))).toEqual(conf);
	}
});

test("every cut and every damaged byte of a configuration is refused or read as another well-formed one", () => {
	const conf: ConfState = { voters: [1n, 300n], learners: [7n], votersOutgoing: [1n, 5n], learnersNext: [5n], autoLeave: true };
	const change = encodeConfChange({ changes: [{ op: "addVoter", node: 9n }], transition: "jointExplicit", context: Uint8Array.of(1, 2) });
	const bytes = encodeConfState(conf);
	for (let length = 0; length < bytes.length; length++) expect(decodeConfState(bytes.subarray(0, length))).toBe(null);
	for (let length = 0; length < change.length - 2; length++) expect(decodeConfChange(change.subarray(0, length))).toBe(null);
	for (let at = 0; at < bytes.length; at++) {
		for (const flip of [1, 0x80, 0xff]) {
			const damaged = bytes.slice();
			damaged[at] = (damaged[at] as number) ^ flip;
			const read = decodeConfState(damaged);
			if (read !== null) expect(isWellFormed(read)).toBe(true);
		}
	}
	expect(decodeConfState(Uint8Array.of(1, 0, 255, 255, 255, 255))).toBe(null);
	expect(decodeConfChange(Uint8Array.of(1, 0, 255, 255, 255, 255))).toBe(null);
});
