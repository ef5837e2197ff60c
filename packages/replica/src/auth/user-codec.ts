/** Users and roles as rows of the store: the layouts of `authpb.User`, `authpb.Role` and `authpb.Permission`. */
import { portableBytes, WireReader, WireType, WireWriter } from "@flotilla/base";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import type { Permission, Role, User } from "./users.ts";

const UserField = { name: 1, password: 2, role: 3, options: 4 } as const;
const RoleField = { name: 1, permission: 2 } as const;
const PermissionField = { type: 1, key: 2, rangeEnd: 3 } as const;
const NO_PASSWORD = (1 << 3) | WireType.varint;

export function encodeUser({ name, passwordHash, noPassword, roles }: User): Uint8Array {
	const writer = new WireWriter(portableBytes);
	writeText(writer, UserField.name, name);
	if (passwordHash !== "") writeText(writer, UserField.password, passwordHash);
	for (const role of roles) writeText(writer, UserField.role, role);
	if (noPassword) writeBytes(writer, UserField.options, new WireWriter(portableBytes).varint(NO_PASSWORD).varint(1).finish());
	return writer.finish();
}

/** This and its sisters throw `WireError` on malformed bytes; unknown fields are skipped. */
export function decodeUser(bytes: Uint8Array): User {
	const reader = new WireReader(bytes);
	let name = "";
	let passwordHash = "";
	let noPassword = false;
	const roles: string[] = [];
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === bytesTag(UserField.name)) name = decodeUtf8(reader.view());
		else if (tag === bytesTag(UserField.password)) passwordHash = decodeUtf8(reader.view());
		else if (tag === bytesTag(UserField.role)) roles.push(decodeUtf8(reader.view()));
		else if (tag === bytesTag(UserField.options)) noPassword = decodeNoPassword(reader.view());
		else reader.skip(tag);
	}
	return { name, passwordHash, noPassword, roles };
}

function decodeNoPassword(bytes: Uint8Array): boolean {
	const reader = new WireReader(bytes);
	let set = false;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === NO_PASSWORD) set = reader.bool();
		else reader.skip(tag);
	}
	return set;
}

export function encodeRole({ name, permissions }: Role): Uint8Array {
	const writer = new WireWriter(portableBytes);
	writeText(writer, RoleField.name, name);
	for (const permission of permissions) writeBytes(writer, RoleField.permission, encodePermission(permission));
	return writer.finish();
}

export function decodeRole(bytes: Uint8Array): Role {
	const reader = new WireReader(bytes);
	let name = "";
	const permissions: Permission[] = [];
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === bytesTag(RoleField.name)) name = decodeUtf8(reader.view());
		else if (tag === bytesTag(RoleField.permission)) permissions.push(decodePermission(reader.view()));
		else reader.skip(tag);
	}
	return { name, permissions };
}

export function encodePermission({ type, key, rangeEnd }: Permission): Uint8Array {
	const writer = new WireWriter(portableBytes);
	if (type !== 0) writer.varint((PermissionField.type << 3) | WireType.varint).int64(type);
	if (key !== "") writer.varint(bytesTag(PermissionField.key)).latin1(key);
	if (rangeEnd !== "") writer.varint(bytesTag(PermissionField.rangeEnd)).latin1(rangeEnd);
	return writer.finish();
}

export function decodePermission(bytes: Uint8Array): Permission {
	const reader = new WireReader(bytes);
	let type = 0;
	let key = "";
	let rangeEnd = "";
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === ((PermissionField.type << 3) | WireType.varint)) type = reader.int32();
		else if (tag === bytesTag(PermissionField.key)) key = portableBytes.latin1(reader.view());
		else if (tag === bytesTag(PermissionField.rangeEnd)) rangeEnd = portableBytes.latin1(reader.view());
		else reader.skip(tag);
	}
	return { type, key, rangeEnd };
}

function bytesTag(field: number): number {
	return (field << 3) | WireType.bytes;
}

function writeText(writer: WireWriter, field: number, text: string): void {
	writeBytes(writer, field, encodeUtf8(text));
}

function writeBytes(writer: WireWriter, field: number, bytes: Uint8Array): void {
	writer.varint(bytesTag(field)).bytes(bytes);
}
