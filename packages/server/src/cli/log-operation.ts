/** What an entry of the log asks for, as a plain object for JSON: names instead of numbers, text instead of bytes where they are text. */
import { isUtf8 } from "node:buffer";
import { etcdserverpb, type FieldType, type MessageTable, type Shape } from "@flotilla/api";
import { WireError } from "@flotilla/base";
import { decodeConfChange, type Entry, EntryKind, type NodeId } from "@flotilla/raft";
import {
	CommandKind,
	decodeAlarmCommand,
	decodeAuthCommand,
	decodeLeaseCheckpoints,
	decodeLeaseEnds,
	decodeLeaseGrant,
	decodeLeaseRevoke,
	decodeMember,
	EnvelopeReader,
	type MemberInfo,
	type Permission,
	readContext,
} from "@flotilla/replica";

export type Plain = Readonly<Record<string, unknown>>;

const KIND_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CommandKind).map(([name, kind]) => [kind, name]));
/** Payloads that are the client's own request. */
const REQUESTS: ReadonlyMap<number, MessageTable & { decode(bytes: Uint8Array): object }> = new Map<
	number,
	MessageTable & { decode(bytes: Uint8Array): object }
>([
	[CommandKind.put, etcdserverpb.PutRequest],
	[CommandKind.deleteRange, etcdserverpb.DeleteRangeRequest],
	[CommandKind.txn, etcdserverpb.TxnRequest],
	[CommandKind.compact, etcdserverpb.CompactionRequest],
]);
const ALARM_ACTIONS = ["get", "activate", "deactivate"];
const PERMISSION_TYPES = ["read", "write", "readWrite"];
const ALARM_TYPES = ["none", "noSpace", "corrupt"];

/** `kind`, who asked, and `operation`; an entry that cannot be read is shown whole, with the reason. */
export function describeOperation(entry: Entry, valueBytesMax: number): Plain {
	try {
		if (entry.kind === EntryKind.config) return describeConfig(entry.data);
		// The entry that a leader begins its term with.
		if (entry.data.length === 0) return { kind: "empty" };
		return describeCommand(entry.data, valueBytesMax);
	} catch (error) {
		if (!(error instanceof WireError)) throw error;
		return unreadable(entry.data, error.message);
	}
}

function describeCommand(data: Uint8Array, valueBytesMax: number): Plain {
	const envelope = new EnvelopeReader();
	const problem = envelope.tryOpen(data);
	if (problem !== null) return unreadable(data, problem);
	const { kind, origin, incarnation, sequence, user, authRevision, payload } = envelope;
	const by = user === "" ? {} : { user, authRevision };
	const operation = describePayload(kind, payload, valueBytesMax);
	return { kind: KIND_NAMES.get(kind), origin: hex(origin), life: incarnation, sequence, ...by, operation };
}

function describePayload(kind: number, payload: Uint8Array, valueBytesMax: number): Plain {
	const request = REQUESTS.get(kind);
	if (request !== undefined) return describeMessage(request, request.decode(payload) as Shape, valueBytesMax);
	switch (kind) {
		case CommandKind.publish: {
			const { id, name, clientUrls } = decodeMember(payload);
			return { member: hex(id), name, clientUrls };
		}
		case CommandKind.memberUpdate: {
			const { id, peerUrls } = decodeMember(payload);
			return { member: hex(id), peerUrls };
		}
		case CommandKind.clusterVersion:
			return bytesField("version", payload, payload.length);
		case CommandKind.alarm: {
			const command = decodeAlarmCommand(payload);
			if (command === null) break;
			return { action: ALARM_ACTIONS[command.action], member: hex(command.member), alarm: ALARM_TYPES[command.alarm] };
		}
	}
	// Never whole: it may hold the hash of a password.
	if (kind === CommandKind.auth) return describeAuth(payload);
	return describeLease(kind, payload) ?? bytesField("payload", payload, valueBytesMax);
}

/** Null for what is none, or cannot be read. */
function describeLease(kind: number, payload: Uint8Array): Plain | null {
	switch (kind) {
		case CommandKind.leaseGrant: {
			const grant = decodeLeaseGrant(payload);
			return grant && { lease: leaseHex(grant.id), ttl: grant.ttl };
		}
		case CommandKind.leaseRevoke: {
			const lease = decodeLeaseRevoke(payload);
			return lease === null ? null : { lease: leaseHex(lease) };
		}
		case CommandKind.leaseEnd: {
			const ends = decodeLeaseEnds(payload);
			return ends && { leaderTerm: ends.term, leases: ends.leases.map(({ id, birth }) => ({ lease: leaseHex(id), birth })) };
		}
		case CommandKind.leaseCheckpoint: {
			const marks = decodeLeaseCheckpoints(payload);
			const shown = marks?.leases.map(({ id, birth, remainingMs }) => ({ lease: leaseHex(id), birth, remainingMs }));
			return marks && { leaderTerm: marks.term, leases: shown };
		}
		default:
			return null;
	}
}

