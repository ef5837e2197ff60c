/** Watch requests and responses by reflection, without the product's codecs. */
import { decodeFields, encodeMessage, latin1Of, numberOf, type WireInteger } from "../client/protocol.ts";
import type { Pair } from "./operation.ts";
import type { HeardEvent, WatchAnswer, WatchAsk } from "./watch-record.ts";

export const WATCH_PATH = "/etcdserverpb.Watch/Watch";

export function encodeCreate({ key, end, start, id, prevKv, noPut, noDelete, fragment, progressNotify }: WatchAsk): Uint8Array {
	const filters = [...(noPut ? [0] : []), ...(noDelete ? [1] : [])];
	return encodeMessage("etcdserverpb.WatchRequest", {
		create_request: {
			...{ key: Buffer.from(key, "latin1"), range_end: Buffer.from(end, "latin1"), start_revision: start, watch_id: id },
			...{ prev_kv: prevKv, filters, fragment, progress_notify: progressNotify },
		},
	});
}

export function encodeCancel(id: string): Uint8Array {
	return encodeMessage("etcdserverpb.WatchRequest", { cancel_request: { watch_id: id } });
}

export function encodeProgress(): Uint8Array {
	return encodeMessage("etcdserverpb.WatchRequest", { progress_request: {} });
}

interface WirePair {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
	readonly create_revision: WireInteger;
	readonly mod_revision: WireInteger;
	readonly version: WireInteger;
}

interface WireResponse {
	readonly header: { readonly revision: WireInteger } | null;
	readonly watch_id: WireInteger;
	readonly created: boolean;
	readonly canceled: boolean;
	readonly compact_revision: WireInteger;
	readonly cancel_reason: string;
	readonly fragment: boolean;
	readonly events: ReadonlyArray<{ readonly type: number; readonly kv: WirePair; readonly prev_kv: WirePair | null }>;
}

/** mvccpb.Event.EventType. */
const DELETE = 1;

export function decodeWatchResponse(bytes: Uint8Array): WatchAnswer {
	const response = decodeFields<WireResponse>("etcdserverpb.WatchResponse", bytes);
	return {
		id: String(numberOf(response.watch_id)),
		revision: numberOf(response.header?.revision ?? 0),
		created: response.created,
		canceled: response.canceled,
		compactRevision: numberOf(response.compact_revision),
		reason: response.cancel_reason,
		fragment: response.fragment,
		events: response.events.map(heardEvent),
	};
}

function heardEvent({ type, kv, prev_kv }: WireResponse["events"][number]): HeardEvent {
	const pair = pairOf(kv);
	return {
		type: type === DELETE ? "delete" : "put",
		key: pair.key,
		mod: pair.mod,
		pair: type === DELETE ? null : pair,
		previous: prev_kv === null ? null : pairOf(prev_kv),
	};
}

function pairOf({ key, value, create_revision, mod_revision, version }: WirePair): Pair {
	return {
		key: latin1Of(key),
		value: latin1Of(value),
		create: numberOf(create_revision),
		mod: numberOf(mod_revision),
		version: numberOf(version),
	};
}
