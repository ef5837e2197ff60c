// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import type * as authpb from "./authpb.shapes.ts";
import type * as mvccpb from "./mvccpb.shapes.ts";

export interface ResponseHeader {
	readonly clusterId: bigint;
	readonly memberId: bigint;
	readonly revision: number;
	readonly raftTerm: number;
}

export interface RangeRequest {
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	readonly limit: number;
	readonly revision: number;
	readonly sortOrder: number;
	readonly sortTarget: number;
	readonly serializable: boolean;
	readonly keysOnly: boolean;
	readonly countOnly: boolean;
	readonly minModRevision: number;
	readonly maxModRevision: number;
	readonly minCreateRevision: number;
	readonly maxCreateRevision: number;
}

export interface RangeResponse {
	readonly header: ResponseHeader | null;
	readonly kvs: readonly mvccpb.KeyValue[];
	readonly more: boolean;
	readonly count: number;
}

export interface RangeStreamResponse {
	readonly rangeResponse: RangeResponse | null;
}

export interface PutRequest {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
	readonly lease: bigint;
	readonly prevKv: boolean;
	readonly ignoreValue: boolean;
	readonly ignoreLease: boolean;
}

export interface PutResponse {
	readonly header: ResponseHeader | null;
	readonly prevKv: mvccpb.KeyValue | null;
}

export interface DeleteRangeRequest {
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	readonly prevKv: boolean;
}

export interface DeleteRangeResponse {
	readonly header: ResponseHeader | null;
	readonly deleted: number;
	readonly prevKvs: readonly mvccpb.KeyValue[];
}

export interface RequestOp {
	readonly request:
		| { readonly kind: "requestRange"; readonly value: RangeRequest }
		| { readonly kind: "requestPut"; readonly value: PutRequest }
		| { readonly kind: "requestDeleteRange"; readonly value: DeleteRangeRequest }
		| { readonly kind: "requestTxn"; readonly value: TxnRequest }
		| null;
}

export interface ResponseOp {
	readonly response:
		| { readonly kind: "responseRange"; readonly value: RangeResponse }
		| { readonly kind: "responsePut"; readonly value: PutResponse }
		| { readonly kind: "responseDeleteRange"; readonly value: DeleteRangeResponse }
		| { readonly kind: "responseTxn"; readonly value: TxnResponse }
		| null;
}

export interface Compare {
	readonly result: number;
	readonly target: number;
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	readonly targetUnion:
		| { readonly kind: "version"; readonly value: number }
		| { readonly kind: "createRevision"; readonly value: number }
		| { readonly kind: "modRevision"; readonly value: number }
		| { readonly kind: "value"; readonly value: Uint8Array }
		| { readonly kind: "lease"; readonly value: bigint }
		| null;
}

export interface TxnRequest {
	readonly compare: readonly Compare[];
	readonly success: readonly RequestOp[];
	readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
	readonly header: ResponseHeader | null;
	readonly succeeded: boolean;
	readonly responses: readonly ResponseOp[];
}

export interface CompactionRequest {
	readonly revision: number;
	readonly physical: boolean;
}

export interface CompactionResponse {
	readonly header: ResponseHeader | null;
}

export interface WatchRequest {
	readonly requestUnion:
		| { readonly kind: "createRequest"; readonly value: WatchCreateRequest }
		| { readonly kind: "cancelRequest"; readonly value: WatchCancelRequest }
		| { readonly kind: "progressRequest"; readonly value: WatchProgressRequest }
		| null;
}

export interface WatchCreateRequest {
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	readonly startRevision: number;
	readonly progressNotify: boolean;
	readonly filters: readonly number[];
	readonly prevKv: boolean;
	readonly watchId: bigint;
	readonly fragment: boolean;
}

export interface WatchCancelRequest {
	readonly watchId: bigint;
}

export interface WatchProgressRequest {
}

