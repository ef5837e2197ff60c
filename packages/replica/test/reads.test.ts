import { describe, expect, test } from "vitest";
import type { Member } from "./world/member.ts";
import { World } from "./world/world.ts";

function isolate(world: World, member: Member): void {
	for (const other of world.members) if (other !== member) world.network.cut(member.id, other.id);
}

describe("a linearizable read", () => {
	test("SC-040 at a leader that was deposed without knowing it is not answered from its old state", () => {
		const world = new World("deposed").up();
		world.outcomeOf(world.put(world.theLeader, "k", "old"));
		const old = world.theLeader;
		isolate(world, old);
		world.until("the rest has another leader", () => world.followers.some((member) => member.replica.status().core.role === "leader"));
		const successor = world.followers.find((member) => member.replica.status().core.role === "leader") as Member;
		const outcome = world.outcomeOf(world.put(successor, "k", "new"));
		const revision = outcome.ok && outcome.command.kind === "put" ? outcome.command.result.revision : -1;
		let seen = -1;
		const read = world.read(old, () => {
			seen = old.replica.store.revision;
		});
		world.run(200);
		expect(read.outcome).toBeNull();
		world.network.heal();
		expect(world.outcomeOf(read)).toEqual({ ok: true });
		expect(seen).toBeGreaterThanOrEqual(revision);
	});

	test("through a follower sees a write that another member has just acknowledged", () => {
		const world = new World("follower read").up();
		world.settle();
		const [writer, reader] = world.followers as [Member, Member];
		for (let i = 0; i < 50; i++) {
			const outcome = world.outcomeOf(world.put(writer, "k", `v${i}`));
			const revision = outcome.ok && outcome.command.kind === "put" ? outcome.command.result.revision : -1;
			let seen = -1;
			world.outcomeOf(
				world.read(reader, () => {
					seen = reader.replica.store.revision;
				}),
			);
			expect(seen).toBeGreaterThanOrEqual(revision);
		}
	});

	test("of one turn shares its token with all others: a thousand reads ask the leader once", () => {
		const world = new World("batch").up();
		world.settle();
		world.run(1_000);
		const reader = world.followers[0] as Member;
		let asked = 0;
		world.network.onSend = (message) => {
			if (message.kind === "readIndex" && message.from === reader.id) asked++;
		};
		const reads = Array.from({ length: 1_000 }, () => world.read(reader));
		for (const read of reads) expect(world.outcomeOf(read)).toEqual({ ok: true });
		expect(asked).toBe(1);
	});

	test("whose question or answer got lost is asked again with a new token", () => {
		const world = new World("lost answer").up();
		world.settle();
		const reader = world.followers[0] as Member;
		let lost = 0;
		const tokens: number[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "readIndex") tokens.push(message.token.counter);
		};
		world.network.drop = ({ kind }) => kind === "readIndexResp" && lost++ < 2;
		const read = world.read(reader);
		expect(world.outcomeOf(read, 3_000)).toEqual({ ok: true });
		expect(lost).toBe(3);
		expect(new Set(tokens).size).toBe(tokens.length);
	});

	test("that a broken connection lost is asked again as soon as it is back", () => {
		const world = new World("reconnect").up();
		world.settle();
		// Away from the moments at which unanswered reads are asked again anyhow.
		world.run(500 - (Math.floor(world.time.nowUs / 1_000) % 500) + 120);
		const reader = world.followers[0] as Member;
		world.network.drop = ({ kind }) => kind === "readIndex";
		const read = world.read(reader);
		world.run(2);
		world.network.drop = () => false;
		world.network.reset(reader.id, world.theLeader.id);
		expect(world.outcomeOf(read, 60)).toEqual({ ok: true });
	});

	test("without a leader is a time-out after seven seconds", () => {
		const world = new World("no leader").up();
		world.settle();
		const alone = world.followers[0] as Member;
		isolate(world, alone);
		world.until("it has given the leader up", () => alone.replica.status().leader === 0n);
		const beganUs = world.time.nowUs;
		expect(world.outcomeOf(world.read(alone))).toEqual({ ok: false, fault: "timeout" });
		expect(Math.round((world.time.nowUs - beganUs) / 1e6)).toBe(7);
	});

	test("goes to the new leader when the one that was asked dies", () => {
		const world = new World("leader dies").up();
		world.settle();
		const reader = world.followers[0] as Member;
		world.network.drop = ({ kind }) => kind === "readIndexResp";
		const read = world.read(reader);
		world.run(5);
		world.theLeader.crash();
		world.network.drop = () => false;
		expect(world.outcomeOf(read, 1_500)).toEqual({ ok: true });
	});

	test("is granted at once by a single member", () => {
		const world = new World("single", {}, 1).up();
		world.outcomeOf(world.put(world.theLeader, "k", "v"));
		const beganUs = world.time.nowUs;
		expect(world.outcomeOf(world.read(world.theLeader))).toEqual({ ok: true });
		expect(world.time.nowUs - beganUs).toBeLessThan(1_000);
	});
});
