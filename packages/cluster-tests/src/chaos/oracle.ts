/** All watches together: what one of them missed another may have; where two know a revision they must tell the same. */
import { type Change, sameChanges } from "../history/operation.ts";
import type { WatchRecord } from "./follower.ts";

export interface Oracle {
	/** Of each revision that somebody was told. */
	readonly changes: ReadonlyMap<number, readonly Change[]>;
	/** The last of them; 1: there is none. */
	readonly last: number;
	/** The first one before that which nobody was told; null: there is none. */
	readonly unseen: number | null;
	readonly disagreements: readonly string[];
}

export function mergeOracle(followers: readonly WatchRecord[]): Oracle {
	const changes = new Map<number, readonly Change[]>();
	const disagreements: string[] = [];
	for (const follower of followers) {
		for (const [revision, told] of changesTold(follower)) {
			const known = changes.get(revision);
			if (known === undefined) changes.set(revision, told);
			else if (!sameChanges(known, told)) {
				disagreements.push(
					`revision ${revision}: ${follower.member.name} tells ${JSON.stringify(told)}, another member ${JSON.stringify(known)}`,
				);
			}
		}
	}
	let last = 1;
	for (const revision of changes.keys()) last = Math.max(last, revision);
	return { changes, last, unseen: firstUnseen(changes, last), disagreements };
}

/** As it was told first; that it was told again, or in parts, is a matter of the checks of watches. */
function changesTold({ streams }: WatchRecord): Map<number, readonly Change[]> {
	const told = new Map<number, readonly Change[]>();
	for (const { entries } of streams) {
		const here = new Map<number, Change[]>();
		for (const entry of entries) {
			if (entry.kind !== "answer") continue;
			const fresh = new Map<number, Change[]>();
			for (const { mod, key, pair } of entry.answer.events) {
				if (here.has(mod)) continue;
				const change = { key, value: pair?.value ?? null };
				const changes = fresh.get(mod);
				if (changes === undefined) fresh.set(mod, [change]);
				else changes.push(change);
			}
			for (const [revision, changes] of fresh) here.set(revision, changes);
		}
		for (const [revision, changes] of here) if (!told.has(revision)) told.set(revision, changes);
	}
	return told;
}

function firstUnseen(changes: Oracle["changes"], last: number): number | null {
	for (let revision = 2; revision < last; revision++) if (!changes.has(revision)) return revision;
	return null;
}
