/**
 * How often a password may be guessed. Counted by address and user together, so that nobody can lock another one out, and by
 * address alone, so that many names help nobody. Right answers cost nothing in the end.
 */
import type { Clock } from "../../ports.ts";

interface Allowance {
	/** So many at once, */
	readonly burst: number;
	/** and so many a second after that. */
	readonly perSecond: number;
}

/** At once, for a user from one address. */
export const GUESSES_MAX = 10;
const FOR_A_USER: Allowance = { burst: GUESSES_MAX, perSecond: 1 };
const FOR_AN_ADDRESS: Allowance = { burst: 100, perSecond: 10 };
/** Counts kept; the one that was changed least lately goes first. Beyond it a guesser needs a great many addresses. */
const COUNTS_MAX = 16_384;

interface Count {
	left: number;
	atMs: number;
}

export class GuessLimit {
	private readonly clock: Clock;
	private readonly counts = new Map<string, Count>();

	constructor(clock: Clock) {
		this.clock = clock;
	}

	/** False: not now. Then nothing is counted: with names that it makes up an address cannot push its count of another name out. */
	take(address: string, user: string): boolean {
		if (this.exhausted(address, user)) return false;
		for (const count of this.countsOf(address, user)) count.left--;
		return true;
	}

	/** A guess would be refused. */
	exhausted(address: string, user: string): boolean {
		return this.leftOf(address, FOR_AN_ADDRESS) < 1 || this.leftOf(nameOf(address, user), FOR_A_USER) < 1;
	}

	giveBack(address: string, user: string): void {
		for (const count of this.countsOf(address, user)) count.left++;
	}

	private countsOf(address: string, user: string): readonly Count[] {
		return [this.refilled(nameOf(address, user), FOR_A_USER), this.refilled(address, FOR_AN_ADDRESS)];
	}

	private leftOf(name: string, { burst, perSecond }: Allowance): number {
		const count = this.counts.get(name);
		if (count === undefined) return burst;
		return Math.min(burst, count.left + ((this.clock.monotonicMs() - count.atMs) / 1_000) * perSecond);
	}

	private refilled(name: string, { burst, perSecond }: Allowance): Count {
		const nowMs = this.clock.monotonicMs();
		const count = this.counts.get(name) ?? { left: burst, atMs: nowMs };
		count.left = Math.min(burst, count.left + ((nowMs - count.atMs) / 1_000) * perSecond);
		count.atMs = nowMs;
		this.counts.delete(name);
		this.counts.set(name, count);
		if (this.counts.size > COUNTS_MAX) {
			const [oldest] = this.counts.keys();
			if (oldest !== undefined) this.counts.delete(oldest);
		}
		return count;
	}
}

function nameOf(address: string, user: string): string {
	return `${address}\0${user}`;
}
