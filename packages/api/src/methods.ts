/** Every call of the API: its path, codecs, shape, gateway paths, and what a caller needs when authentication is on. */
import { RPCS } from "./generated/rpcs.ts";
import type { MessageType } from "./message/message-type.ts";

export type RpcPath = keyof typeof RPCS;

/**
 * What a caller needs while authentication is on (etcd API 7.8):
 * - `open`: nothing;
 * - `user`: a valid token;
 * - `keyRead`, `keyWrite`: a valid token and the right on the keys concerned, decided by the handler (for the lock and election
 *   services by the calls that they make inside);
 * - `root`: the root role. Alarm is `user`, and its handler asks for root when the action is not GET; UserGet and RoleGet are
 *   `user` and ask for root when they concern another user or a role that the caller does not hold.
 */
export type AccessClass = "open" | "user" | "keyRead" | "keyWrite" | "root";

export type MethodShape = "unary" | "serverStream" | "bidi";

export interface Method {
	/** `/etcdserverpb.KV/Range`. */
	readonly path: RpcPath;
	/** `etcdserverpb.KV`. */
	readonly service: string;
	readonly name: string;
	readonly request: MessageType<object>;
	readonly response: MessageType<object>;
	readonly shape: MethodShape;
	/** Paths of the JSON gateway, all of them POST. */
	readonly gatewayPaths: readonly string[];
	readonly access: AccessClass;
}

interface Policy {
	readonly access: AccessClass;
	readonly gatewayPaths: readonly string[];
}

function policy(access: AccessClass, ...gatewayPaths: string[]): Policy {
	return { access, gatewayPaths };
}