export interface WatchResponse {
	readonly header: ResponseHeader | null;
	readonly watchId: bigint;
	readonly created: boolean;
	readonly canceled: boolean;
	readonly compactRevision: number;
	readonly cancelReason: string;
	readonly fragment: boolean;
	readonly events: readonly mvccpb.Event[];
}

export interface LeaseGrantRequest {
	readonly TTL: number;
	readonly ID: bigint;
}

export interface LeaseGrantResponse {
	readonly header: ResponseHeader | null;
	readonly ID: bigint;
	readonly TTL: number;
	readonly error: string;
}

export interface LeaseRevokeRequest {
	readonly ID: bigint;
}

export interface LeaseRevokeResponse {
	readonly header: ResponseHeader | null;
}

export interface LeaseCheckpoint {
	readonly ID: bigint;
	readonly remainingTTL: number;
}

export interface LeaseCheckpointRequest {
	readonly checkpoints: readonly LeaseCheckpoint[];
}

export interface LeaseCheckpointResponse {
	readonly header: ResponseHeader | null;
}

export interface LeaseKeepAliveRequest {
	readonly ID: bigint;
}

export interface LeaseKeepAliveResponse {
	readonly header: ResponseHeader | null;
	readonly ID: bigint;
	readonly TTL: number;
}

export interface LeaseTimeToLiveRequest {
	readonly ID: bigint;
	readonly keys: boolean;
}

export interface LeaseTimeToLiveResponse {
	readonly header: ResponseHeader | null;
	readonly ID: bigint;
	readonly TTL: number;
	readonly grantedTTL: number;
	readonly keys: readonly Uint8Array[];
}

export interface LeaseLeasesRequest {
}

export interface LeaseStatus {
	readonly ID: bigint;
}

export interface LeaseLeasesResponse {
	readonly header: ResponseHeader | null;
	readonly leases: readonly LeaseStatus[];
}

export interface Member {
	readonly ID: bigint;
	readonly name: string;
	readonly peerURLs: readonly string[];
	readonly clientURLs: readonly string[];
	readonly isLearner: boolean;
}

export interface MemberAddRequest {
	readonly peerURLs: readonly string[];
	readonly isLearner: boolean;
}

export interface MemberAddResponse {
	readonly header: ResponseHeader | null;
	readonly member: Member | null;
	readonly members: readonly Member[];
}

export interface MemberRemoveRequest {
	readonly ID: bigint;
}

export interface MemberRemoveResponse {
	readonly header: ResponseHeader | null;
	readonly members: readonly Member[];
}

export interface MemberUpdateRequest {
	readonly ID: bigint;
	readonly peerURLs: readonly string[];
}

export interface MemberUpdateResponse {
	readonly header: ResponseHeader | null;
	readonly members: readonly Member[];
}

export interface MemberListRequest {
	readonly linearizable: boolean;
}

export interface MemberListResponse {
	readonly header: ResponseHeader | null;
	readonly members: readonly Member[];
}

export interface MemberPromoteRequest {
	readonly ID: bigint;
}

export interface MemberPromoteResponse {
	readonly header: ResponseHeader | null;
	readonly members: readonly Member[];
}

export interface AlarmRequest {
	readonly action: number;
	readonly memberID: bigint;
	readonly alarm: number;
}

export interface AlarmMember {
	readonly memberID: bigint;
	readonly alarm: number;
}

export interface AlarmResponse {
	readonly header: ResponseHeader | null;
	readonly alarms: readonly AlarmMember[];
}

export interface StatusRequest {
}

export interface StatusResponse {
	readonly header: ResponseHeader | null;
	readonly version: string;
	readonly dbSize: number;
	readonly leader: bigint;
	readonly raftIndex: number;
	readonly raftTerm: number;
	readonly raftAppliedIndex: number;
	readonly errors: readonly string[];
	readonly dbSizeInUse: number;
	readonly isLearner: boolean;
	readonly storageVersion: string;
	readonly dbSizeQuota: number;
	readonly downgradeInfo: DowngradeInfo | null;
}

