import { marks } from "@flotilla/base";
import { campaign } from "./campaign.ts";
import { forgetLeader, rankTicks, takeStickyRequests } from "./hints.ts";
import type { NodeId } from "./message.ts";
import type { Raft } from "./raft.ts";
import { answerPreVote } from "./votes.ts";

/** All lanes to the leader are closed (rule H2). During a goodbye that is no news yet (rule H8). */
export function onLeaderConnectionLost(r: Raft, leader: NodeId): void {
	if (!r.config.connectionHints || r.role !== "follower" || r.leader !== leader) return;
	if (r.goodbyeTicksLeft > 0) r.heldLostLeader = leader;
	else loseLeader(r);
}

/** Forgets the leader, answers those who asked too early, and asks in its turn, by rank (rules H3 to H5). */
export function loseLeader(r: Raft): void {
	const lost = r.leader;
	forgetLeader(r);
	answerStickyAnew(r);
	// One of the answers may have been a grant, or a campaign against an older log.
	if (r.role !== "follower" || r.campaignInTicks > 0) return;
	marks.hintCampaign++;
	r.campaignReason = "connectionLost";
	const waitTicks = rankTicks(r, lost);
	if (waitTicks === 0) campaign(r, "connectionLost");
	else r.campaignInTicks = waitTicks;
}

/** Those who were refused a moment ago, because this node still heard or was the leader. */
export function answerStickyAnew(r: Raft): void {
	for (const message of takeStickyRequests(r)) {
		if (message.term < r.term) continue;
		marks.stickyAnsweredAnew++;
		answerPreVote(r, message);
	}
}
