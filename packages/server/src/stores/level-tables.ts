/**
 * What LevelDB itself does not verify of its tables: their blocks' checksums. It merges damaged blocks as they are, aborts the process
 * where their keys have no order any more, and finds no key that a damaged filter denies; so whoever opens a store looks first.
 * Formats: LevelDB's doc/table_format.md and doc/log_format.md.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { portableBytes } from "@flotilla/base";
import { ByteReader, snappyDecoded } from "./level-bytes.ts";

/** Of a table as the manifest names it. */
interface Table {
	readonly number: number;
	readonly bytes: number;
}

/** Where a block lies in its table, without what follows it. */
interface Handle {
	readonly offset: number;
	readonly size: number;
}

const FOOTER_BYTES = 48;
const MAGIC = Buffer.from("57fb808b247547db", "hex");
/** Behind each block: how it is compressed, and the checksum of both. */
const TRAILER_BYTES = 5;
const SNAPPY = 1;

/**
 * The first thing that is wrong with the tables that the manifest names, with the file's name; null where nothing is. Reads every byte
 * of them, one table at a time. What cannot be read, and a manifest with faults of its own, is left for LevelDB to tell.
 */
export async function damagedTable(folder: string): Promise<string | null> {
	for (const { number, bytes } of await liveTables(folder)) {
		const name = `${String(number).padStart(6, "0")}.ldb`;
		const table = await readFile(join(folder, name)).catch(() => null);
		const fault = table === null ? null : tableFault(table, bytes);
		if (fault !== null) return `Corruption: ${name}: ${fault}`;
	}
	return null;
}

/** Exported for its test. `bytes`: how long the manifest says that it is. */
export function tableFault(table: Uint8Array, bytes: number): string | null {
	if (table.length < bytes || bytes < FOOTER_BYTES) return `${table.length} bytes where there were ${bytes}`;
	const footerAt = bytes - FOOTER_BYTES;
	if (MAGIC.compare(table, bytes - MAGIC.length, bytes) !== 0) return "its last bytes are not those of a table";
	try {
		const footer = new ByteReader(table.subarray(footerAt, bytes));
		const [meta, index] = [handleIn(footer), handleIn(footer)];
		for (const directory of [meta, index]) {
			for (const handle of [directory, ...handlesIn(blockAt(table, directory, footerAt))]) blockAt(table, handle, footerAt);
		}
		return null;
	} catch (error) {
		if (error instanceof RangeError) return error.message;
		throw error;
	}
}

/** The block as it is stored, with its mark of compression behind it. Throws `RangeError` where its checksum does not hold. */
function blockAt(table: Uint8Array, { offset, size }: Handle, footerAt: number): Uint8Array {
	const end = offset + size + TRAILER_BYTES;
	if (end > footerAt) throw new RangeError(`a block at ${offset} goes beyond the last one`);
	const block = table.subarray(offset, end - 4);
	const sum = new ByteReader(table.subarray(end - 4, end)).u32();
	if (sum !== masked(portableBytes.crc32c(block))) throw new RangeError(`the block at ${offset} is damaged`);
	return block;
}

/** Of a block whose values are handles: each entry is a key, whose beginning may be that of the one before, and a value. */
function handlesIn(stored: Uint8Array): Handle[] {
	const plain = stored.subarray(0, -1);
	const block = stored.at(-1) === SNAPPY ? snappyDecoded(plain) : plain;
	const restarts = new ByteReader(block.subarray(-4)).u32();
	const entries = new ByteReader(block.subarray(0, Math.max(0, block.length - 4 - 4 * restarts)));
	const handles: Handle[] = [];
	while (entries.left > 0) {
		entries.varint();
		const rest = entries.varint();
		const valueBytes = entries.varint();
		entries.take(rest);
		handles.push(handleIn(new ByteReader(entries.take(valueBytes))));
	}
	return handles;
}

function handleIn(reader: ByteReader): Handle {
	return { offset: reader.varint(), size: reader.varint() };
}

/** LevelDB stores checksums so, since sums of bytes that hold sums say little. */
function masked(crc: number): number {
	return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const LOG_BLOCK_BYTES = 32 << 10;
const LOG_HEAD_BYTES = 7;

/** Whole records of a log in LevelDB's form, up to the first that is none. */
function* logRecords(log: Uint8Array): Generator<Uint8Array> {
	let pieces: Uint8Array[] = [];
	for (let at = 0; at + LOG_HEAD_BYTES <= log.length; ) {
		const left = LOG_BLOCK_BYTES - (at % LOG_BLOCK_BYTES);
		if (left < LOG_HEAD_BYTES) {
			at += left;
			continue;
		}
		const head = new ByteReader(log.subarray(at, at + LOG_HEAD_BYTES));
		const sum = head.u32();
		const bytes = head.u8() | (head.u8() << 8);
		const from = at + LOG_HEAD_BYTES;
		const kind = log[from - 1];
		if (bytes > left - LOG_HEAD_BYTES || from + bytes > log.length) return;
		if (sum !== masked(portableBytes.crc32c(log, from - 1, from + bytes))) return;
		if (kind === LogPiece.full || kind === LogPiece.first) pieces = [];
		pieces.push(log.subarray(from, from + bytes));
		if (kind === LogPiece.full || kind === LogPiece.last) yield Buffer.concat(pieces);
		at = from + bytes;
	}
}

const LogPiece = { full: 1, first: 2, last: 4 } as const;
/** What a record of the manifest consists of. */
const Edit = {
	comparator: 1,
	logNumber: 2,
	nextFile: 3,
	lastSequence: 4,
	compactPointer: 5,
	deletedFile: 6,
	newFile: 7,
	prevLog: 9,
} as const;

/** None where the manifest cannot be followed to its end. */
async function liveTables(folder: string): Promise<Table[]> {
	const tables = new Map<string, Table>();
	try {
		const current = await readFile(join(folder, "CURRENT"), "utf8");
		for (const record of logRecords(await readFile(join(folder, current.trimEnd())))) applyEdit(record, tables);
	} catch {
		return [];
	}
	return [...tables.values()];
}

/** Throws `RangeError` for what is no edit. */
function applyEdit(record: Uint8Array, tables: Map<string, Table>): void {
	const reader = new ByteReader(record);
	const added: Array<readonly [string, Table]> = [];
	while (reader.left > 0) {
		const tag = reader.varint();
		switch (tag) {
			case Edit.comparator:
				reader.take(reader.varint());
				break;
			case Edit.logNumber:
			case Edit.nextFile:
			case Edit.lastSequence:
			case Edit.prevLog:
				reader.varint();
				break;
			case Edit.compactPointer:
				reader.varint();
				reader.take(reader.varint());
				break;
			case Edit.deletedFile:
				tables.delete(`${reader.varint()}/${reader.varint()}`);
				break;
			case Edit.newFile: {
				const [level, number, bytes] = [reader.varint(), reader.varint(), reader.varint()];
				for (const _border of ["smallest", "largest"]) reader.take(reader.varint());
				added.push([`${level}/${number}`, { number, bytes }]);
				break;
			}
			default:
				throw new RangeError(`tag ${tag}`);
		}
	}
	for (const [place, table] of added) tables.set(place, table);
}
