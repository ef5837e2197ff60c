/**
 * One member's logic: Raft, MVCC and the member table joined, forwarding, read barriers and apply. Pure: a driver feeds it
 * inputs, carries out the output of each turn and owns all waiting.
 */
export type { AlarmCommand } from "./alarms.ts";
export { AlarmAction, decodeAlarmCommand, encodeAlarmCommand } from "./alarms.ts";
export type { AuthCommand, AuthCommandKind } from "./auth/auth-command.ts";
export { authCommand, decodeAuthCommand, encodeAuthCommand } from "./auth/auth-command.ts";
export { AuthState } from "./auth/auth-state.ts";
export type { AuthView, KeyAccess } from "./auth/auth-view.ts";
export type { AuthFault, Caller } from "./auth/caller.ts";
export { MEMBER_ITSELF, NOBODY } from "./auth/caller.ts";
export type { TokenReading } from "./auth/token-table.ts";
export type { Permission, Role, User } from "./auth/users.ts";
export { PermissionType, ROOT } from "./auth/users.ts";
export type { CallFault, CommandResult, ReadOutcome, WriteOutcome } from "./calls.ts";
export { CommandKind, ReadCall, WriteCall } from "./calls.ts";
export type { EnvelopeContent } from "./envelope.ts";
export { EnvelopeEncoder, EnvelopeReader } from "./envelope.ts";
export type { LeaseOutcome } from "./lease/lease-calls.ts";
export { LeaseCall } from "./lease/lease-calls.ts";
export {
	decodeLeaseCheckpoints,
	decodeLeaseEnds,
	decodeLeaseGrant,
	decodeLeaseRevoke,
	encodeLeaseGrant,
	encodeLeaseRevoke,
} from "./lease/lease-codec.ts";
export { LeaseCounts } from "./lease/lease-counts.ts";
export { ASK_LEASES_MAX } from "./lease/lease-desk.ts";
export { decodeMember, encodeMember, encodeMembershipContext, readContext } from "./member-codec.ts";
export type { AlarmEntry, MemberInfo } from "./members.ts";
export { AlarmType } from "./members.ts";
export type { MembershipChange, MembershipOutcome, MembershipRefusal } from "./membership.ts";
export { decodeMembershipChange, encodeMembershipChange, MEMBERSHIP_REFUSALS, MembershipCall } from "./membership.ts";
export type {
	ConfigSettled,
	DigestNote,
	Forward,
	ForwardRefused,
	LeaseAsk,
	LeaseTold,
	MembershipAsk,
	MembershipRefused,
	PeerMessage,
} from "./messages.ts";
export { putCost, txnCost } from "./quota.ts";
export type { ReplicaState } from "./replica.ts";
export { Replica } from "./replica.ts";
export type {
	Completion,
	FloorImage,
	ReceivedState,
	ReplicaMachine,
	ReplicaOptions,
	ReplicaOutput,
	ReplicaPorts,
	ReplicaStatus,
	TableRow,
} from "./replica-interface.ts";
export { APPLY_SLICE_KEYS } from "./sliced-apply.ts";
export { bootstrapTables, tableDigest } from "./tables.ts";
