/** What members tell each other, and believe of each other. */
import { confOf, entry, peer } from "./scene.ts";
import { ALL, knowsCommit, leads, leadsAndCommits, type StoriesOf } from "./story.ts";

/** Ten bytes, and with what an entry costs beyond them. */
const TEXT = "0123456789";
const TEXT_BYTES = 34;
const TOKEN = { incarnation: 9, counter: 1 };

export const MESSAGE_STORIES = {
	acknowledgedDurable: [
		{
			title: "a follower acknowledges what is not on its disk",
			tell: (scene, wrong) => {
				leads(scene, [1n]);
				scene.writes(2n, { durable: !wrong, entries: [entry(2, 2)] });
				scene.sends(2n, { kind: "appendResp", to: 1n, term: 2, index: 2, reject: false, hintIndex: 0, hintTerm: 0, commit: 1 });
			},
		},
		{
			title: "a follower acknowledges in a term that is not on its disk",
			tell: (scene, wrong) => {
				scene.writes(2n, { durable: !wrong, hardState: { term: 2, vote: 0n, commit: 1 } });
				scene.sends(2n, { kind: "appendResp", to: 1n, term: 2, index: 1, reject: false, hintIndex: 0, hintTerm: 0, commit: 1 });
			},
		},
		{
			title: "a follower reports a commit that is not on its disk",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				if (!wrong) knowsCommit(scene, 2n, 2);
				scene.sends(2n, { kind: "appendResp", to: 1n, term: 2, index: 2, reject: false, hintIndex: 0, hintTerm: 0, commit: 2 });
			},
		},
	],
	messageSane: [
		{
			title: "an append is anchored on a term that its sender does not hold there",
			tell: (scene, wrong) => {
				leads(scene);
				scene.sends(1n, { kind: "append", to: 2n, term: 2, prevIndex: 2, prevTerm: wrong ? 1 : 2, commit: 1, entries: [] });
			},
		},
		{
			title: "an append tells of a commit that its sender does not know",
			tell: (scene, wrong) => {
				leads(scene);
				scene.sends(1n, { kind: "append", to: 2n, term: 2, prevIndex: 2, prevTerm: 2, commit: wrong ? 2 : 1, entries: [] });
			},
		},
		{
			title: "entries are sent with a commit that is less than their sender's",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.sends(1n, { kind: "append", to: 3n, term: 2, prevIndex: 1, prevTerm: 1, commit: wrong ? 1 : 2, entries: [entry(2, 2)] });
			},
		},
		{
			title: "an append has a gap",
			tell: (scene, wrong) => {
				leads(scene);
				scene.sends(1n, { kind: "append", to: 2n, term: 2, prevIndex: 1, prevTerm: 1, commit: 1, entries: [entry(wrong ? 3 : 2, 2)] });
			},
		},
		{
			title: "a heartbeat names another term of what was committed",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(1n, { peers: [peer(2n, 2, 3), peer(3n, 0, 2)] });
				scene.sends(1n, { kind: "heartbeat", to: 2n, term: 2, commit: 2, commitTerm: wrong ? 1 : 2, readPosition: 0, sequence: 1 });
			},
		},
		{
			title: "a heartbeat lets a peer commit what it is not known to hold",
			tell: (scene, wrong) => {
				leadsAndCommits(scene);
				scene.says(1n, { peers: [peer(2n, 2, 3), peer(3n, 0, 2)] });
				scene.sends(1n, { kind: "heartbeat", to: wrong ? 3n : 2n, term: 2, commit: 2, commitTerm: 2, readPosition: 0, sequence: 1 });
			},
		},
	],
	matchTrue: [
		{
			title: "a leader believes that a peer holds what it does not",
			tell: (scene, wrong) => {
				leads(scene, wrong ? [1n] : [1n, 2n]);
				scene.says(1n, { peers: [peer(2n, 2, 3), peer(3n, 0, 2)] });
			},
		},
	],
	progressSane: [
		{
			title: "next is not behind match",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(1n, { peers: [peer(2n, 2, wrong ? 2 : 3), peer(3n, 0, 2)] });
			},
		},
		{
			title: "a peer is fed from beyond the end of the log",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(1n, { peers: [{ ...peer(2n, 2, wrong ? 4 : 3), state: "replicate" }, peer(3n, 0, 2)] });
			},
		},
		{
			title: "match is taken back",
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n]);
				scene.take([1n, 2n], entry(2, 2), entry(3, 2));
				scene.says(1n, { peers: [peer(2n, 3, 4), peer(3n, 0, 2)] });
				scene.says(1n, { peers: [peer(2n, wrong ? 2 : 3, 4), peer(3n, 0, 2)] });
			},
		},
		{
			title: "a leader forgets a member",
			tell: (scene, wrong) => {
				leads(scene);
				scene.says(1n, { confState: confOf(ALL), peers: wrong ? [peer(2n, 0, 2)] : [peer(2n, 0, 2), peer(3n, 0, 2)] });
			},
		},
	],
	queuesBounded: [
		{
			title: "too many appends are under way",
			limits: { inflightMessagesMax: 1 },
			tell: (scene, wrong) => {
				leads(scene, [1n]);
				for (let index = 2; index <= (wrong ? 3 : 2); index++)
					scene.sends(1n, {
						kind: "append",
						to: 2n,
						term: 2,
						prevIndex: index - 1,
						prevTerm: index - 1,
						commit: 1,
						entries: [entry(index, 2)],
					});
			},
		},
		{
			title: "too many bytes are under way",
			limits: { inflightBytesMax: TEXT_BYTES - 1 },
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n]);
				scene.take([1n, 2n], entry(2, 2, TEXT), entry(3, 2, TEXT));
				scene.sends(1n, { kind: "append", to: 2n, term: 2, prevIndex: 1, prevTerm: 1, commit: 1, entries: [entry(2, 2, TEXT)] });
				const match = wrong ? 0 : 2;
				scene.says(1n, { peers: [{ ...peer(2n, match, 3), state: "replicate" }, peer(3n, 0, 2)] });
				scene.sends(1n, { kind: "append", to: 2n, term: 2, prevIndex: 2, prevTerm: 2, commit: 1, entries: [entry(3, 2, TEXT)] });
			},
		},
		{
			title: "a leader takes more while too many bytes are not committed",
			limits: { uncommittedBytesMax: TEXT_BYTES - 1 },
			tell: (scene, wrong) => {
				scene.elects(1n, 2, [2n]);
				scene.take([1n, 2n], entry(2, 2, TEXT));
				if (!wrong) scene.says(1n, { commit: 2 });
				scene.take([1n], entry(3, 2, TEXT));
				scene.says(1n, {});
			},
		},
		{
			title: "a follower takes more while too many bytes are not written",
			limits: { unstableBytesMax: TEXT_BYTES - 1 },
			tell: (scene, wrong) => {
				scene.says(2n, { term: 2 });
				scene.writes(2n, { durable: !wrong, entries: [entry(2, 2, TEXT)] });
				scene.writes(2n, { entries: [entry(3, 2, TEXT)] });
			},
		},
	],
	readProven: [
		{
			title: "a leader grants a read, and no quorum has echoed since it was asked for",
			tell: (scene, wrong) => {
				leads(scene);
				scene.hears(1n, { kind: "readIndex", from: 3n, term: 2, token: TOKEN });
				scene.sends(1n, { kind: "heartbeat", to: 2n, term: 2, commit: 0, commitTerm: 0, readPosition: 5, sequence: 1 });
				if (!wrong) scene.hears(1n, { kind: "heartbeatResp", from: 2n, term: 2, readPosition: 5, sequence: 1 });
				scene.sends(1n, { kind: "readIndexResp", to: 3n, term: 2, token: TOKEN, index: 2 });
			},
		},
	],
} satisfies StoriesOf;
