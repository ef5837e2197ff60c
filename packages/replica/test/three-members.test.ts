import { describe, expect, test } from "vitest";
import { CommandKind, type WriteOutcome } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { compactBytes, deleteBytes, pairOf, rangeOf, swapBytes } from "./world/requests.ts";
import { World } from "./world/world.ts";

function valueAt(member: Member, key: string): string | null {
	const result = member.replica.store.range(rangeOf(key));
	if (!result.ok) throw new Error(result.code);
	const [pair] = result.kvs;
	return pair === undefined ? null : pairOf(pair).value;
}

function revisionOf(outcome: WriteOutcome): number {
	if (!outcome.ok) throw new Error(outcome.fault);
	const { command } = outcome;
	return "result" in command ? command.result.revision : -1;
}

describe("three replicas in one process, in virtual time", () => {
	test("elect a leader, announce themselves and agree on a cluster version within three seconds", () => {
		const world = new World(1).up();
		world.settle();
		expect(world.time.nowUs).toBeLessThan(3_000_000);
		for (const member of world.members) {
			expect(member.replica.members.map(({ name }) => name)).toEqual(["m1", "m2", "m3"]);
			expect(member.replica.members[0]?.clientUrls).toEqual(["http://m1"]);
			expect(member.replica.status().clusterVersion).toBe("3.6.0");
			expect(member.replica.status().leader).toBe(world.theLeader.id);
		}
	});

	test("take writes through each member and read them through each other one", () => {
		const world = new World(2).up();
		for (const [at, writer] of world.members.entries()) {
			expect(revisionOf(world.outcomeOf(world.put(writer, "k", `v${at}`)))).toBe(at + 2);
			for (const reader of world.members) {
				let seen: string | null = null;
				const read = world.read(reader, () => {
					seen = valueAt(reader, "k");
				});
				expect(world.outcomeOf(read)).toEqual({ ok: true });
				expect(seen).toBe(`v${at}`);
			}
		}
	});

	test("run transactions, deletes and compactions alike on all members", () => {
		const world = new World(3).up();
		const [a, b, c] = world.members as [Member, Member, Member];
		world.outcomeOf(world.put(a, "k", "1"));
		const swapped = world.outcomeOf(world.write(b, CommandKind.txn, swapBytes("k", "1", "2")));
		expect(swapped).toMatchObject({ ok: true, command: { kind: "txn", result: { succeeded: true, revision: 3 } } });
		const refused = world.outcomeOf(world.write(c, CommandKind.txn, swapBytes("k", "1", "3")));
		expect(refused).toMatchObject({ ok: true, command: { kind: "txn", result: { succeeded: false, revision: 3 } } });
		const deleted = world.outcomeOf(world.write(a, CommandKind.deleteRange, deleteBytes("k")));
		expect(deleted).toMatchObject({ ok: true, command: { kind: "deleteRange", result: { deleted: 1, revision: 4 } } });
		const compacted = world.outcomeOf(world.write(b, CommandKind.compact, compactBytes(4)));
		expect(compacted).toMatchObject({ ok: true, command: { kind: "compact", result: { revision: 4 } } });
		expect(world.outcomeOf(world.write(c, CommandKind.compact, compactBytes(4)))).toEqual({ ok: false, fault: "compacted" });
		expect(world.outcomeOf(world.write(c, CommandKind.compact, compactBytes(9)))).toEqual({ ok: false, fault: "futureRevision" });
		world.settle();
		expect(new Set(world.members.map((member) => member.replica.stateDigest())).size).toBe(1);
		expect(world.compared).toBeGreaterThan(0);
		for (const member of world.members) expect(member.replica.store.keyCount).toBe(0);
	});

	test("go on after kill -9 of the leader, and keep what was acknowledged", () => {
		const world = new World(4).up();
		const acknowledged: string[] = [];
		for (let i = 0; i < 20; i++) {
			world.outcomeOf(world.put(world.members[i % 3] as Member, `k${i}`, `v${i}`));
			acknowledged.push(`v${i}`);
		}
		const dead = world.theLeader;
		dead.crash();
		const crashedUs = world.time.nowUs;
		const survivor = world.members.find((member) => member.alive) as Member;
		expect(world.outcomeOf(world.put(survivor, "after", "x"))).toMatchObject({ ok: true });
		// The closed connections tell the others: no election timeout passes (rules H).
		expect(world.time.nowUs - crashedUs).toBeLessThan(500_000);
		dead.start();
		world.until("the killed member serves again", () => dead.serving);
		world.settle();
		for (const member of world.members) for (const [at, value] of acknowledged.entries()) expect(valueAt(member, `k${at}`)).toBe(value);
	});

	test("hand leadership over without a failed write", () => {
		const world = new World(5).up();
		const old = world.theLeader;
		const writes = world.members.map((member, at) => world.put(member, `a${at}`, "1"));
		expect(old.replica.transferLeadership(0n)).toBe(true);
		for (const [at, member] of world.members.entries()) writes.push(world.put(member, `b${at}`, "1"));
		for (const write of writes) expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		expect(world.theLeader).not.toBe(old);
	});

	test("an equal seed gives an equal run", () => {
		const runs = [6, 6, 7].map((seed) => {
			const world = new World(seed).up();
			for (let i = 0; i < 30; i++) world.put(world.members[i % 3] as Member, `k${i % 4}`, `v${i}`);
			world.settle();
			return `${world.time.nowUs} ${world.network.delivered} ${world.members.map((member) => member.replica.stateDigest()).join()}`;
		});
		expect(runs[0]).toBe(runs[1]);
		expect(runs[0]).not.toBe(runs[2]);
	});
});
