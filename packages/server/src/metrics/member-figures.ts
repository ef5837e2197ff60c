/** What a member's driver counts of itself; read only when somebody looks. */
import type { TapSink } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { Buckets, doubling } from "./buckets.ts";

export class MemberFigures {
	/** Calls taken and not answered. */
	callsOpen: () => number = () => 0;
	readonly walSyncSeconds = new Buckets(doubling(0.001, 14));
	walBytes = 0;
	readonly batchSeconds = new Buckets(doubling(0.001, 14));
	readonly floorSeconds = new Buckets(doubling(0.01, 17));
	/** Turns in which entries were applied. */
	readonly applySeconds = new Buckets(doubling(0.0001, 20));
	slowApplies = 0;
	proposalsFailed = 0;
	readsFailed = 0;
	readsTimedOut = 0;
	readonly roundTrips = new RoundTrips();

	/** All that was applied in one turn: nothing waits for less. */
	applied(tookMs: number, slowMs: number, tap: TapSink): void {
		this.applySeconds.observe(tookMs / 1_000);
		if (tookMs <= slowMs) return;
		this.slowApplies++;
		tap.emit("applySlow", 0, 0, { tookMs: Math.round(tookMs), expectedMs: slowMs });
	}

	/** A call that ended without effect, or nobody knows with which. What the state itself refuses is no failure. */
	failed(kind: "write" | "read", fault: string): void {
		if (kind === "write" && LOST.has(fault)) this.proposalsFailed++;
		if (kind !== "read") return;
		this.readsFailed++;
		if (fault.startsWith("timeout")) this.readsTimedOut++;
	}
}

/** Ends of proposals that say nothing of the request. */
const LOST: ReadonlySet<string> = new Set([
	"noLeader",
	"noLeaderDeadline",
	"leaderChanged",
	"timeout",
	"timeoutLeaderFailed",
	"timeoutConnectionLost",
	"outcomeUnknown",
	"stopped",
]);

/** How long heartbeats take there and back, by peer. */
export class RoundTrips {
	readonly seconds = new Map<NodeId, Buckets>();
	private readonly sentMs = new Map<NodeId, number>();

	/** The first one that is not answered yet counts. */
	sent(to: NodeId, nowMs: number): void {
		if (!this.sentMs.has(to)) this.sentMs.set(to, nowMs);
	}

	answered(by: NodeId, nowMs: number): void {
		const sentMs = this.sentMs.get(by);
		if (sentMs === undefined) return;
		this.sentMs.delete(by);
		let buckets = this.seconds.get(by);
		if (buckets === undefined) {
			buckets = new Buckets(doubling(0.0001, 16));
			this.seconds.set(by, buckets);
		}
		buckets.observe((nowMs - sentMs) / 1_000);
	}

	/** A connection broke: what was on its way is not answered. */
	forget(peer: NodeId): void {
		this.sentMs.delete(peer);
	}
}
