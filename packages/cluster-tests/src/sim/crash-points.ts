import type { CrashKind } from "@flotilla/server/internal";

/** What to wait for before the process dies. */
export interface CrashTrap {
	/** So many operations from now. */
	readonly after: number;
	readonly kind: CrashKind;
	/** Only operations of this area count; null: all. */
	readonly area: CrashArea | null;
}

/** Where operations come from: the log's files, the store, the folder of stores, messages, answers to clients. */
export type CrashArea = "file" | "store" | "house" | "send" | "receive" | "answer";

/**
 * Numbers everything by which a process touches the world, so that it can die between any two: a file or store operation that
 * is about to be asked for, one that has taken effect and is not yet reported, a message about to leave, one that arrived and
 * was not yet read, an answer about to go to its client. Nothing else that a process does is seen by anybody.
 */
export class CrashPoints {
	private readonly die: (kind: CrashKind) => void;
	private trap: CrashTrap | null = null;
	private left = 0;
	private passedCount = 0;
	/** Deaths by point. */
	readonly deaths = new Map<string, number>();

	constructor(die: (kind: CrashKind) => void) {
		this.die = die;
	}

	/** Points passed so far, over all lives. */
	get passed(): number {
		return this.passedCount;
	}

	/** Lasts until it strikes or is disarmed, through any number of restarts. */
	arm(trap: CrashTrap): void {
		this.trap = trap;
		this.left = trap.after;
	}

	disarm(): void {
		this.trap = null;
	}

	/** False when the process died here: what was about to happen does not. */
	pass(area: CrashArea, what: string): boolean {
		this.passedCount++;
		const { trap } = this;
		if (trap === null || (trap.area !== null && trap.area !== area)) return true;
		if (--this.left > 0) return true;
		this.trap = null;
		const name = `${area} ${what}`;
		this.deaths.set(name, (this.deaths.get(name) ?? 0) + 1);
		this.die(trap.kind);
		return false;
	}
}
