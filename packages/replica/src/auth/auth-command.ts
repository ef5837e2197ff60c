/**
 * Commands on users and roles as they stand in the log: encoded afresh by the member that was asked, with all that had to be
 * drawn or computed in them (a password's hash, the hash of a token), never with a password or a token itself.
 */
import { portableBytes, WireReader, WireType, WireWriter } from "@flotilla/base";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { decodePermission, encodePermission } from "./user-codec.ts";
import type { Permission } from "./users.ts";

/** Numbers are on disk: add, never reuse. */
const KINDS = [
	"enable",
	"disable",
	"userAdd",
	"userDelete",
	"userChangePassword",
	"userGrantRole",
	"userRevokeRole",
	"roleAdd",
	"roleDelete",
	"roleGrantPermission",
	"roleRevokePermission",
	"authenticate",
] as const;
export type AuthCommandKind = (typeof KINDS)[number];

/** One shape for all: what a command does not use stays empty. */
export interface AuthCommand {
	readonly kind: AuthCommandKind;
	readonly user: string;
	readonly role: string;
	readonly passwordHash: string;
	readonly noPassword: boolean;
	/** Of `roleRevokePermission` without its type. */
	readonly permission: Permission | null;
	/** `authenticate`: SHA-256 of the new token, one character a byte. */
	readonly tokenHash: string;
	/** `authenticate`: of the auth state that the password was checked against. */
	readonly checkedRevision: number;
}

const EMPTY = {
	user: "",
	role: "",
	passwordHash: "",
	noPassword: false,
	permission: null,
	tokenHash: "",
	checkedRevision: 0,
} as const;

export function authCommand(kind: AuthCommandKind, fields: Partial<Omit<AuthCommand, "kind">> = {}): AuthCommand {
	return { kind, ...EMPTY, ...fields };
}

const Tag = {
	kind: (1 << 3) | WireType.varint,
	user: (2 << 3) | WireType.bytes,
	role: (3 << 3) | WireType.bytes,
	passwordHash: (4 << 3) | WireType.bytes,
	noPassword: (5 << 3) | WireType.varint,
	permission: (6 << 3) | WireType.bytes,
	tokenHash: (7 << 3) | WireType.bytes,
	checkedRevision: (8 << 3) | WireType.varint,
} as const;

export function encodeAuthCommand(command: AuthCommand): Uint8Array {
	const writer = new WireWriter(portableBytes);
	writer.varint(Tag.kind).varint(KINDS.indexOf(command.kind) + 1);
	if (command.user !== "") writer.varint(Tag.user).bytes(encodeUtf8(command.user));
	if (command.role !== "") writer.varint(Tag.role).bytes(encodeUtf8(command.role));
	if (command.passwordHash !== "") writer.varint(Tag.passwordHash).bytes(encodeUtf8(command.passwordHash));
	if (command.noPassword) writer.varint(Tag.noPassword).varint(1);
	if (command.permission !== null) writer.varint(Tag.permission).bytes(encodePermission(command.permission));
	if (command.tokenHash !== "") writer.varint(Tag.tokenHash).latin1(command.tokenHash);
	if (command.checkedRevision !== 0) writer.varint(Tag.checkedRevision).varint(command.checkedRevision);
	return writer.finish();
}

/** Null for a kind that is not known here. Throws `WireError` on malformed bytes. */
export function decodeAuthCommand(bytes: Uint8Array): AuthCommand | null {
	const reader = new WireReader(bytes);
	let kind = 0;
	const command: { -readonly [Name in keyof typeof EMPTY]: AuthCommand[Name] } = { ...EMPTY };
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === Tag.kind) kind = reader.uint32();
		else if (tag === Tag.user) command.user = decodeUtf8(reader.view());
		else if (tag === Tag.role) command.role = decodeUtf8(reader.view());
		else if (tag === Tag.passwordHash) command.passwordHash = decodeUtf8(reader.view());
		else if (tag === Tag.noPassword) command.noPassword = reader.bool();
		else if (tag === Tag.permission) command.permission = decodePermission(reader.view());
		else if (tag === Tag.tokenHash) command.tokenHash = portableBytes.latin1(reader.view());
		else if (tag === Tag.checkedRevision) command.checkedRevision = reader.int64Clamped();
		else reader.skip(tag);
	}
	const name = KINDS[kind - 1];
	return name === undefined ? null : { kind: name, ...command };
}
