// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import { either, enumOf, many, message, one } from "../message/describe.ts";
import type { MessageType } from "../message/message-type.ts";
import * as authpb from "./authpb.ts";
import * as mvccpb from "./mvccpb.ts";
import type * as shapes from "./etcdserverpb.shapes.ts";

export const RangeRequest_SortOrder = {"NONE":0,"ASCEND":1,"DESCEND":2} as const;
export const RangeRequest_SortTarget = {"KEY":0,"VERSION":1,"CREATE":2,"MOD":3,"VALUE":4} as const;
export const Compare_CompareResult = {"EQUAL":0,"GREATER":1,"LESS":2,"NOT_EQUAL":3} as const;
export const Compare_CompareTarget = {"VERSION":0,"CREATE":1,"MOD":2,"VALUE":3,"LEASE":4} as const;
export const WatchCreateRequest_FilterType = {"NOPUT":0,"NODELETE":1} as const;
export const AlarmType = {"NONE":0,"NOSPACE":1,"CORRUPT":2} as const;
export const AlarmRequest_AlarmAction = {"GET":0,"ACTIVATE":1,"DEACTIVATE":2} as const;
export const DowngradeRequest_DowngradeAction = {"VALIDATE":0,"ENABLE":1,"CANCEL":2} as const;

export type ResponseHeader = shapes.ResponseHeader;
export const ResponseHeader: MessageType<shapes.ResponseHeader> = message("etcdserverpb.ResponseHeader", () => [
	one("cluster_id", 1, "uint64Id"),
	one("member_id", 2, "uint64Id"),
	one("revision", 3, "int64"),
	one("raft_term", 4, "uint64"),
]);

export type RangeRequest = shapes.RangeRequest;
export const RangeRequest: MessageType<shapes.RangeRequest> = message("etcdserverpb.RangeRequest", () => [
	one("key", 1, "bytes"),
	one("range_end", 2, "bytes"),
	one("limit", 3, "int64"),
	one("revision", 4, "int64"),
	one("sort_order", 5, enumOf(RangeRequest_SortOrder)),
	one("sort_target", 6, enumOf(RangeRequest_SortTarget)),
	one("serializable", 7, "bool"),
	one("keys_only", 8, "bool"),
	one("count_only", 9, "bool"),
	one("min_mod_revision", 10, "int64"),
	one("max_mod_revision", 11, "int64"),
	one("min_create_revision", 12, "int64"),
	one("max_create_revision", 13, "int64"),
]);

export type RangeResponse = shapes.RangeResponse;
export const RangeResponse: MessageType<shapes.RangeResponse> = message("etcdserverpb.RangeResponse", () => [
	one("header", 1, ResponseHeader),
	many("kvs", 2, mvccpb.KeyValue),
	one("more", 3, "bool"),
	one("count", 4, "int64"),
]);

export type RangeStreamResponse = shapes.RangeStreamResponse;
export const RangeStreamResponse: MessageType<shapes.RangeStreamResponse> = message("etcdserverpb.RangeStreamResponse", () => [
	one("range_response", 1, RangeResponse),
]);

export type PutRequest = shapes.PutRequest;
export const PutRequest: MessageType<shapes.PutRequest> = message("etcdserverpb.PutRequest", () => [
	one("key", 1, "bytes"),
	one("value", 2, "bytes"),
	one("lease", 3, "int64Id"),
	one("prev_kv", 4, "bool"),
	one("ignore_value", 5, "bool"),
	one("ignore_lease", 6, "bool"),
]);

export type PutResponse = shapes.PutResponse;
export const PutResponse: MessageType<shapes.PutResponse> = message("etcdserverpb.PutResponse", () => [
	one("header", 1, ResponseHeader),
	one("prev_kv", 2, mvccpb.KeyValue),
]);

export type DeleteRangeRequest = shapes.DeleteRangeRequest;
export const DeleteRangeRequest: MessageType<shapes.DeleteRangeRequest> = message("etcdserverpb.DeleteRangeRequest", () => [
	one("key", 1, "bytes"),
	one("range_end", 2, "bytes"),
	one("prev_kv", 3, "bool"),
]);

