import { describe, expect, test } from "vitest";
import type { Forward, ForwardRefused } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { World } from "./world/world.ts";

function timesWritten(world: World, value: string): number {
	return [...world.written.values()].filter((each) => each === value).length;
}

function follower(world: World): Member {
	return world.followers[0] as Member;
}

function isolate(world: World, member: Member): void {
	for (const other of world.members) if (other !== member) world.network.cut(member.id, other.id);
}

describe("a write through a follower", () => {
	test("that the stream loses is sent again when the stream is back, and takes effect once", () => {
		const world = new World("lost forward").up();
		world.settle();
		const origin = follower(world);
		let lost = 0;
		world.network.drop = ({ kind }) => kind === "forward" && lost++ === 0;
		const write = world.put(origin, "k", "once");
		world.run(5);
		expect(lost).toBe(1);
		world.network.reset(origin.id, world.theLeader.id);
		expect(world.outcomeOf(write, 500)).toMatchObject({ ok: true });
		world.settle();
		expect(timesWritten(world, "once")).toBe(1);
	});

	test("that the stream loses while a later one arrives is not given up: it is refused when it comes again, and proposed anew", () => {
		const world = new World("overtaken").up();
		world.settle();
		const origin = follower(world);
		let lost = 0;
		world.network.drop = ({ kind }) => kind === "forward" && lost++ === 0;
		const write = world.put(origin, "k", "once");
		world.run(5);
		expect(world.outcomeOf(world.put(origin, "k", "later"))).toMatchObject({ ok: true });
		world.network.reset(origin.id, world.theLeader.id);
		expect(world.outcomeOf(write, 500)).toMatchObject({ ok: true });
		world.settle();
		expect(timesWritten(world, "once")).toBe(1);
	});

	test("that the leader took is not taken again from the stream's second try (F2)", () => {
		const world = new World("taken twice").up();
		world.settle();
		const origin = follower(world);
		const leader = world.theLeader;
		const forwards: Forward[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "forward") forwards.push(message);
		};
		// The leader takes it, but cannot make it durable before the stream breaks and comes back.
		for (const member of world.members) member.holdDisk();
		const write = world.put(origin, "k", "once");
		world.run(5);
		world.network.reset(origin.id, leader.id);
		world.run(50);
		expect(write.outcome).toBeNull();
		for (const member of world.members) member.releaseDisk();
		expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		world.settle();
		expect(forwards.map(({ sequences }) => sequences)).toEqual([forwards[0]?.sequences, forwards[0]?.sequences]);
		expect(timesWritten(world, "once")).toBe(1);
	});

	test("SC-111 is dropped in silence when it arrives a second time, late", () => {
		const world = new World("duplicate").up();
		world.settle();
		const origin = follower(world);
		let copy: Forward | null = null;
		world.network.onSend = (message) => {
			if (message.kind === "forward") copy = message;
		};
		expect(world.outcomeOf(world.put(origin, "k", "once"))).toMatchObject({ ok: true });
		const refusals: ForwardRefused[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "forwardRefused") refusals.push(message);
		};
		for (let i = 0; i < 3; i++) world.theLeader.deliver([copy as unknown as Forward]);
		world.run(500);
		expect(timesWritten(world, "once")).toBe(1);
		expect(refusals).toEqual([]);
	});

	test("that died with the leader is proposed again, and only after an entry of a later term (F4)", () => {
		const world = new World("leader dies").up();
		world.settle();
		const origin = follower(world);
		const leader = world.theLeader;
		const terms: number[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "forward") terms.push(message.term);
		};
		// Taken by the leader alone: its appends never leave.
		world.network.drop = ({ kind, from }) => kind === "append" && from === leader.id;
		const write = world.put(origin, "k", "once");
		world.run(3);
		expect(terms).toHaveLength(1);
		leader.crash();
		world.network.drop = () => false;
		expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		leader.start();
		world.until("the old leader is back", () => leader.serving);
		world.settle();
		expect(timesWritten(world, "once")).toBe(1);
		expect(terms.every((term, at) => at === 0 || term > (terms[0] as number))).toBe(true);
	});

	test("SC-080 whose answer is unknown at its deadline is told so and never proposed again (F5)", () => {
		const world = new World("deadline").up();
		world.settle();
		const origin = follower(world);
		const sent: number[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "forward") sent.push(...message.sequences);
		};
		for (const member of world.members) member.holdDisk();
		const write = world.put(origin, "k", "late", 20);
		expect(world.outcomeOf(write)).toEqual({ ok: false, fault: "timeout" });
		for (const member of world.members) member.releaseDisk();
		world.settle();
		// It was on its way, so it takes effect; but it was sent once.
		expect(timesWritten(world, "late")).toBe(1);
		expect(sent).toHaveLength(1);
	});

	test("waits out a transfer of leadership and reaches the new leader", () => {
		const world = new World("transfer").up();
		world.settle();
		const [origin, target] = world.followers as [Member, Member];
		const reasons: string[] = [];
		world.network.onSend = (message) => {
			if (message.kind === "forwardRefused") reasons.push(message.reason);
		};
		// The target hears late that it may take over; meanwhile the leader takes nothing.
		let heldBack = true;
		world.network.drop = ({ kind }) => kind === "timeoutNow" && heldBack;
		world.theLeader.input((machine) => machine.transferLeadership(target.id));
		world.run(2);
		const write = world.put(origin, "k", "once");
		world.run(20);
		expect(reasons).toContain("transferring");
		heldBack = false;
		expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		world.settle();
		expect(timesWritten(world, "once")).toBe(1);
	});
});

