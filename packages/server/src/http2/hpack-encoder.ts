/**
 * Fields to header blocks (RFC 7541). What comes with every call goes into the table once and is one byte from then on; a block
 * of nothing but such fields is a `PreparedBlock`, whose bytes are kept for as long as the table does not change.
 */
import { DynamicTable, sizeOf } from "./dynamic-table.ts";
import { huffmanBytes, huffmanEncode } from "./huffman.ts";
import { DEFAULT_TABLE_BYTES, STATIC_NAMES, STATIC_TABLE } from "./static-table.ts";

export interface HeaderField {
	/** Lower case. */
	readonly name: string;
	/** One byte a character. */
	readonly value: string;
	/** Its value comes again: it is put into the table. */
	readonly repeats: boolean;
}

const INDEXED = 0x80;
const LITERAL_KEPT = 0x40;
const SIZE_UPDATE = 0x20;
const LITERAL = 0x00;
/** Entries are found by going through them; nobody here repeats more fields than this. */
const ENTRIES_MAX = 64;

/** Fields of one connection that are sent many times in this order. */
export class PreparedBlock {
	readonly fields: readonly HeaderField[];
	/** Bytes that mean the fields while the table's version is `version`. */
	bytes: Uint8Array = new Uint8Array(0);
	version = -1;

	constructor(fields: readonly HeaderField[]) {
		this.fields = fields;
	}
}

export class HpackEncoder {
	private readonly table = new DynamicTable();
	private buffer: Buffer = Buffer.allocUnsafe(256);
	private length = 0;
	/** Size updates that the next block must begin with (4.2): the smallest limit since the last block, and the last one. */
	private smallestLimit = -1;
	private lastLimit = -1;

	/** The peer's SETTINGS_HEADER_TABLE_SIZE. */
	setLimit(bytes: number): void {
		const limit = Math.min(bytes, DEFAULT_TABLE_BYTES);
		this.smallestLimit = this.smallestLimit < 0 ? limit : Math.min(this.smallestLimit, limit);
		this.lastLimit = limit;
		this.table.setLimit(limit);
	}

	/** The bytes are good until the next call, and must be sent: the peer's table follows them. */
	encode(fields: readonly HeaderField[]): Uint8Array {
		this.length = 0;
		this.sizeUpdates();
		for (const field of fields) this.field(field);
		return this.buffer.subarray(0, this.length);
	}

	/** The block's bytes say it as they are. */
	knows(block: PreparedBlock): boolean {
		return block.version === this.table.version && this.lastLimit < 0;
	}

	/** As `encode`, of fields that come again. */
	encodePrepared(block: PreparedBlock): Uint8Array {
		if (this.knows(block)) return block.bytes;
		const { version } = this.table;
		const updated = this.lastLimit >= 0;
		const bytes = this.encode(block.fields);
		if (this.table.version !== version || updated) return bytes;
		block.version = version;
		block.bytes = Uint8Array.from(bytes);
		return block.bytes;
	}

	private sizeUpdates(): void {
		if (this.lastLimit < 0) return;
		if (this.smallestLimit < this.lastLimit) this.integer(SIZE_UPDATE, 0x1f, this.smallestLimit);
		this.integer(SIZE_UPDATE, 0x1f, this.lastLimit);
		this.smallestLimit = -1;
		this.lastLimit = -1;
	}

	private field({ name, value, repeats }: HeaderField): void {
		const named = STATIC_NAMES.get(name) ?? 0;
		if (named > 0) {
			for (let at = named - 1; STATIC_TABLE[at]?.[0] === name; at++) {
				if (STATIC_TABLE[at]?.[1] === value && value !== "") {
					this.integer(INDEXED, 0x7f, at + 1);
					return;
				}
			}
		}
		let nameIndex = named;
		for (let at = 0; at < this.table.length; at++) {
			const entry = this.table.at(at);
			if (entry?.name !== name) continue;
			if (entry.value === value) {
				this.integer(INDEXED, 0x7f, STATIC_TABLE.length + 1 + at);
				return;
			}
			if (nameIndex === 0) nameIndex = STATIC_TABLE.length + 1 + at;
		}
		const kept = repeats && this.table.length < ENTRIES_MAX && sizeOf(name, value) <= this.table.limit;
		this.integer(kept ? LITERAL_KEPT : LITERAL, kept ? 0x3f : 0x0f, nameIndex);
		if (nameIndex === 0) this.text(name);
		this.text(value);
		if (kept) this.table.add(name, value);
	}

	private text(text: string): void {
		const coded = huffmanBytes(text);
		if (coded < text.length) {
			this.integer(0x80, 0x7f, coded);
			this.reserve(coded);
			this.length = huffmanEncode(text, this.buffer, this.length);
		} else {
			this.integer(0, 0x7f, text.length);
			this.reserve(text.length);
			this.length += this.buffer.write(text, this.length, "latin1");
		}
	}

	private integer(pattern: number, mask: number, value: number): void {
		this.reserve(6);
		if (value < mask) {
			this.buffer[this.length++] = pattern | value;
			return;
		}
		this.buffer[this.length++] = pattern | mask;
		let rest = value - mask;
		for (; rest >= 0x80; rest >>>= 7) this.buffer[this.length++] = (rest & 0x7f) | 0x80;
		this.buffer[this.length++] = rest;
	}

	private reserve(bytes: number): void {
		if (this.length + bytes <= this.buffer.length) return;
		const larger = Buffer.allocUnsafe(Math.max(this.length + bytes, 2 * this.buffer.length));
		this.buffer.copy(larger, 0, 0, this.length);
		this.buffer = larger;
	}
}
