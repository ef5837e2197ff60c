/** From the JSON form of a message, as the gateway takes it (proto3 JSON mapping; etcd API 11.7). */
import { fromBase64 } from "./base64.ts";
import { emptyMessage, type Field, type FieldType, MESSAGE_DEPTH_MAX, type MessageTable, type ScalarType, type Shape } from "./table.ts";

/** Text that is no JSON, or JSON that is no message of its kind. Its message names the field and carries no content. */
export class JsonError extends Error {
	override readonly name = "JsonError";
}

/** An empty text is an empty message. Fields may carry their proto name or its lowerCamelCase form; unknown ones are ignored. */
export function readJsonMessage(table: MessageTable, text: string): Shape {
	return readMessage(table, NOTHING.test(text) ? {} : parse(text), 1);
}

/** Only what JSON itself passes over. */
const NOTHING = /^[ \t\r\n]*$/;

/** More digits than a number surely holds. */
const LONG_NUMBER = /\d{16}/;

/** Numbers that do not fit are kept as they are written: lease ids have 19 digits. */
function parse(text: string): unknown {
	try {
		return LONG_NUMBER.test(text) ? (JSON.parse(text, keepLongNumber) as unknown) : (JSON.parse(text) as unknown);
	} catch {
		throw new JsonError("the body is not valid JSON");
	}
}

function keepLongNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
	return typeof value === "number" && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
}

function readMessage(table: MessageTable, value: unknown, depth: number): Shape {
	if (depth > MESSAGE_DEPTH_MAX) throw new JsonError("messages nested too deep");
	if (typeof value !== "object" || value === null || Array.isArray(value)) throw new JsonError(`${table.typeName} must be an object`);
	const message = emptyMessage(table);
	const fields = fieldsByName(table);
	for (const [name, given] of Object.entries(value)) {
		const field = fields.get(name);
		// Null stands for the default, which is there already.
		if (field === undefined || given === null) continue;
		if (name !== field.protoName && ((value as Shape)[field.protoName] ?? null) !== null)
			throw new JsonError(`${field.protoName} is there by both of its names`);
		if (field.repeated) message[field.property] = readList(field, given, depth);
		else if (field.union === null) message[field.property] = readValue(field, field.type, given, depth);
		else readUnion(message, field, field.union, given, depth);
	}
	return message;
}

function readUnion(message: Shape, field: Field, union: string, given: unknown, depth: number): void {
	if (message[union] !== null) throw new JsonError(`${field.protoName}: another member of ${union} is set already`);
	message[union] = { kind: field.property, value: readValue(field, field.type, given, depth) };
}

function readList(field: Field, given: unknown, depth: number): unknown[] {
	if (!Array.isArray(given)) throw new JsonError(`${field.protoName} must be a list`);
	return given.map((value: unknown) => readValue(field, field.type, value, depth));
}

function readValue(field: Field, type: FieldType, given: unknown, depth: number): unknown {
	if (typeof type === "string") return readScalar(field, type, given);
	if (type.kind === "message") return readMessage(type, given, depth + 1);
	const number = typeof given === "string" && Object.hasOwn(type.numberOf, given) ? type.numberOf[given] : given;
	if (typeof number !== "number" || (number | 0) !== number) throw new JsonError(`${field.protoName} is no name and no number of its enum`);
	return number;
}

function readScalar(field: Field, type: ScalarType, given: unknown): unknown {
	switch (type) {
		case "bool":
			if (typeof given !== "boolean") throw new JsonError(`${field.protoName} must be true or false`);
			return given;
		case "string":
			if (typeof given !== "string") throw new JsonError(`${field.protoName} must be a string`);
			return given;
		case "bytes": {
			const bytes = typeof given === "string" ? fromBase64(given) : null;
			if (bytes === null) throw new JsonError(`${field.protoName} must be base64`);
			return bytes;
		}
		case "int64Id":
			return readInteger(field, given, INT64_MIN, INT64_MAX);
		case "uint64Id":
			return readInteger(field, given, 0n, UINT64_MAX);
		case "int64":
			return clamp(readInteger(field, given, INT64_MIN, INT64_MAX));
		case "uint64":
			return clamp(readInteger(field, given, 0n, UINT64_MAX));
		case "uint32":
			return Number(readInteger(field, given, 0n, 0xffff_ffffn));
	}
}

const INT64_MIN = -(1n << 63n);
const INT64_MAX = (1n << 63n) - 1n;
const UINT64_MAX = (1n << 64n) - 1n;
const INTEGER = /^-?(0|[1-9]\d{0,19})$/;
/** With a fraction of nothing or an exponent: surely whole, before it is rounded. */
const WRITTEN_OUT = /^-?(?:0|[1-9]\d{0,15})(\.0{1,16})?([eE]\+?\d{1,2})?$/;

/** 64-bit integers come as strings, and as numbers too; `1.0` and `"1e2"` are whole, as in etcd 3.6. */
function readInteger(field: Field, given: unknown, min: bigint, max: bigint): bigint {
	const whole = typeof given === "string" && !INTEGER.test(given) && WRITTEN_OUT.test(given) ? Number(given) : given;
	const isInteger = Number.isSafeInteger(whole) || (typeof whole === "string" && INTEGER.test(whole));
	if (!isInteger) throw new JsonError(`${field.protoName} must be an integer`);
	const value = BigInt(whole as number | string);
	if (value < min || value > max) throw new JsonError(`${field.protoName} is out of range`);
	return value;
}

/** As the binary form is read: what is not safe is refused by its range later on. */
function clamp(value: bigint): number {
	const number = Number(value);
	return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, number));
}

const byName = new WeakMap<MessageTable, ReadonlyMap<string, Field>>();

function fieldsByName(table: MessageTable): ReadonlyMap<string, Field> {
	const known = byName.get(table);
	if (known !== undefined) return known;
	const fields = new Map<string, Field>();
	for (const field of table.fields) fields.set(field.property, field).set(field.protoName, field);
	byName.set(table, fields);
	return fields;
}
