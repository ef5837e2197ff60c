/** What operators do while a cluster works: leadership moved, members replaced, stores compacted. */
import { KvClient } from "../../client/kv-client.ts";
import { addMember, type ListedMember, promoteMember, removeMember } from "../../client/member-changes.ts";
import { eventually } from "../../process/wait.ts";
import type { StageMember } from "../stage.ts";
import { inPeaceIfNeedBe } from "../truces.ts";
import { who, word } from "./details.ts";
import { choose, type Fault, type FaultWorld, holding, lasting, momentary } from "./fault.ts";

async function withClient<T>(member: StageMember, work: (client: KvClient) => Promise<T>): Promise<T> {
	const client = new KvClient(member.address);
	try {
		return await work(client);
	} finally {
		client.close();
	}
}

/** On a machine as busy as may be. */
const ANSWER_MS = 180_000;
/**
 * Nobody is added to a cluster in which somebody was away within the last five seconds, and other faults seldom leave so much peace. Whoever
 * has been refused for so long in their midst asks for it, as an operator would wait for a better hour.
 */
const TRUCE_MS = 3_000;

/** A call to any member but those given; errors of single ones lead to the next, and to a new round until time is up. */
async function atAny<T>(
	world: FaultWorld,
	except: readonly StageMember[],
	what: string,
	work: (client: KvClient) => Promise<T>,
): Promise<T> {
	const { stage } = world;
	const round = async (): Promise<T> => {
		let last: unknown = new Error("nobody to ask");
		for (const member of stage.present) {
			if (except.includes(member) || !member.process.running) continue;
			try {
				return await withClient(member, work);
			} catch (error) {
				last = error;
			}
		}
		throw last;
	};
	return inPeaceIfNeedBe(what, round, { ask: () => world.truce(), patienceMs: TRUCE_MS, timeoutMs: ANSWER_MS });
}

const idOf = (member: StageMember): string => BigInt(`0x${member.id ?? "0"}`).toString();

function remove(world: FaultWorld, member: StageMember): Promise<void> {
	return atAny(world, [member], `${member.name} removed`, (client) => removeMember(client, idOf(member)));
}

/** The old one is gone; whoever has its place is added, and known by the id under which it was. */
async function add(world: FaultWorld, member: StageMember, learner: boolean): Promise<void> {
	const wanted = { peerUrl: member.peerUrl, learner, instead: idOf(member) };
	const id = await atAny(world, [member], `${member.name} added`, (client) => addMember(client, wanted));
	member.id = BigInt(id).toString(16);
}

/** Of a member that knows of the one with this id: it will have to say the same as the list that it is started with. */
async function listWith(client: KvClient, id: string): Promise<readonly ListedMember[]> {
	const { members } = await client.members({ timeoutMs: 3_000 });
	if (!members.some(({ ID }) => ID === id)) throw new Error("it is not listed yet");
	return members;
}

async function join(world: FaultWorld, member: StageMember): Promise<void> {
	const { stage } = world;
	const members = await atAny(world, [member], `a list with ${member.name}`, (client) => listWith(client, idOf(member)));
	const cluster = members.map(({ name, peerURLs }) => `${name === "" ? member.name : name}=${peerURLs[0]}`).join(",");
	stage.prepare(member, cluster, "existing");
	// Whom it has to ask may be down or cut off by other faults, and then it ends: it is started until somebody answers it.
	await eventually(`${member.name} joined`, () => stage.startMember(member));
	await stage.identify(member);
	member.out = false;
	world.replaced(member);
}

function promote(world: FaultWorld, member: StageMember): Promise<void> {
	return atAny(world, [member], `${member.name} promoted`, (client) => promoteMember(client, idOf(member)));
}

async function successor(world: FaultWorld, member: StageMember, learner: boolean, forMs: number): Promise<void> {
	const { stage } = world;
	member.out = true;
	await remove(world, member);
	await member.process.kill("SIGKILL");
	await member.process.dispose();
	await world.pause(forMs);
	await stage.freshFolder(member);
	await add(world, member, learner);
	await join(world, member);
	if (learner) await promote(world, member);
}

export const OPERATIONS: Readonly<Record<string, Fault>> = {
	replace: lasting({
		about: "a member is removed, its folder left behind, and a new one joins in its place, at once or as a learner that is promoted",
		details: { who: who("one"), as: word("voter", "learner") },
		membersMin: 3,
		async strike(world, details, forMs) {
			const { stage } = world;
			const [member] = (await choose(world, details.who)) ?? [];
			if (member === undefined || stage.present.length < 3) return null;
			// Who goes while another is down may take the quorum along: that is the operator's mistake, not a fault.
			if (stage.present.some((other) => other.held || !other.process.running)) return null;
			return holding([member], () => successor(world, member, details.as === "learner", forMs));
		},
	}),
	"replace-dead": lasting({
		about: "a member that does not run is removed, and a new one joins in its place",
		details: { who: { kind: "member" } },
		membersMin: 3,
		async strike(world, details, forMs) {
			const { stage } = world;
			const member = stage.present.find(({ name, process }) => name === details.who && !process.running);
			if (member === undefined) return null;
			return holding([member], () => successor(world, member, false, forMs));
		},
	}),
	transfer: momentary({
		about: "leadership is moved to another member",
		details: {},
		membersMin: 2,
		async strike(world) {
			const { stage, dice } = world;
			const leader = await stage.leader();
			const others = stage.present.filter((member) => member !== leader && member.process.running && member.id !== null);
			if (leader === null || others.length === 0) return null;
			const target = dice.pick(others);
			const request = { targetID: BigInt(`0x${target.id}`).toString() };
			const types = ["MoveLeaderRequest", "MoveLeaderResponse"] as const;
			const moved = withClient(leader, (client) => client.call("Maintenance", "MoveLeader", types, request, { timeoutMs: 3_000 }));
			return done(moved, [leader.name, target.name]);
		},
	}),
	defragment: momentary({
		about: "a member is asked to defragment its store",
		details: { who: who("one") },
		async strike(world, details) {
			const [member] = (await choose(world, details.who)) ?? [];
			if (member === undefined) return null;
			const types = ["DefragmentRequest", "DefragmentResponse"] as const;
			return done(
				withClient(member, (client) => client.call("Maintenance", "Defragment", types, {}, { timeoutMs: 10_000 })),
				[member.name],
			);
		},
	}),
};

/** What the cluster refused, as it may while other faults are at work, struck nobody. */
function done(call: Promise<unknown>, members: readonly string[]): Promise<readonly string[] | null> {
	return call.then(
		() => members,
		() => null,
	);
}
