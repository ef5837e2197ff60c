/** What logs, disks and states hold. */
import { change, confOf, entry, peer } from "./scene.ts";
import { ALL, JOINT, knowsCommit, leads, leadsAndCommits, type StoriesOf } from "./story.ts";

export const LOG_STORIES = {
	leaderAppendsOnly: [
		{
			title: "a leader rewrites what it has",
			tell: (scene, wrong) => {
				leads(scene, [1n]);
				scene.writes(1n, wrong ? { truncateFrom: 2, entries: [entry(2, 2)] } : { entries: [entry(3, 2)] });
			},
		},
		{
			title: "a leader takes a state that was sent whole",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.installs(wrong ? 1n : 3n, {});
			},
		},
	],
	logMatching: [
		{
			title: "two logs agree at an index and differ below it",
			tell: (scene, wrong) => {
				scene.take([2n], entry(2, 2), entry(3, 3));
				scene.take([3n], entry(2, wrong ? 1 : 2), entry(3, 3));
			},
		},
	],
	committedImmutable: [
		{
			title: "a member rewrites what it knows to be committed",
			tell: (scene, wrong) => {
				leadsAndCommits(scene, ALL);
				scene.take([2n], entry(3, 2));
				scene.says(2n, { commit: 2 });
				scene.says(2n, { term: 3 });
				const from = wrong ? 2 : 3;
				scene.writes(2n, { truncateFrom: from, entries: [entry(from, 3)] });
			},
		},
		{
			title: "two entries are committed at one index",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.take([3n], entry(2, wrong ? 3 : 2));
				scene.says(3n, { commit: 2 });
			},
		},
	],
	committedKept: [
		{
			title: "one of two holders, which has not heard of the commit, takes something else",
			tell: (scene, wrong) => {
				leadsAndCommits(scene, wrong ? [1n, 2n] : ALL);
				scene.take([2n], entry(2, 3));
			},
		},
		{
			title: "one of two holders comes back with what it was writing in its place",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(2n, { term: 3 });
				scene.writes(2n, { durable: false, entries: [entry(2, 3)], hardState: { term: 3, vote: 0n, commit: 1 } });
				scene.boots(2n, [entry(2, wrong ? 3 : 2)], { term: 3 });
			},
		},
		{
			title: "one of two holders of what was committed before the newest configuration takes something else",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.take([1n, 2n], change(3, 2, "addVoter", 4n));
				scene.says(1n, { commit: 3, confState: confOf([...ALL, 4n]), peers: [2n, 3n, 4n].map((id) => peer(id, 0, 4)) });
				// Two of four are no quorum, and meet each.
				scene.take([wrong ? 2n : 3n], entry(2, 3));
			},
		},
	],
	committedDurable: [
		{
			title: "a leader counts a copy that is not on the disk yet",
			tell: (scene, wrong) => {
				leads(scene, [1n]);
				scene.writes(2n, { durable: !wrong, entries: [entry(2, 2)] });
				scene.says(1n, { commit: 2 });
			},
		},
		{
			title: "a leader counts one half of a joint configuration",
			first: () => JOINT,
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n, 4n]);
				scene.take(wrong ? [1n, 2n, 3n] : [1n, 2n, 4n], entry(2, 2));
				scene.says(1n, { commit: 2 });
			},
		},
	],
	committedInTerm: [
		{
			title: "a leader commits an entry of an earlier term by its copies",
			tell: (scene, wrong) => {
				leads(scene);
				scene.elects(1n, 3, [2n], 2, 2);
				scene.take([1n, 2n], entry(3, 3));
				scene.says(1n, { commit: wrong ? 2 : 3 });
			},
		},
		{
			title: "a follower is the first to commit",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(wrong ? 2n : 1n, { commit: 2 });
			},
		},
	],
	noReuse: [
		{
			title: "an index of a term means two things",
			tell: (scene, wrong) => {
				scene.take([2n], entry(2, 2, "this"));
				scene.take([3n], entry(2, 2, wrong ? "that" : "this"));
			},
		},
	],
	termsOrdered: [
		{
			title: "an entry follows one of a later term",
			tell: (scene, wrong) => {
				scene.says(2n, { term: 3 });
				scene.take([2n], entry(2, 3), entry(3, wrong ? 2 : 3));
			},
		},
		{
			title: "an entry is of a later term than its holder",
			tell: (scene, wrong) => {
				scene.says(2n, { term: wrong ? 2 : 3 });
				scene.writes(2n, { entries: [entry(2, 3)] });
			},
		},
	],
	commitMonotone: [
		{
			title: "a member takes a commit back",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(2n, { commit: 2 });
				scene.says(2n, { commit: wrong ? 1 : 2 });
			},
		},
		{
			title: "a restart forgets a commit that was durable",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				knowsCommit(scene, 2n, 2);
				scene.boots(2n, [entry(2, 2)], { term: 2, vote: 1n, commit: wrong ? 1 : 2 });
			},
		},
	],
	appliedMonotone: [
		{
			title: "a state goes back",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(1n, { applied: 2 });
				scene.says(1n, { applied: wrong ? 1 : 2 });
			},
		},
	],
	marksOrdered: [
		{
			title: "applied before it is committed",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(2n, { commit: wrong ? 1 : 2, applied: 2 });
			},
		},
		{
			title: "committed beyond the end of the log",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(3n, { term: 2, commit: wrong ? 2 : 1 });
			},
		},
		{
			title: "durable beyond the end of the log",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(2n, { stable: wrong ? 3 : 2 });
			},
		},
		{
			title: "applied before it is durable there",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(3n, { term: 2 });
				scene.writes(3n, { durable: !wrong, entries: [entry(2, 2)] });
				scene.says(3n, { commit: 2, applied: 2 });
			},
		},
	],
	durableKept: [
		{
			title: "a restart loses an entry that was durable",
			tell: (scene, wrong) => {
				scene.take([2n], entry(2, 2));
				scene.boots(2n, wrong ? [] : [entry(2, 2)], { term: 2 });
			},
		},
	],
	vouchedKept: [
		{
			title: "for one bit a restart cuts off what a later frame vouched for",
			tell: (scene, wrong) => {
				scene.take([2n], entry(2, 2));
				scene.take([2n], entry(3, 2));
				scene.boots(2n, wrong ? [] : [entry(2, 2)], { term: 2 }, "oneBit");
			},
		},
	],
	snapshotTrue: [
		{
			title: "a state is of another term than what was committed",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.installs(3n, { term: wrong ? 1 : 2 });
			},
		},
		{
			title: "a state is beyond what was committed",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.installs(3n, { index: wrong ? 3 : 2 });
			},
		},
		{
			title: "a state has another configuration",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.installs(3n, { confState: confOf(wrong ? [1n, 2n] : ALL) });
			},
		},
	],
	equalStates: [
		{
			title: "two members differ after the same entries",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(1n, { applied: 2 }, 7);
				scene.says(2n, { commit: 2, applied: 2 }, wrong ? 8 : 7);
			},
		},
	],
} satisfies StoriesOf;
