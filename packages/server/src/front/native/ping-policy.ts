/**
 * How often a client may ping, as gRPC servers have it and etcd sets it: not more often than every `minMs` while calls are
 * open, not more often than every two hours otherwise. A third offence ends the connection. Pings between which the server
 * sent something (a client measures its line by them) do not count.
 */

const STRIKES_MAX = 2;
const IDLE_PING_MS = 2 * 3_600_000;

export class PingPolicy {
	private readonly minMs: number;
	private lastMs = Number.NEGATIVE_INFINITY;
	private lastSent = 0;
	private strikes = 0;

	constructor(minMs: number) {
		this.minMs = minMs;
	}

	/** `sent`: a number that changes whenever headers or data were sent. False: one ping too many. */
	pinged(nowMs: number, sent: number, hasCalls: boolean): boolean {
		const sinceMs = nowMs - this.lastMs;
		this.lastMs = nowMs;
		if (sent !== this.lastSent) {
			this.lastSent = sent;
			this.strikes = 0;
			return true;
		}
		if (sinceMs < (hasCalls ? this.minMs : IDLE_PING_MS)) this.strikes++;
		return this.strikes <= STRIKES_MAX;
	}
}
