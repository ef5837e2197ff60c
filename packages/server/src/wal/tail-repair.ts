/** Makes the end of the last segment trustworthy before anything is answered (rule W7). */
import type { FileScript } from "../disk/file-script.ts";
import { refuseIo } from "./refusal.ts";
import type { WalRefusal } from "./wal-interface.ts";

export interface LogTail {
	/** The last segment. */
	readonly path: string;
	/** First frame that is not known to be durable. */
	readonly from: number;
	/** End of the last valid frame. */
	readonly end: number;
	/** Behind the last byte that is not zero. */
	readonly leftoverEnd: number;
	/** Frame that should have begun at `end`. */
	readonly seq: number;
}

export const SPARE_NAME = "spare.tmp";
export const LARGE_NAME = "large.tmp";

const PIECE_BYTES = 1 << 20;

/**
 * In this order: names, copy of the torn region, frames above the durable ones byte for byte, zeros behind them. After a failed
 * sync the page cache may show bytes that the disk does not have and will never write by itself; writing them again does.
 * A crash between any two steps leaves a log for which the same is done again.
 */
export function* repairTail(folder: string, tail: LogTail): FileScript<WalRefusal | null> {
	for (const parent of ["", folder]) {
		const synced = yield { kind: "syncFolder", folder: parent };
		if (synced.error !== null) return refuseIo({ path: parent }, "syncing", synced.error);
	}
	yield* keepTorn(tail);
	const rewritten = yield* rewrite(tail);
	if (rewritten !== null) return rewritten;
	const zeroed = yield* zero(tail);
	return zeroed ?? (yield* removeTemporaries(folder));
}

/** What is cut off is kept for whoever wants to look at it. Nothing depends on the copy, so it may fail. */
function* keepTorn({ path, end, leftoverEnd, seq }: LogTail): FileScript<void> {
	if (leftoverEnd === end) return;
	const read = yield { kind: "read", path, offset: end, bytes: Math.min(leftoverEnd - end, PIECE_BYTES) };
	if (read.error !== null || read.data === null) return;
	yield { kind: "writeFile", path: `${path}.torn-${seq}`, data: read.data };
}

function* rewrite({ path, from, end }: LogTail): FileScript<WalRefusal | null> {
	for (let offset = from; offset < end; ) {
		const bytes = Math.min(PIECE_BYTES, end - offset);
		const read = yield { kind: "read", path, offset, bytes };
		if (read.error !== null) return refuseIo({ path, offset }, "reading", read.error);
		if (read.data === null || read.data.length !== bytes) return refuseIo({ path, offset }, "reading", "an early end of the file");
		const refusal = yield* write(path, offset, read.data);
		if (refusal !== null) return refusal;
		offset += bytes;
	}
	return null;
}

function* zero({ path, end, leftoverEnd }: LogTail): FileScript<WalRefusal | null> {
	for (let offset = end; offset < leftoverEnd; offset += PIECE_BYTES) {
		const refusal = yield* write(path, offset, new Uint8Array(Math.min(PIECE_BYTES, leftoverEnd - offset)));
		if (refusal !== null) return refusal;
	}
	return null;
}

function* write(path: string, offset: number, data: Uint8Array): FileScript<WalRefusal | null> {
	const written = yield { kind: "write", path, lane: 0, offset, data };
	if (written.error !== null) return refuseIo({ path, offset }, "writing", written.error);
	return written.bytes === data.length ? null : refuseIo({ path, offset }, "writing", `${written.bytes} of ${data.length} bytes written`);
}

/** Copies of torn regions beyond this many are removed, oldest first. */
const TORN_COPIES_MAX = 8;

/** A segment being prepared has no name of its own yet, and nothing relies on it. */
function* removeTemporaries(folder: string): FileScript<WalRefusal | null> {
	const list = yield { kind: "list", folder };
	if (list.error !== null) return refuseIo({ path: folder }, "listing", list.error);
	const names = list.names ?? [];
	// Names begin with the segment's number, so their order is that of the segments.
	const torn = names.filter((name) => name.includes(".wal.torn-")).sort();
	const temporaries = names.filter((name) => name === SPARE_NAME || name === LARGE_NAME);
	for (const name of [...temporaries, ...torn.slice(0, -TORN_COPIES_MAX)]) {
		const removed = yield { kind: "unlink", path: `${folder}/${name}` };
		if (removed.error !== null) return refuseIo({ path: `${folder}/${name}` }, "removing", removed.error);
	}
	return null;
}
