import type { Attempt, Change, Operation } from "./operation.ts";

/**
 * Which attempts of unknown outcome made the changes that nobody was told of: a matching of revisions and attempts, kept as large
 * as there is one by augmenting paths (Kuhn). To take the first attempt that fits would not do: a deletion, or a transaction that
 * deletes by one of its branches, may fit a revision that another one made, and be missed at its own.
 */
export class Gaps {
	private readonly candidates = new Map<number, readonly Attempt[]>();
	private readonly filled = new Map<Attempt, number>();

	get count(): number {
		return this.candidates.size;
	}

	/** False: whatever the earlier revisions are given, none of the `candidates` is left for this one. */
	fill(revision: number, candidates: readonly Attempt[]): boolean {
		this.candidates.set(revision, candidates);
		return this.give(revision, new Set());
	}

	private give(revision: number, seen: Set<Attempt>): boolean {
		const candidates = this.candidates.get(revision) as readonly Attempt[];
		const free = candidates.find((attempt) => !this.filled.has(attempt));
		if (free !== undefined) {
			this.filled.set(free, revision);
			return true;
		}
		for (const attempt of candidates) {
			if (seen.has(attempt)) continue;
			seen.add(attempt);
			if (!this.give(this.filled.get(attempt) as number, seen)) continue;
			this.filled.set(attempt, revision);
			return true;
		}
		return false;
	}
}

/** Some branch of the operation makes this change, or would if the key were there: cheap to ask before it is carried out. */
export function mayMake(operation: Operation, change: Change): boolean {
	switch (operation.kind) {
		case "put":
			return operation.key === change.key && operation.value === change.value;
		case "delete": {
			const { key, end } = operation;
			if (change.value !== null) return false;
			return end === "" ? key === change.key : change.key >= key && (end === "\0" || change.key < end);
		}
		case "txn":
			return [...operation.success, ...operation.failure].some((inner) => mayMake(inner, change));
		case "range":
		case "compact":
			return false;
	}
}