export interface DowngradeInfo {
	readonly enabled: boolean;
	readonly targetVersion: string;
}

export interface DefragmentRequest {
}

export interface DefragmentResponse {
	readonly header: ResponseHeader | null;
}

export interface HashRequest {
}

export interface HashResponse {
	readonly header: ResponseHeader | null;
	readonly hash: number;
}

export interface HashKVRequest {
	readonly revision: number;
}

export interface HashKVResponse {
	readonly header: ResponseHeader | null;
	readonly hash: number;
	readonly compactRevision: number;
	readonly hashRevision: number;
}

export interface SnapshotRequest {
}

export interface SnapshotResponse {
	readonly header: ResponseHeader | null;
	readonly remainingBytes: number;
	readonly blob: Uint8Array;
	readonly version: string;
}

export interface MoveLeaderRequest {
	readonly targetID: bigint;
}

export interface MoveLeaderResponse {
	readonly header: ResponseHeader | null;
}

export interface DowngradeRequest {
	readonly action: number;
	readonly version: string;
}

export interface DowngradeResponse {
	readonly header: ResponseHeader | null;
	readonly version: string;
}

export interface DowngradeVersionTestRequest {
	readonly ver: string;
}

export interface AuthEnableRequest {
}

export interface AuthDisableRequest {
}

export interface AuthStatusRequest {
}

export interface AuthenticateRequest {
	readonly name: string;
	readonly password: string;
}

export interface AuthUserAddRequest {
	readonly name: string;
	readonly password: string;
	readonly options: authpb.UserAddOptions | null;
	readonly hashedPassword: string;
}

export interface AuthUserGetRequest {
	readonly name: string;
}

export interface AuthUserDeleteRequest {
	readonly name: string;
}

export interface AuthUserChangePasswordRequest {
	readonly name: string;
	readonly password: string;
	readonly hashedPassword: string;
}

export interface AuthUserGrantRoleRequest {
	readonly user: string;
	readonly role: string;
}

export interface AuthUserRevokeRoleRequest {
	readonly name: string;
	readonly role: string;
}

export interface AuthRoleAddRequest {
	readonly name: string;
}

export interface AuthRoleGetRequest {
	readonly role: string;
}

export interface AuthUserListRequest {
}

export interface AuthRoleListRequest {
}

export interface AuthRoleDeleteRequest {
	readonly role: string;
}

export interface AuthRoleGrantPermissionRequest {
	readonly name: string;
	readonly perm: authpb.Permission | null;
}

export interface AuthRoleRevokePermissionRequest {
	readonly role: string;
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
}

export interface AuthEnableResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthDisableResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthStatusResponse {
	readonly header: ResponseHeader | null;
	readonly enabled: boolean;
	readonly authRevision: number;
}

export interface AuthenticateResponse {
	readonly header: ResponseHeader | null;
	readonly token: string;
}

export interface AuthUserAddResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthUserGetResponse {
	readonly header: ResponseHeader | null;
	readonly roles: readonly string[];
}

export interface AuthUserDeleteResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthUserChangePasswordResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthUserGrantRoleResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthUserRevokeRoleResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthRoleAddResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthRoleGetResponse {
	readonly header: ResponseHeader | null;
	readonly perm: readonly authpb.Permission[];
}

export interface AuthRoleListResponse {
	readonly header: ResponseHeader | null;
	readonly roles: readonly string[];
}

export interface AuthUserListResponse {
	readonly header: ResponseHeader | null;
	readonly users: readonly string[];
}

export interface AuthRoleDeleteResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthRoleGrantPermissionResponse {
	readonly header: ResponseHeader | null;
}

export interface AuthRoleRevokePermissionResponse {
	readonly header: ResponseHeader | null;
}