export type DeleteRangeResponse = shapes.DeleteRangeResponse;
export const DeleteRangeResponse: MessageType<shapes.DeleteRangeResponse> = message("etcdserverpb.DeleteRangeResponse", () => [
	one("header", 1, ResponseHeader),
	one("deleted", 2, "int64"),
	many("prev_kvs", 3, mvccpb.KeyValue),
]);

export type RequestOp = shapes.RequestOp;
export const RequestOp: MessageType<shapes.RequestOp> = message("etcdserverpb.RequestOp", () => [
	either("request", "request_range", 1, RangeRequest),
	either("request", "request_put", 2, PutRequest),
	either("request", "request_delete_range", 3, DeleteRangeRequest),
	either("request", "request_txn", 4, TxnRequest),
]);

export type ResponseOp = shapes.ResponseOp;
export const ResponseOp: MessageType<shapes.ResponseOp> = message("etcdserverpb.ResponseOp", () => [
	either("response", "response_range", 1, RangeResponse),
	either("response", "response_put", 2, PutResponse),
	either("response", "response_delete_range", 3, DeleteRangeResponse),
	either("response", "response_txn", 4, TxnResponse),
]);

export type Compare = shapes.Compare;
export const Compare: MessageType<shapes.Compare> = message("etcdserverpb.Compare", () => [
	one("result", 1, enumOf(Compare_CompareResult)),
	one("target", 2, enumOf(Compare_CompareTarget)),
	one("key", 3, "bytes"),
	either("target_union", "version", 4, "int64"),
	either("target_union", "create_revision", 5, "int64"),
	either("target_union", "mod_revision", 6, "int64"),
	either("target_union", "value", 7, "bytes"),
	either("target_union", "lease", 8, "int64Id"),
	one("range_end", 64, "bytes"),
]);

export type TxnRequest = shapes.TxnRequest;
export const TxnRequest: MessageType<shapes.TxnRequest> = message("etcdserverpb.TxnRequest", () => [
	many("compare", 1, Compare),
	many("success", 2, RequestOp),
	many("failure", 3, RequestOp),
]);

export type TxnResponse = shapes.TxnResponse;
export const TxnResponse: MessageType<shapes.TxnResponse> = message("etcdserverpb.TxnResponse", () => [
	one("header", 1, ResponseHeader),
	one("succeeded", 2, "bool"),
	many("responses", 3, ResponseOp),
]);

export type CompactionRequest = shapes.CompactionRequest;
export const CompactionRequest: MessageType<shapes.CompactionRequest> = message("etcdserverpb.CompactionRequest", () => [
	one("revision", 1, "int64"),
	one("physical", 2, "bool"),
]);

