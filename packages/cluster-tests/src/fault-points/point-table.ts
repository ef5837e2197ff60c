/**
 * Fault points of a test build, as numbers in memory that two threads share: the thread of the port arms them, also while the
 * member's own thread sleeps, and the member's thread looks at them as it passes.
 */

/** Named `room.action`. */
export const POINTS = [
	...["wal.beforeWrite", "wal.afterWrite", "wal.beforeCreate", "wal.beforeWriteFile", "wal.beforeRename", "wal.afterRename"],
	...["wal.beforeSync", "wal.beforeSyncFolder", "wal.beforeUnlink", "wal.beforeRead"],
	...["store.beforeBatch", "store.afterBatch", "store.beforeBarrier", "store.beforeFloor", "store.afterFloor", "store.beforeReadView"],
	...["snapshot.beforeSend", "peers.beforeSend", "watch.beforeSend", "front.beforeAnswer"],
] as const;
export type PointName = (typeof POINTS)[number];

/** What an armed point can say went wrong. */
export const ERRORS = ["EIO", "ENOSPC", "EROFS", "EDQUOT", "ECONNRESET"] as const;
export type PointError = (typeof ERRORS)[number];

export type PointAction =
	| { readonly kind: "panic" }
	| { readonly kind: "sleep"; readonly ms: number }
	| { readonly kind: "error"; readonly error: PointError };

/** `3*panic`: the next three times. `10%error("EIO")`: one time in ten. */
export interface PointTerm {
	readonly action: PointAction;
	/** 0: for ever. */
	readonly count: number;
	readonly percent: number;
}

const FIELDS = { kind: 0, argument: 1, count: 2, percent: 3, hits: 4 } as const;
const FIELD_COUNT = Object.keys(FIELDS).length;
const KINDS = ["panic", "sleep", "error"] as const;
const COUNT_MAX = 1_000_000_000;

export class PointTable {
	readonly memory: SharedArrayBuffer;
	private readonly words: Int32Array;

	constructor(memory = new SharedArrayBuffer(4 * FIELD_COUNT * POINTS.length)) {
		this.memory = memory;
		this.words = new Int32Array(memory);
	}

	arm(name: PointName, { action, count, percent }: PointTerm): void {
		this.disarm(name);
		const argument = action.kind === "sleep" ? action.ms : action.kind === "error" ? ERRORS.indexOf(action.error) : 0;
		this.write(name, "argument", argument);
		this.write(name, "count", count);
		this.write(name, "percent", percent);
		// Last: whoever sees it sees the rest.
		this.write(name, "kind", KINDS.indexOf(action.kind) + 1);
	}

	disarm(name: PointName): void {
		this.write(name, "kind", 0);
	}

	/** Null: not armed. */
	term(name: PointName): PointTerm | null {
		const kind: PointAction["kind"] | undefined = KINDS[this.read(name, "kind") - 1];
		const argument = this.read(name, "argument");
		const [count, percent] = [this.read(name, "count"), this.read(name, "percent")];
		switch (kind) {
			case undefined:
				return null;
			case "panic":
				return { action: { kind }, count, percent };
			case "sleep":
				return { action: { kind, ms: argument }, count, percent };
			case "error":
				return { action: { kind, error: ERRORS[argument] as PointError }, count, percent };
		}
	}

	hits(name: PointName): number {
		return this.read(name, "hits");
	}

	/** What the point does to who passes it now. `chance`: from 0 to 99. */
	pass(name: PointName, chance: () => number): PointAction | null {
		this.write(name, "hits", this.read(name, "hits") + 1);
		const term = this.term(name);
		if (term === null || (term.percent < 100 && chance() >= term.percent)) return null;
		if (term.count === 1) this.disarm(name);
		else if (term.count > 1) this.write(name, "count", term.count - 1);
		return term.action;
	}

	private read(name: PointName, field: keyof typeof FIELDS): number {
		return Atomics.load(this.words, POINTS.indexOf(name) * FIELD_COUNT + FIELDS[field]);
	}

	private write(name: PointName, field: keyof typeof FIELDS, value: number): void {
		Atomics.store(this.words, POINTS.indexOf(name) * FIELD_COUNT + FIELDS[field], value);
	}
}

const TERM =
	/^(?:(?<count>\d{1,9})\*|(?<percent>\d{1,3})%)?(?:(?<panic>panic)|sleep\("(?<time>\d{1,6})(?<unit>ms|s)"\)|error\("(?<error>\w+)"\))$/;

/** Null for what is no term. */
export function parseTerm(text: string): PointTerm | null {
	const groups = TERM.exec(text.trim())?.groups;
	if (groups === undefined) return null;
	const { panic, time, unit, error } = groups;
	const count = Number(groups.count ?? 0);
	const percent = Number(groups.percent ?? 100);
	if ((groups.count !== undefined && (count < 1 || count > COUNT_MAX)) || percent < 1 || percent > 100) return null;
	if (panic !== undefined) return { action: { kind: "panic" }, count, percent };
	if (time !== undefined) return { action: { kind: "sleep", ms: Number(time) * (unit === "s" ? 1_000 : 1) }, count, percent };
	const known = ERRORS.find((name) => name === error);
	return known === undefined ? null : { action: { kind: "error", error: known }, count, percent };
}

export function describeTerm({ action, count, percent }: PointTerm): string {
	const times = count > 0 ? `${count}*` : percent < 100 ? `${percent}%` : "";
	switch (action.kind) {
		case "panic":
			return `${times}panic`;
		case "sleep":
			return `${times}sleep("${action.ms}ms")`;
		case "error":
			return `${times}error("${action.error}")`;
	}
}
