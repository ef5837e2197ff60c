/** Who leads, as of the core's last drain. One object, kept up to date by the replica and read by its parts. */
import { NO_NODE, type NodeId, type Role, type SoftState } from "@flotilla/raft";

export class Leadership {
	readonly self: NodeId;
	role: Role = "follower";
	leader: NodeId = NO_NODE;
	term: number;
	/** Tick at which the present leader was first seen; for telling a time-out's likely cause. */
	electedTick = 0;

	constructor(self: NodeId, term: number) {
		this.self = self;
		this.term = term;
	}

	get leading(): boolean {
		return this.role === "leader";
	}

	/** The leader's id when it is another member, else NO_NODE. */
	get remoteLeader(): NodeId {
		return this.leader === this.self ? NO_NODE : this.leader;
	}

	/** True when another leader, or the same one in another term, is known from now on. */
	update(soft: SoftState, tick: number): boolean {
		const elected = soft.leader !== NO_NODE && (soft.leader !== this.leader || soft.term !== this.term);
		this.role = soft.role;
		this.leader = soft.leader;
		this.term = soft.term;
		if (elected) this.electedTick = tick;
		return elected;
	}
}
