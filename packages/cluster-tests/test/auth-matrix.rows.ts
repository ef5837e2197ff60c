/** For each call of the API: harmless requests, and what their caller must be. A call without a row does not compile. */
import { authpb, grpcHealthV1, etcdserverpb as pb, type RpcPath, v3electionpb, v3lockpb } from "@flotilla/api";

export interface CallerRights {
	/** Whose they are; empty: nobody's. */
	readonly user: string;
	/** Has the role root. */
	readonly root: boolean;
	/** May read, write the keys from `m/` on, and no others. */
	readonly read: boolean;
	readonly write: boolean;
}

/**
 * `open`: nobody is asked anything. `nothing`: no credential, but a bad one is refused. `user`: anybody with a credential. A right: on
 * the keys below `m/`; on others root alone has any.
 */
export type Need =
	| "open"
	| "nothing"
	| "user"
	| "root"
	| "read"
	| "write"
	| "readAndWrite"
	| "otherKeys"
	| ((caller: CallerRights) => boolean);

export interface Case {
	readonly what?: string;
	readonly need: Need;
	/** The request is about a user that is not there: whoever may hears the words that an unknown caller does. */
	readonly namesNobody?: true;
	readonly request: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const M = bytes("m/1");
const ALL_M = { key: bytes("m/"), rangeEnd: bytes("m0") };
const NO_LEASE = 12_345n;
/** Leases that the test grants, each with one key: the second key is nobody's but root's. */
export const LEASES: ReadonlyArray<readonly [id: bigint, key: string]> = [
	[701n, "m/leased"],
	[702n, "n/leased"],
	[703n, "m/revoked"],
	[704n, "n/revoked"],
];
const [[MINE], [OTHERS], [MINE_REVOKED], [OTHERS_REVOKED]] = LEASES as unknown as readonly [[bigint], [bigint], [bigint], [bigint]];
const LEADER_KEY = { name: bytes("m/election"), key: bytes("m/election/1"), rev: 1, lease: NO_LEASE };

const range = (more: Partial<pb.RangeRequest> = {}): pb.RangeRequest => pb.RangeRequest.create({ key: M, ...more });
const put = (more: Partial<pb.PutRequest> = {}): pb.PutRequest => pb.PutRequest.create({ key: M, value: bytes("v"), ...more });
const remove = (more: Partial<pb.DeleteRangeRequest> = {}): pb.DeleteRangeRequest =>
	pb.DeleteRangeRequest.create({ key: bytes("m/none"), ...more });
const opRange = (more?: Partial<pb.RangeRequest>): pb.RequestOp => ({ request: { kind: "requestRange", value: range(more) } });
const opPut = (more?: Partial<pb.PutRequest>): pb.RequestOp => ({ request: { kind: "requestPut", value: put(more) } });
const opDelete = (more?: Partial<pb.DeleteRangeRequest>): pb.RequestOp => ({
	request: { kind: "requestDeleteRange", value: remove(more) },
});
const opTxn = (more: Partial<pb.TxnRequest>): pb.RequestOp => ({ request: { kind: "requestTxn", value: pb.TxnRequest.create(more) } });
const compare = (more: Partial<pb.Compare> = {}): pb.Compare => pb.Compare.create({ key: M, ...more });
const txn = (more: Partial<pb.TxnRequest>): Uint8Array => pb.TxnRequest.encode(more);
/** So deep inside others. */
function nested(depth: number, op: pb.RequestOp): Uint8Array {
	let inner = op;
	for (let level = 1; level < depth; level++) inner = opTxn(level % 2 === 0 ? { success: [inner] } : { failure: [inner] });
	return txn({ success: [inner] });
}

const one = (need: Need, request: Uint8Array = EMPTY): readonly Case[] => [{ need, request }];
const watch = (more: Partial<pb.WatchCreateRequest>): Uint8Array =>
	pb.WatchRequest.encode({ requestUnion: { kind: "createRequest", value: pb.WatchCreateRequest.create(more) } });

const ROOT_ONLY: Need = "root";
const OUTSIDE: Need = "otherKeys";

export const ROWS: Readonly<Record<RpcPath, readonly Case[]>> = {
	"/etcdserverpb.KV/Range": [
		{ need: "read", request: pb.RangeRequest.encode(range()) },
		{ what: "serializable", need: "read", request: pb.RangeRequest.encode(range({ serializable: true })) },
		{ what: "at an old revision", need: "read", request: pb.RangeRequest.encode(range({ revision: 1 })) },
		{ what: "counted", need: "read", request: pb.RangeRequest.encode(range({ ...ALL_M, countOnly: true })) },
		{ what: "everything", need: OUTSIDE, request: pb.RangeRequest.encode(range({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) })) },
		{ what: "from a key on", need: OUTSIDE, request: pb.RangeRequest.encode(range({ rangeEnd: Uint8Array.of(0) })) },
		{ what: "beyond the permission", need: OUTSIDE, request: pb.RangeRequest.encode(range({ rangeEnd: bytes("m1") })) },
		{ what: "an empty range", need: "read", request: pb.RangeRequest.encode(range({ rangeEnd: bytes("a") })) },
	],
	"/etcdserverpb.KV/RangeStream": [
		{ need: "read", request: pb.RangeRequest.encode(range(ALL_M)) },
		{ what: "everything", need: OUTSIDE, request: pb.RangeRequest.encode(range({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) })) },
	],
	"/etcdserverpb.KV/Put": [
		{ need: "write", request: pb.PutRequest.encode(put()) },
		{ what: "with the previous value", need: "readAndWrite", request: pb.PutRequest.encode(put({ prevKv: true })) },
		{ what: "ignoring the value", need: "write", request: pb.PutRequest.encode(put({ value: EMPTY, ignoreValue: true })) },
		{ what: "of another key", need: OUTSIDE, request: pb.PutRequest.encode(put({ key: bytes("n") })) },
		{ what: "with a lease", need: "write", request: pb.PutRequest.encode(put({ lease: MINE })) },
		{ what: "with a lease of others' keys", need: OUTSIDE, request: pb.PutRequest.encode(put({ lease: OTHERS })) },
	],
	"/etcdserverpb.KV/DeleteRange": [
		{ need: "write", request: pb.DeleteRangeRequest.encode(remove()) },
		{ what: "with the previous values", need: "readAndWrite", request: pb.DeleteRangeRequest.encode(remove({ prevKv: true })) },
		{
			what: "from a key on",
			need: OUTSIDE,
			request: pb.DeleteRangeRequest.encode(remove({ key: bytes("x"), rangeEnd: Uint8Array.of(0) })),
		},
	],
	"/etcdserverpb.KV/Txn": [
		{ what: "with nothing in it", need: "nothing", request: txn({}) },
		{ what: "compare alone", need: "read", request: txn({ compare: [compare()] }) },
		{ what: "compare of a range outside", need: OUTSIDE, request: txn({ compare: [compare({ rangeEnd: Uint8Array.of(0) })] }) },
		{ what: "put", need: "write", request: txn({ success: [opPut()] }) },
		{ what: "put in the branch that does not run", need: "write", request: txn({ failure: [opPut()] }) },
		{
			what: "put outside in the branch that does not run",
			need: OUTSIDE,
			request: txn({ success: [opPut()], failure: [opPut({ key: bytes("n") })] }),
		},
		{ what: "put with the previous value", need: "readAndWrite", request: txn({ success: [opPut({ prevKv: true })] }) },
		{ what: "put with a lease of others' keys", need: OUTSIDE, request: txn({ success: [opPut({ lease: OTHERS })] }) },
		{ what: "range", need: "read", request: txn({ success: [opRange()] }) },
		{ what: "serializable range outside", need: OUTSIDE, request: txn({ success: [opRange({ key: bytes("n"), serializable: true })] }) },
		{ what: "delete with the previous values", need: "readAndWrite", request: txn({ success: [opDelete({ prevKv: true })] }) },
		...[2, 3, 5].flatMap((depth): Case[] => [
			{ what: `put ${depth} deep`, need: "write", request: nested(depth, opPut()) },
			{ what: `put outside, ${depth} deep`, need: OUTSIDE, request: nested(depth, opPut({ key: bytes("n") })) },
			{ what: `compare outside, ${depth} deep`, need: OUTSIDE, request: nested(depth, opTxn({ compare: [compare({ key: bytes("n") })] })) },
		]),
	],
	"/etcdserverpb.KV/Compact": one(ROOT_ONLY, pb.CompactionRequest.encode({ revision: 999_999 })),
	"/etcdserverpb.Watch/Watch": [
		{ need: "read", request: watch({ key: M }) },
		{ what: "of a range", need: "read", request: watch(ALL_M) },
		{ what: "of everything", need: OUTSIDE, request: watch({ rangeEnd: Uint8Array.of(0) }) },
		{ what: "from a key on", need: OUTSIDE, request: watch({ key: M, rangeEnd: Uint8Array.of(0) }) },
	],
	"/etcdserverpb.Lease/LeaseGrant": one("user", pb.LeaseGrantRequest.encode({ TTL: 9_000_000_001 })),
	"/etcdserverpb.Lease/LeaseRevoke": [
		{ what: "of none", need: "user", request: pb.LeaseRevokeRequest.encode({ ID: NO_LEASE }) },
		// Those that may are asked last, and the first of them ends it.
		{ need: "write", request: pb.LeaseRevokeRequest.encode({ ID: MINE_REVOKED }) },
		{ what: "of others' keys", need: OUTSIDE, request: pb.LeaseRevokeRequest.encode({ ID: OTHERS_REVOKED }) },
	],
	"/etcdserverpb.Lease/LeaseKeepAlive": [
		{ what: "of none", need: "user", request: pb.LeaseKeepAliveRequest.encode({ ID: NO_LEASE }) },
		{ need: "write", request: pb.LeaseKeepAliveRequest.encode({ ID: MINE }) },
		{ what: "of others' keys", need: OUTSIDE, request: pb.LeaseKeepAliveRequest.encode({ ID: OTHERS }) },
	],
	"/etcdserverpb.Lease/LeaseTimeToLive": [
		{ what: "of none", need: "user", request: pb.LeaseTimeToLiveRequest.encode({ ID: NO_LEASE, keys: true }) },
		{ need: "user", request: pb.LeaseTimeToLiveRequest.encode({ ID: OTHERS }) },
		{ what: "with keys", need: "read", request: pb.LeaseTimeToLiveRequest.encode({ ID: MINE, keys: true }) },
		{ what: "with others' keys", need: OUTSIDE, request: pb.LeaseTimeToLiveRequest.encode({ ID: OTHERS, keys: true }) },
	],
	// Some of them hold others' keys.
	"/etcdserverpb.Lease/LeaseLeases": one(OUTSIDE),
	"/etcdserverpb.Cluster/MemberAdd": one(ROOT_ONLY, pb.MemberAddRequest.encode({ peerURLs: ["no url"] })),
	"/etcdserverpb.Cluster/MemberRemove": one(ROOT_ONLY, pb.MemberRemoveRequest.encode({ ID: 1n })),
	"/etcdserverpb.Cluster/MemberUpdate": one(ROOT_ONLY, pb.MemberUpdateRequest.encode({ ID: 1n, peerURLs: ["http://127.0.0.1:1"] })),
	"/etcdserverpb.Cluster/MemberList": [
		{ need: "user", request: EMPTY },
		{ what: "linearizable", need: "user", request: pb.MemberListRequest.encode({ linearizable: true }) },
	],
	"/etcdserverpb.Cluster/MemberPromote": one(ROOT_ONLY, pb.MemberPromoteRequest.encode({ ID: 1n })),
	"/etcdserverpb.Maintenance/Alarm": [
		{ need: "user", request: EMPTY },
		{ what: "deactivated", need: ROOT_ONLY, request: pb.AlarmRequest.encode({ action: 2, alarm: 1, memberID: 1n }) },
	],
	"/etcdserverpb.Maintenance/Status": one("user"),
	"/etcdserverpb.Maintenance/Defragment": one(ROOT_ONLY),
	"/etcdserverpb.Maintenance/Hash": one(ROOT_ONLY),
	"/etcdserverpb.Maintenance/HashKV": one(ROOT_ONLY),
	"/etcdserverpb.Maintenance/Snapshot": one(ROOT_ONLY),
	"/etcdserverpb.Maintenance/MoveLeader": one(ROOT_ONLY, pb.MoveLeaderRequest.encode({ targetID: 1n })),
	"/etcdserverpb.Maintenance/Downgrade": one(ROOT_ONLY, pb.DowngradeRequest.encode({ action: 0, version: "9" })),
	"/etcdserverpb.Auth/AuthEnable": one(ROOT_ONLY),
	// Carried out by root at the end of all.
	"/etcdserverpb.Auth/AuthDisable": one(ROOT_ONLY),
	"/etcdserverpb.Auth/AuthStatus": one(ROOT_ONLY),
	"/etcdserverpb.Auth/Authenticate": one("open", pb.AuthenticateRequest.encode({ name: "reader", password: "reader's" })),
	"/etcdserverpb.Auth/UserAdd": [
		{ need: ROOT_ONLY, request: pb.AuthUserAddRequest.encode({ name: "root", password: "x" }) },
		{ what: "without a password", need: ROOT_ONLY, request: pb.AuthUserAddRequest.encode({ name: "root", options: { noPassword: true } }) },
	],
	"/etcdserverpb.Auth/UserGet": [
		{ what: "of another one", need: ROOT_ONLY, request: pb.AuthUserGetRequest.encode({ name: "root" }) },
		{ what: "of oneself", need: ({ user, root }) => root || user === "reader", request: pb.AuthUserGetRequest.encode({ name: "reader" }) },
	],
	"/etcdserverpb.Auth/UserList": one(ROOT_ONLY),
	"/etcdserverpb.Auth/UserDelete": one(ROOT_ONLY, pb.AuthUserDeleteRequest.encode({ name: "root" })),
	"/etcdserverpb.Auth/UserChangePassword": [
		{ need: ROOT_ONLY, namesNobody: true, request: pb.AuthUserChangePasswordRequest.encode({ name: "nobody", password: "x" }) },
	],
	"/etcdserverpb.Auth/UserGrantRole": one(ROOT_ONLY, pb.AuthUserGrantRoleRequest.encode({ user: "root", role: "nothing" })),
	"/etcdserverpb.Auth/UserRevokeRole": one(ROOT_ONLY, pb.AuthUserRevokeRoleRequest.encode({ name: "root", role: "nothing" })),
	"/etcdserverpb.Auth/RoleAdd": one(ROOT_ONLY, pb.AuthRoleAddRequest.encode({ name: "reads" })),
	"/etcdserverpb.Auth/RoleGet": [
		{ what: "of another one", need: ROOT_ONLY, request: pb.AuthRoleGetRequest.encode({ role: "unused" }) },
		{
			what: "that one has",
			need: ({ read, root, user }) => root || (read && user !== "both"),
			request: pb.AuthRoleGetRequest.encode({ role: "reads" }),
		},
	],
	"/etcdserverpb.Auth/RoleList": one(ROOT_ONLY),
	"/etcdserverpb.Auth/RoleDelete": one(ROOT_ONLY, pb.AuthRoleDeleteRequest.encode({ role: "nothing" })),
	"/etcdserverpb.Auth/RoleGrantPermission": one(
		ROOT_ONLY,
		pb.AuthRoleGrantPermissionRequest.encode({ name: "nothing", perm: authpb.Permission.create({ key: M }) }),
	),
	"/etcdserverpb.Auth/RoleRevokePermission": one(ROOT_ONLY, pb.AuthRoleRevokePermissionRequest.encode({ role: "nothing", key: M })),
	"/v3lockpb.Lock/Lock": one("readAndWrite", v3lockpb.LockRequest.encode({ name: bytes("m/lock"), lease: NO_LEASE })),
	"/v3lockpb.Lock/Unlock": one("write", v3lockpb.UnlockRequest.encode({ key: bytes("m/none") })),
	"/v3electionpb.Election/Campaign": one(
		"readAndWrite",
		v3electionpb.CampaignRequest.encode({ name: bytes("m/election"), lease: NO_LEASE, value: M }),
	),
	"/v3electionpb.Election/Proclaim": one("readAndWrite", v3electionpb.ProclaimRequest.encode({ leader: LEADER_KEY, value: M })),
	"/v3electionpb.Election/Leader": one("read", v3electionpb.LeaderRequest.encode({ name: bytes("m/election") })),
	"/v3electionpb.Election/Observe": one("read", v3electionpb.LeaderRequest.encode({ name: bytes("m/election") })),
	"/v3electionpb.Election/Resign": one("readAndWrite", v3electionpb.ResignRequest.encode({ leader: LEADER_KEY })),
	"/grpc.health.v1.Health/Check": one("open", grpcHealthV1.HealthCheckRequest.encode({ service: "" })),
	"/grpc.health.v1.Health/Watch": one("open", grpcHealthV1.HealthCheckRequest.encode({ service: "" })),
};
