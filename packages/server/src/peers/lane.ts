import { unreachable } from "@flotilla/base";
import type { LaneMessage } from "../ports.ts";

/**
 * Each lane is a connection of its own, so that megabytes of log under way never delay a heartbeat. Order holds within a
 * lane only. Numbers are on the wire.
 */
export const Lane = { control: 0, log: 1, snapshots: 2 } as const;
export type Lane = (typeof Lane)[keyof typeof Lane];

/** The lanes that carry consensus: dialed always, and watched for the loss of a peer (rule H2). */
export const RAFT_LANES: readonly Lane[] = [Lane.control, Lane.log];

export function laneOf(kind: LaneMessage["kind"]): Lane {
	switch (kind) {
		case "append":
		case "appendResp":
		case "forward":
		case "forwardRefused":
		case "membershipAsk":
		case "membershipRefused":
			return Lane.log;
		case "snapshot":
		case "snapshotPart":
		case "snapshotAck":
			return Lane.snapshots;
		case "heartbeat":
		case "heartbeatResp":
		case "vote":
		case "voteResp":
		case "preVote":
		case "preVoteResp":
		case "timeoutNow":
		case "readIndex":
		case "readIndexResp":
		case "goodbye":
		case "digest":
		case "configSettled":
		case "leaseAsk":
		case "leaseTold":
			return Lane.control;
		default:
			return unreachable(kind);
	}
}
