// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import type * as etcdserverpb from "./etcdserverpb.shapes.ts";
import type * as mvccpb from "./mvccpb.shapes.ts";

export interface CampaignRequest {
	readonly name: Uint8Array;
	readonly lease: bigint;
	readonly value: Uint8Array;
}

export interface CampaignResponse {
	readonly header: etcdserverpb.ResponseHeader | null;
	readonly leader: LeaderKey | null;
}

export interface LeaderKey {
	readonly name: Uint8Array;
	readonly key: Uint8Array;
	readonly rev: number;
	readonly lease: bigint;
}

export interface LeaderRequest {
	readonly name: Uint8Array;
}

export interface LeaderResponse {
	readonly header: etcdserverpb.ResponseHeader | null;
	readonly kv: mvccpb.KeyValue | null;
}

export interface ResignRequest {
	readonly leader: LeaderKey | null;
}

export interface ResignResponse {
	readonly header: etcdserverpb.ResponseHeader | null;
}

export interface ProclaimRequest {
	readonly leader: LeaderKey | null;
	readonly value: Uint8Array;
}

export interface ProclaimResponse {
	readonly header: etcdserverpb.ResponseHeader | null;
}
