/** Reads the file of a saved state section by section, and verifies it: every section, the whole, and that nothing is missing. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { portableBytes } from "@flotilla/base";
import type { StoredRecord } from "@flotilla/mvcc";
import { type TableRow, tableDigest } from "@flotilla/replica";
import { decodeFloor, type FloorRecord } from "../driver/floor-record.ts";
import { decodeRecords } from "../driver/snapshot-codec.ts";
import * as image from "../driver/snapshot-image.ts";

export type SnapshotSection =
	| { readonly kind: "head"; readonly floor: FloorRecord }
	/** All of them, in one section: small against the records. */
	| { readonly kind: "rows"; readonly rows: readonly TableRow[] }
	| { readonly kind: "records"; readonly records: readonly StoredRecord[] };

/** The file must not be used; the text says where and why. */
export class SnapshotFault extends Error {
	override readonly name = "SnapshotFault";
}

export interface ReadOptions {
	/** A file without the digest at its end is taken; each section is verified all the same. */
	readonly skipHashCheck: boolean;
}

export async function* readSnapshot(path: string, options: ReadOptions): AsyncGenerator<SnapshotSection> {
	const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
		throw new SnapshotFault(`open ${path}: ${error.code === "ENOENT" ? "no such file or directory" : error.message}`);
	});
	try {
		yield* new SnapshotReader(path, file, options).sections((await file.stat()).size);
	} finally {
		await file.close();
	}
}

class SnapshotReader {
	private readonly path: string;
	private readonly file: FileHandle;
	private readonly options: ReadOptions;
	private readonly digest = createHash("sha256");
	private at = 0;
	private end = 0;

	constructor(path: string, file: FileHandle, options: ReadOptions) {
		this.path = path;
		this.file = file;
		this.options = options;
	}

	async *sections(size: number): AsyncGenerator<SnapshotSection> {
		if (size === 0) throw this.fault("is empty");
		this.end = size - (size % image.IMAGE_BLOCK_BYTES === image.IMAGE_DIGEST_BYTES ? image.IMAGE_DIGEST_BYTES : 0);
		const headFault = image.imageHeadFault(await this.take(Math.min(image.IMAGE_HEAD_BYTES, this.end)));
		if (headFault !== null) throw this.fault(headFault);
		if (this.end === size && !this.options.skipHashCheck) {
			throw this.fault(`has ${size} bytes and no digest at its end: it is cut off, or --skip-hash-check is needed`);
		}
		let floor: FloorRecord | null = null;
		let rows: TableRow[] = [];
		let rowsGiven = false;
		let records = 0;
		for (;;) {
			const start = this.at;
			const { kind, data } = await this.section();
			const strange = (): SnapshotFault => this.fault(`section at byte ${start}: cannot be understood`);
			if ((kind === image.SectionKind.head) !== (floor === null)) throw strange();
			if (kind === image.SectionKind.head) {
				const decoding = decodeFloor(data);
				if (!decoding.ok) throw this.fault(`section at byte ${start}: found ${decoding.found}, need ${decoding.wanted}`);
				({ floor } = decoding);
				yield { kind: "head", floor };
				continue;
			}
			if (kind === image.SectionKind.rows && !rowsGiven) {
				const read = decodeRecords(data);
				if (read === null) throw strange();
				rows = rows.concat(read.map(({ key, value }) => ({ key: portableBytes.latin1(key), value })));
				continue;
			}
			if (!rowsGiven) {
				rowsGiven = true;
				const found = tableDigest(portableBytes, rows);
				if (found !== floor?.tableDigest)
					throw this.fault(`the table rows add up to ${hex(found)}, the head says ${hex(floor?.tableDigest ?? 0)}`);
				yield { kind: "rows", rows };
			}
			if (kind === image.SectionKind.records) {
				const read = decodeRecords(data);
				if (read === null) throw strange();
				records += read.length;
				yield { kind: "records", records: read };
				continue;
			}
			const counts = kind === image.SectionKind.end ? image.readImageEnd(data) : null;
			if (counts === null) throw strange();
			if (counts.rows !== rows.length || counts.records !== records) {
				throw this.fault(`holds ${rows.length} rows and ${records} records, its end says ${counts.rows} and ${counts.records}`);
			}
			break;
		}
		if (this.at !== this.end) throw this.fault(`goes on behind its end at byte ${this.at}`);
		if (this.end < size && !this.options.skipHashCheck) await this.checkDigest();
	}

	private async checkDigest(): Promise<void> {
		const wanted = this.digest.digest();
		const found = Buffer.alloc(image.IMAGE_DIGEST_BYTES);
		await this.file.read(found, 0, found.length, this.end);
		if (!found.equals(wanted)) throw this.fault(`SHA-256 is ${wanted.toString("hex")}, its end says ${found.toString("hex")}`);
	}

	private async section(): Promise<{ readonly kind: number; readonly data: Uint8Array }> {
		const start = this.at;
		const head = await this.take(image.SECTION_HEAD_BYTES);
		const { kind, length, checksum } = image.readSectionHead(head);
		const data = await this.take(length, start);
		const found = image.sectionChecksum(head, data);
		if (found !== checksum) throw this.fault(`section at byte ${start}: checksum is ${hex(found)}, it says ${hex(checksum)}`);
		return { kind, data };
	}

	private async take(length: number, start = this.at): Promise<Uint8Array> {
		if (this.at + length > this.end) throw this.fault(`section at byte ${start}: goes beyond the end of the file`);
		const bytes = Buffer.alloc(length);
		const { bytesRead } = await this.file.read(bytes, 0, length, this.at);
		if (bytesRead < length) throw this.fault(`section at byte ${start}: the file became shorter while it was read`);
		this.at += length;
		this.digest.update(bytes);
		return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
	}

	private fault(text: string): SnapshotFault {
		return new SnapshotFault(`snapshot ${this.path}: ${text}`);
	}
}

function hex(value: number): string {
	return value.toString(16).padStart(8, "0");
}
