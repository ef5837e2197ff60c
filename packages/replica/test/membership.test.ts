import { describe, expect, test } from "vitest";
import type { MembershipChange, MembershipOutcome } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { World } from "./world/world.ts";

/** Long enough for connections to count as steady. */
const STEADY_MS = 5_100;

function steadyWorld(seed: string, size = 3, options: ConstructorParameters<typeof World>[1] = {}): World {
	const world = new World(seed, options, size).up();
	world.run(STEADY_MS);
	return world;
}

function removal(member: Member): MembershipChange {
	return { kind: "remove", id: member.id };
}

function addition(id: bigint, more: { readonly url?: string; readonly learner?: boolean } = {}): MembershipChange {
	const { url = `http://new${id}`, learner = false } = more;
	return { kind: "add", member: { id, name: "", peerUrls: [url], clientUrls: [], learner } };
}

function faultOf(outcome: MembershipOutcome): string {
	return outcome.ok ? "none" : outcome.fault;
}

function ids(member: Member): bigint[] {
	return member.replica.members.map(({ id }) => id);
}

describe("removing a member", () => {
	test("through any member: it is answered there, the removed one ends for good, the others go on", () => {
		for (const at of [0, 1, 2]) {
			const world = steadyWorld(`remove at ${at}`);
			const victim = world.followers[0] as Member;
			const asked = world.members[at] as Member;
			const outcome = world.outcomeOf(world.change(asked, removal(victim)));
			expect(outcome).toEqual({ ok: true });
			const left = world.members.filter((member) => member !== victim);
			if (asked !== victim) expect(ids(asked)).toEqual(left.map(({ id }) => id));
			world.until("the removed member ends", () => victim.gone);
			for (const member of left) {
				expect(world.outcomeOf(world.put(member, "k", `after ${member.id}`))).toMatchObject({ ok: true });
				expect([...member.replica.removed]).toEqual([victim.id]);
				expect(member.replica.contacts).toBe(member.replica.members);
			}
		}
	});

	test("the leader: it answers, hands over and ends; another one leads at once", () => {
		const world = steadyWorld("remove the leader");
		const leader = world.theLeader;
		expect(world.outcomeOf(world.change(leader, removal(leader)))).toEqual({ ok: true });
		world.until("the leader ends", () => leader.gone, 1_000);
		world.until("another leads", () => world.leader !== null, 500);
		for (const member of world.followers.filter((other) => other !== leader)) expect(ids(member)).not.toContain(leader.id);
		expect(world.outcomeOf(world.put(world.theLeader, "k", "v"))).toMatchObject({ ok: true });
	});

	test("down to one, the last of which cannot go", () => {
		const world = steadyWorld("down to one");
		const [survivor, second] = [world.followers[0] as Member, world.followers[1] as Member];
		expect(world.outcomeOf(world.change(survivor, removal(second)))).toEqual({ ok: true });
		const leader = world.theLeader;
		expect(world.outcomeOf(world.change(survivor, removal(leader)))).toEqual({ ok: true });
		world.until("both ended", () => second.gone && leader.gone);
		world.until("the survivor leads", () => world.leader === survivor);
		expect(faultOf(world.outcomeOf(world.change(survivor, removal(survivor))))).toBe("notEnoughStartedMembers");
		expect(world.outcomeOf(world.put(survivor, "k", "alone"))).toMatchObject({ ok: true });
		survivor.crash();
		survivor.start();
		world.until("it serves again", () => survivor.serving);
		expect(ids(survivor)).toEqual([survivor.id]);
	});

	test("without the check the last voter cannot go either", () => {
		const world = steadyWorld("last voter", 1, { strictReconfigCheck: false });
		const [only] = world.members as [Member];
		expect(faultOf(world.outcomeOf(world.change(only, removal(only))))).toBe("notEnoughStartedMembers");
	});

	test("SC-067 one that does not run, and is told when it comes back, also by members that were started anew meanwhile", () => {
		const world = steadyWorld("absent");
		const victim = world.followers[0] as Member;
		victim.crash();
		world.run(100);
		expect(world.outcomeOf(world.change(world.theLeader, removal(victim)))).toEqual({ ok: true });
		const left = world.members.filter((member) => member !== victim);
		for (const member of left) {
			member.wantFloor();
			world.run(200);
			member.crash();
			member.start();
		}
		world.until("the others serve", () => left.every((member) => member.serving));
		victim.start();
		world.until("the removed member ends", () => victim.gone, 5_000);
		expect(world.outcomeOf(world.put(world.theLeader, "k", "v"))).toMatchObject({ ok: true });
	});

	test("a member that was away when that was settled is told at once when it is back", () => {
		const world = steadyWorld("told at once", 5);
		const [victim, away] = world.followers as [Member, Member];
		expect(world.outcomeOf(world.change(world.theLeader, removal(victim)))).toEqual({ ok: true });
		world.run(2_000);
		away.wantFloor();
		world.run(200);
		away.crash();
		away.start();
		world.until("it turns the removed one away", () => away.replica.removed.has(victim.id), 300);
	});

	test("of two, the one that leads or the one that follows: the other is alone and goes on", () => {
		for (const role of ["leader", "follower"] as const) {
			const world = steadyWorld(`one of two, the ${role}`, 2);
			const victim = role === "leader" ? world.theLeader : (world.followers[0] as Member);
			const other = world.members.find((member) => member !== victim) as Member;
			expect(world.outcomeOf(world.change(other, removal(victim)))).toEqual({ ok: true });
			// Whatever the removed one knew is gone with it: the other must be able to start alone.
			victim.crash();
			other.crash();
			other.start();
			world.until("the other leads alone", () => world.leader === other && other.serving, 5_000);
			expect(ids(other)).toEqual([other.id]);
		}
	});
});

