/**
 * A member of a first configuration begins with an empty folder, and so does one that has lost its folder and with it its votes.
 * Only the others can tell them apart: they are asked before anything is written (etcd's check before a bootstrap).
 */
import { marks } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { ClusterView } from "../peers/cluster-view.ts";
import type { Bootstrap } from "./bootstrap.ts";
import type { AskForView } from "./join.ts";
import { bad, good, type Parsed } from "./parsed.ts";

/** What one of the others said. Null: it said nothing, or does not know the cluster yet itself. */
export type Answer = ClusterView | null;

/**
 * Why this member must not begin as a new one, by what the others of its first configuration have said so far; null: nothing is
 * against it. Whoever answered knows of a member once its announcement is in the answering one's log.
 */
export function refuseFirstStart({ memberId, clusterId }: Bootstrap, answers: readonly Answer[]): string | null {
	const told = answers.filter((answer) => answer !== null);
	// Deviation: etcd believes the first that answers. Any of them may lag, so the one that knows decides.
	if (told.some((view) => knows(view, memberId))) {
		marks.secondFirstStartRefused++;
		return `member ${memberId.toString(16)} has already been bootstrapped`;
	}
	// Deviation: etcd starts it all the same, and ends when it is told so.
	if (told.some((view) => view.clusterId === clusterId && view.members.every(({ id }) => id !== memberId)))
		return `member ${memberId.toString(16)} has been permanently removed from the cluster`;
	const stranger = told.find((view) => view.clusterId !== clusterId);
	if (stranger === undefined || told.some((view) => view.clusterId === clusterId)) return null;
	// Deviation: etcd starts all the same, and is refused by each of them for ever.
	const [theirs, ours] = [stranger.clusterId.toString(16), clusterId.toString(16)];
	return `cannot begin cluster ${ours}: who answers at the peer URLs of --initial-cluster belongs to cluster ${theirs}`;
}

/**
 * With so many answers that know nothing of it, no start was missed: an announcement is held by a quorum, of which the member
 * itself may be one, and half of all, rounded up, meet what is left of every quorum.
 */
export function answersWanted({ initialCluster }: Pick<Bootstrap, "initialCluster">): number {
	return Math.ceil(initialCluster.length / 2);
}

/** As long as etcd waits. A port where nobody listens says so at once, so members that are all started at once do not notice. */
const PATIENCE_MS = 1_000;

/** Asks all others at once. Over at the first one that knows this member, when enough have spoken or all, and with the patience. */
export function askFirst(plan: Bootstrap, ask: AskForView, patienceMs: number = PATIENCE_MS): Promise<Parsed<Bootstrap>> {
	const others = plan.initialCluster.filter(({ id }) => id !== plan.memberId);
	const answers: Answer[] = [];
	return new Promise((resolve) => {
		const end = (): void => {
			clearTimeout(timer);
			const refused = refuseFirstStart(plan, answers);
			resolve(refused === null ? good(plan) : bad(refused));
		};
		const timer = setTimeout(end, patienceMs);
		if (others.length === 0) end();
		for (const { peerUrls } of others) {
			void askMember(peerUrls, ask).then((answer) => {
				answers.push(answer);
				const fellows = answers.filter((each) => each?.clusterId === plan.clusterId).length;
				const decided = answer !== null && knows(answer, plan.memberId);
				if (decided || fellows >= answersWanted(plan) || answers.length === others.length) end();
			});
		}
	});
}

function knows({ members }: ClusterView, self: NodeId): boolean {
	return members.some(({ id, name }) => id === self && name !== "");
}

/** A member has one word, at whichever of its URLs. */
async function askMember(urls: readonly string[], ask: AskForView): Promise<Answer> {
	const views = await Promise.all(urls.map((url) => ask(url)));
	return views.find((view) => view !== null && view.members.length > 0) ?? null;
}
