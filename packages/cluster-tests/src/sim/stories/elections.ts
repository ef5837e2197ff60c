/** Who leads, who votes, who hands over. */
import type { NodeId } from "@flotilla/raft";
import { type CheckerScene, confOf, entry } from "./scene.ts";
import { ALL, JOINT, leads, leadsAndCommits, type StoriesOf } from "./story.ts";

/** Of the clock of member 1. */
function ticks(scene: CheckerScene, count: number): void {
	for (let n = 0; n < count; n++) scene.checks.ticked(1n);
}

function hears(scene: CheckerScene, from: NodeId): void {
	scene.hears(1n, { kind: "heartbeatResp", from, term: 2, readPosition: 0, sequence: 1 });
}

export const ELECTION_STORIES = {
	electionSafety: [
		{
			title: "a voter forgets its vote, and elects another leader of the term",
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n]);
				scene.checks.forgetsVotes(2n);
				scene.elects(3n, wrong ? 2 : 3, [2n]);
			},
		},
	],
	electedByQuorum: [
		{ title: "a candidate leads by its own vote", tell: (scene, wrong) => scene.elects(1n, 2, wrong ? [] : [2n]) },
		{
			title: "a candidate leads by one half of a joint configuration",
			first: () => JOINT,
			tell: (scene, wrong) => scene.elects(1n, 2, wrong ? [2n, 3n] : [2n, 4n]),
		},
		{
			title: "a candidate counts a vote of itself that its disk does not hold",
			tell: (scene, wrong) => {
				scene.asks(1n, 2);
				scene.votes(2n, 2, 1n);
				if (wrong) scene.writes(1n, { hardState: { term: 2, vote: 0n, commit: 1 } });
				scene.says(1n, { role: "leader" });
			},
		},
	],
	leaderCompleteness: [
		{
			title: "a candidate boasts of a log that it has not, and leads",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				if (!wrong) scene.take([3n], entry(2, 2));
				scene.elects(3n, 3, [2n], 2, 2);
			},
		},
	],
	termMonotone: [
		{
			title: "a member goes back to an earlier term",
			tell: (scene, wrong) => {
				scene.says(2n, { term: 3 });
				scene.says(2n, { term: wrong ? 2 : 3 });
			},
		},
		{
			title: "a restart forgets a term that was durable",
			tell: (scene, wrong) => {
				scene.take([2n], entry(2, 3));
				scene.boots(2n, [entry(2, 3)], { term: wrong ? 2 : 3 });
			},
		},
		{
			title: "clients are told of an earlier term than before",
			tell: (scene, wrong) => {
				scene.take([2n], entry(2, 3));
				scene.checks.told(2n, 3);
				scene.checks.told(2n, wrong ? 2 : 3);
			},
		},
		{
			title: "clients are told of a term that is not on the disk",
			tell: (scene, wrong) => {
				scene.writes(2n, { durable: !wrong, hardState: { term: 3, vote: 0n, commit: 1 } });
				scene.checks.told(2n, 3);
			},
		},
	],
	voteKept: [
		{
			title: "a restart forgets a vote that was durable",
			tell: (scene, wrong) => {
				scene.asks(1n, 2);
				scene.votes(2n, 2, 1n);
				scene.boots(2n, [], { term: 2, vote: wrong ? 0n : 1n });
			},
		},
	],
	voteOnce: [
		{
			title: "a voter gives two candidates its vote of one term",
			tell: (scene, wrong) => {
				const second = wrong ? 2 : 3;
				scene.asks(1n, 2);
				scene.asks(3n, second);
				scene.votes(2n, 2, 1n);
				scene.votes(2n, second, 3n);
			},
		},
	],
	voteDurable: [
		{
			title: "a vote leaves before it is on the disk",
			tell: (scene, wrong) => {
				scene.asks(1n, 2);
				scene.writes(2n, { durable: !wrong, hardState: { term: 2, vote: 1n, commit: 1 } });
				scene.sends(2n, { kind: "voteResp", to: 1n, term: 2, reject: false, commit: 1, commitTerm: 1 });
			},
		},
		{
			title: "a candidate asks before its own vote is on the disk",
			tell: (scene, wrong) => {
				scene.writes(1n, { durable: !wrong, hardState: { term: 2, vote: 1n, commit: 1 } });
				scene.sends(1n, { kind: "vote", to: 2n, term: 2, lastIndex: 1, lastTerm: 1, commit: 1, commitTerm: 1, transfer: false });
			},
		},
		{
			title: "a candidate asks with an entry that is not on the disk",
			tell: (scene, wrong) => {
				scene.asks(1n, 2);
				scene.writes(1n, { durable: !wrong, entries: [entry(2, 1)] });
				scene.sends(1n, { kind: "vote", to: 2n, term: 2, lastIndex: 2, lastTerm: 1, commit: 1, commitTerm: 1, transfer: false });
			},
		},
	],
	voteJustified: [
		{
			title: "a voter votes for a member that has not asked",
			tell: (scene, wrong) => {
				if (!wrong) scene.asks(1n, 2);
				scene.votes(2n, 2, 1n);
			},
		},
		{
			title: "a voter whose log is longer votes for a candidate",
			tell: (scene, wrong) => {
				scene.take([1n, 2n], entry(2, 1));
				scene.asks(1n, 2, wrong ? 1 : 2);
				scene.votes(2n, 2, 1n);
			},
		},
		{
			title: "a voter whose last term is later votes for a candidate",
			tell: (scene, wrong) => {
				scene.take([1n], entry(2, 1), entry(3, 1));
				if (wrong) scene.take([2n], entry(2, 2));
				scene.asks(1n, 3, 3, 1);
				scene.votes(2n, 3, 1n);
			},
		},
	],
	candidateKnows: [
		{
			title: "a member that is no voter is a candidate",
			tell: (scene, wrong) => scene.asks(wrong ? 4n : 3n, 2),
		},
	],
	transferStill: [
		{
			title: "a leader takes an entry while it hands over",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(1n, { transferee: 2n });
				if (!wrong) scene.says(1n, { transferee: 0n });
				scene.take([1n], entry(3, 2));
				scene.says(1n, {});
			},
		},
	],
	quorumHeard: [
		{
			title: "a leader hears nobody for two election timeouts, and leads on",
			tell: (scene, wrong) => {
				leads(scene);
				ticks(scene, 12);
				if (!wrong) hears(scene, 2n);
				ticks(scene, 12);
				scene.says(1n, {});
			},
		},
		{
			title: "a leader hears a learner only, and leads on",
			first: () => confOf(ALL, { learners: [4n] }),
			tell: (scene, wrong) => {
				leads(scene);
				ticks(scene, 12);
				hears(scene, wrong ? 4n : 3n);
				ticks(scene, 12);
				scene.says(1n, {});
			},
		},
		{
			title: "a leader hears one half of a joint configuration, and leads on",
			first: () => JOINT,
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n, 4n]);
				ticks(scene, 12);
				hears(scene, 2n);
				hears(scene, wrong ? 3n : 5n);
				ticks(scene, 12);
				scene.says(1n, {});
			},
		},
		{
			title: "an election that is long past excuses nobody",
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n]);
				ticks(scene, 24);
				// A new term begins with a new while.
				if (!wrong) scene.elects(1n, 3, [2n]);
				scene.says(1n, {});
			},
		},
	],
	transferBounded: [
		{
			title: "a leader hands over for longer than two election timeouts",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(1n, { transferee: 2n });
				ticks(scene, 12);
				hears(scene, 2n);
				if (!wrong) scene.says(1n, { transferee: 0n });
				scene.says(1n, { transferee: 2n });
				ticks(scene, 12);
			},
		},
	],
} satisfies StoriesOf;
