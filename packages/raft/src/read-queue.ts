import type { LogIndex, NodeId, ReadToken } from "./message.ts";

/** A read at the leader. `from` is NO_NODE for this node's own. */
export interface PendingRead {
	readonly from: NodeId;
	readonly token: ReadToken;
	/** Commit index when the read arrived (rule R2). */
	readonly index: LogIndex;
	/** Granted when a quorum echoed this position or a later one. */
	readonly position: number;
}

/**
 * Pending reads and the positions that heartbeats carry. A position is closed the moment a heartbeat that carries it is
 * created (rule R1): an answer to that heartbeat can then never vouch for a read that came later.
 */
export class ReadQueue {
	/** Reads that wait for the first commit of this leader's term. */
	waiting: PendingRead[] = [];
	/** Reads that wait for a round, in order of position. */
	pending: PendingRead[] = [];
	/** Tokens that this follower sent to its leader, oldest first. */
	asked: ReadToken[] = [];
	/** Reads that arrive now get this position. */
	openPosition = 1;
	/** Highest position that some heartbeat has carried. */
	closedPosition = 0;
	/** Highest position that a quorum has echoed. */
	confirmedPosition = 0;
	private counter = 0;

	get length(): number {
		return this.waiting.length + this.pending.length + this.asked.length;
	}

	nextToken(incarnation: number): ReadToken {
		return { incarnation, counter: ++this.counter };
	}

	get openHasReads(): boolean {
		const newest = this.pending[this.pending.length - 1];
		return newest !== undefined && newest.position === this.openPosition;
	}

	/** The position for a heartbeat to everybody: the open one if it has reads, and then it is closed. */
	closePosition(): number {
		if (this.openHasReads) this.closedPosition = this.openPosition++;
		return this.closedPosition;
	}

	/** Takes out the reads at or below a confirmed position. */
	takeConfirmed(position: number): PendingRead[] {
		let count = 0;
		while (count < this.pending.length && (this.pending[count] as PendingRead).position <= position) count++;
		return this.pending.splice(0, count);
	}

	/** Positions never carry over to another role or term (rule R4). The token counter does: a token is used once. */
	clear(): void {
		this.waiting = [];
		this.pending = [];
		this.asked = [];
		this.openPosition = 1;
		this.closedPosition = 0;
		this.confirmedPosition = 0;
	}
}
