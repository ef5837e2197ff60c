/** Leases among members: who ends them, when, and what a renewal is worth (decisions 5.1, L1 to L8; faults 7.4 and 11.13). */

import { wholly } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import { CommandKind } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { leasedPutBytes, rangeOf } from "./world/requests.ts";
import { World } from "./world/world.ts";

const KEY = "leased";

function isolate(world: World, member: Member): void {
	for (const other of world.members) if (other !== member) world.network.cut(member.id, other.id);
}

/** A lease with a key, granted at `member` (the leader where none is named), at rest everywhere. */
function withLease(seed: string, ttl: number, id = 7n): World {
	const world = new World(seed).up();
	world.settle();
	expect(world.outcomeOf(world.grant(world.theLeader, id, ttl))).toMatchObject({ ok: true, command: { kind: "leaseGranted", id, ttl } });
	attach(world, world.theLeader, KEY, id);
	world.settle();
	return world;
}

function attach(world: World, member: Member, key: string, id: bigint): void {
	expect(world.outcomeOf(world.write(member, CommandKind.put, leasedPutBytes(key, `value of ${key}`, id)))).toMatchObject({ ok: true });
}

function holds(member: Member, key = KEY): boolean {
	const result = member.replica.store.range(rangeOf(key));
	return result.ok && result.count === 1;
}

function successorOf(world: World, old: Member): Member {
	const leads = (member: Member) => member !== old && member.alive && member.replica.status().core.role === "leader";
	world.until("the others have a leader", () => world.members.some(leads));
	return world.members.find(leads) as Member;
}

/** Milliseconds left, asked at `member`. */
function left(world: World, member: Member, id = 7n): number {
	const outcome = world.outcomeOf(world.lease(member, "look", id));
	return outcome.ok ? outcome.remainingMs : -1;
}

function nowMs(world: World): number {
	return world.time.nowUs / 1_000;
}

describe("a lease", () => {
	test("is renewed and looked at through any member, ends in time, and takes its keys along", () => {
		const world = withLease("life", 2);
		for (const member of world.members) {
			expect(world.outcomeOf(world.lease(member, "renew", 7n))).toEqual({ ok: true, grantedTtl: 2, remainingMs: 2_000 });
			const look = world.outcomeOf(world.lease(member, "look", 7n));
			expect(look).toMatchObject({ ok: true, grantedTtl: 2 });
			expect(look.ok && look.remainingMs).toBeGreaterThan(1_900);
			expect(world.outcomeOf(world.lease(member, "renew", 8n)), "no such lease").toEqual({ ok: true, grantedTtl: 0, remainingMs: 0 });
		}
		const renewedMs = nowMs(world);
		world.run(1_800);
		expect(world.members.every((member) => holds(member))).toBe(true);
		world.until("the keys are gone everywhere", () => !world.members.some((member) => holds(member)));
		expect(nowMs(world) - renewedMs).toBeLessThan(2_300);
		for (const member of world.members) {
			expect(wholly(member.replica.listLeases())).toEqual([]);
			expect(world.outcomeOf(world.lease(member, "renew", 7n))).toMatchObject({ grantedTtl: 0 });
		}
	});

	test("can be renewed at once at a member that has not applied its grant (etcd 13932)", () => {
		const world = new World("lagging").up();
		world.settle();
		const lagging = world.followers[0] as Member;
		world.network.drop = ({ kind, to }) => kind === "append" && to === lagging.id;
		expect(world.outcomeOf(world.grant(world.theLeader, -5n, 60))).toMatchObject({ ok: true });
		expect(wholly(lagging.replica.listLeases())).toEqual([]);
		expect(world.outcomeOf(world.lease(lagging, "renew", -5n))).toMatchObject({ ok: true, grantedTtl: 60 });
		// A look is answered with the keys, so it waits until this member knows them.
		const look = world.lease(lagging, "look", -5n);
		world.run(300);
		expect(look.outcome).toBe(null);
		world.network.drop = () => false;
		expect(world.outcomeOf(look)).toMatchObject({ ok: true, grantedTtl: 60 });
		expect(wholly(lagging.replica.listLeases())).toEqual([-5n]);
	});

	test("survives floors and restarts of all members, and so do its keys", () => {
		const world = withLease("restart", 30);
		for (const member of world.members) member.wantFloor();
		world.run(500);
		attach(world, world.theLeader, "later", 7n);
		world.settle();
		for (const member of world.members) member.crash();
		for (const member of world.members) member.start();
		world.until("all serve again", () => world.members.every((member) => member.serving));
		for (const member of world.members) expect(member.replica.store.leases.get(7n)?.keys()).toEqual(["later", KEY]);
		expect(world.outcomeOf(world.revoke(world.members[0] as Member, 7n))).toMatchObject({ ok: true });
		world.settle();
		expect(world.members.some((member) => holds(member) || holds(member, "later"))).toBe(false);
	});

	test("that got the id of one whose end was under way does not die with it", () => {
		const world = withLease("same id", 2);
		const old = world.theLeader;
		// From the time at which the first one is due nothing is committed: its end, a revoke and a grant meet in the log.
		world.run(1_500);
		const revoke = world.revoke(old, 7n);
		const grant = world.grant(old, 7n, 40);
		expect(world.outcomeOf(revoke)).toMatchObject({ ok: true });
		expect(world.outcomeOf(grant)).toMatchObject({ ok: true });
		world.run(3_000);
		expect(world.members.map((member) => member.replica.store.leases.get(7n)?.ttl)).toEqual([40, 40, 40]);
	});
});

