/**
 * The event tap: one structured stream that logs, live tables, metrics, timelines and replays read. The pure rooms emit
 * into a sink; the server stamps time, keeps a ring and hands it on. Names are a versioned list: add, never reuse.
 */
export const TAP_VERSION = 1;

export const TAP_EVENTS = [
	// consensus
	"becameFollower",
	"becamePreCandidate",
	"becameCandidate",
	"becameLeader",
	"leaderChanged",
	"leaderLost",
	"termRaised",
	"voteGranted",
	"voteRejected",
	"peerDurable",
	"commitAdvanced",
	"configChanged",
	"transferStarted",
	"transferEnded",
	"snapshotNeeded",
	"snapshotRestored",
	"catchUpFromLog",
	"proposalDropped",
	"heartbeatHeard",
	"preVoteGranted",
	"handedOver",
	"goodbyeHeard",
	"manyVoters",
	// replica
	"applied",
	"memberPublished",
	"clusterVersionSet",
	"alarmRaised",
	"alarmCleared",
	"compacted",
	"authEnabled",
	"authDisabled",
	"leaseEnded",
	"digestMismatch",
	"requestSlow",
	"requestTimedOut",
	"writesReleased",
	"answered",
	"applySlow",
	"defragmented",
	// durability
	"logAppended",
	"walSynced",
	"walSlow",
	"walSegmentCut",
	"walTornTail",
	"floorWritten",
	"snapshotBegun",
	"snapshotPartSent",
	"snapshotSent",
	"snapshotReceived",
	"snapshotFailed",
	"stateAwaited",
	"addressesIgnored",
	"recovered",
	"clusterForced",
	// peers
	"peerConnected",
	"peerDisconnected",
	"peerRefused",
	"peerDialFailed",
	"handshakeRefused",
	"limitReached",
	"clientCut",
	"certificatesProblem",
	"peerQueueFull",
	// process
	"starting",
	"listening",
	"ready",
	"stopping",
	"stopped",
] as const;

export type TapEventName = (typeof TAP_EVENTS)[number];
export type TapFields = Readonly<Record<string, string | number | bigint | boolean>>;

export interface TapSink {
	/** `term` and `index` are 0 where they mean nothing. `fields` must not be changed afterwards. Never throws. */
	emit(name: TapEventName, term: number, index: number, fields?: TapFields): void;
}

export const silentTap: TapSink = { emit() {} };
