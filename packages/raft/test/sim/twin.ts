import type { ConfState, MembershipRequest, NodeId } from "../../src/index.ts";

/** The same arithmetic as the core's, written a second time and without its helpers. */

export function hasQuorum(conf: ConfState, holds: (id: NodeId) => boolean): boolean {
	return [conf.voters, conf.votersOutgoing].every((half) => half.length === 0 || half.filter(holds).length * 2 > half.length);
}

export function allMembers(conf: ConfState): NodeId[] {
	const all = [...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext];
	return all.filter((id, at) => all.indexOf(id) === at);
}

export function confAfter(conf: ConfState, request: MembershipRequest): ConfState {
	if (request.changes.length === 0) {
		return made(conf.voters, [...conf.learners, ...conf.learnersNext], [], [], false);
	}
	let { voters, learners } = conf;
	for (const { op, node } of request.changes) {
		voters = voters.filter((id) => id !== node);
		learners = learners.filter((id) => id !== node);
		if (op === "addVoter") voters = [...voters, node];
		if (op === "addLearner") learners = [...learners, node];
	}
	const moved = voters.filter((id) => !conf.voters.includes(id)).length + conf.voters.filter((id) => !voters.includes(id)).length;
	if (request.transition === "auto" && moved <= 1) return made(voters, learners, [], [], false);
	const waiting = learners.filter((id) => conf.voters.includes(id));
	const joined = learners.filter((id) => !conf.voters.includes(id));
	return made(voters, joined, conf.voters, waiting, request.transition !== "jointExplicit");
}

function made(
	voters: readonly NodeId[],
	learners: readonly NodeId[],
	votersOutgoing: readonly NodeId[],
	learnersNext: readonly NodeId[],
	autoLeave: boolean,
): ConfState {
	const sorted = (ids: readonly NodeId[]) => [...ids].sort((a, b) => Number(a - b));
	return {
		voters: sorted(voters),
		learners: sorted(learners),
		votersOutgoing: sorted(votersOutgoing),
		learnersNext: sorted(learnersNext),
		autoLeave,
	};
}

export function sameConf(a: ConfState, b: ConfState): boolean {
	return describeConf(a) === describeConf(b);
}

export function describeConf(conf: ConfState): string {
	const lists = [conf.voters, conf.votersOutgoing, conf.learners, conf.learnersNext];
	return `${lists.map((ids) => ids.join()).join("|")}|${conf.autoLeave}`;
}