describe("the clock of a leader", () => {
	test("that was paused ends nothing that was renewed elsewhere (etcd 12528, 15247)", () => {
		const world = withLease("paused", 3);
		const old = world.theLeader;
		world.run(1_000);
		old.pause();
		const successor = successorOf(world, old);
		for (let i = 0; i < 5; i++) {
			expect(world.outcomeOf(world.lease(successor, "renew", 7n))).toMatchObject({ ok: true, grantedTtl: 3 });
			world.run(1_000);
		}
		old.resume();
		world.run(1_500);
		expect(world.members.every((member) => holds(member))).toBe(true);
		world.until("it ends when nobody renews it", () => !world.members.some((member) => holds(member)), 5_000);
	});

	test("that was paused and still leads takes the renewals that came meanwhile before it ends anything", () => {
		const world = withLease("short pause", 2);
		const leader = world.theLeader;
		const follower = world.followers[0] as Member;
		world.run(1_650);
		leader.pause();
		const renewal = world.lease(follower, "renew", 7n);
		world.run(700);
		leader.resume();
		expect(world.outcomeOf(renewal)).toMatchObject({ ok: true, grantedTtl: 2 });
		world.run(1_000);
		expect(holds(follower)).toBe(true);
	});

	test("that is cut off proposes no end and answers no renewal", () => {
		const world = withLease("cut off", 2);
		const old = world.theLeader;
		world.run(1_500);
		const before = old.replica.status().core.lastIndex;
		isolate(world, old);
		const renewal = world.lease(old, "renew", 7n);
		// The lease is due in half a second, and the leader believes in itself for longer than that.
		world.run(750);
		expect(old.replica.status().core.role).toBe("leader");
		expect(renewal.outcome).toBe(null);
		const successor = successorOf(world, old);
		expect(world.outcomeOf(world.lease(successor, "renew", 7n))).toMatchObject({ grantedTtl: 2 });
		world.run(1_500);
		const kinds = old.disk.entries(before + 1, Number.MAX_SAFE_INTEGER).map(({ data }) => data[1]);
		expect(kinds).not.toContain(CommandKind.leaseEnd);
		world.network.heal();
		world.run(300);
		expect(world.outcomeOf(world.lease(old, "renew", 7n))).toMatchObject({ ok: true, grantedTtl: 2 });
	});

	test("starts anew in its own term: what nobody renewed has all of its time again, and no more", () => {
		const world = withLease("anew", 10);
		world.run(2_000);
		const old = world.theLeader;
		old.crash();
		const successor = successorOf(world, old);
		const remaining = left(world, successor);
		expect(remaining).toBeGreaterThan(9_000);
		expect(remaining).toBeLessThanOrEqual(10_000);
	});

	test("goes on from the checkpoint of its predecessor: leader changes without end keep nothing alive (etcd 13508)", () => {
		const world = withLease("checkpoint", 8);
		const grantedMs = nowMs(world);
		world.run(5_200);
		let changes = 0;
		while (world.members.some((member) => holds(member)) && nowMs(world) - grantedMs < 30_000) {
			const old = world.theLeader;
			old.replica.transferLeadership(0n);
			changes++;
			const successor = successorOf(world, old);
			expect(left(world, successor)).toBeLessThanOrEqual(4_000);
			world.run(2_500);
		}
		expect(changes).toBeGreaterThan(1);
		expect(nowMs(world) - grantedMs).toBeGreaterThanOrEqual(7_990);
		expect(nowMs(world) - grantedMs).toBeLessThan(20_000);
	});

	test("takes a checkpoint back before it tells of a renewal, so that no successor falls behind it (L4)", () => {
		const world = withLease("reset", 8);
		world.run(5_500);
		const old = world.theLeader;
		expect(old.replica.store.leases.get(7n)?.remainingMs).toBe(4_000);
		const asked = world.followers[0] as Member;
		expect(world.outcomeOf(world.lease(asked, "renew", 7n))).toMatchObject({ ok: true, grantedTtl: 8 });
		old.crash();
		expect(left(world, successorOf(world, old))).toBeGreaterThan(7_000);
	});

	test("lets a renewal wait for an end that is under way: applied, there is no lease (etcd 20615)", () => {
		const world = withLease("end under way", 2);
		const leader = world.theLeader;
		// The round is confirmed by heartbeats, the end itself does not get through for a while.
		world.network.drop = ({ kind }) => kind === "append";
		world.run(2_400);
		const before = leader.replica.status().core;
		expect(before.lastIndex).toBeGreaterThan(before.commit);
		const renewal = world.lease(leader, "renew", 7n);
		const other = world.lease(world.followers[0] as Member, "renew", 7n);
		world.run(300);
		expect([renewal.outcome, other.outcome]).toEqual([null, null]);
		world.network.drop = () => false;
		expect(world.outcomeOf(renewal)).toEqual({ ok: true, grantedTtl: 0, remainingMs: 0 });
		expect(world.outcomeOf(other)).toEqual({ ok: true, grantedTtl: 0, remainingMs: 0 });
		expect(holds(leader)).toBe(false);
	});

	test("ends ten thousand leases of one moment in small batches, and writes find their way between them", () => {
		const world = new World("many").up();
		world.settle();
		const leader = world.theLeader;
		const grants = Array.from({ length: 10_000 }, (_, i) => world.grant(leader, BigInt(i + 1), 2));
		for (const grant of grants) expect(world.outcomeOf(grant)).toMatchObject({ ok: true });
		for (let i = 0; i < 1_000; i++) attach(world, leader, `key ${i}`, BigInt(i + 1));
		let largest = 0;
		world.network.onSend = (message) => {
			if (message.kind === "append") for (const { data } of message.entries) largest = Math.max(largest, data.length);
		};
		let slowestMs = 0;
		world.until(
			"all have ended",
			() => {
				const startMs = nowMs(world);
				world.outcomeOf(world.put(leader, "other", "value"));
				slowestMs = Math.max(slowestMs, nowMs(world) - startMs);
				return leader.replica.store.leases.count === 0;
			},
			10_000,
		);
		// 128 ends of 16 bytes and their head; a checkpoint entry holds at most 1,000 of 24.
		expect(largest).toBeLessThan(25_000);
		expect(slowestMs).toBeLessThan(50);
		world.settle();
		for (const member of world.members)
			expect([member.replica.store.leases.count, holds(member, "key 1"), holds(member, "other")]).toEqual([0, false, true]);
	});
});

