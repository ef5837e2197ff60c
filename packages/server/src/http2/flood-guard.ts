/**
 * What a peer may send without use, counted by connection: buckets that time and useful work fill again. Above them the
 * connection is ended (enhance your calm).
 */

export interface FloodLimits {
	/** PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty frames, unknown frames, frames on streams that are closed. */
	readonly controlBurst: number;
	readonly controlPerSecond: number;
	/** Streams that the peer reset, or that had to be reset because of what it sent. */
	readonly resetBurst: number;
	readonly resetPerSecond: number;
	/** Answers to such frames (acknowledgements, resets) that wait because the peer does not read. */
	readonly repliesMax: number;
}

export const DEFAULT_FLOOD_LIMITS: FloodLimits = {
	controlBurst: 2_000,
	controlPerSecond: 200,
	resetBurst: 1_000,
	resetPerSecond: 100,
	repliesMax: 1_000,
};

export class TokenBucket {
	private readonly burst: number;
	private readonly perMs: number;
	private readonly nowMs: () => number;
	private tokens: number;
	private filledMs: number;

	constructor(burst: number, perSecond: number, nowMs: () => number) {
		this.burst = burst;
		this.perMs = perSecond / 1_000;
		this.nowMs = nowMs;
		this.tokens = burst;
		this.filledMs = nowMs();
	}

	/** False when there is none left. The clock is read only when it matters. */
	take(): boolean {
		if (this.tokens < 1) {
			const now = this.nowMs();
			this.tokens = Math.min(this.burst, this.tokens + (now - this.filledMs) * this.perMs);
			this.filledMs = now;
			if (this.tokens < 1) return false;
		}
		this.tokens--;
		return true;
	}

	give(count: number): void {
		this.tokens = Math.min(this.burst, this.tokens + count);
	}
}
