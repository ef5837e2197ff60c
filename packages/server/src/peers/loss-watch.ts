import { marks } from "@flotilla/base";
import type { Lane } from "./lane.ts";

/** A stream as the watch knows it: its lane, seen from the side that dialed. */
export type LaneName = `${"out" | "in"}${Lane}`;

export interface LossWatchOptions {
	/** g of rule H2. */
	readonly graceMs: number;
	/** Bound of the doubling of g (rule H7): the election timeout. */
	readonly graceMaxMs: number;
}

/**
 * Decides when a peer's process life counts as lost (rules H2, H7): all its raft lanes are closed, none of them by us, at
 * least one was open before, and then a redial was refused, another incarnation appeared, or the grace ran out. Pure: time
 * comes in as a number, and the owner wakes it at `deadlineMs`.
 *
 * A peer that comes back with the same incarnation after it was called lost makes the hint less credible: the grace doubles,
 * and a refused redial alone no longer ends it. Ten graces at their most without another such case restore trust.
 */
export class LossWatch {
	private readonly options: LossWatchOptions;
	private readonly lanes = new Map<LaneName, "open" | "peer" | "us">();
	private graceMs: number;
	private doubledAtMs = 0;
	private refused = false;
	private told = false;
	/** When the grace runs out; Infinity while it does not run. */
	deadlineMs = Number.POSITIVE_INFINITY;

	constructor(options: LossWatchOptions) {
		this.options = options;
		this.graceMs = options.graceMs;
	}

	/** A lane to the present incarnation was established. */
	opened(lane: LaneName, nowMs: number): void {
		if (this.told) {
			marks.lossGraceDoubled++;
			this.graceMs = Math.min(this.graceMs * 2, this.options.graceMaxMs);
			this.doubledAtMs = nowMs;
		} else if (nowMs - this.doubledAtMs > 10 * this.options.graceMaxMs) {
			this.graceMs = this.options.graceMs;
		}
		this.told = false;
		this.refused = false;
		this.deadlineMs = Number.POSITIVE_INFINITY;
		this.lanes.set(lane, "open");
	}

	/** True when the peer is lost by that. So for all methods below; each loss is told once. */
	closed(lane: LaneName, by: "peer" | "us", nowMs: number): boolean {
		if (this.lanes.get(lane) !== "open") return false;
		this.lanes.set(lane, by);
		if (!this.allClosedByPeer()) return false;
		this.deadlineMs = nowMs + this.graceMs;
		return this.refused && this.trusted() && this.tell();
	}

	/** A redial met a closed port. */
	redialRefused(): boolean {
		this.refused = true;
		return this.deadlineMs !== Number.POSITIVE_INFINITY && this.trusted() && this.tell();
	}

	graceOver(nowMs: number): boolean {
		return nowMs >= this.deadlineMs && this.tell();
	}

	/** The old incarnation is gone for certain; what is opened next belongs to the new one. */
	replaced(): boolean {
		const lost = !this.told && this.lanes.size > 0 && ![...this.lanes.values()].includes("us");
		this.lanes.clear();
		this.refused = false;
		this.told = false;
		this.graceMs = this.options.graceMs;
		this.deadlineMs = Number.POSITIVE_INFINITY;
		return lost;
	}

	private allClosedByPeer(): boolean {
		for (const state of this.lanes.values()) if (state !== "peer") return false;
		return true;
	}

	private trusted(): boolean {
		return this.graceMs === this.options.graceMs;
	}

	private tell(): boolean {
		this.deadlineMs = Number.POSITIVE_INFINITY;
		if (this.told) return false;
		this.told = true;
		return true;
	}
}
