import type { OpenStore } from "../ports.ts";
import { ask, ioRefusal, RefusedStart, refuse, type Steps } from "./recovery-steps.ts";
import { REPLACE_MEMBER } from "./refusal.ts";

/** Why a store cannot be used; `storeDamaged`: it cannot even be read. */
export interface StoreProblem {
	readonly code: "storeDamaged" | "storeMismatch";
	readonly reason: string;
}

/** The stores of a member's folder, all locked by this process. */
export interface OpenedStores {
	/** The one that the member's identity names; null: it cannot be opened. */
	readonly current: OpenStore | null;
	readonly currentProblem: StoreProblem;
	/** Left over from an interrupted rebuild; null: not to be opened. */
	readonly others: ReadonlyMap<string, OpenStore | null>;
}

/** Opens every generation: together their locks are the lock of the member, whichever of them is the current one. */
export function* openStores(current: string, generations: readonly string[]): Steps<OpenedStores> {
	const opened: OpenStore[] = [];
	const others = new Map<string, OpenStore | null>();
	let currentStore: OpenStore | null = null;
	let currentProblem: StoreProblem = { code: "storeMismatch", reason: "the folder does not exist" };
	for (const generation of generations) {
		const { opening } = yield* ask({ on: "openStore", generation, create: false });
		if (opening.ok) opened.push(opening.store);
		else if (opening.code === "locked") {
			yield* closeAll(opened);
			throw lockedBy(generation, opening.text);
		} else if (opening.code === "io") {
			yield* closeAll(opened);
			throw ioRefusal("opening the store", `store.${generation}`, opening.text);
		}
		if (generation !== current) others.set(generation, opening.ok ? opening.store : null);
		else if (opening.ok) currentStore = opening.store;
		else currentProblem = { code: opening.code === "damaged" ? "storeDamaged" : "storeMismatch", reason: opening.text };
	}
	return { current: currentStore, currentProblem, others };
}

/** Makes a store, or opens what an interrupted start left of it. */
export function* makeStore(generation: string): Steps<OpenStore> {
	const { opening } = yield* ask({ on: "openStore", generation, create: true });
	if (opening.ok) return opening.store;
	if (opening.code === "locked") throw lockedBy(generation, opening.text);
	if (opening.code !== "damaged") throw ioRefusal("making the store", `store.${generation}`, opening.text);
	throw refuse("storeDamaged", {
		what: "the store that an interrupted start left cannot be opened",
		where: `store.${generation}`,
		found: opening.text,
		wanted: "a store that can be opened",
		next: `Remove the folder store.${generation}, which this member has not begun to use, then start again; if it fails again: ${REPLACE_MEMBER}`,
	});
}

export function* closeAll(stores: Iterable<OpenStore>): Steps<void> {
	for (const store of stores) yield* ask({ on: "closeStore", store });
}

export function* removeOthers(others: ReadonlyMap<string, OpenStore | null>): Steps<void> {
	for (const [generation, store] of others) {
		if (store !== null) yield* ask({ on: "closeStore", store });
		// What cannot be removed now is tried again at the next start.
		yield* ask({ on: "removeStore", generation });
	}
}

function lockedBy(generation: string, found: string): RefusedStart {
	return new RefusedStart({
		code: "locked",
		text: `Cannot start (locked): data directory is in use by another process. store.${generation}: ${found}. Stop the other process, or name another --data-dir.`,
	});
}
