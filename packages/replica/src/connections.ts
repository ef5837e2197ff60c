/** Which peers this member was cut off from, and until when: only to tell a client why its request may have timed out. */
import type { NodeId } from "@flotilla/raft";

export class Connections {
	private readonly lost = new Set<NodeId>();
	private readonly restoredTick = new Map<NodeId, number>();

	connected(peer: NodeId, tick: number): void {
		if (this.lost.delete(peer)) this.restoredTick.set(peer, tick);
	}

	unreachable(peer: NodeId): void {
		this.lost.add(peer);
	}

	/** Connected without a break since `sinceTick`, as far as was told. */
	heldSince(peer: NodeId, sinceTick: number): boolean {
		return !this.lost.has(peer) && (this.restoredTick.get(peer) ?? -1) < sinceTick;
	}
}
