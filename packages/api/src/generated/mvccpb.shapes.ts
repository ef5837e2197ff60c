// Generated from packages/api/proto by packages/api/scripts/generate.ts. Do not edit: run `npm run generate`.

export interface KeyValue {
	readonly key: Uint8Array;
	readonly createRevision: number;
	readonly modRevision: number;
	readonly version: number;
	readonly value: Uint8Array;
	readonly lease: bigint;
}

export interface Event {
	readonly type: number;
	readonly kv: KeyValue | null;
	readonly prevKv: KeyValue | null;
}
