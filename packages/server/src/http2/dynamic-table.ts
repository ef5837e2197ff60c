/**
 * The dynamic table of HPACK (RFC 7541, 2.3.2), for either direction: newest first, bounded by the sum of its entries' sizes.
 * `version` changes with every change: what was read or written while it stayed the same means the same.
 */
import { DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD_BYTES } from "./static-table.ts";

export interface TableEntry {
	readonly name: string;
	readonly value: string;
}

export class DynamicTable {
	version = 0;
	/** Oldest first; those before `oldest` are gone. */
	private entries: TableEntry[] = [];
	private oldest = 0;
	private bytes = 0;
	private bytesMax: number = DEFAULT_TABLE_BYTES;

	get length(): number {
		return this.entries.length - this.oldest;
	}

	get limit(): number {
		return this.bytesMax;
	}

	/** 0 is the newest. */
	at(index: number): TableEntry | undefined {
		return index < this.length ? this.entries[this.entries.length - 1 - index] : undefined;
	}

	/** An entry larger than the whole table empties it (4.4). */
	add(name: string, value: string): void {
		this.version++;
		const bytes = sizeOf(name, value);
		this.shrinkTo(this.bytesMax - bytes);
		if (bytes > this.bytesMax) return;
		this.entries.push({ name, value });
		this.bytes += bytes;
	}

	setLimit(bytesMax: number): void {
		this.version++;
		this.bytesMax = bytesMax;
		this.shrinkTo(bytesMax);
	}

	private shrinkTo(bytes: number): void {
		while (this.bytes > bytes && this.length > 0) {
			const { name, value } = this.entries[this.oldest++] as TableEntry;
			this.bytes -= sizeOf(name, value);
		}
		if (this.oldest > 64 && this.oldest * 2 > this.entries.length) {
			this.entries = this.entries.slice(this.oldest);
			this.oldest = 0;
		}
	}
}

/** Sizes count bytes without Huffman code (4.1); strings have one byte a character. */
export function sizeOf(name: string, value: string): number {
	return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}
