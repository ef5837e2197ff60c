/**
 * Rule A9. Calls whose token the member may learn of when it has applied more. Most are honest and wait for a few heartbeats: the token was
 * given out elsewhere a moment ago. Whoever makes tokens up can make the others wait, too; so when there is no room those go first
 * that would be in the way of the fewest others: of the address with the most, of its connection with the most, the one that is
 * furthest away, the one that has waited longest.
 */
import { addressOf } from "./peer-address.ts";

const WAITING_MAX = 1_024;
/** A token that a client was given elsewhere is known here within a few heartbeats, or never. */
const WAIT_MS_MAX = 3_000;
/** No member applies so many entries in that time. */
const AHEAD_MAX = 1_000_000;

export interface WaitingWorld {
	readonly tickMs: number;
	/** What is applied. */
	appliedIndex(): number;
	afterTicks(ticks: number, work: () => void): void;
}

export interface WaitingCall {
	/** `ip:port`. */
	readonly peer: string;
	/** Of the entry that tells of the token. */
	readonly index: number;
	readonly remainingMs: number;
	/** It has come to that entry: the token can be read again. */
	known(): void;
	/** It never will, or not for this call. */
	lost(): void;
}

interface Waiting {
	readonly call: WaitingCall;
	readonly address: string;
	ticksLeft: number;
}

export class WaitingCallers {
	private readonly world: WaitingWorld;
	/** Oldest first. */
	private readonly waiting = new Set<Waiting>();
	private readonly byAddress = new Map<string, number>();
	private readonly byPeer = new Map<string, number>();
	private looking = false;

	constructor(world: WaitingWorld) {
		this.world = world;
	}

	get count(): number {
		return this.waiting.size;
	}

	/** What it returns forgets the call. Null: it was lost at once. */
	add(call: WaitingCall): (() => void) | null {
		const { tickMs } = this.world;
		const ahead = call.index - this.world.appliedIndex();
		if (ahead <= 0 || ahead > AHEAD_MAX) {
			call.lost();
			return null;
		}
		const waiting = { call, address: addressOf(call.peer), ticksLeft: Math.ceil(Math.min(WAIT_MS_MAX, call.remainingMs) / tickMs) };
		this.take(waiting);
		if (this.waiting.size > WAITING_MAX) this.lose(this.leastWanted());
		this.lookOn();
		return () => this.drop(waiting);
	}

	private leastWanted(): Waiting {
		let found: Waiting | null = null;
		for (const each of this.waiting) if (found === null || this.goesBefore(each, found)) found = each;
		return found as Waiting;
	}

	/** `one` came later than `other`. */
	private goesBefore(one: Waiting, other: Waiting): boolean {
		const byAddress = (this.byAddress.get(one.address) ?? 0) - (this.byAddress.get(other.address) ?? 0);
		if (byAddress !== 0) return byAddress > 0;
		const byPeer = (this.byPeer.get(one.call.peer) ?? 0) - (this.byPeer.get(other.call.peer) ?? 0);
		return byPeer !== 0 ? byPeer > 0 : one.call.index > other.call.index;
	}

	private lookOn(): void {
		if (this.looking || this.waiting.size === 0) return;
		this.looking = true;
		this.world.afterTicks(1, () => {
			this.looking = false;
			this.look();
			this.lookOn();
		});
	}

	private look(): void {
		const applied = this.world.appliedIndex();
		for (const each of [...this.waiting]) {
			if (each.call.index <= applied) {
				if (this.drop(each)) each.call.known();
			} else if (--each.ticksLeft <= 0) this.lose(each);
		}
	}

	private lose(waiting: Waiting): void {
		if (this.drop(waiting)) waiting.call.lost();
	}

	private take(waiting: Waiting): void {
		this.waiting.add(waiting);
		count(this.byAddress, waiting.address, 1);
		count(this.byPeer, waiting.call.peer, 1);
	}

	private drop(waiting: Waiting): boolean {
		if (!this.waiting.delete(waiting)) return false;
		count(this.byAddress, waiting.address, -1);
		count(this.byPeer, waiting.call.peer, -1);
		return true;
	}
}

function count(counts: Map<string, number>, name: string, change: number): void {
	const now = (counts.get(name) ?? 0) + change;
	if (now === 0) counts.delete(name);
	else counts.set(name, now);
}
