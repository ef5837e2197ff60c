/**
 * Messages described by tables: the generated files hold one table a message, and one reader and one writer serve them all.
 * For the calls that are not hot: small to load, exact in types, and the JSON form reads the same tables.
 */

/**
 * `int64` and `uint64` are safe integers in memory (revisions, counts, sizes, terms), `int64Id` and `uint64Id` are bigint.
 * On the wire both are plain varints.
 */
export type ScalarType = "bool" | "string" | "bytes" | "uint32" | "int64" | "uint64" | "int64Id" | "uint64Id";

/** Open, as proto3 has it: numbers without a name are carried through. */
export interface EnumTable {
	readonly kind: "enum";
	readonly numberOf: Readonly<Record<string, number>>;
	readonly nameOf: ReadonlyMap<number, string>;
}

export interface MessageTable {
	readonly kind: "message";
	/** Full name without a leading dot. */
	readonly typeName: string;
	readonly fields: readonly Field[];
	readonly fieldByNumber: ReadonlyArray<Field | undefined>;
}

export type FieldType = ScalarType | EnumTable | MessageTable;

export interface Field {
	/** Name in the proto file and in the gateway's JSON. */
	readonly protoName: string;
	/** Name of the property, and the second name that JSON may use: the proto name in lowerCamelCase. */
	readonly property: string;
	readonly number: number;
	readonly type: FieldType;
	readonly repeated: boolean;
	/** Property of the union (oneof) that this field belongs to. */
	readonly union: string | null;
}

/** Value of a union: which member is set, and to what. */
export interface UnionValue {
	readonly kind: string;
	readonly value: unknown;
}

/** A message as the reader and the writer see it; the generated types say what is really in it. */
export type Shape = Record<string, unknown>;

/** Nested messages, counted one by one. 128 levels of transactions are 256 messages: each level has its operation around it. */
export const MESSAGE_DEPTH_MAX = 256;

const NO_BYTES = new Uint8Array(0);

export function emptyMessage(table: MessageTable): Shape {
	const message: Shape = {};
	for (const field of table.fields) message[field.union ?? field.property] = defaultValue(field);
	return message;
}

function defaultValue(field: Field): unknown {
	if (field.union !== null) return null;
	return field.repeated ? [] : defaultOfType(field.type);
}

/** A message that is not there is null. */
export function defaultOfType(type: FieldType): unknown {
	switch (type) {
		case "bool":
			return false;
		case "string":
			return "";
		case "bytes":
			return NO_BYTES;
		case "int64Id":
		case "uint64Id":
			return 0n;
		case "uint32":
		case "int64":
		case "uint64":
			return 0;
		default:
			return type.kind === "message" ? null : 0;
	}
}
