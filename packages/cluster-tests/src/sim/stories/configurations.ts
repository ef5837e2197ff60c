/** Configurations, from one to the next. */
import { change, confOf, peer } from "./scene.ts";
import { ALL, addsLearner, JOINT, knowsCommit, type StoriesOf } from "./story.ts";

export const CONFIGURATION_STORIES = {
	confShape: [
		{
			title: "a learner votes",
			first: (wrong) => confOf(ALL, { learners: [wrong ? 3n : 4n] }),
			tell: (scene) => scene.says(1n, {}),
		},
		{
			title: "a configuration is half joint",
			first: (wrong) => (wrong ? confOf(ALL, { autoLeave: true }) : JOINT),
			tell: (scene) => scene.says(1n, {}),
		},
	],
	confOneOpen: [
		{
			title: "a leader makes a second configuration before the first is committed",
			tell: (scene, wrong) => {
				if (wrong) {
					scene.elects(1n, 2, [2n]);
					scene.writes(1n, { durable: false, entries: [change(2, 2, "addLearner", 4n)] });
				} else addsLearner(scene);
				scene.writes(1n, { durable: false, entries: [change(3, 2, "addLearner", 5n)] });
				scene.says(1n, {});
			},
		},
	],
	confChain: [
		{
			title: "the last voter is removed: no quorum before meets one behind",
			also: "confShape",
			first: () => confOf([1n]),
			tell: (scene, wrong) => {
				scene.elects(1n, 2, []);
				scene.take([1n], wrong ? change(2, 2, "remove", 1n) : change(2, 2, "addLearner", 4n));
				scene.says(1n, { commit: 2, confState: confOf(wrong ? [] : [1n], { learners: wrong ? [] : [4n] }), peers: [peer(4n, 0, 2)] });
			},
		},
	],
	confAgreement: [
		{
			title: "a member is in a configuration that nobody has committed",
			tell: (scene, wrong) => scene.says(2n, { confState: confOf(wrong ? [1n, 2n] : ALL) }),
		},
	],
	confAppend: [
		{
			title: "a log holds two configurations, and neither is committed",
			tell: (scene, wrong) => {
				if (wrong) scene.take([2n], change(2, 2, "addLearner", 4n));
				else addsLearner(scene);
				if (!wrong) knowsCommit(scene, 2n, 2);
				scene.writes(2n, { entries: [change(3, 2, "addLearner", 5n)] });
			},
		},
		{
			title: "a log holds two configurations, and its member has not heard that the first is committed",
			tell: (scene, wrong) => {
				addsLearner(scene);
				scene.writes(2n, { entries: [change(3, 2, "addLearner", 5n)], hardState: { term: 2, vote: 1n, commit: wrong ? 1 : 2 } });
			},
		},
		{
			title: "a log that was damaged holds two configurations, and neither is committed",
			tell: (scene, wrong) => {
				if (wrong) scene.take([2n], change(2, 2, "addLearner", 4n));
				else addsLearner(scene);
				scene.boots(2n, [change(2, 2, "addLearner", 4n)], { term: 2, vote: 1n }, "more");
				scene.writes(2n, { entries: [change(3, 2, "addLearner", 5n)] });
			},
		},
	],
	settledKnown: [
		{
			title: "a change is answered that no quorum knows durably",
			tell: (scene, wrong) => {
				addsLearner(scene);
				knowsCommit(scene, 1n, 2);
				if (!wrong) knowsCommit(scene, 2n, 2);
				scene.checks.settledFor(1n, 4n);
			},
		},
	],
} satisfies StoriesOf;
