import { sendHeartbeat, startQuorumProbe } from "./heartbeats.ts";
import type { NodeId, PreVote } from "./message.ts";
import { NO_NODE } from "./message.ts";
import { jointVote, VOTE_GRANTED } from "./quorum.ts";
import type { Raft } from "./raft.ts";
import { setLeader } from "./roles.ts";
import { placeTicks } from "./round-spans.ts";

/** Rules H: what a closed connection to the leader tells, and how nobody is unseated by it who is alive. */

/** Forgets the leader: term, vote and log stay, and any message of it in this term restores it (rule H3). */
export function forgetLeader(r: Raft): void {
	r.heldLostLeader = NO_NODE;
	setLeader(r, NO_NODE, "connectionLost");
	r.hintTicksLeft = r.config.electionTicks;
}

/** Ticks before this node asks for a pre-vote: its place by id among the voters without the lost leader (rule H4). */
export function rankTicks(r: Raft, lostLeader: NodeId): number {
	let rank = 0;
	for (const slot of r.members.targets) {
		const id = r.members.idOf(slot);
		if (r.members.isVoter(slot) && id !== lostLeader && id < r.id) rank++;
	}
	return rank * placeTicks(r);
}

/** One request a peer, for a short while: it is answered anew if this node loses the leader meanwhile (rule H5). */
export function rememberSticky(r: Raft, message: PreVote): void {
	r.stickyRequests = r.stickyRequests.filter((request) => request.message.from !== message.from);
	if (r.members.isVoter(r.members.slotOf(message.from))) {
		r.stickyRequests.push({ message, ticksLeft: r.spans.stickyTicks });
	}
}

export function takeStickyRequests(r: Raft): PreVote[] {
	const messages = r.stickyRequests.map((request) => request.message);
	r.stickyRequests = [];
	return messages;
}

export function ageStickyRequests(r: Raft): void {
	if (r.stickyRequests.length === 0) return;
	for (const request of r.stickyRequests) request.ticksLeft--;
	r.stickyRequests = r.stickyRequests.filter((request) => request.ticksLeft > 0);
}

/** A peer believes this leader dead: show it the contrary, and look whether a quorum believes it (rule H6). */
export function onAskedByLost(r: Raft, asker: NodeId): void {
	const slot = r.members.slotOf(asker);
	if (!r.members.isMember(slot)) return;
	sendHeartbeat(r, slot);
	r.lostBy[slot] = VOTE_GRANTED;
	if (jointVote(r.members.voters, r.members.outgoing, r.lostBy) === "won") startQuorumProbe(r);
}