describe("renewals", () => {
	test("of one turn share one message, and each lease is in it once", () => {
		const world = withLease("shared", 60);
		const asks: number[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "leaseAsk") asks.push(message.renews.length + message.looks.length);
		};
		const follower = world.followers[0] as Member;
		const calls = Array.from({ length: 500 }, (_, i) => world.lease(follower, "renew", BigInt(7 + (i % 5))));
		for (const [i, call] of calls.entries()) expect(world.outcomeOf(call)).toMatchObject({ ok: true, grantedTtl: i % 5 === 0 ? 60 : 0 });
		expect(asks).toEqual([5]);
	});

	test("whose question or answer got lost are asked again", () => {
		const world = withLease("lost", 60);
		const follower = world.followers[0] as Member;
		let lost = 0;
		world.network.drop = ({ kind }) => (kind === "leaseAsk" || kind === "leaseTold") && lost++ < 3;
		expect(world.outcomeOf(world.lease(follower, "renew", 7n), 5_000)).toMatchObject({ ok: true, grantedTtl: 60 });
		expect(lost).toBeGreaterThan(3);
	});

	test("without a leader end after the time-out of a request, and say so", () => {
		const world = withLease("alone", 60);
		const alone = world.followers[0] as Member;
		isolate(world, alone);
		world.until("it knows no leader", () => alone.replica.status().leader === 0n);
		const startMs = nowMs(world);
		expect(world.outcomeOf(world.lease(alone, "renew", 7n))).toEqual({ ok: false, fault: "noLeader" });
		expect(nowMs(world) - startMs).toBeGreaterThan(6_900);
		expect(nowMs(world) - startMs).toBeLessThan(7_300);
	});

	test("beyond what a member holds are refused, and canceled ones leave room", () => {
		const world = new World("full", { pendingCallsMax: 3 }).up();
		world.settle();
		const alone = world.followers[0] as Member;
		isolate(world, alone);
		world.until("it knows no leader", () => alone.replica.status().leader === 0n);
		const calls = [1n, 2n, 3n].map((id) => world.lease(alone, "renew", id));
		expect(world.outcomeOf(world.lease(alone, "renew", 4n))).toEqual({ ok: false, fault: "tooManyRequests" });
		alone.replica.cancel((calls[0] as (typeof calls)[0]).call);
		world.lease(alone, "renew", 5n);
		expect(world.outcomeOf(world.lease(alone, "renew", 6n))).toEqual({ ok: false, fault: "tooManyRequests" });
		expect(calls[0]?.outcome).toBe(null);
	});
});
