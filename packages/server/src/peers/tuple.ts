/**
 * Envelopes are MessagePack arrays of plain values. Before the library decodes foreign bytes they are walked once here:
 * no maps, no extensions, no nesting below a list in the tuple, no count beyond the bytes that are left.
 */
import { Packr, Unpackr } from "msgpackr";

const DEPTH_MAX = 2;
const packr = new Packr({ useRecords: false, moreTypes: false });
const unpackr = new Unpackr({ useRecords: false, moreTypes: false, int64AsType: "bigint" });

export type TupleValue = number | bigint | boolean | string | readonly number[] | readonly bigint[];

export function encodeTuple(values: readonly TupleValue[]): Uint8Array {
	return packr.pack(values);
}

/** Null for anything but one array of plain values. */
export function decodeTuple(bytes: Uint8Array): readonly unknown[] | null {
	if (!isPlainTuple(bytes)) return null;
	try {
		const value: unknown = unpackr.unpack(bytes);
		return Array.isArray(value) ? value : null;
	} catch {
		return null;
	}
}

/** Whether the bytes are exactly one array of integers, floats, booleans, texts and flat lists of those. */
export function isPlainTuple(bytes: Uint8Array): boolean {
	const first = bytes[0];
	if (first === undefined || !(isFixArray(first) || first === 0xdc || first === 0xdd)) return false;
	return endOfValue(bytes, 0, 1) === bytes.length;
}

/** Where the value at `at` ends, or -1. Depth counts arrays. */
function endOfValue(bytes: Uint8Array, at: number, depth: number): number {
	const type = bytes[at];
	if (type === undefined) return -1;
	if (type < 0x80 || type >= 0xe0 || type === 0xc2 || type === 0xc3) return at + 1;
	if (isFixArray(type)) return endOfArray(bytes, at + 1, type & 0x0f, depth);
	if (type >= 0xa0 && type < 0xc0) return skip(bytes, at + 1, type & 0x1f);
	switch (type) {
		case 0xcc:
		case 0xd0:
			return skip(bytes, at + 1, 1);
		case 0xcd:
		case 0xd1:
			return skip(bytes, at + 1, 2);
		case 0xce:
		case 0xd2:
			return skip(bytes, at + 1, 4);
		case 0xcb:
		case 0xcf:
		case 0xd3:
			return skip(bytes, at + 1, 8);
		case 0xd9:
			return skip(bytes, at + 2, bytes[at + 1] ?? -1);
		case 0xda:
			return skip(bytes, at + 3, bigEndian(bytes, at + 1, 2));
		case 0xdc:
			return endOfArray(bytes, at + 3, bigEndian(bytes, at + 1, 2), depth);
		case 0xdd:
			return endOfArray(bytes, at + 5, bigEndian(bytes, at + 1, 4), depth);
		default:
			return -1;
	}
}

function endOfArray(bytes: Uint8Array, at: number, count: number, depth: number): number {
	// Every element takes a byte at least: a larger count is refused before anything is walked or allocated.
	if (count < 0 || depth > DEPTH_MAX || count > bytes.length - at) return -1;
	let end = at;
	for (let i = 0; i < count; i++) {
		end = endOfValue(bytes, end, depth + 1);
		if (end < 0) return -1;
	}
	return end;
}

function isFixArray(type: number): boolean {
	return type >= 0x90 && type < 0xa0;
}

function skip(bytes: Uint8Array, at: number, count: number): number {
	return count < 0 || count > bytes.length - at ? -1 : at + count;
}

function bigEndian(bytes: Uint8Array, at: number, width: number): number {
	if (at + width > bytes.length) return -1;
	let value = 0;
	for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
	return value;
}

/** Reads a decoded tuple field by field. `ok` turns false at the first field that is not what was asked for. */
export class TupleReader {
	private readonly tuple: readonly unknown[];
	private at = 0;
	private sound = true;

	constructor(tuple: readonly unknown[]) {
		this.tuple = tuple;
	}

	/** Whether all fields so far were sound and none is left. */
	get complete(): boolean {
		return this.sound && this.at === this.tuple.length;
	}

	/** A safe integer of 0 or more. */
	integer(): number {
		const value = this.tuple[this.at++];
		if (isCount(value)) return value + 0;
		this.sound = false;
		return 0;
	}

	flag(): boolean {
		const value = this.tuple[this.at++];
		if (typeof value === "boolean") return value;
		this.sound = false;
		return false;
	}

	id(): bigint {
		const value = this.tuple[this.at++];
		if (isId(value)) return value;
		this.sound = false;
		return 0n;
	}

	text(): string {
		const value = this.tuple[this.at++];
		if (typeof value === "string") return value;
		this.sound = false;
		return "";
	}

	integers(countMax: number): readonly number[] {
		const value = this.tuple[this.at++];
		if (Array.isArray(value) && value.length <= countMax && value.every(isCount)) return value;
		this.sound = false;
		return [];
	}

	ids(countMax: number): readonly bigint[] {
		const value = this.tuple[this.at++];
		if (Array.isArray(value) && value.length <= countMax && value.every(isId)) return value;
		this.sound = false;
		return [];
	}
}

function isCount(value: unknown): value is number {
	return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isId(value: unknown): value is bigint {
	return typeof value === "bigint" && value >= 0n;
}
