import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type MarkName, marksDuring } from "@flotilla/base";
import { expect, test } from "vitest";
import { replay, titleOf } from "./stage/transcript.ts";

/** `FLOTILLA_REWRITE=1 npm test -- packages/raft/test/transcripts` writes what happens now; the change is then reviewed. */
const rewrite = process.env.FLOTILLA_REWRITE === "1";
const folder = new URL("./transcripts/", import.meta.url);

/** The rare branches that a transcript is about: it must go there, and not only look as if. */
const MARKS: Readonly<Record<string, readonly MarkName[]>> = {
	"bridge.txt": ["staleLeaderTold", "voteInLease", "preVoteSticky"],
	"catch-up-from-log.txt": ["catchUpFromLog", "appendRefused"],
	"conflict.txt": ["appendConflict", "hintBoundByLeader"],
	"deaf-follower.txt": ["preVoteSticky"],
	"false-alarm.txt": ["preVoteSticky", "hintCampaign", "quorumLost"],
	"goodbye.txt": ["transferSent", "hintCampaign"],
	"joint-auto.txt": ["jointLeftByItself"],
	"lost-leader.txt": ["hintCampaign", "stickyAnsweredAnew"],
	"quorum-lost.txt": ["quorumLost"],
	"read-new-leader.txt": ["readWaitsForTerm"],
	"remove-leader-of-two.txt": ["leaderRemovedItself"],
	"reordered.txt": ["appendRefused"],
	"replace-leader.txt": ["leaderRemovedItself", "jointLeftByItself"],
	"snapshot.txt": ["catchUpBySnapshot", "snapshotInstalled"],
	"stuck-candidate.txt": ["staleLeaderTold", "voteInLease"],
	"stuck-disk.txt": ["diskStalledAbdicates"],
	"transfer-abort.txt": ["transferTimedOut", "proposalWhileTransferring"],
	"transfer.txt": ["transferSent", "proposalWhileTransferring"],
	"unreachable.txt": ["appendLate"],
	"window-lost.txt": ["windowFull"],
};

test("every transcript with marks is there", () => {
	expect(Object.keys(MARKS).filter((name) => !readdirSync(folder).includes(name))).toEqual([]);
});

for (const name of readdirSync(folder).sort()) {
	const file = new URL(name, folder);
	const text = readFileSync(file, "utf8");
	test(`${name}: ${titleOf(text)}`, () => {
		let now = "";
		const during = marksDuring(() => {
			now = replay(text);
		});
		if (rewrite) writeFileSync(file, now);
		else expect(now).toBe(text);
		expect((MARKS[name] ?? []).filter((mark) => during[mark] === 0)).toEqual([]);
		expect(now).not.toMatch(/^ {2}STOPS: (there is no|a transcript|Cannot)/m);
	});
}