describe("a write through the leader", () => {
	test("SC-080 that was cut off is settled after it steps down: once, through the new leader", () => {
		const world = new World("cut leader").up();
		world.settle();
		const old = world.theLeader;
		isolate(world, old);
		const write = world.put(old, "k", "once");
		world.until("the rest has another leader", () => world.followers.some((member) => member.replica.status().core.role === "leader"));
		expect(write.outcome).toBeNull();
		world.network.heal();
		expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		world.settle();
		expect(timesWritten(world, "once")).toBe(1);
	});

	test("that was cut off for longer than its patience is a time-out because of lost connections", () => {
		const world = new World("cut for long").up();
		world.settle();
		const old = world.theLeader;
		isolate(world, old);
		world.run(5);
		const write = world.put(old, "k", "unknown", 30);
		expect(world.outcomeOf(write)).toEqual({ ok: false, fault: "timeoutConnectionLost" });
		world.network.heal();
		world.run(3_000);
		world.settle();
		expect(timesWritten(world, "unknown")).toBeLessThanOrEqual(1);
	});
});

describe("without a leader", () => {
	test("a write ends at its deadline and was never proposed", () => {
		const world = new World("nobody").up();
		world.settle();
		const alone = follower(world);
		isolate(world, alone);
		world.until("it has given the leader up", () => alone.replica.status().leader === 0n);
		const write = world.put(alone, "k", "never");
		const beganUs = world.time.nowUs;
		expect(world.outcomeOf(write)).toEqual({ ok: false, fault: "noLeaderDeadline" });
		expect(Math.round((world.time.nowUs - beganUs) / 1e6)).toBe(7);
		world.network.heal();
		world.run(3_000);
		expect(timesWritten(world, "never")).toBe(0);
	});

	test("writes wait, in order, for the leader that comes", () => {
		const world = new World("order").up();
		world.settle();
		const alone = follower(world);
		isolate(world, alone);
		world.until("it has given the leader up", () => alone.replica.status().leader === 0n);
		const writes = Array.from({ length: 20 }, (_, at) => world.put(alone, "k", `w${at}`));
		world.run(100);
		world.network.heal();
		for (const write of writes) expect(world.outcomeOf(write)).toMatchObject({ ok: true });
		const order = [...world.written].sort(([a], [b]) => a - b).map(([, value]) => value);
		expect(order).toEqual(writes.map((_, at) => `w${at}`));
	});
});