export type CompactionResponse = shapes.CompactionResponse;
export const CompactionResponse: MessageType<shapes.CompactionResponse> = message("etcdserverpb.CompactionResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type WatchRequest = shapes.WatchRequest;
export const WatchRequest: MessageType<shapes.WatchRequest> = message("etcdserverpb.WatchRequest", () => [
	either("request_union", "create_request", 1, WatchCreateRequest),
	either("request_union", "cancel_request", 2, WatchCancelRequest),
	either("request_union", "progress_request", 3, WatchProgressRequest),
]);

export type WatchCreateRequest = shapes.WatchCreateRequest;
export const WatchCreateRequest: MessageType<shapes.WatchCreateRequest> = message("etcdserverpb.WatchCreateRequest", () => [
	one("key", 1, "bytes"),
	one("range_end", 2, "bytes"),
	one("start_revision", 3, "int64"),
	one("progress_notify", 4, "bool"),
	many("filters", 5, enumOf(WatchCreateRequest_FilterType)),
	one("prev_kv", 6, "bool"),
	one("watch_id", 7, "int64Id"),
	one("fragment", 8, "bool"),
]);

export type WatchCancelRequest = shapes.WatchCancelRequest;
export const WatchCancelRequest: MessageType<shapes.WatchCancelRequest> = message("etcdserverpb.WatchCancelRequest", () => [
	one("watch_id", 1, "int64Id"),
]);

export type WatchProgressRequest = shapes.WatchProgressRequest;
export const WatchProgressRequest: MessageType<shapes.WatchProgressRequest> = message("etcdserverpb.WatchProgressRequest", () => []);

export type WatchResponse = shapes.WatchResponse;
export const WatchResponse: MessageType<shapes.WatchResponse> = message("etcdserverpb.WatchResponse", () => [
	one("header", 1, ResponseHeader),
	one("watch_id", 2, "int64Id"),
	one("created", 3, "bool"),
	one("canceled", 4, "bool"),
	one("compact_revision", 5, "int64"),
	one("cancel_reason", 6, "string"),
	one("fragment", 7, "bool"),
	many("events", 11, mvccpb.Event),
]);

export type LeaseGrantRequest = shapes.LeaseGrantRequest;
export const LeaseGrantRequest: MessageType<shapes.LeaseGrantRequest> = message("etcdserverpb.LeaseGrantRequest", () => [
	one("TTL", 1, "int64"),
	one("ID", 2, "int64Id"),
]);

export type LeaseGrantResponse = shapes.LeaseGrantResponse;
export const LeaseGrantResponse: MessageType<shapes.LeaseGrantResponse> = message("etcdserverpb.LeaseGrantResponse", () => [
	one("header", 1, ResponseHeader),
	one("ID", 2, "int64Id"),
	one("TTL", 3, "int64"),
	one("error", 4, "string"),
]);

export type LeaseRevokeRequest = shapes.LeaseRevokeRequest;
export const LeaseRevokeRequest: MessageType<shapes.LeaseRevokeRequest> = message("etcdserverpb.LeaseRevokeRequest", () => [
	one("ID", 1, "int64Id"),
]);

export type LeaseRevokeResponse = shapes.LeaseRevokeResponse;
export const LeaseRevokeResponse: MessageType<shapes.LeaseRevokeResponse> = message("etcdserverpb.LeaseRevokeResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type LeaseCheckpoint = shapes.LeaseCheckpoint;
export const LeaseCheckpoint: MessageType<shapes.LeaseCheckpoint> = message("etcdserverpb.LeaseCheckpoint", () => [
	one("ID", 1, "int64Id"),
	one("remaining_TTL", 2, "int64"),
]);

export type LeaseCheckpointRequest = shapes.LeaseCheckpointRequest;
export const LeaseCheckpointRequest: MessageType<shapes.LeaseCheckpointRequest> = message("etcdserverpb.LeaseCheckpointRequest", () => [
	many("checkpoints", 1, LeaseCheckpoint),
]);

export type LeaseCheckpointResponse = shapes.LeaseCheckpointResponse;
export const LeaseCheckpointResponse: MessageType<shapes.LeaseCheckpointResponse> = message("etcdserverpb.LeaseCheckpointResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type LeaseKeepAliveRequest = shapes.LeaseKeepAliveRequest;
export const LeaseKeepAliveRequest: MessageType<shapes.LeaseKeepAliveRequest> = message("etcdserverpb.LeaseKeepAliveRequest", () => [
	one("ID", 1, "int64Id"),
]);

export type LeaseKeepAliveResponse = shapes.LeaseKeepAliveResponse;
export const LeaseKeepAliveResponse: MessageType<shapes.LeaseKeepAliveResponse> = message("etcdserverpb.LeaseKeepAliveResponse", () => [
	one("header", 1, ResponseHeader),
	one("ID", 2, "int64Id"),
	one("TTL", 3, "int64"),
]);

export type LeaseTimeToLiveRequest = shapes.LeaseTimeToLiveRequest;
export const LeaseTimeToLiveRequest: MessageType<shapes.LeaseTimeToLiveRequest> = message("etcdserverpb.LeaseTimeToLiveRequest", () => [
	one("ID", 1, "int64Id"),
	one("keys", 2, "bool"),
]);

export type LeaseTimeToLiveResponse = shapes.LeaseTimeToLiveResponse;
export const LeaseTimeToLiveResponse: MessageType<shapes.LeaseTimeToLiveResponse> = message("etcdserverpb.LeaseTimeToLiveResponse", () => [
	one("header", 1, ResponseHeader),
	one("ID", 2, "int64Id"),
	one("TTL", 3, "int64"),
	one("grantedTTL", 4, "int64"),
	many("keys", 5, "bytes"),
]);

export type LeaseLeasesRequest = shapes.LeaseLeasesRequest;
export const LeaseLeasesRequest: MessageType<shapes.LeaseLeasesRequest> = message("etcdserverpb.LeaseLeasesRequest", () => []);

export type LeaseStatus = shapes.LeaseStatus;
export const LeaseStatus: MessageType<shapes.LeaseStatus> = message("etcdserverpb.LeaseStatus", () => [
	one("ID", 1, "int64Id"),
]);

export type LeaseLeasesResponse = shapes.LeaseLeasesResponse;
export const LeaseLeasesResponse: MessageType<shapes.LeaseLeasesResponse> = message("etcdserverpb.LeaseLeasesResponse", () => [
	one("header", 1, ResponseHeader),
	many("leases", 2, LeaseStatus),
]);

export type Member = shapes.Member;
export const Member: MessageType<shapes.Member> = message("etcdserverpb.Member", () => [
	one("ID", 1, "uint64Id"),
	one("name", 2, "string"),
	many("peerURLs", 3, "string"),
	many("clientURLs", 4, "string"),
	one("isLearner", 5, "bool"),
]);

export type MemberAddRequest = shapes.MemberAddRequest;
export const MemberAddRequest: MessageType<shapes.MemberAddRequest> = message("etcdserverpb.MemberAddRequest", () => [
	many("peerURLs", 1, "string"),
	one("isLearner", 2, "bool"),
]);

export type MemberAddResponse = shapes.MemberAddResponse;
export const MemberAddResponse: MessageType<shapes.MemberAddResponse> = message("etcdserverpb.MemberAddResponse", () => [
	one("header", 1, ResponseHeader),
	one("member", 2, Member),
	many("members", 3, Member),
]);

export type MemberRemoveRequest = shapes.MemberRemoveRequest;
export const MemberRemoveRequest: MessageType<shapes.MemberRemoveRequest> = message("etcdserverpb.MemberRemoveRequest", () => [
	one("ID", 1, "uint64Id"),
]);

export type MemberRemoveResponse = shapes.MemberRemoveResponse;
export const MemberRemoveResponse: MessageType<shapes.MemberRemoveResponse> = message("etcdserverpb.MemberRemoveResponse", () => [
	one("header", 1, ResponseHeader),
	many("members", 2, Member),
]);

export type MemberUpdateRequest = shapes.MemberUpdateRequest;
export const MemberUpdateRequest: MessageType<shapes.MemberUpdateRequest> = message("etcdserverpb.MemberUpdateRequest", () => [
	one("ID", 1, "uint64Id"),
	many("peerURLs", 2, "string"),
]);

export type MemberUpdateResponse = shapes.MemberUpdateResponse;
export const MemberUpdateResponse: MessageType<shapes.MemberUpdateResponse> = message("etcdserverpb.MemberUpdateResponse", () => [
	one("header", 1, ResponseHeader),
	many("members", 2, Member),
]);

export type MemberListRequest = shapes.MemberListRequest;
export const MemberListRequest: MessageType<shapes.MemberListRequest> = message("etcdserverpb.MemberListRequest", () => [
	one("linearizable", 1, "bool"),
]);

export type MemberListResponse = shapes.MemberListResponse;
export const MemberListResponse: MessageType<shapes.MemberListResponse> = message("etcdserverpb.MemberListResponse", () => [
	one("header", 1, ResponseHeader),
	many("members", 2, Member),
]);

export type MemberPromoteRequest = shapes.MemberPromoteRequest;
export const MemberPromoteRequest: MessageType<shapes.MemberPromoteRequest> = message("etcdserverpb.MemberPromoteRequest", () => [
	one("ID", 1, "uint64Id"),
]);

export type MemberPromoteResponse = shapes.MemberPromoteResponse;
export const MemberPromoteResponse: MessageType<shapes.MemberPromoteResponse> = message("etcdserverpb.MemberPromoteResponse", () => [
	one("header", 1, ResponseHeader),
	many("members", 2, Member),
]);

export type AlarmRequest = shapes.AlarmRequest;
export const AlarmRequest: MessageType<shapes.AlarmRequest> = message("etcdserverpb.AlarmRequest", () => [
	one("action", 1, enumOf(AlarmRequest_AlarmAction)),
	one("memberID", 2, "uint64Id"),
	one("alarm", 3, enumOf(AlarmType)),
]);

export type AlarmMember = shapes.AlarmMember;
export const AlarmMember: MessageType<shapes.AlarmMember> = message("etcdserverpb.AlarmMember", () => [
	one("memberID", 1, "uint64Id"),
	one("alarm", 2, enumOf(AlarmType)),
]);

export type AlarmResponse = shapes.AlarmResponse;
export const AlarmResponse: MessageType<shapes.AlarmResponse> = message("etcdserverpb.AlarmResponse", () => [
	one("header", 1, ResponseHeader),
	many("alarms", 2, AlarmMember),
]);

export type StatusRequest = shapes.StatusRequest;
export const StatusRequest: MessageType<shapes.StatusRequest> = message("etcdserverpb.StatusRequest", () => []);

export type StatusResponse = shapes.StatusResponse;
export const StatusResponse: MessageType<shapes.StatusResponse> = message("etcdserverpb.StatusResponse", () => [
	one("header", 1, ResponseHeader),
	one("version", 2, "string"),
	one("dbSize", 3, "int64"),
	one("leader", 4, "uint64Id"),
	one("raftIndex", 5, "uint64"),
	one("raftTerm", 6, "uint64"),
	one("raftAppliedIndex", 7, "uint64"),
	many("errors", 8, "string"),
	one("dbSizeInUse", 9, "int64"),
	one("isLearner", 10, "bool"),
	one("storageVersion", 11, "string"),
	one("dbSizeQuota", 12, "int64"),
	one("downgradeInfo", 13, DowngradeInfo),
]);

export type DowngradeInfo = shapes.DowngradeInfo;
export const DowngradeInfo: MessageType<shapes.DowngradeInfo> = message("etcdserverpb.DowngradeInfo", () => [
	one("enabled", 1, "bool"),
	one("targetVersion", 2, "string"),
]);

export type DefragmentRequest = shapes.DefragmentRequest;
export const DefragmentRequest: MessageType<shapes.DefragmentRequest> = message("etcdserverpb.DefragmentRequest", () => []);

export type DefragmentResponse = shapes.DefragmentResponse;
export const DefragmentResponse: MessageType<shapes.DefragmentResponse> = message("etcdserverpb.DefragmentResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type HashRequest = shapes.HashRequest;
export const HashRequest: MessageType<shapes.HashRequest> = message("etcdserverpb.HashRequest", () => []);

export type HashResponse = shapes.HashResponse;
export const HashResponse: MessageType<shapes.HashResponse> = message("etcdserverpb.HashResponse", () => [
	one("header", 1, ResponseHeader),
	one("hash", 2, "uint32"),
]);

export type HashKVRequest = shapes.HashKVRequest;
export const HashKVRequest: MessageType<shapes.HashKVRequest> = message("etcdserverpb.HashKVRequest", () => [
	one("revision", 1, "int64"),
]);

export type HashKVResponse = shapes.HashKVResponse;
export const HashKVResponse: MessageType<shapes.HashKVResponse> = message("etcdserverpb.HashKVResponse", () => [
	one("header", 1, ResponseHeader),
	one("hash", 2, "uint32"),
	one("compact_revision", 3, "int64"),
	one("hash_revision", 4, "int64"),
]);

export type SnapshotRequest = shapes.SnapshotRequest;
export const SnapshotRequest: MessageType<shapes.SnapshotRequest> = message("etcdserverpb.SnapshotRequest", () => []);

export type SnapshotResponse = shapes.SnapshotResponse;
export const SnapshotResponse: MessageType<shapes.SnapshotResponse> = message("etcdserverpb.SnapshotResponse", () => [
	one("header", 1, ResponseHeader),
	one("remaining_bytes", 2, "uint64"),
	one("blob", 3, "bytes"),
	one("version", 4, "string"),
]);

export type MoveLeaderRequest = shapes.MoveLeaderRequest;
export const MoveLeaderRequest: MessageType<shapes.MoveLeaderRequest> = message("etcdserverpb.MoveLeaderRequest", () => [
	one("targetID", 1, "uint64Id"),
]);

export type MoveLeaderResponse = shapes.MoveLeaderResponse;
export const MoveLeaderResponse: MessageType<shapes.MoveLeaderResponse> = message("etcdserverpb.MoveLeaderResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type DowngradeRequest = shapes.DowngradeRequest;
export const DowngradeRequest: MessageType<shapes.DowngradeRequest> = message("etcdserverpb.DowngradeRequest", () => [
	one("action", 1, enumOf(DowngradeRequest_DowngradeAction)),
	one("version", 2, "string"),
]);

export type DowngradeResponse = shapes.DowngradeResponse;
export const DowngradeResponse: MessageType<shapes.DowngradeResponse> = message("etcdserverpb.DowngradeResponse", () => [
	one("header", 1, ResponseHeader),
	one("version", 2, "string"),
]);

export type DowngradeVersionTestRequest = shapes.DowngradeVersionTestRequest;
export const DowngradeVersionTestRequest: MessageType<shapes.DowngradeVersionTestRequest> = message("etcdserverpb.DowngradeVersionTestRequest", () => [
	one("ver", 1, "string"),
]);

export type AuthEnableRequest = shapes.AuthEnableRequest;
export const AuthEnableRequest: MessageType<shapes.AuthEnableRequest> = message("etcdserverpb.AuthEnableRequest", () => []);

export type AuthDisableRequest = shapes.AuthDisableRequest;
export const AuthDisableRequest: MessageType<shapes.AuthDisableRequest> = message("etcdserverpb.AuthDisableRequest", () => []);

export type AuthStatusRequest = shapes.AuthStatusRequest;
export const AuthStatusRequest: MessageType<shapes.AuthStatusRequest> = message("etcdserverpb.AuthStatusRequest", () => []);

export type AuthenticateRequest = shapes.AuthenticateRequest;
export const AuthenticateRequest: MessageType<shapes.AuthenticateRequest> = message("etcdserverpb.AuthenticateRequest", () => [
	one("name", 1, "string"),
	one("password", 2, "string"),
]);

export type AuthUserAddRequest = shapes.AuthUserAddRequest;
export const AuthUserAddRequest: MessageType<shapes.AuthUserAddRequest> = message("etcdserverpb.AuthUserAddRequest", () => [
	one("name", 1, "string"),
	one("password", 2, "string"),
	one("options", 3, authpb.UserAddOptions),
	one("hashedPassword", 4, "string"),
]);

export type AuthUserGetRequest = shapes.AuthUserGetRequest;
export const AuthUserGetRequest: MessageType<shapes.AuthUserGetRequest> = message("etcdserverpb.AuthUserGetRequest", () => [
	one("name", 1, "string"),
]);

export type AuthUserDeleteRequest = shapes.AuthUserDeleteRequest;
export const AuthUserDeleteRequest: MessageType<shapes.AuthUserDeleteRequest> = message("etcdserverpb.AuthUserDeleteRequest", () => [
	one("name", 1, "string"),
]);

export type AuthUserChangePasswordRequest = shapes.AuthUserChangePasswordRequest;
export const AuthUserChangePasswordRequest: MessageType<shapes.AuthUserChangePasswordRequest> = message("etcdserverpb.AuthUserChangePasswordRequest", () => [
	one("name", 1, "string"),
	one("password", 2, "string"),
	one("hashedPassword", 3, "string"),
]);

export type AuthUserGrantRoleRequest = shapes.AuthUserGrantRoleRequest;
export const AuthUserGrantRoleRequest: MessageType<shapes.AuthUserGrantRoleRequest> = message("etcdserverpb.AuthUserGrantRoleRequest", () => [
	one("user", 1, "string"),
	one("role", 2, "string"),
]);

export type AuthUserRevokeRoleRequest = shapes.AuthUserRevokeRoleRequest;
export const AuthUserRevokeRoleRequest: MessageType<shapes.AuthUserRevokeRoleRequest> = message("etcdserverpb.AuthUserRevokeRoleRequest", () => [
	one("name", 1, "string"),
	one("role", 2, "string"),
]);

export type AuthRoleAddRequest = shapes.AuthRoleAddRequest;
export const AuthRoleAddRequest: MessageType<shapes.AuthRoleAddRequest> = message("etcdserverpb.AuthRoleAddRequest", () => [
	one("name", 1, "string"),
]);

export type AuthRoleGetRequest = shapes.AuthRoleGetRequest;
export const AuthRoleGetRequest: MessageType<shapes.AuthRoleGetRequest> = message("etcdserverpb.AuthRoleGetRequest", () => [
	one("role", 1, "string"),
]);

export type AuthUserListRequest = shapes.AuthUserListRequest;
export const AuthUserListRequest: MessageType<shapes.AuthUserListRequest> = message("etcdserverpb.AuthUserListRequest", () => []);

export type AuthRoleListRequest = shapes.AuthRoleListRequest;
export const AuthRoleListRequest: MessageType<shapes.AuthRoleListRequest> = message("etcdserverpb.AuthRoleListRequest", () => []);

export type AuthRoleDeleteRequest = shapes.AuthRoleDeleteRequest;
export const AuthRoleDeleteRequest: MessageType<shapes.AuthRoleDeleteRequest> = message("etcdserverpb.AuthRoleDeleteRequest", () => [
	one("role", 1, "string"),
]);

export type AuthRoleGrantPermissionRequest = shapes.AuthRoleGrantPermissionRequest;
export const AuthRoleGrantPermissionRequest: MessageType<shapes.AuthRoleGrantPermissionRequest> = message("etcdserverpb.AuthRoleGrantPermissionRequest", () => [
	one("name", 1, "string"),
	one("perm", 2, authpb.Permission),
]);

export type AuthRoleRevokePermissionRequest = shapes.AuthRoleRevokePermissionRequest;
export const AuthRoleRevokePermissionRequest: MessageType<shapes.AuthRoleRevokePermissionRequest> = message("etcdserverpb.AuthRoleRevokePermissionRequest", () => [
	one("role", 1, "string"),
	one("key", 2, "bytes"),
	one("range_end", 3, "bytes"),
]);

export type AuthEnableResponse = shapes.AuthEnableResponse;
export const AuthEnableResponse: MessageType<shapes.AuthEnableResponse> = message("etcdserverpb.AuthEnableResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthDisableResponse = shapes.AuthDisableResponse;
export const AuthDisableResponse: MessageType<shapes.AuthDisableResponse> = message("etcdserverpb.AuthDisableResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthStatusResponse = shapes.AuthStatusResponse;
export const AuthStatusResponse: MessageType<shapes.AuthStatusResponse> = message("etcdserverpb.AuthStatusResponse", () => [
	one("header", 1, ResponseHeader),
	one("enabled", 2, "bool"),
	one("authRevision", 3, "uint64"),
]);

export type AuthenticateResponse = shapes.AuthenticateResponse;
export const AuthenticateResponse: MessageType<shapes.AuthenticateResponse> = message("etcdserverpb.AuthenticateResponse", () => [
	one("header", 1, ResponseHeader),
	one("token", 2, "string"),
]);

export type AuthUserAddResponse = shapes.AuthUserAddResponse;
export const AuthUserAddResponse: MessageType<shapes.AuthUserAddResponse> = message("etcdserverpb.AuthUserAddResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthUserGetResponse = shapes.AuthUserGetResponse;
export const AuthUserGetResponse: MessageType<shapes.AuthUserGetResponse> = message("etcdserverpb.AuthUserGetResponse", () => [
	one("header", 1, ResponseHeader),
	many("roles", 2, "string"),
]);

export type AuthUserDeleteResponse = shapes.AuthUserDeleteResponse;
export const AuthUserDeleteResponse: MessageType<shapes.AuthUserDeleteResponse> = message("etcdserverpb.AuthUserDeleteResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthUserChangePasswordResponse = shapes.AuthUserChangePasswordResponse;
export const AuthUserChangePasswordResponse: MessageType<shapes.AuthUserChangePasswordResponse> = message("etcdserverpb.AuthUserChangePasswordResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthUserGrantRoleResponse = shapes.AuthUserGrantRoleResponse;
export const AuthUserGrantRoleResponse: MessageType<shapes.AuthUserGrantRoleResponse> = message("etcdserverpb.AuthUserGrantRoleResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthUserRevokeRoleResponse = shapes.AuthUserRevokeRoleResponse;
export const AuthUserRevokeRoleResponse: MessageType<shapes.AuthUserRevokeRoleResponse> = message("etcdserverpb.AuthUserRevokeRoleResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthRoleAddResponse = shapes.AuthRoleAddResponse;
export const AuthRoleAddResponse: MessageType<shapes.AuthRoleAddResponse> = message("etcdserverpb.AuthRoleAddResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthRoleGetResponse = shapes.AuthRoleGetResponse;
export const AuthRoleGetResponse: MessageType<shapes.AuthRoleGetResponse> = message("etcdserverpb.AuthRoleGetResponse", () => [
	one("header", 1, ResponseHeader),
	many("perm", 2, authpb.Permission),
]);

export type AuthRoleListResponse = shapes.AuthRoleListResponse;
export const AuthRoleListResponse: MessageType<shapes.AuthRoleListResponse> = message("etcdserverpb.AuthRoleListResponse", () => [
	one("header", 1, ResponseHeader),
	many("roles", 2, "string"),
]);

export type AuthUserListResponse = shapes.AuthUserListResponse;
export const AuthUserListResponse: MessageType<shapes.AuthUserListResponse> = message("etcdserverpb.AuthUserListResponse", () => [
	one("header", 1, ResponseHeader),
	many("users", 2, "string"),
]);

export type AuthRoleDeleteResponse = shapes.AuthRoleDeleteResponse;
export const AuthRoleDeleteResponse: MessageType<shapes.AuthRoleDeleteResponse> = message("etcdserverpb.AuthRoleDeleteResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthRoleGrantPermissionResponse = shapes.AuthRoleGrantPermissionResponse;
export const AuthRoleGrantPermissionResponse: MessageType<shapes.AuthRoleGrantPermissionResponse> = message("etcdserverpb.AuthRoleGrantPermissionResponse", () => [
	one("header", 1, ResponseHeader),
]);

export type AuthRoleRevokePermissionResponse = shapes.AuthRoleRevokePermissionResponse;
export const AuthRoleRevokePermissionResponse: MessageType<shapes.AuthRoleRevokePermissionResponse> = message("etcdserverpb.AuthRoleRevokePermissionResponse", () => [
	one("header", 1, ResponseHeader),
]);
