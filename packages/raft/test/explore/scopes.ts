import type { MembershipOp, MembershipRequest, NodeId } from "../../src/index.ts";
import type { Scope } from "./search.ts";

const VOTERS: readonly NodeId[] = [1n, 2n, 3n];

export function change(...changes: [MembershipOp, NodeId][]): MembershipRequest {
	return { changes: changes.map(([op, node]) => ({ op, node })), transition: "auto", context: new Uint8Array(0) };
}

const NOTHING = {
	voters: VOTERS,
	spares: [],
	proposalsMax: 0,
	changes: [],
	changesMax: 0,
	crashesMax: 0,
	ticksMax: 0,
	linkMax: 1,
	elected: true,
	quickDisks: false,
	statesMax: 0,
};

/** Each looks at one part of the protocol as far as it can; together they are the tiny model. */
export const SCOPES = {
	"elections and a crash": { ...NOTHING, termMax: 3, crashesMax: 1, elected: false },
	"two elections, two messages on each link": { ...NOTHING, termMax: 3, linkMax: 2, elected: false, quickDisks: true },
	"an entry, a crash, an election": { ...NOTHING, termMax: 3, proposalsMax: 1, crashesMax: 1 },
	"an entry, heartbeats, an election": { ...NOTHING, termMax: 3, proposalsMax: 1, ticksMax: 2, quickDisks: true },
	"an entry, two elections": { ...NOTHING, termMax: 4, proposalsMax: 1, quickDisks: true },
	"one change, a crash, an election": {
		...NOTHING,
		termMax: 3,
		changes: [change(["remove", 1n]), change(["remove", 3n])],
		changesMax: 1,
		crashesMax: 1,
	},
	"a joint change, two elections": {
		...NOTHING,
		termMax: 4,
		changes: [change(["remove", 1n], ["remove", 2n])],
		changesMax: 1,
		quickDisks: true,
	},
	"two changes, two elections": {
		...NOTHING,
		termMax: 4,
		changes: [change(["remove", 2n]), change(["remove", 3n])],
		changesMax: 2,
		quickDisks: true,
	},
	"four voters, two leaders, a change of each": {
		...NOTHING,
		voters: [1n, 2n, 3n, 4n],
		termMax: 4,
		changes: [change(["remove", 4n]), change(["remove", 3n])],
		changesMax: 2,
		quickDisks: true,
	},
	"one voter, another is added, two elections": {
		...NOTHING,
		voters: [1n],
		spares: [2n],
		termMax: 4,
		changes: [change(["addVoter", 2n])],
		changesMax: 1,
		crashesMax: 1,
	},
	"two voters, a third is added, a crash, an election": {
		...NOTHING,
		voters: [1n, 2n],
		spares: [3n],
		termMax: 3,
		changes: [change(["addVoter", 3n])],
		changesMax: 1,
		crashesMax: 1,
	},
	"two voters, one is exchanged, two elections": {
		...NOTHING,
		voters: [1n, 2n],
		spares: [3n],
		termMax: 4,
		changes: [change(["addVoter", 3n], ["remove", 1n])],
		changesMax: 1,
		quickDisks: true,
	},
} as const satisfies Record<string, Scope>;