describe("a removed member stays until the others can do without it (rule C3)", () => {
	test("of two: while the other one may forget by a crash that it is alone, the removed one waits, and helps it up again", () => {
		for (let seed = 0; seed < 10; seed++) {
			const world = steadyWorld(`may forget ${seed}`, 2);
			const leader = world.theLeader;
			const victim = world.followers[0] as Member;
			const pending = world.change(leader, removal(victim));
			world.until("the leader has applied it", () => ids(leader).length === 1);
			leader.holdDisk();
			world.run(200);
			expect([ids(victim), victim.gone, pending.outcome]).toEqual([[leader.id], false, null]);
			expect(leader.replica.contacts.map(({ id }) => id)).toContain(victim.id);
			if (seed % 2 === 1) {
				// Its table says that it was removed, and nothing says that the others can do without it.
				victim.wantFloor();
				world.run(200);
				victim.crash();
				victim.start();
				world.run(200);
				expect([ids(victim), victim.gone]).toEqual([[leader.id], false]);
			}
			leader.crash();
			leader.releaseDisk();
			leader.start();
			world.until("it serves again, alone", () => leader.serving && ids(leader).length === 1 && world.leader === leader);
			world.until("the removed member ends", () => victim.gone);
		}
	});
});

describe("changes are made once, in order, and answered when they last", () => {
	test("two at a time: the second waits for the first, and both are made", () => {
		const world = steadyWorld("two at a time", 5);
		const [a, b] = world.followers as [Member, Member];
		const first = world.change(world.theLeader, removal(a));
		const second = world.change(world.theLeader, removal(b));
		expect([world.outcomeOf(first), world.outcomeOf(second)]).toEqual([{ ok: true }, { ok: true }]);
		expect(ids(world.theLeader).length).toBe(3);
	});

	test("the same removal through two members: one is made, the other finds nobody", () => {
		const world = steadyWorld("twice", 5);
		const [victim, a, b] = world.followers as [Member, Member, Member];
		const both = [world.change(a, removal(victim)), world.change(b, removal(victim))].map((each) => faultOf(world.outcomeOf(each)));
		expect(both.sort()).toEqual(["memberNotFound", "none"]);
	});

	test("without a quorum a change waits for as long as its client, and is made when there is one again", () => {
		const world = steadyWorld("no quorum");
		const [a, b] = world.followers as [Member, Member];
		const leader = world.theLeader;
		for (const [one, other] of [
			[leader, a],
			[leader, b],
			[a, b],
		] as const) {
			world.network.cut(one.id, other.id);
		}
		const unreached = world.change(leader, removal(a));
		const impatient = world.change(leader, { kind: "update", id: b.id, peerUrls: ["http://b:9"] }, 100);
		world.run(20_000);
		expect(unreached.outcome).toBeNull();
		expect(faultOf(impatient.outcome as MembershipOutcome)).toMatch(/^timeout/);
		world.network.heal();
		expect(world.outcomeOf(unreached)).toEqual({ ok: true });
		world.until("the removed member ends", () => a.gone);
	});

	test("a lost message or a lost leader makes no second change of one, and leaves no client without an answer", () => {
		for (let seed = 0; seed < 25; seed++) {
			const world = steadyWorld(`lossy ${seed}`, 5);
			const { dice } = world;
			const asked = dice.pick([...world.members]);
			const victim = dice.pick(world.members.filter((member) => member !== asked));
			world.network.drop = ({ kind }) => /^(membership|configSettled)/.test(kind) && dice.chance(1, 2);
			const pending = world.change(asked, removal(victim));
			world.run(dice.range(1, 30));
			if (dice.chance(1, 2)) {
				const { leader } = world;
				if (leader !== null && leader !== asked) {
					leader.crash();
					world.run(dice.range(1, 500));
					leader.start();
				}
			}
			expect([seed, world.outcomeOf(pending)]).toEqual([seed, { ok: true }]);
			world.network.drop = () => false;
			world.until(`${seed}: the removed member ends`, () => victim.gone);
			expect(ids(asked).length).toBe(4);
		}
	});

	test("an update moves a member's address on all members, and takes no other's", () => {
		const world = steadyWorld("update");
		const [a, b] = world.followers as [Member, Member];
		expect(world.outcomeOf(world.change(a, { kind: "update", id: b.id, peerUrls: ["http://z", "nonsense"] }))).toEqual({ ok: true });
		world.settle();
		for (const member of world.members)
			expect(member.replica.members.find(({ id }) => id === b.id)?.peerUrls).toEqual(["http://z", "nonsense"]);
		const taken = { kind: "update", id: a.id, peerUrls: ["nonsense"] } as const;
		expect(faultOf(world.outcomeOf(world.change(world.theLeader, taken)))).toBe("peerUrlExists");
		expect(faultOf(world.outcomeOf(world.change(a, { kind: "update", id: 99n, peerUrls: [] })))).toBe("memberNotFound");
	});
});

