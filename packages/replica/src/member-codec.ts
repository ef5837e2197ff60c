/** Bytes of members: rows of the table, publish and update commands, and what a configuration entry carries along. */
import { portableBytes, WireError, WireReader, WireType, WireWriter } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { MemberInfo } from "./members.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Field numbers of a member; on disk. */
const Field = { id: 1, name: 2, peerUrl: 3, clientUrl: 4, learner: 5, life: 6 } as const;

export function encodeMember(member: MemberInfo): Uint8Array {
	const writer = new WireWriter(portableBytes);
	writer.varint((Field.id << 3) | WireType.varint).varintBig(member.id);
	if (member.name !== "") writeText(writer, Field.name, member.name);
	for (const url of member.peerUrls) writeText(writer, Field.peerUrl, url);
	for (const url of member.clientUrls) writeText(writer, Field.clientUrl, url);
	if (member.learner) writer.varint((Field.learner << 3) | WireType.varint).varint(1);
	if (member.life !== undefined) writer.varint((Field.life << 3) | WireType.varint).varintBig(BigInt(member.life));
	return writer.finish();
}

function writeText(writer: WireWriter, field: number, text: string): void {
	writer.varint((field << 3) | WireType.bytes).bytes(encodeUtf8(text));
}

/** Throws `WireError` on malformed bytes; unknown fields are skipped. */
export function decodeMember(bytes: Uint8Array): MemberInfo {
	const reader = new WireReader(bytes);
	let id: NodeId = 0n;
	let name = "";
	const peerUrls: string[] = [];
	const clientUrls: string[] = [];
	let learner = false;
	let life: number | undefined;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === ((Field.id << 3) | WireType.varint)) id = reader.uint64();
		else if (tag === ((Field.name << 3) | WireType.bytes)) name = decodeUtf8(reader.view());
		else if (tag === ((Field.peerUrl << 3) | WireType.bytes)) peerUrls.push(decodeUtf8(reader.view()));
		else if (tag === ((Field.clientUrl << 3) | WireType.bytes)) clientUrls.push(decodeUtf8(reader.view()));
		else if (tag === ((Field.learner << 3) | WireType.varint)) learner = reader.bool();
		else if (tag === ((Field.life << 3) | WireType.varint)) life = Number(reader.uint64());
		else reader.skip(tag);
	}
	const member = { id, name, peerUrls, clientUrls, learner };
	return life === undefined ? member : { ...member, life };
}

const CONTEXT_MEMBER = (1 << 3) | WireType.bytes;
const CONTEXT_INCARNATION = (2 << 3) | WireType.varint;
const CONTEXT_SEQUENCE = (3 << 3) | WireType.varint;

/** Who asked for a change: the process life of a member, and its number there. 0, 0 when nobody waits for it. */
export interface ChangeOrigin {
	readonly incarnation: number;
	readonly sequence: number;
}

export interface MembershipContext extends ChangeOrigin {
	readonly added: MemberInfo[];
}

const NOBODY: ChangeOrigin = { incarnation: 0, sequence: 0 };

/** The context of a membership change: the members that it adds, if any, and who asked for it. */
export function encodeMembershipContext(added: readonly MemberInfo[], origin: ChangeOrigin = NOBODY): Uint8Array {
	const writer = new WireWriter(portableBytes);
	for (const member of added) writer.varint(CONTEXT_MEMBER).bytes(encodeMember(member));
	if (origin.sequence > 0) {
		writer.varint(CONTEXT_INCARNATION).varintBig(BigInt(origin.incarnation));
		writer.varint(CONTEXT_SEQUENCE).varintBig(BigInt(origin.sequence));
	}
	return writer.finish();
}

/** Throws `WireError` on malformed bytes; unknown fields are skipped. */
export function decodeMembershipContext(bytes: Uint8Array): MembershipContext {
	const reader = new WireReader(bytes);
	const added: MemberInfo[] = [];
	let incarnation = 0;
	let sequence = 0;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === CONTEXT_MEMBER) added.push(decodeMember(reader.view()));
		else if (tag === CONTEXT_INCARNATION) incarnation = Number(reader.uint64());
		else if (tag === CONTEXT_SEQUENCE) sequence = Number(reader.uint64());
		else reader.skip(tag);
	}
	return { added, incarnation, sequence };
}

/** An unreadable context names nobody: the entry is committed, and the core follows its changes whatever it says. */
export function readContext(context: Uint8Array): MembershipContext {
	try {
		return decodeMembershipContext(context);
	} catch (error) {
		if (error instanceof WireError) return { added: [], incarnation: 0, sequence: 0 };
		throw error;
	}
}
