/** A story of one broken promise, and how such stories begin. */
import type { ConfState, NodeId, RaftLimits } from "@flotilla/raft";
import type { InvariantName } from "../invariants.ts";
import { type CheckerScene, change, confOf, entry, peer } from "./scene.ts";

export interface Story {
	readonly title: string;
	/** Lawful, unless `wrong`. */
	readonly tell: (scene: CheckerScene, wrong: boolean) => void;
	readonly first?: (wrong: boolean) => ConfState;
	readonly limits?: Partial<RaftLimits>;
	/** What cannot be broken without it. */
	readonly also?: InvariantName;
}

export type StoriesOf = Partial<Record<InvariantName, readonly Story[]>>;

export const ALL = [1n, 2n, 3n];
export const JOINT = confOf([1n, 2n, 3n], { votersOutgoing: [1n, 4n, 5n], autoLeave: true });
const WITH_LEARNER = confOf(ALL, { learners: [4n] });

/** Member 1 leads term 2 with the vote of member 2; these hold its first entry. */
export function leads(scene: CheckerScene, holders: readonly NodeId[] = [1n, 2n]): void {
	scene.elects(1n, 2, [2n]);
	scene.take(holders, entry(2, 2));
}

export function leadsAndCommits(scene: CheckerScene, holders: readonly NodeId[] = [1n, 2n]): void {
	leads(scene, holders);
	scene.says(1n, { commit: 2 });
}

/** Member 1 leads term 2 and has committed that member 4 learns. */
export function addsLearner(scene: CheckerScene): void {
	scene.elects(1n, 2, [2n]);
	scene.take([1n, 2n], change(2, 2, "addLearner", 4n));
	scene.says(1n, { commit: 2, confState: WITH_LEARNER, peers: [2n, 3n, 4n].map((id) => peer(id, 0, 3)) });
}

/** Its disk knows by now what was committed. */
export function knowsCommit(scene: CheckerScene, id: NodeId, commit: number): void {
	scene.writes(id, { hardState: { term: 2, vote: 1n, commit } });
}
