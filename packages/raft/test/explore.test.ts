import { describe, expect, test } from "vitest";
import type { Weakening } from "./explore/cell.ts";
import { SCOPES } from "./explore/scopes.ts";
import { explore } from "./explore/search.ts";

/** The first states of each scope; `packages/raft/scripts/explore.ts` goes on from there. */
const STATES = 2_500;

describe("everything that can happen to a few members, breadth first, breaks no promise", () => {
	for (const [name, scope] of Object.entries(SCOPES)) {
		test(name, () => {
			const { states, broken, elections, complete } = explore({ ...scope, statesMax: STATES });
			expect(broken).toBe(null);
			expect(states >= STATES || complete).toBe(true);
			expect(elections).toBeGreaterThan(0);
		});
	}
});

describe("a rule less, and the search finds the shortest way to a broken promise", () => {
	for (const [name, scope, weakening, text] of [
		[
			"a member votes twice in a term",
			"two elections, two messages on each link",
			(raft) => {
				raft.vote = 0n;
			},
			/^term 2 has two leaders: 1 and 2$/,
		],
		[
			"a leader appends a change while another of its own is under way (rule C2)",
			"two changes, two elections",
			(raft) => {
				raft.pendingConfigIndex = 0;
			},
			/^leader 1 commits 3@2 without a quorum of disks$/,
		],
		[
			"SC-055 a new leader appends a change before it has committed anything in its term (rule C2, Ongaro 2015)",
			"two changes, two elections",
			(raft) => {
				if (raft.role !== "leader" || raft.pendingConfigIndex >= raft.termFirstIndex) return;
				raft.pendingConfigIndex = 0;
				raft.termFirstIndex = 0;
			},
			/^leader 2 of term 3 commits 3@2 by counting$/,
		],
		[
			"a change is answered when its leader alone knows that it is committed (rule C3)",
			"one change, a crash, an election",
			(raft) => {
				raft.progress.durableCommit.fill(9);
			},
			/^change 3 is answered before a quorum of the new configuration knows of it durably$/,
		],
		[
			"a joint configuration counts its incoming half only",
			"two voters, one is exchanged, two elections",
			(raft) => {
				raft.members.outgoing = [];
			},
			/^leader 2 commits 4@4 without a quorum of disks$/,
		],
	] as [string, keyof typeof SCOPES, NonNullable<Weakening["core"]>, RegExp][]) {
		test(name, () => {
			const { broken } = explore({ ...SCOPES[scope], statesMax: 20_000, weakening: { core: weakening } });
			expect(broken?.text).toMatch(text);
		});
	}
});