describe("what is refused", () => {
	test("addresses and ids in use, ids of the past, too many learners, promotions of nobody and of voters", () => {
		const world = steadyWorld("refused", 5);
		const asked = world.followers[0] as Member;
		const gone = world.followers[1] as Member;
		const fault = (change: MembershipChange): string => faultOf(world.outcomeOf(world.change(asked, change)));
		expect(fault(removal(gone))).toBe("none");
		expect(fault(removal(gone))).toBe("memberNotFound");
		expect(fault(addition(gone.id))).toBe("memberNotFound");
		expect(fault(addition(asked.id))).toBe("memberExists");
		expect(fault(addition(7n, { url: asked.replica.members[0]?.peerUrls[0] as string }))).toBe("peerUrlExists");
		expect(fault(addition(7n, { learner: true }))).toBe("none");
		expect(fault(addition(8n, { learner: true }))).toBe("tooManyLearners");
		expect(fault({ kind: "promote", id: 99n })).toBe("memberNotFound");
		expect(fault({ kind: "promote", id: asked.id })).toBe("memberNotLearner");
		// It never ran: nothing of the log is there.
		expect(fault({ kind: "promote", id: 7n })).toBe("learnerNotReady");
		expect(fault({ kind: "remove", id: 7n })).toBe("none");
		world.settle();
		for (const member of world.members) if (!member.gone) expect(ids(member)).not.toContain(7n);
	});

	test("what would cost the quorum: members that did not start, connections that are new or broken", () => {
		const world = new World("strict").up();
		const asked = world.theLeader;
		const [a, b] = world.followers as [Member, Member];
		const fault = (change: MembershipChange): string => faultOf(world.outcomeOf(world.change(asked, change)));
		expect(fault(addition(7n))).toBe("unhealthyCluster");
		expect(fault(removal(a))).toBe("unhealthyCluster");
		world.run(STEADY_MS);
		b.crash();
		world.run(100);
		expect(fault(addition(7n))).toBe("unhealthyCluster");
		expect(fault(removal(a))).toBe("unhealthyCluster");
		// Who cannot be reached may go.
		expect(fault(removal(b))).toBe("none");
		// One of three voters would never have started.
		expect(fault(addition(7n))).toBe("none");
		expect(fault(addition(8n))).toBe("notEnoughStartedMembers");
		expect(fault(removal(a))).toBe("notEnoughStartedMembers");
	});

	test("a voter is added to a single member at once: it cannot be started before", () => {
		const world = steadyWorld("one and one", 1);
		const [only] = world.members as [Member];
		expect(world.outcomeOf(world.change(only, addition(7n)), 1_000)).toEqual({ ok: true });
		expect(ids(only)).toEqual([7n, only.id]);
	});
});
