/** Operations as requests of the protocol, and responses as answers: by reflection, without the product's codecs. */
import { decodeFields, encodeMessage, latin1Of, numberOf, type Plain, type WireInteger } from "../client/protocol.ts";
import type { Answer, CompareOp, Operation, Pair, RefusedAs, TxnOp } from "./operation.ts";

interface Names {
	readonly path: string;
	readonly request: string;
	readonly response: string;
}

/** Put together once: histories ask for them with every operation. */
const NAMES: Readonly<Record<Operation["kind"], Names>> = {
	range: namesOf("Range"),
	put: namesOf("Put"),
	delete: namesOf("DeleteRange"),
	txn: namesOf("Txn"),
	compact: namesOf("Compact", "Compaction"),
};

function namesOf(method: string, type = method): Names {
	return { path: `/etcdserverpb.KV/${method}`, request: `etcdserverpb.${type}Request`, response: `etcdserverpb.${type}Response` };
}

export function pathOf(operation: Operation): string {
	return NAMES[operation.kind].path;
}

export function encodeOperation(operation: Operation): Uint8Array {
	return encodeMessage(NAMES[operation.kind].request, plainOf(operation));
}

export function decodeAnswer(operation: Operation, bytes: Uint8Array): Answer {
	return answerOf(operation, decodeFields(NAMES[operation.kind].response, bytes), null);
}

/** The `raft_term` of a message to a client, whichever it is: all begin with the header. Null: it has none. */
export function termIn(bytes: Uint8Array): number | null {
	// A message of nothing else.
	const { header } = decodeFields<{ readonly header: { readonly raft_term: WireInteger } | null }>(
		"etcdserverpb.CompactionResponse",
		bytes,
	);
	return header === null ? null : numberOf(header.raft_term);
}

/** What a refusal's text tells a checker; null when nobody can know whether the operation took effect. */
export function refusedAs(code: number, text: string): RefusedAs | null {
	if (text === "etcdserver: mvcc: required revision has been compacted") return "compacted";
	if (text === "etcdserver: mvcc: required revision is a future revision") return "future";
	// Cancelled, unknown, deadline, aborted, internal, unavailable: the request may have been carried out.
	return [1, 2, 4, 10, 13, 14, 15].includes(code) ? null : "other";
}

function plainOf(operation: Operation): Plain {
	switch (operation.kind) {
		case "range":
			return {
				...span(operation.key, operation.end),
				limit: operation.limit,
				revision: operation.revision,
				serializable: operation.serializable,
				count_only: operation.countOnly,
			};
		case "put":
			return { key: Buffer.from(operation.key, "latin1"), value: Buffer.from(operation.value, "latin1"), prev_kv: true };
		case "delete":
			return { ...span(operation.key, operation.end), prev_kv: true };
		case "compact":
			return { revision: operation.revision };
		case "txn":
			return {
				compare: operation.compare.map(plainCompare),
				success: operation.success.map(plainInner),
				failure: operation.failure.map(plainInner),
			};
	}
}

function span(key: string, end: string): Plain {
	return { key: Buffer.from(key, "latin1"), range_end: Buffer.from(end, "latin1") };
}

function plainInner(operation: TxnOp["success"][number]): Plain {
	const field = { range: "request_range", put: "request_put", delete: "request_delete_range", txn: "request_txn" } as const;
	return { [field[operation.kind]]: plainOf(operation) };
}

function plainCompare(compare: CompareOp): Plain {
	const result = { equal: "EQUAL", notEqual: "NOT_EQUAL", greater: "GREATER", less: "LESS" }[compare.result];
	const key = Buffer.from(compare.key, "latin1");
	switch (compare.target) {
		case "value":
			return { key, result, target: "VALUE", value: Buffer.from(String(compare.operand), "latin1") };
		case "version":
			return { key, result, target: "VERSION", version: compare.operand };
		case "create":
			return { key, result, target: "CREATE", create_revision: compare.operand };
		case "mod":
			return { key, result, target: "MOD", mod_revision: compare.operand };
	}
}

interface WireHeader {
	readonly revision: WireInteger;
}

interface WireResponse {
	readonly header: WireHeader | null;
	readonly kvs: readonly WirePair[];
	readonly count: WireInteger;
	readonly more: boolean;
	readonly prev_kv: WirePair | null;
	readonly deleted: WireInteger;
	readonly prev_kvs: readonly WirePair[];
	readonly succeeded: boolean;
	readonly responses: readonly Record<string, WireResponse>[];
}

interface WirePair {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
	readonly create_revision: WireInteger;
	readonly mod_revision: WireInteger;
	readonly version: WireInteger;
}

/** `outer`: the revision of the transaction around, for inner answers that carry none. */
function answerOf(operation: Operation, plain: unknown, outer: number | null): Answer {
	const response = plain as WireResponse;
	const revision = numberOf(response.header?.revision ?? outer ?? 0);
	switch (operation.kind) {
		case "range":
			return { kind: "range", revision, count: numberOf(response.count), more: response.more, pairs: response.kvs.map(pairOf) };
		case "put":
			return { kind: "put", revision, previous: response.prev_kv === null ? null : pairOf(response.prev_kv) };
		case "delete":
			return { kind: "delete", revision, deleted: numberOf(response.deleted), previous: response.prev_kvs.map(pairOf) };
		case "compact":
			return { kind: "compact", revision };
		case "txn": {
			const branch = response.succeeded ? operation.success : operation.failure;
			return {
				kind: "txn",
				revision,
				succeeded: response.succeeded,
				responses: branch.map((inner, at) => answerOf(inner, innerResponse(response.responses[at]), revision)),
			};
		}
	}
}

function innerResponse(one: Record<string, WireResponse> | undefined): unknown {
	const present = Object.entries(one ?? {}).find(
		([name, value]) => name.startsWith("response_") && value !== null && typeof value === "object",
	);
	return present?.[1];
}

function pairOf(pair: WirePair): Pair {
	return {
		key: latin1Of(pair.key),
		value: latin1Of(pair.value),
		create: numberOf(pair.create_revision),
		mod: numberOf(pair.mod_revision),
		version: numberOf(pair.version),
	};
}
