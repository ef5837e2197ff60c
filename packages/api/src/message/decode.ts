import { WireError, WireReader, WireType } from "@flotilla/base";
import { wireTypeOf } from "./encode.ts";
import { emptyMessage, type Field, type FieldType, MESSAGE_DEPTH_MAX, type MessageTable, type Shape, type UnionValue } from "./table.ts";

/**
 * Deviation: etcd takes strings of any bytes. Here bytes that are no UTF-8 become U+FFFD, since a string cannot hold them.
 */
const fromUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export function decodeMessage(table: MessageTable, bytes: Uint8Array): Shape {
	const message = emptyMessage(table);
	readInto(message, table, new WireReader(bytes), 1);
	return message;
}

function readInto(message: Shape, table: MessageTable, reader: WireReader, depth: number): void {
	if (depth > MESSAGE_DEPTH_MAX) throw new WireError("messages nested too deep");
	const { fieldByNumber } = table;
	while (!reader.done) {
		const tag = reader.tag();
		const field = fieldByNumber[tag >>> 3];
		if (field === undefined) reader.skip(tag);
		else if (field.repeated) readRepeated(message[field.property] as unknown[], field, tag & 7, reader, depth);
		else readSingle(message, field, tag & 7, reader, depth);
	}
}

function readSingle(message: Shape, field: Field, wireType: number, reader: WireReader, depth: number): void {
	if (wireType !== wireTypeOf(field)) throw new WireError("wrong wire type");
	if (field.union !== null) {
		// The last member on the wire wins and replaces what an earlier one held, the same one included.
		message[field.union] = { kind: field.property, value: readValue(field.type, reader, depth, null) } satisfies UnionValue;
		return;
	}
	message[field.property] = readValue(field.type, reader, depth, message[field.property]);
}

function readRepeated(values: unknown[], field: Field, wireType: number, reader: WireReader, depth: number): void {
	const own = wireTypeOf(field);
	if (wireType === own) {
		values.push(readValue(field.type, reader, depth, null));
		return;
	}
	if (own !== WireType.varint || wireType !== WireType.bytes) throw new WireError("wrong wire type");
	const start = reader.lengthPrefix();
	const packed = new WireReader(reader.bytes, start, reader.at);
	while (!packed.done) values.push(readValue(field.type, packed, depth, null));
}

/** `before`: what the field holds already; parts of one message that come separately are merged, as protobuf asks. */
function readValue(type: FieldType, reader: WireReader, depth: number, before: unknown): unknown {
	switch (type) {
		case "bool":
			return reader.bool();
		case "string":
			return fromUtf8.decode(reader.view());
		case "bytes":
			return reader.view();
		case "int64Id":
			return reader.int64();
		case "uint64Id":
			return reader.uint64();
		case "uint32":
			return reader.uint32();
		case "int64":
			return reader.int64Clamped();
		case "uint64":
			return readUnsignedClamped(reader);
		default: {
			if (type.kind === "enum") return reader.int32();
			const message = (before ?? emptyMessage(type)) as Shape;
			const start = reader.lengthPrefix();
			readInto(message, type, new WireReader(reader.bytes, start, reader.at), depth + 1);
			return message;
		}
	}
}

/** Clamped to 2^53 - 1 like the signed ones; a set top bit is a large number here, not a negative one. */
function readUnsignedClamped(reader: WireReader): number {
	const value = reader.int64Clamped();
	return value < 0 ? Number.MAX_SAFE_INTEGER : value;
}