const POLICIES = {
	"/etcdserverpb.KV/Range": policy("keyRead", "/v3/kv/range"),
	"/etcdserverpb.KV/RangeStream": policy("keyRead"),
	"/etcdserverpb.KV/Put": policy("keyWrite", "/v3/kv/put"),
	"/etcdserverpb.KV/DeleteRange": policy("keyWrite", "/v3/kv/deleterange"),
	"/etcdserverpb.KV/Txn": policy("keyWrite", "/v3/kv/txn"),
	"/etcdserverpb.KV/Compact": policy("root", "/v3/kv/compaction"),
	"/etcdserverpb.Watch/Watch": policy("keyRead", "/v3/watch"),
	"/etcdserverpb.Lease/LeaseGrant": policy("user", "/v3/lease/grant"),
	"/etcdserverpb.Lease/LeaseRevoke": policy("keyWrite", "/v3/lease/revoke", "/v3/kv/lease/revoke"),
	"/etcdserverpb.Lease/LeaseKeepAlive": policy("keyWrite", "/v3/lease/keepalive"),
	"/etcdserverpb.Lease/LeaseTimeToLive": policy("keyRead", "/v3/lease/timetolive", "/v3/kv/lease/timetolive"),
	"/etcdserverpb.Lease/LeaseLeases": policy("keyRead", "/v3/lease/leases", "/v3/kv/lease/leases"),
	"/etcdserverpb.Cluster/MemberAdd": policy("root", "/v3/cluster/member/add"),
	"/etcdserverpb.Cluster/MemberRemove": policy("root", "/v3/cluster/member/remove"),
	"/etcdserverpb.Cluster/MemberUpdate": policy("root", "/v3/cluster/member/update"),
	"/etcdserverpb.Cluster/MemberList": policy("user", "/v3/cluster/member/list"),
	"/etcdserverpb.Cluster/MemberPromote": policy("root", "/v3/cluster/member/promote"),
	"/etcdserverpb.Maintenance/Alarm": policy("user", "/v3/maintenance/alarm"),
	"/etcdserverpb.Maintenance/Status": policy("user", "/v3/maintenance/status"),
	"/etcdserverpb.Maintenance/Defragment": policy("root", "/v3/maintenance/defragment"),
	"/etcdserverpb.Maintenance/Hash": policy("root", "/v3/maintenance/hash"),
	"/etcdserverpb.Maintenance/HashKV": policy("root", "/v3/maintenance/hashkv"),
	"/etcdserverpb.Maintenance/Snapshot": policy("root", "/v3/maintenance/snapshot"),
	"/etcdserverpb.Maintenance/MoveLeader": policy("root", "/v3/maintenance/transfer-leadership"),
	"/etcdserverpb.Maintenance/Downgrade": policy("root", "/v3/maintenance/downgrade"),
	"/etcdserverpb.Auth/AuthEnable": policy("root", "/v3/auth/enable"),
	"/etcdserverpb.Auth/AuthDisable": policy("root", "/v3/auth/disable"),
	"/etcdserverpb.Auth/AuthStatus": policy("root", "/v3/auth/status"),
	"/etcdserverpb.Auth/Authenticate": policy("open", "/v3/auth/authenticate"),
	"/etcdserverpb.Auth/UserAdd": policy("root", "/v3/auth/user/add"),
	"/etcdserverpb.Auth/UserGet": policy("user", "/v3/auth/user/get"),
	"/etcdserverpb.Auth/UserList": policy("root", "/v3/auth/user/list"),
	"/etcdserverpb.Auth/UserDelete": policy("root", "/v3/auth/user/delete"),
	"/etcdserverpb.Auth/UserChangePassword": policy("root", "/v3/auth/user/changepw"),
	"/etcdserverpb.Auth/UserGrantRole": policy("root", "/v3/auth/user/grant"),
	"/etcdserverpb.Auth/UserRevokeRole": policy("root", "/v3/auth/user/revoke"),
	"/etcdserverpb.Auth/RoleAdd": policy("root", "/v3/auth/role/add"),
	"/etcdserverpb.Auth/RoleGet": policy("user", "/v3/auth/role/get"),
	"/etcdserverpb.Auth/RoleList": policy("root", "/v3/auth/role/list"),
	"/etcdserverpb.Auth/RoleDelete": policy("root", "/v3/auth/role/delete"),
	"/etcdserverpb.Auth/RoleGrantPermission": policy("root", "/v3/auth/role/grant"),
	"/etcdserverpb.Auth/RoleRevokePermission": policy("root", "/v3/auth/role/revoke"),
	"/v3lockpb.Lock/Lock": policy("keyWrite", "/v3/lock/lock"),
	"/v3lockpb.Lock/Unlock": policy("keyWrite", "/v3/lock/unlock"),
	"/v3electionpb.Election/Campaign": policy("keyWrite", "/v3/election/campaign"),
	"/v3electionpb.Election/Proclaim": policy("keyWrite", "/v3/election/proclaim"),
	"/v3electionpb.Election/Leader": policy("keyRead", "/v3/election/leader"),
	"/v3electionpb.Election/Observe": policy("keyRead", "/v3/election/observe"),
	"/v3electionpb.Election/Resign": policy("keyWrite", "/v3/election/resign"),
	"/grpc.health.v1.Health/Check": policy("open"),
	"/grpc.health.v1.Health/Watch": policy("open"),
} as const satisfies Record<RpcPath, Policy>;

/** By gRPC path; iteration is in the order of the proto files. */
export const METHODS: ReadonlyMap<string, Method> = new Map((Object.keys(RPCS) as RpcPath[]).map((path) => [path, describeMethod(path)]));

function describeMethod(path: RpcPath): Method {
	const { service, name, request, response, clientStreams, serverStreams } = RPCS[path];
	const shape = clientStreams ? "bidi" : serverStreams ? "serverStream" : "unary";
	const { access, gatewayPaths } = POLICIES[path];
	return { path, service, name, request: erased(request), response: erased(response), shape, gatewayPaths, access };
}

/** A table row does not know what its message holds: the caller that does narrows it again. */
function erased(type: unknown): MessageType<object> {
	return type as MessageType<object>;
}
