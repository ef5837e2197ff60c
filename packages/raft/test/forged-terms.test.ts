/** Messages that somebody forged in the name of a member: no term that they name may cost the cluster the terms there are (rule T1). */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import type { Message, NodeId, StepStatus } from "../src/index.ts";
import { termCeiling } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const HIGHEST = Number.MAX_SAFE_INTEGER;

function three(): Cluster {
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1) });
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.pass(3);
	return cluster;
}

const mark = { commit: 1, commitTerm: 1 };
const log = { lastIndex: 50, lastTerm: 50 };

/** One message of each kind, of that term. */
function forged(from: NodeId, to: NodeId, term: number): Message[] {
	const base = { from, to, term };
	return [
		{ kind: "append", ...base, prevIndex: 1, prevTerm: 1, commit: 1, entries: [] },
		{ kind: "appendResp", ...base, index: 0, reject: false, hintIndex: 0, hintTerm: 0, commit: 1 },
		{ kind: "heartbeat", ...base, ...mark, readPosition: 0, sequence: 1 },
		{ kind: "heartbeatResp", ...base, readPosition: 0, sequence: 1 },
		{ kind: "vote", ...base, ...log, transfer: false, ...mark },
		{ kind: "vote", ...base, ...log, transfer: true, ...mark },
		{ kind: "voteResp", ...base, reject: true, ...mark },
		{ kind: "preVote", ...base, ...log, leaderLost: true, ...mark },
		{ kind: "preVoteResp", ...base, reject: true, sticky: false, ...mark },
		{ kind: "preVoteResp", ...base, reject: false, sticky: false, ...mark },
		{ kind: "timeoutNow", ...base },
		{ kind: "goodbye", ...base, successor: from },
		{ kind: "readIndex", ...base, token: { incarnation: 0, counter: 1 } },
		{ kind: "readIndexResp", ...base, token: { incarnation: 0, counter: 1 }, index: 1 },
		{ kind: "snapshot", ...base, meta: { index: 90, term, confState: three().status(1n).confState, generation: "" } },
	];
}

/** Whatever was believed: all of them follow one leader, and it commits. */
function goesOn(cluster: Cluster, ticks = 120): void {
	cluster.pass(ticks);
	const [leader] = cluster.leaders;
	expect(cluster.leaders.length).toBe(1);
	expect(cluster.propose(leader?.id as NodeId)).toBe(true);
	cluster.pass(3);
	const { commit, lastIndex, term } = cluster.status(leader?.id as NodeId);
	expect(commit).toBe(lastIndex);
	for (const id of cluster.ids) expect(cluster.status(id)).toMatchObject({ term, commit, leader: leader?.id });
}

function hear(cluster: Cluster, message: Message): StepStatus | null {
	let status: StepStatus | null = null;
	cluster.input(message.to, ({ core }) => {
		status = core.step(message);
	});
	return status;
}

describe("a term that nobody can have come to", () => {
	for (const at of [1n, 2n]) {
		test.each(forged(3n, at, HIGHEST))(
			`is not taken over by ${at === 1n ? "a leader" : "a follower"} from any message: $kind`,
			(message) => {
				for (const term of [HIGHEST, HIGHEST - 1, 2 ** 50, termCeiling(2) + 1]) {
					const cluster = three();
					const before = cluster.status(at);
					expect(["ignored:incredible-term", "ignored:in-lease"]).toContain(hear(cluster, { ...message, term }));
					const { term: own, vote, lastIndex, commit } = cluster.status(at);
					expect({ lastIndex, commit }).toEqual({ lastIndex: before.lastIndex, commit: before.commit });
					expect([before.term, termCeiling(before.term)]).toContain(own);
					expect(vote).toBe(own === before.term ? before.vote : 0n);
					goesOn(cluster);
				}
			},
		);
	}

	test("is not survived by chance: one step more, and no term would be left for an election", () => {
		const cluster = three();
		// As if 2 and 3 had taken it over.
		for (const id of [2n, 3n]) {
			cluster.crash(id, () => 0);
			const { synced } = cluster.member(id).disk;
			synced.hardState = { ...synced.hardState, term: HIGHEST, vote: 0n };
			cluster.restart(id);
		}
		cluster.isolate(1n);
		expect(() => cluster.pass(40)).toThrow(/cannot read: preVote/);
	});
});

describe("the highest term that is believed", () => {
	test("leaves nobody behind: who heard of it once leads beyond it, and who never did follows", () => {
		for (const kind of ["append", "voteResp", "heartbeatResp", "timeoutNow"] as const) {
			const cluster = three();
			const term = termCeiling(cluster.status(2n).term);
			const message = forged(3n, 2n, term).find((each) => each.kind === kind) as Message;
			expect(hear(cluster, message)).toBe("ok");
			expect(cluster.status(2n).term).toBeGreaterThanOrEqual(term);
			goesOn(cluster);
			expect(cluster.status(1n).term).toBeGreaterThan(term);
		}
	});

	test("nor somebody who joins with no term at all", () => {
		const cluster = three();
		hear(cluster, forged(3n, 2n, termCeiling(2)).find(({ kind }) => kind === "appendResp") as Message);
		goesOn(cluster);
		cluster.addEmpty(4n);
		expect(cluster.status(4n).term).toBe(0);
		expect(cluster.change(cluster.leaders[0]?.id as NodeId, { op: "addLearner", node: 4n })).toBe(true);
		goesOn(cluster);
		expect(cluster.status(4n).confState.learners).toEqual([4n]);
	});

	test("moves by small steps only, however often somebody tries", () => {
		const cluster = three();
		for (let i = 1; i <= 10; i++) {
			const { term } = cluster.status(2n);
			hear(cluster, { ...(forged(3n, 2n, HIGHEST)[0] as Message) });
			expect(cluster.status(2n).term).toBe(termCeiling(term));
		}
		expect(cluster.status(2n).term).toBeLessThan(2 ** 49);
		// The others come after it step by step: each costs an election at most.
		goesOn(cluster, 400);
	});
});
