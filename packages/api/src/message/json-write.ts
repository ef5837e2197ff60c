/**
 * To the JSON form of a message, as the gateway gives it (etcd API 11.7): proto names, defaults left out, 64-bit integers as
 * strings, bytes as padded base64, enums by name.
 */
import { toBase64 } from "./base64.ts";
import { defaultOfType, type Field, type FieldType, type MessageTable, type Shape, type UnionValue } from "./table.ts";

export function writeJsonMessage(table: MessageTable, message: Shape): string {
	let text = "";
	for (const field of table.fields) {
		const value = writeField(field, message);
		if (value !== null) text += `${text === "" ? "" : ","}"${field.protoName}":${value}`;
	}
	return `{${text}}`;
}

/** Null for a field that is left out. */
function writeField(field: Field, message: Shape): string | null {
	if (field.union !== null) {
		const held = message[field.union] as UnionValue | null | undefined;
		return held?.kind === field.property ? writeValue(field.type, held.value) : null;
	}
	const value = message[field.property];
	if (value === undefined || value === null) return null;
	if (!field.repeated) return isDefault(field.type, value) ? null : writeValue(field.type, value);
	const values = value as readonly unknown[];
	return values.length === 0 ? null : `[${values.map((each) => writeValue(field.type, each)).join(",")}]`;
}

function isDefault(type: FieldType, value: unknown): boolean {
	return type === "bytes" ? (value as Uint8Array).length === 0 : value === defaultOfType(type);
}

function writeValue(type: FieldType, value: unknown): string {
	if (typeof type !== "string") {
		if (type.kind === "message") return writeJsonMessage(type, value as Shape);
		const name = type.nameOf.get(value as number);
		return name === undefined ? String(value) : `"${name}"`;
	}
	switch (type) {
		case "bool":
		case "uint32":
			return String(value);
		case "string":
			return JSON.stringify(value);
		case "bytes":
			return `"${toBase64(value as Uint8Array)}"`;
		case "int64":
		case "uint64":
		case "int64Id":
		case "uint64Id":
			return `"${String(value as number | bigint)}"`;
	}
}
