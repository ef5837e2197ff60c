/** The calls that a migration makes. */
import { type MessageType, etcdserverpb as pb } from "@flotilla/api";

export interface Rpc<Request extends object, Response extends object> {
	readonly path: string;
	readonly request: MessageType<Request>;
	readonly response: MessageType<Response>;
}

function rpc<Request extends object, Response extends object>(
	path: string,
	request: MessageType<Request>,
	response: MessageType<Response>,
): Rpc<Request, Response> {
	return { path: `/etcdserverpb.${path}`, request, response };
}

export const RPC = {
	range: rpc("KV/Range", pb.RangeRequest, pb.RangeResponse),
	put: rpc("KV/Put", pb.PutRequest, pb.PutResponse),
	deleteRange: rpc("KV/DeleteRange", pb.DeleteRangeRequest, pb.DeleteRangeResponse),
	txn: rpc("KV/Txn", pb.TxnRequest, pb.TxnResponse),
	watch: rpc("Watch/Watch", pb.WatchRequest, pb.WatchResponse),
	leases: rpc("Lease/LeaseLeases", pb.LeaseLeasesRequest, pb.LeaseLeasesResponse),
	timeToLive: rpc("Lease/LeaseTimeToLive", pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse),
	grant: rpc("Lease/LeaseGrant", pb.LeaseGrantRequest, pb.LeaseGrantResponse),
	revoke: rpc("Lease/LeaseRevoke", pb.LeaseRevokeRequest, pb.LeaseRevokeResponse),
	keepAlive: rpc("Lease/LeaseKeepAlive", pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse),
	roleList: rpc("Auth/RoleList", pb.AuthRoleListRequest, pb.AuthRoleListResponse),
	roleGet: rpc("Auth/RoleGet", pb.AuthRoleGetRequest, pb.AuthRoleGetResponse),
	roleAdd: rpc("Auth/RoleAdd", pb.AuthRoleAddRequest, pb.AuthRoleAddResponse),
	roleDelete: rpc("Auth/RoleDelete", pb.AuthRoleDeleteRequest, pb.AuthRoleDeleteResponse),
	roleGrant: rpc("Auth/RoleGrantPermission", pb.AuthRoleGrantPermissionRequest, pb.AuthRoleGrantPermissionResponse),
	roleRevoke: rpc("Auth/RoleRevokePermission", pb.AuthRoleRevokePermissionRequest, pb.AuthRoleRevokePermissionResponse),
	userList: rpc("Auth/UserList", pb.AuthUserListRequest, pb.AuthUserListResponse),
	userGet: rpc("Auth/UserGet", pb.AuthUserGetRequest, pb.AuthUserGetResponse),
	userAdd: rpc("Auth/UserAdd", pb.AuthUserAddRequest, pb.AuthUserAddResponse),
	userDelete: rpc("Auth/UserDelete", pb.AuthUserDeleteRequest, pb.AuthUserDeleteResponse),
	userGrant: rpc("Auth/UserGrantRole", pb.AuthUserGrantRoleRequest, pb.AuthUserGrantRoleResponse),
	userRevoke: rpc("Auth/UserRevokeRole", pb.AuthUserRevokeRoleRequest, pb.AuthUserRevokeRoleResponse),
	authenticate: rpc("Auth/Authenticate", pb.AuthenticateRequest, pb.AuthenticateResponse),
	authStatus: rpc("Auth/AuthStatus", pb.AuthStatusRequest, pb.AuthStatusResponse),
	authEnable: rpc("Auth/AuthEnable", pb.AuthEnableRequest, pb.AuthEnableResponse),
} as const;

/** Every key there is. */
export const ALL_KEYS = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) } as const;
