/**
 * Which peers this member was cut off from, and until when: to tell a client why its request may have timed out, and to judge
 * whether the cluster is well enough for a change of its members.
 */
import type { NodeId } from "@flotilla/raft";

export class Connections {
	private readonly lost = new Set<NodeId>();
	private readonly restoredTick = new Map<NodeId, number>();
	/** Since when those are connected that are. */
	private readonly sinceTick = new Map<NodeId, number>();

	connected(peer: NodeId, tick: number): void {
		if (!this.sinceTick.has(peer)) this.sinceTick.set(peer, tick);
		if (this.lost.delete(peer)) this.restoredTick.set(peer, tick);
	}

	unreachable(peer: NodeId): void {
		this.lost.add(peer);
		this.sinceTick.delete(peer);
	}

	isConnected(peer: NodeId): boolean {
		return this.sinceTick.has(peer);
	}

	/** How long it has been connected; -1 when it is not. */
	connectedTicks(peer: NodeId, tick: number): number {
		const since = this.sinceTick.get(peer);
		return since === undefined ? -1 : tick - since;
	}

	/** Connected without a break since `sinceTick`, as far as was told. */
	heldSince(peer: NodeId, sinceTick: number): boolean {
		return !this.lost.has(peer) && (this.restoredTick.get(peer) ?? -1) < sinceTick;
	}
}
