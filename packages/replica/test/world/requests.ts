import { portableBytes, WireReader, WireType, WireWriter } from "@flotilla/base";
import { PLAIN_RANGE, type RangeRequest } from "@flotilla/mvcc";

/** Client requests as their bytes (etcdserverpb), written here by hand: the codecs under test have no part in it. */

export function text(value: string): Uint8Array {
	return portableBytes.fromLatin1(value);
}

export function putBytes(key: string, value: string | Uint8Array): Uint8Array {
	const writer = field(field(newWriter(), 1, text(key)), 2, typeof value === "string" ? text(value) : value);
	return writer.finish();
}

export function leasedPutBytes(key: string, value: string, lease: bigint): Uint8Array {
	const writer = field(field(newWriter(), 1, text(key)), 2, text(value));
	return writer
		.varint((3 << 3) | WireType.varint)
		.varintBig(BigInt.asUintN(64, lease))
		.finish();
}

export function deleteBytes(key: string, rangeEnd = ""): Uint8Array {
	return field(field(newWriter(), 1, text(key)), 2, text(rangeEnd)).finish();
}

export function compactBytes(revision: number): Uint8Array {
	return number(newWriter(), 1, revision).finish();
}

/** If the value of `key` equals `expected`, put `value`. */
export function swapBytes(key: string, expected: string, value: string): Uint8Array {
	// Compare: result EQUAL (0) and target VALUE (3), key = 3, value = 7.
	const compare = field(field(number(newWriter(), 2, 3), 3, text(key)), 7, text(expected)).finish();
	const op = field(newWriter(), 2, putBytes(key, value)).finish();
	return field(field(newWriter(), 1, compare), 2, op).finish();
}

export function rangeOf(key: string): RangeRequest {
	return { ...PLAIN_RANGE, key: text(key) };
}

/** Key and value of an encoded mvccpb.KeyValue. */
export function pairOf(bytes: Uint8Array): { readonly key: string; readonly value: string } {
	const reader = new WireReader(bytes);
	let key = "";
	let value = "";
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === ((1 << 3) | WireType.bytes)) key = portableBytes.latin1(reader.view());
		else if (tag === ((5 << 3) | WireType.bytes)) value = portableBytes.latin1(reader.view());
		else reader.skip(tag);
	}
	return { key, value };
}

function newWriter(): WireWriter {
	return new WireWriter(portableBytes);
}

function field(writer: WireWriter, id: number, bytes: Uint8Array): WireWriter {
	return writer.varint((id << 3) | WireType.bytes).bytes(bytes);
}

function number(writer: WireWriter, id: number, value: number): WireWriter {
	return writer.varint((id << 3) | WireType.varint).varint(value);
}
