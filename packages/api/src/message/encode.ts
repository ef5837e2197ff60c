import { assert, fail, portableBytes, WireType, WireWriter } from "@flotilla/base";
import { defaultOfType, type Field, type MessageTable, type Shape, type UnionValue } from "./table.ts";

const toUtf8 = new TextEncoder();

/** Fields in the order of their table; defaults are left out, messages and union members that are set never are. */
export function encodeMessage(table: MessageTable, message: Shape): Uint8Array {
	const writer = new WireWriter(portableBytes, 128);
	for (const field of table.fields) {
		if (field.union !== null) {
			const held = message[field.union] as UnionValue | null | undefined;
			if (held?.kind === field.property) writeTagged(writer, field, held.value);
			continue;
		}
		const value = message[field.property];
		if (value === undefined || value === null) continue;
		if (field.repeated) writeRepeated(writer, field, value as readonly unknown[]);
		else if (!isDefault(field, value)) writeTagged(writer, field, value);
	}
	return writer.finish();
}

function isDefault(field: Field, value: unknown): boolean {
	if (field.type === "bytes") return (value as Uint8Array).length === 0;
	return value === defaultOfType(field.type);
}

function writeRepeated(writer: WireWriter, field: Field, values: readonly unknown[]): void {
	if (values.length === 0) return;
	if (wireTypeOf(field) === WireType.bytes) {
		for (const value of values) writeTagged(writer, field, value);
		return;
	}
	const packed = new WireWriter(portableBytes);
	for (const value of values) writeValue(packed, field, value);
	writer.varint((field.number << 3) | WireType.bytes).bytes(packed.finish());
}

function writeTagged(writer: WireWriter, field: Field, value: unknown): void {
	writer.varint((field.number << 3) | wireTypeOf(field));
	writeValue(writer, field, value);
}

/** No message of this API has fixed-width fields. */
export function wireTypeOf(field: Field): number {
	const { type } = field;
	return type === "string" || type === "bytes" || (typeof type === "object" && type.kind === "message") ? WireType.bytes : WireType.varint;
}

function writeValue(writer: WireWriter, field: Field, value: unknown): void {
	const { type } = field;
	switch (type) {
		case "bool":
			writer.varint(value === true ? 1 : 0);
			return;
		case "string":
			writer.bytes(toUtf8.encode(value as string));
			return;
		case "bytes":
			writer.bytes(value as Uint8Array);
			return;
		case "int64Id":
		case "uint64Id":
			assert(typeof value === "bigint", "64-bit ids are bigint");
			writer.varintBig(value);
			return;
		case "uint32":
		case "int64":
		case "uint64":
			writeInteger(writer, field, value);
			return;
		default:
			if (type.kind === "message") writer.bytes(encodeMessage(type, value as Shape));
			else writeInteger(writer, field, value);
	}
}

function writeInteger(writer: WireWriter, field: Field, value: unknown): void {
	if (!Number.isSafeInteger(value)) fail("an integer field needs a safe integer", { field: field.protoName, value });
	writer.int64(value as number);
}
