/**
 * The file of a saved state (docs/snapshot-file.md). "FLTLSNAP", format u32, then sections: kind u32, length u32, CRC-32C u32
 * over kind, length and data, then the data; little endian. In this order: one head (a floor record), table rows, records, one
 * end with the number of rows and records (u64 each) and zeros up to a multiple of 512 bytes. SHA-256 of all that follows it.
 */
import { concatBytes, portableBytes, readU32, readU64, writeU32, writeU64 } from "@flotilla/base";
import type { StoredRecord } from "@flotilla/mvcc";
import type { TableRow } from "@flotilla/replica";
import { encodeFloor, type FloorRecord } from "./floor-record.ts";
import { encodeRecords } from "./snapshot-codec.ts";

export const IMAGE_FORMAT = 1;
export const IMAGE_HEAD_BYTES = 12;
export const SECTION_HEAD_BYTES = 12;
/** The command-line client of etcd takes only files of whole blocks and a digest. */
export const IMAGE_BLOCK_BYTES = 512;
export const IMAGE_DIGEST_BYTES = 32;

export const SectionKind = { head: 1, rows: 2, records: 3, end: 4 } as const;

const MAGIC = portableBytes.fromLatin1("FLTLSNAP");
const END_BYTES = 16;

/** Puts one image together, section by section. */
export class ImageWriter {
	/** So far. */
	bytes = 0;
	private rowCount = 0;
	private recordCount = 0;

	head(floor: FloorRecord): Uint8Array {
		const head = new Uint8Array(IMAGE_HEAD_BYTES);
		head.set(MAGIC);
		writeU32(head, 8, IMAGE_FORMAT);
		this.bytes += head.length;
		return concatBytes([head, this.section(SectionKind.head, encodeFloor(floor))]);
	}

	rows(rows: readonly TableRow[]): Uint8Array {
		this.rowCount += rows.length;
		const records = rows.map(({ key, value }) => ({ key: portableBytes.fromLatin1(key), value }));
		return this.section(SectionKind.rows, encodeRecords(records));
	}

	records(records: readonly StoredRecord[]): Uint8Array {
		this.recordCount += records.length;
		return this.section(SectionKind.records, encodeRecords(records));
	}

	end(): Uint8Array {
		const least = this.bytes + SECTION_HEAD_BYTES + END_BYTES;
		const data = new Uint8Array(END_BYTES + ((IMAGE_BLOCK_BYTES - (least % IMAGE_BLOCK_BYTES)) % IMAGE_BLOCK_BYTES));
		writeU64(data, 0, this.rowCount);
		writeU64(data, 8, this.recordCount);
		return this.section(SectionKind.end, data);
	}

	private section(kind: number, data: Uint8Array): Uint8Array {
		const head = new Uint8Array(SECTION_HEAD_BYTES);
		writeU32(head, 0, kind);
		writeU32(head, 4, data.length);
		writeU32(head, 8, sectionChecksum(head, data));
		this.bytes += head.length + data.length;
		return concatBytes([head, data]);
	}
}

export interface SectionHead {
	readonly kind: number;
	readonly length: number;
	readonly checksum: number;
}

export function readSectionHead(head: Uint8Array): SectionHead {
	return { kind: readU32(head, 0), length: readU32(head, 4), checksum: readU32(head, 8) };
}

export function sectionChecksum(head: Uint8Array, data: Uint8Array): number {
	return portableBytes.crc32c(data, 0, data.length, portableBytes.crc32c(head, 0, 8));
}

/** Null, or what is wrong with the first bytes of a file. */
export function imageHeadFault(head: Uint8Array): string | null {
	if (head.length < IMAGE_HEAD_BYTES || !MAGIC.every((byte, at) => head[at] === byte)) return "is no snapshot of flotilla";
	const format = readU32(head, 8);
	return format === IMAGE_FORMAT ? null : `has format ${format}, this version reads format ${IMAGE_FORMAT}`;
}

export function readImageEnd(data: Uint8Array): { readonly rows: number; readonly records: number } | null {
	return data.length < END_BYTES ? null : { rows: readU64(data, 0), records: readU64(data, 8) };
}

export interface Section {
	readonly kind: number;
	readonly data: Uint8Array;
}

/** The sections of a part, which holds whole ones; null when one is cut off or does not match its checksum. Views of the bytes. */
export function readSections(part: Uint8Array): readonly Section[] | null {
	const sections: Section[] = [];
	for (let at = 0; at < part.length; ) {
		const dataAt = at + SECTION_HEAD_BYTES;
		if (dataAt > part.length) return null;
		const head = part.subarray(at, dataAt);
		const { kind, length, checksum } = readSectionHead(head);
		if (dataAt + length > part.length) return null;
		const data = part.subarray(dataAt, dataAt + length);
		if (sectionChecksum(head, data) !== checksum) return null;
		sections.push({ kind, data });
		at = dataAt + length;
	}
	return sections;
}
