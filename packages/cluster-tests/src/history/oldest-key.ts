/** Who had the oldest key under a prefix, revision by revision: that is who holds a lock or leads an election. Told from changes alone. */
import type { Change } from "./operation.ts";

/** A key from its creation to its deletion. */
export interface KeyLife {
	readonly key: string;
	readonly create: number;
	/** Revision of its deletion; infinite while it is there. */
	end: number;
	/** Revisions that changed it, ascending, with what it held from then on. */
	readonly values: Map<number, string>;
}

export class OldestKey {
	/** Oldest first. */
	private readonly lives: KeyLife[] = [];

	constructor(prefix: string, changes: ReadonlyMap<number, readonly Change[]>) {
		const present = new Map<string, KeyLife>();
		for (const revision of [...changes.keys()].sort((a, b) => a - b)) {
			for (const { key, value } of changes.get(revision) ?? []) {
				if (!key.startsWith(prefix)) continue;
				const life = present.get(key);
				if (value === null) {
					if (life !== undefined) life.end = revision;
					present.delete(key);
				} else if (life !== undefined) life.values.set(revision, value);
				else {
					const begun = { key, create: revision, end: Number.POSITIVE_INFINITY, values: new Map([[revision, value]]) };
					present.set(key, begun);
					this.lives.push(begun);
				}
			}
		}
	}

	at(revision: number): KeyLife | null {
		return this.lives.find(({ create, end }) => create <= revision && revision < end) ?? null;
	}

	/** The life of `key` that was under way then. */
	lifeAt(key: string, revision: number): KeyLife | null {
		return this.lives.find((life) => life.key === key && life.create <= revision && revision < life.end) ?? null;
	}

	created(key: string, create: number): KeyLife | null {
		return this.lives.find((life) => life.key === key && life.create === create) ?? null;
	}
}

/** The newest change of a life at a revision. */
export function changedAt({ values }: KeyLife, revision: number): number {
	return Math.max(...[...values.keys()].filter((at) => at <= revision));
}

/** The first change of a life behind one revision and before another. */
export function changeBetween({ values }: KeyLife, after: number, before: number): number | null {
	return [...values.keys()].find((at) => at > after && at < before) ?? null;
}
