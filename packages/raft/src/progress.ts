import { Inflights } from "./inflights.ts";
import { SELF, SLOTS_MAX } from "./members.ts";
import type { Entry, LogIndex, NodeId, Term } from "./message.ts";
import { UNKNOWN_TERM } from "./term-runs.ts";

const NO_ENTRIES: readonly Entry[] = [];

/**
 * How a leader feeds one peer.
 *
 *   probe      one append per heartbeat interval, until an answer tells where the logs meet
 *   replicate  appends follow each other without waiting, within the inflight window
 *   snapshot   nothing until the driver reports the transfer
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** One peer as its leader sees it. Its match index lives in `ProgressTable.match`. */
export class Progress {
	readonly id: NodeId;
	readonly slot: number;
	state: ProgressState = "probe";
	/** Next index to send; above match always. */
	next: LogIndex;
	/** Probe only: one is under way. */
	probeSent = false;
	/** Heard from since the last quorum check. */
	recentActive: boolean;
	/** An append is due even if it has to be empty. */
	appendDue = false;
	/** Highest commit that the peer was told and could take. */
	sentCommit: LogIndex = 0;
	/** Entries read back from the WAL, consecutive, waiting to be sent. */
	fetched: readonly Entry[] = NO_ENTRIES;
	/** Term of one index below what the log remembers, learned from a fetched entry. */
	anchorIndex: LogIndex = 0;
	anchorTerm: Term = UNKNOWN_TERM;
	/** Ticks spent in snapshot state. */
	snapshotTicks = 0;
	readonly inflights: Inflights;
	/** For the tap: made once, since it is told with every acknowledgement. */
	readonly named: { readonly peer: NodeId };

	constructor(id: NodeId, slot: number, next: LogIndex, recentActive: boolean, inflights: Inflights) {
		this.id = id;
		this.slot = slot;
		this.next = next;
		this.recentActive = recentActive;
		this.inflights = inflights;
		this.named = { peer: id };
	}

	becomeProbe(next: LogIndex, paused: boolean): void {
		this.state = "probe";
		this.next = next;
		this.probeSent = paused;
		this.inflights.clear();
	}

	becomeReplicate(next: LogIndex): void {
		this.state = "replicate";
		this.next = next;
		this.probeSent = false;
		this.inflights.clear();
	}

	becomeSnapshot(): void {
		this.state = "snapshot";
		this.snapshotTicks = 0;
		this.probeSent = false;
		this.inflights.clear();
	}
}

/** All peers of a leader, by slot. The arrays hold one value a slot, this node's own included, for the majority arithmetic. */
export class ProgressTable {
	readonly match = new Float64Array(SLOTS_MAX);
	/** Highest durable commit that a peer reported (rule C3). */
	readonly durableCommit = new Float64Array(SLOTS_MAX);
	/** Highest read position that a peer echoed. */
	readonly readPosition = new Float64Array(SLOTS_MAX);
	private readonly peers: (Progress | null)[] = new Array<Progress | null>(SLOTS_MAX).fill(null);
	private readonly inflightMessagesMax: number;
	private readonly inflightBytesMax: number;

	constructor(inflightMessagesMax: number, inflightBytesMax: number) {
		this.inflightMessagesMax = inflightMessagesMax;
		this.inflightBytesMax = inflightBytesMax;
	}

	get(slot: number): Progress | null {
		return this.peers[slot] ?? null;
	}

	add(id: NodeId, slot: number, next: LogIndex, recentActive: boolean): Progress {
		const peer = new Progress(id, slot, next, recentActive, new Inflights(this.inflightMessagesMax, this.inflightBytesMax));
		this.peers[slot] = peer;
		this.match[slot] = 0;
		this.durableCommit[slot] = 0;
		this.readPosition[slot] = 0;
		return peer;
	}

	drop(slot: number): void {
		this.peers[slot] = null;
		if (slot === SELF) return;
		this.match[slot] = 0;
		this.durableCommit[slot] = 0;
		this.readPosition[slot] = 0;
	}

	clear(): void {
		this.peers.fill(null);
		this.match.fill(0);
		this.durableCommit.fill(0);
		this.readPosition.fill(0);
	}
}
