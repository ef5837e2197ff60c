/**
 * Where one part of a file ends and the next begins: frames and records of the log, slots and fields of the small files, blocks and
 * records of LevelDB. A file that is cut there looks whole to whoever reads it part by part. Read here by the formats' description
 * (`server/src/wal/format.ts`, LevelDB's `log_format.md` and `table_format.md`), and not by the product's code.
 */

/** Offsets within the file, rising, neither its beginning nor its end. */
export function bordersOf(path: string, content: Uint8Array): number[] {
	const view = new DataView(content.buffer, content.byteOffset, content.length);
	const all = [...partsOf(path, view)].filter((at) => at > 0 && at < content.length);
	return [...new Set(all)].sort((a, b) => a - b);
}

function partsOf(path: string, view: DataView): Iterable<number> {
	const name = path.split("/").at(-1) as string;
	if (/^wal\/[0-9a-f]{16}-/.test(path)) return segment(view);
	if (path === "identity") return every(view, 8);
	if (path === "vote") return slots(view);
	if (path.startsWith("store.")) {
		if (name.endsWith(".ldb")) return table(view);
		if (name.endsWith(".log") || name.startsWith("MANIFEST-")) return journal(view);
		// What LevelDB tells of itself is read by nobody.
		if (name.startsWith("LOG")) return [];
	}
	return lines(view);
}

const SEGMENT_HEADER_BYTES = 64;
const FRAME_HEADER_BYTES = 40;
const FRAME_MAGIC = 0x4d_52_46_77;
const RECORD_HEADER_BYTES = 8;

/** Header; each frame, its header, and each record in it. The rest of the file was never written. */
function* segment(view: DataView): Iterable<number> {
	let at = SEGMENT_HEADER_BYTES;
	yield at;
	while (at + FRAME_HEADER_BYTES <= view.byteLength && view.getUint32(at, true) === FRAME_MAGIC) {
		const end = at + FRAME_HEADER_BYTES + view.getUint32(at + 16, true);
		at += FRAME_HEADER_BYTES;
		yield at;
		for (let records = view.getUint32(at - FRAME_HEADER_BYTES + 20, true); records > 0; records--) {
			yield at + RECORD_HEADER_BYTES;
			at += RECORD_HEADER_BYTES + padded(view.getUint32(at + 4, true));
			yield at;
		}
		if (at !== end) throw new Error(`the records of a frame end at ${at} and the frame at ${end}`);
	}
}

function padded(bytes: number): number {
	return Math.ceil(bytes / 8) * 8;
}

const VOTE_SLOT_BYTES = 4_096;
const VOTE_SLOT_USED_BYTES = 64;

function* slots(view: DataView): Iterable<number> {
	for (let slot = 0; slot < view.byteLength; slot += VOTE_SLOT_BYTES) {
		for (let at = slot; at <= slot + VOTE_SLOT_USED_BYTES; at += 8) yield at;
	}
}

function* every(view: DataView, bytes: number): Iterable<number> {
	for (let at = bytes; at < view.byteLength; at += bytes) yield at;
}

const JOURNAL_BLOCK_BYTES = 32 << 10;
const JOURNAL_HEADER_BYTES = 7;

/** LevelDB's log and manifest: records of checksum, length and type, none of them across the end of a block. */
function* journal(view: DataView): Iterable<number> {
	for (let at = 0; at + JOURNAL_HEADER_BYTES <= view.byteLength; ) {
		const left = JOURNAL_BLOCK_BYTES - (at % JOURNAL_BLOCK_BYTES);
		if (left < JOURNAL_HEADER_BYTES) {
			at += left;
		} else {
			yield at + JOURNAL_HEADER_BYTES;
			at += JOURNAL_HEADER_BYTES + view.getUint16(at + 4, true);
		}
		yield at;
	}
}

const FOOTER_BYTES = 48;
/** Of a block: a byte for its compression, and a checksum. */
const TRAILER_BYTES = 5;

interface Handle {
	readonly offset: number;
	readonly bytes: number;
	/** Behind the handle itself. */
	readonly next: number;
}

/** LevelDB's table: blocks with a trailer each, and a footer that names the blocks of meta data and of the index. */
function* table(view: DataView): Iterable<number> {
	const footer = view.byteLength - FOOTER_BYTES;
	const meta = handleAt(view, footer);
	const index = handleAt(view, meta.next);
	yield* [footer, meta.next, index.next];
	// The index lies behind all blocks that it names; these stand without gaps from the beginning on.
	const blocks = [meta, index, ...indexed(view, index)];
	for (const { offset, bytes } of blocks) yield* [offset, offset + bytes, offset + bytes + TRAILER_BYTES];
}

/** The handles in an index that is not compressed; none of one that is, whose blocks then have no borders here. */
function* indexed(view: DataView, { offset, bytes }: Handle): Iterable<Handle> {
	const compressed = view.getUint8(offset + bytes) !== 0;
	const restarts = view.getUint32(offset + bytes - 4, true);
	const end = offset + bytes - 4 * (restarts + 1);
	for (let at = offset; !compressed && at < end; ) {
		const shared = varint(view, at);
		const fresh = varint(view, shared.next);
		const value = varint(view, fresh.next);
		yield handleAt(view, value.next + fresh.value);
		at = value.next + fresh.value + value.value;
	}
}

function handleAt(view: DataView, at: number): Handle {
	const offset = varint(view, at);
	const bytes = varint(view, offset.next);
	return { offset: offset.value, bytes: bytes.value, next: bytes.next };
}

function varint(view: DataView, at: number): { readonly value: number; readonly next: number } {
	let value = 0;
	for (let shift = 0; ; shift += 7) {
		const byte = view.getUint8(at++);
		value += (byte & 0x7f) * 2 ** shift;
		if (byte < 0x80) return { value, next: at };
	}
}

/** Of a text, each line's end. */
function* lines(view: DataView): Iterable<number> {
	for (let at = 0; at < view.byteLength; at++) if (view.getUint8(at) === 0x0a) yield* [at, at + 1];
}
