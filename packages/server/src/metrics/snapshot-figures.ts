/** States that travel whole between members, counted by the other one as the tap tells of them. */
import type { NodeId } from "@flotilla/raft";
import type { EventTap, TapRecord } from "../tap/event-tap.ts";
import { Buckets, doubling } from "./buckets.ts";

export class TransferFigures {
	succeeded = 0;
	failed = 0;
	/** Begun and not ended. Known of those sent. */
	underWay = 0;
	readonly seconds = new Buckets(doubling(0.1, 10));

	ended(tookMs: unknown): void {
		this.succeeded++;
		if (typeof tookMs === "number") this.seconds.observe(tookMs / 1_000);
	}
}

export class SnapshotFigures {
	readonly sent = new Map<NodeId, TransferFigures>();
	readonly received = new Map<NodeId, TransferFigures>();

	constructor(tap: EventTap) {
		tap.subscribe(["snapshotBegun", "snapshotSent", "snapshotReceived", "snapshotFailed"], (record) => this.take(record));
	}

	private take({ name, fields: { peer, from, tookMs } }: TapRecord): void {
		// A sender names the peer that it sends to, a receiver the one from which the state comes.
		if (typeof peer === "bigint") {
			const figures = entry(this.sent, peer);
			figures.underWay = name === "snapshotBegun" ? 1 : 0;
			if (name === "snapshotSent") figures.ended(tookMs);
			if (name === "snapshotFailed") figures.failed++;
		} else if (typeof from === "bigint") {
			const figures = entry(this.received, from);
			if (name === "snapshotReceived") figures.ended(tookMs);
			if (name === "snapshotFailed") figures.failed++;
		}
	}
}

function entry(by: Map<NodeId, TransferFigures>, peer: NodeId): TransferFigures {
	const found = by.get(peer) ?? new TransferFigures();
	by.set(peer, found);
	return found;
}
