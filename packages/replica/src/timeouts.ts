/** What a client is told whose request got no answer in time: etcd's guess at the cause (etcd API, availability errors). */
import { NO_NODE } from "@flotilla/raft";
import type { CallFault } from "./calls.ts";
import type { Connections } from "./connections.ts";
import type { Leadership } from "./leadership.ts";
import type { MemberInfo } from "./members.ts";

export class Timeouts {
	private readonly electionTicks: number;
	private readonly leadership: Leadership;
	private readonly connections: Connections;

	constructor(electionTicks: number, leadership: Leadership, connections: Connections) {
		this.electionTicks = electionTicks;
		this.leadership = leadership;
		this.connections = connections;
	}

	explain(sinceTick: number, members: readonly MemberInfo[]): CallFault {
		const { electedTick, leader, leading } = this.leadership;
		const formerLostTick = electedTick - 2 * this.electionTicks;
		if (sinceTick > formerLostTick && sinceTick < electedTick) return "timeoutLeaderFailed";
		if (leader === NO_NODE) return "timeout";
		const connected = leading ? this.quorumHeldSince(sinceTick, members) : this.connections.heldSince(leader, sinceTick);
		return connected ? "timeout" : "timeoutConnectionLost";
	}

	private quorumHeldSince(sinceTick: number, members: readonly MemberInfo[]): boolean {
		const voters = members.filter((member) => !member.learner);
		const held = voters.filter(({ id }) => id === this.leadership.self || this.connections.heldSince(id, sinceTick));
		return held.length > Math.floor(voters.length / 2);
	}
}
