import type { Change, Pair } from "./operation.ts";
import type { HeardEvent, WatchAsk } from "./watch-record.ts";

/** The events of all revisions, worked out from the changes alone. */
export class WatchTruth {
	readonly finalRevision: number;
	/** Highest revision that was compacted; what lies below may be missing. */
	readonly compacted: number;
	/** From here on nobody can tell what pairs were like: a change before it was seen by nobody. */
	readonly pairsUntil: number;
	private readonly byRevision: HeardEvent[][] = [];

	constructor(
		changes: ReadonlyMap<number, readonly Change[]>,
		finalRevision: number,
		compacted: number,
		pairsUntil = Number.POSITIVE_INFINITY,
	) {
		this.finalRevision = finalRevision;
		this.compacted = compacted;
		this.pairsUntil = pairsUntil;
		const state = new Map<string, Pair>();
		for (let revision = 2; revision <= finalRevision; revision++) {
			const before = new Map<string, Pair | undefined>();
			this.byRevision[revision] = (changes.get(revision) ?? []).map(({ key, value }) => {
				const alive = state.get(key);
				if (!before.has(key)) before.set(key, alive);
				const previous = before.get(key) ?? null;
				if (value === null) {
					state.delete(key);
					return { type: "delete", key, mod: revision, pair: null, previous };
				}
				const pair = { key, value, create: alive?.create ?? revision, mod: revision, version: (alive?.version ?? 0) + 1 };
				state.set(key, pair);
				return { type: "put", key, mod: revision, pair, previous: pair.create === revision ? null : previous };
			});
		}
	}

	/** What such a watcher is to hear from one revision up to another, both included. */
	heard(ask: WatchAsk, from: number, upto: number): HeardEvent[] {
		const events: HeardEvent[] = [];
		for (let revision = Math.max(2, from); revision <= Math.min(upto, this.finalRevision); revision++) {
			for (const event of this.byRevision[revision] ?? []) if (concerns(ask, event)) events.push(event);
		}
		return events;
	}

	/** The one that such a watcher is to hear where it heard this one: of the same revision, kind and key. */
	named(ask: WatchAsk, event: HeardEvent): HeardEvent | undefined {
		return this.byRevision[event.mod]?.findLast((due) => sameEvent(due, event) && concerns(ask, due));
	}
}

export function sameEvent(a: HeardEvent, b: HeardEvent): boolean {
	return a.mod === b.mod && a.type === b.type && a.key === b.key;
}

/** In the range, and of no kind that is filtered out. */
export function concerns({ key, end, noPut, noDelete }: WatchAsk, event: HeardEvent): boolean {
	if (event.type === "put" ? noPut : noDelete) return false;
	if (end === "") return event.key === key;
	return event.key >= key && (end === "\0" || event.key < end);
}
