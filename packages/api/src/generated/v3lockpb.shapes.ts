// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.
import type * as etcdserverpb from "./etcdserverpb.shapes.ts";

export interface LockRequest {
	readonly name: Uint8Array;
	readonly lease: bigint;
}

export interface LockResponse {
	readonly header: etcdserverpb.ResponseHeader | null;
	readonly key: Uint8Array;
}

export interface UnlockRequest {
	readonly key: Uint8Array;
}

export interface UnlockResponse {
	readonly header: etcdserverpb.ResponseHeader | null;
}
