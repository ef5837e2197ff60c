/**
 * Rare branches, counted by name. A scenario test can assert that it went where it claims to go; a campaign of the simulator says
 * which branches none of its runs has reached. Written only: nothing ever decides by a count, so rooms that are pure stay so.
 */
export const MARK_NAMES = [
	"appendConflict",
	"appendLate",
	"appendRefused",
	"hintBoundByLeader",
	"returnedEntryHeld",
	"snapshotFastForward",
	"snapshotInstalled",
	"snapshotWhileJoint",
	"commitByMark",
	"candidateMetConfig",
	"staleLeaderTold",
	"stalePreVoteTold",
	"voteInLease",
	"preVoteSticky",
	"stickyAnsweredAnew",
	"hintCampaign",
	"lossGraceDoubled",
	"quorumLost",
	"leaderRemovedItself",
	"readWaitsForTerm",
	"transferTimedOut",
	"transferSent",
	"diskStalledAbdicates",
	"jointLeftByItself",
	"jointLeftByNextLeader",
	"proposalWhileTransferring",
	"stopHandedOver",
	"stopWithoutSuccessor",
	"catchUpFromLog",
	"catchUpBySnapshot",
	"fetchedTooLate",
	"windowFull",
	"tornTailRepaired",
	"tornAtSegmentEnd",
	"voteAheadOfLog",
	"logDamageRefused",
	"segmentRolled",
	"rolledWithoutRoom",
	"commitRodeAlong",
	"spareFailed",
	"storeRebuilt",
	"commitNotedByStart",
	"stateAwaited",
	"rejoinedLogKept",
	"rejoinedLogReplaced",
	"firstStartRepeated",
	"secondFirstStartRefused",
	"removedStartRefused",
	"clusterForced",
	"recordsAboveFloor",
	"snapshotNotNeeded",
	"snapshotPartOvertook",
	"snapshotRefused",
	"snapshotGivenUp",
	"snapshotResent",
	"forwardRepeated",
	"forwardOfOtherTerm",
	"forwardRefused",
	"compactionsJoined",
	"compactionPinned",
	"changeSliced",
	"midwayRead",
	"midwayCleanUp",
	"midwayNoFloor",
	"midwayDied",
	"answeredLater",
	"answerDropped",
] as const;

export type MarkName = (typeof MARK_NAMES)[number];

/** How often each branch ran in this thread. `marks.appendConflict++` where it happens. */
export const marks: Record<MarkName, number> = zeros();

/** What ran while `work` did. */
export function marksDuring(work: () => void): Readonly<Record<MarkName, number>> {
	const before = { ...marks };
	work();
	const during = zeros();
	for (const name of MARK_NAMES) during[name] = marks[name] - before[name];
	return during;
}

function zeros(): Record<MarkName, number> {
	return Object.fromEntries(MARK_NAMES.map((name) => [name, 0])) as Record<MarkName, number>;
}
