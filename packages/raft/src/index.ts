/**
 * Raft as a pure state machine: give it ticks, messages and proposals; carry out what `drain()` returns. It knows no keys,
 * no revisions, no files, no sockets and no time.
 */
export { changedConf, EMPTY_CONF, isJoint, membersOf } from "./conf-change.ts";
export { confChangeOfEntry, decodeConfChange, decodeConfState, encodeConfChange, encodeConfState } from "./conf-codec.ts";
export type { RaftConfig, RaftLimits } from "./config.ts";
export { DEFAULT_RAFT_CONFIG } from "./config.ts";
export type { Consensus } from "./core-interface.ts";
export type {
	Append,
	AppendResp,
	ConfState,
	Goodbye,
	HardState,
	Heartbeat,
	HeartbeatResp,
	LogIndex,
	MembershipOp,
	MembershipRequest,
	Message,
	NodeId,
	PreVote,
	PreVoteResp,
	ReadIndexRequest,
	ReadIndexResponse,
	ReadToken,
	Role,
	SnapshotMessage,
	SnapshotMeta,
	Term,
	TimeoutNow,
	Vote,
	VoteResp,
} from "./message.ts";
export { Entry, EntryKind, NO_NODE } from "./message.ts";
export type {
	AppendWork,
	ConfigChange,
	CoreOutput,
	CoreStatus,
	FetchRequest,
	MembershipDone,
	PeerStatus,
	ProposeRefusal,
	ProposeResult,
	ReadFailure,
	ReadGrant,
	RestoredLog,
	SnapshotRequest,
	SoftState,
	StepStatus,
} from "./output.ts";
export { PAYLOAD_BYTES_MAX } from "./propose.ts";
export { bootstrapPoint, RaftCore } from "./raft-core.ts";
export { termCeiling } from "./term-ceiling.ts";
