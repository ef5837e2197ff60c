/**
 * Header blocks to fields (RFC 7541). Blocks that repeat, as those of all gRPC clients do, are known by their bytes: while the
 * table is unchanged, equal bytes mean equal fields.
 */
import { DynamicTable, sizeOf } from "./dynamic-table.ts";
import { HeaderBlock } from "./header-block.ts";
import { huffmanDecode } from "./huffman.ts";
import { ConnectionFault, ErrorCode } from "./protocol.ts";
import { DEFAULT_TABLE_BYTES, STATIC_TABLE } from "./static-table.ts";

export interface HeaderLimits {
	/** Decoded size, each field counted with its 32 bytes (RFC 9113, 6.5.2). */
	readonly listBytesMax: number;
	readonly fieldsMax: number;
}

/** Blocks of one connection that are known by their bytes. Longer ones are not kept. */
const KNOWN_MAX = 8;
const KNOWN_BYTES_MAX = 512;
/** An integer of HPACK: at most so many octets behind its prefix, as nothing here is longer than a frame. */
const INTEGER_OCTETS_MAX = 4;

interface KnownBlock {
	readonly bytes: Buffer;
	readonly version: number;
	readonly block: HeaderBlock;
}

export class HpackDecoder {
	private readonly table = new DynamicTable();
	private readonly limits: HeaderLimits;
	private readonly known: KnownBlock[] = [];
	private nextKnown = 0;
	private source: Buffer = EMPTY;
	private at = 0;
	private end = 0;

	constructor(limits: HeaderLimits) {
		this.limits = limits;
	}

	/** Throws a ConnectionFault for what is no HPACK: the tables of both sides would differ from then on (RFC 9113, 4.3). */
	decode(source: Buffer, start: number, end: number): HeaderBlock {
		const { version } = this.table;
		for (const known of this.known) if (known.version === version && sameBytes(known.bytes, source, start, end)) return known.block;
		this.source = source;
		this.at = start;
		this.end = end;
		const block = this.fields();
		this.source = EMPTY;
		if (this.table.version === version && end - start <= KNOWN_BYTES_MAX && !block.cut) {
			this.known[this.nextKnown] = { bytes: Buffer.from(source.subarray(start, end)), version, block };
			this.nextKnown = (this.nextKnown + 1) % KNOWN_MAX;
		}
		return block;
	}

	private fields(): HeaderBlock {
		const names: string[] = [];
		const values: string[] = [];
		let bytes = 0;
		let cut = false;
		this.sizeUpdates();
		while (this.at < this.end) {
			const first = this.source[this.at] as number;
			let name: string;
			let value: string;
			if ((first & 0x80) !== 0) {
				({ name, value } = this.entry(this.integer(0x7f)));
			} else {
				if ((first & 0xe0) === 0x20) throw fault("a size update behind a field");
				const indexed = (first & 0x40) !== 0;
				const index = this.integer(indexed ? 0x3f : 0x0f);
				name = index === 0 ? this.text() : this.entry(index).name;
				value = this.text();
				if (indexed) this.table.add(name, value);
			}
			bytes += sizeOf(name, value);
			// The table is kept in step also when the rest is not kept.
			if (bytes > this.limits.listBytesMax || names.length >= this.limits.fieldsMax) cut = true;
			if (cut) continue;
			names.push(name);
			values.push(value);
		}
		return new HeaderBlock(names, values, bytes, cut);
	}

	/** Only at the start of a block, and at most two of them (RFC 7541, 4.2). */
	private sizeUpdates(): void {
		for (let count = 0; this.at < this.end && ((this.source[this.at] as number) & 0xe0) === 0x20; count++) {
			if (count === 2) throw fault("more than two size updates");
			const bytesMax = this.integer(0x1f);
			if (bytesMax > DEFAULT_TABLE_BYTES) throw fault("a table larger than was offered");
			if (bytesMax !== this.table.limit) this.table.setLimit(bytesMax);
		}
	}

	private entry(index: number): { readonly name: string; readonly value: string } {
		if (index === 0) throw fault("index 0");
		if (index <= STATIC_ENTRIES.length) return STATIC_ENTRIES[index - 1] as (typeof STATIC_ENTRIES)[number];
		const found = this.table.at(index - STATIC_ENTRIES.length - 1);
		if (found === undefined) throw fault("an index beyond the table");
		return found;
	}

	private text(): string {
		if (this.at >= this.end) throw fault("a string is missing");
		const coded = ((this.source[this.at] as number) & 0x80) !== 0;
		const length = this.integer(0x7f);
		const start = this.at;
		if (length > this.end - start) throw fault("a string longer than its block");
		this.at += length;
		return coded ? huffmanDecode(this.source, start, this.at) : this.source.toString("latin1", start, this.at);
	}

	/** `mask`: the bits of the first octet that belong to it (RFC 7541, 5.1). */
	private integer(mask: number): number {
		let value = (this.source[this.at++] as number) & mask;
		if (value < mask) return value;
		for (let octets = 0, shift = 0; octets < INTEGER_OCTETS_MAX; octets++, shift += 7) {
			if (this.at >= this.end) break;
			const octet = this.source[this.at++] as number;
			value += (octet & 0x7f) << shift;
			if ((octet & 0x80) === 0) return value;
		}
		throw fault("an integer that does not end");
	}
}

const EMPTY = Buffer.alloc(0);
const STATIC_ENTRIES = STATIC_TABLE.map(([name, value]) => ({ name, value }));

function fault(text: string): ConnectionFault {
	return new ConnectionFault(ErrorCode.compressionError, `header block: ${text}`);
}

function sameBytes(known: Buffer, source: Buffer, start: number, end: number): boolean {
	const { length } = known;
	if (length !== end - start) return false;
	for (let at = 0; at < length; at++) if (known[at] !== source[start + at]) return false;
	return true;
}