/** As etcdctl shows it: 64 bits without a sign. */
function leaseHex(lease: bigint): string {
	return hex(BigInt.asUintN(64, lease));
}

/** Hashes of passwords and tokens are left out. */
function describeAuth(payload: Uint8Array): Plain {
	const command = decodeAuthCommand(payload);
	if (command === null) return { action: "unknown" };
	const { kind, user, role, noPassword, permission } = command;
	return {
		action: kind,
		...(user === "" ? {} : { user }),
		...(role === "" ? {} : { role }),
		...(noPassword ? { noPassword } : {}),
		...(permission === null ? {} : describePermission(permission, kind === "roleGrantPermission")),
	};
}

function describePermission({ type, key, rangeEnd }: Permission, typed: boolean): Plain {
	const bytes = (name: string, text: string): Plain => bytesField(name, Buffer.from(text, "latin1"), text.length);
	return {
		...(typed ? { permission: PERMISSION_TYPES[type] ?? type } : {}),
		...bytes("key", key),
		...(rangeEnd === "" ? {} : bytes("rangeEnd", rangeEnd)),
	};
}

function describeConfig(data: Uint8Array): Plain {
	const request = decodeConfChange(data);
	if (request === null) return unreadable(data, "not a change of the configuration");
	const { changes, transition, context } = request;
	const { added, incarnation, sequence } = readContext(context);
	const shown = changes.map(({ op, node }) => ({ op, member: hex(node) }));
	const operation = { changes: shown, transition, ...(added.length === 0 ? {} : { added: added.map(describeMember) }) };
	return { kind: "config", ...(sequence === 0 ? {} : { life: incarnation, sequence }), operation };
}

function describeMember({ id, name, peerUrls, clientUrls, learner }: MemberInfo): Plain {
	return { member: hex(id), name, peerUrls, clientUrls, learner };
}

function unreadable(data: Uint8Array, reason: string): Plain {
	return { kind: "unreadable", reason, dataBase64: Buffer.from(data).toString("base64") };
}

/** Fields that are at their defaults are left out, as in the gateway's JSON. */
export function describeMessage(table: MessageTable, message: Shape, valueBytesMax: number): Plain {
	const plain: Record<string, unknown> = {};
	for (const { property, union, type, repeated } of table.fields) {
		const held = union === null ? null : (message[union] as { kind: string; value: unknown } | null);
		if (held !== null && held.kind !== property) continue;
		const value = union === null ? message[property] : held?.value;
		if (value === null || value === undefined) continue;
		if (repeated) {
			const all = value as readonly unknown[];
			if (all.length > 0) plain[property] = all.map((each) => describeValue(type, each, valueBytesMax));
		} else if (type === "bytes") {
			const bytes = value as Uint8Array;
			// Keys are what an entry is looked up by: never cut.
			if (bytes.length > 0 || union !== null)
				Object.assign(plain, bytesField(property, bytes, property === "value" ? valueBytesMax : bytes.length));
		} else if (union !== null || !isDefault(value)) plain[property] = describeValue(type, value, valueBytesMax);
	}
	return plain;
}

function describeValue(type: FieldType, value: unknown, valueBytesMax: number): unknown {
	if (typeof type !== "string") {
		if (type.kind === "message") return describeMessage(type, value as Shape, valueBytesMax);
		return type.nameOf.get(value as number) ?? value;
	}
	return typeof value === "bigint" ? hex(value) : value;
}

function isDefault(value: unknown): boolean {
	return value === false || value === 0 || value === 0n || value === "";
}

/**
 * `<name>` when the bytes are UTF-8, otherwise `<name>Base64`: so each reads back as exactly the bytes that it was. Values
 * are told with their size, and may be cut.
 */
function bytesField(name: string, bytes: Uint8Array, bytesMax: number): Plain {
	const text = isUtf8(bytes);
	const shown = Buffer.from(bytes.buffer, bytes.byteOffset, text ? wholeCharacters(bytes, bytesMax) : Math.min(bytes.length, bytesMax));
	const size = name === "value" || name === "payload" ? { [`${name}Bytes`]: bytes.length } : {};
	const cut = shown.length < bytes.length ? { [`${name}Cut`]: true } : {};
	return { [text ? name : `${name}Base64`]: shown.toString(text ? "utf8" : "base64"), ...size, ...cut };
}

/** At most `bytesMax`, and no half of a character. */
function wholeCharacters(bytes: Uint8Array, bytesMax: number): number {
	if (bytes.length <= bytesMax) return bytes.length;
	let end = bytesMax;
	while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
	return end;
}

export function hex(id: NodeId): string {
	return id.toString(16);
}
