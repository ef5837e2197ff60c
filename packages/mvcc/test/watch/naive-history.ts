/** Everything that ever happened to a few keys, kept whole: what a watcher must hear is read off it. */

export interface NaivePair {
	readonly key: string;
	readonly value: string;
	readonly create: number;
	readonly mod: number;
	readonly version: number;
}

export interface NaiveEvent {
	readonly type: "put" | "delete";
	readonly key: string;
	readonly revision: number;
	/** Null for a deletion. */
	readonly pair: NaivePair | null;
	/** The pair one revision before, but for the first put of a life. */
	readonly previous: NaivePair | null;
}

export type NaiveOp =
	| { readonly kind: "put"; readonly key: string; readonly value: string }
	| { readonly kind: "delete"; readonly key: string };

export interface Interest {
	readonly from: string;
	/** Excluded; null: no end. */
	readonly to: string | null;
	readonly noPut: boolean;
	readonly noDelete: boolean;
}

export class NaiveHistory {
	revision = 1;
	private readonly events: NaiveEvent[] = [];
	private state = new Map<string, NaivePair>();

	keys(): string[] {
		return [...this.state.keys()].sort();
	}

	/** The changes of one request. */
	apply(ops: readonly NaiveOp[]): void {
		const before = new Map(this.state);
		const revision = this.revision + 1;
		let changed = false;
		for (const op of ops) {
			const alive = this.state.get(op.key);
			if (op.kind === "delete") {
				if (alive === undefined) continue;
				this.state.delete(op.key);
				this.events.push({ type: "delete", key: op.key, revision, pair: null, previous: before.get(op.key) ?? null });
			} else {
				const create = alive?.create ?? revision;
				const pair = { key: op.key, value: op.value, create, mod: revision, version: (alive?.version ?? 0) + 1 };
				this.state.set(op.key, pair);
				const previous = create === revision ? null : (before.get(op.key) ?? null);
				this.events.push({ type: "put", key: op.key, revision, pair, previous });
			}
			changed = true;
		}
		if (changed) this.revision = revision;
	}

	/** What somebody with this interest hears from one revision up to another, both included. */
	heard({ from, to, noPut, noDelete }: Interest, start: number, end: number): NaiveEvent[] {
		return this.events.filter(
			({ key, revision, type }) =>
				revision >= start && revision <= end && key >= from && (to === null || key < to) && !(type === "put" ? noPut : noDelete),
		);
	}
}
