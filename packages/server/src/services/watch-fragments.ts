import { allEvents, type EventBatch, type EventPiece } from "@flotilla/mvcc";

/** What one response tells of a batch. */
export interface Fragment extends Pick<EventBatch, "events" | "pieces"> {
	/** Others follow. */
	readonly more: boolean;
}

/** What a response holds besides its events, at most. */
const HEAD_BYTES = 64;

/**
 * Cuts a response of `bytesMax` or more into parts of consecutive events below it (etcd API 3.6). An event that is larger by
 * itself goes alone.
 */
export function fragments({ events, pieces }: Pick<EventBatch, "events" | "pieces">, bytesMax: number): Fragment[] {
	if (pieces.length === 0) return cut(events, eventSize, bytesMax).map((part) => ({ ...part, events: part.items, pieces: [] }));
	// Pieces are small, but a limit may be smaller.
	if (pieces.some(({ bytes, events: count }) => count > 1 && HEAD_BYTES + bytes.length >= bytesMax))
		return fragments({ events: [...allEvents({ events, pieces })], pieces: [] }, bytesMax);
	return cut(pieces, pieceSize, bytesMax).map((part) => ({ ...part, events: [], pieces: part.items }));
}

interface Part<T> {
	readonly items: readonly T[];
	readonly more: boolean;
}

function cut<T>(items: readonly T[], sizeOf: (item: T) => number, bytesMax: number): Part<T>[] {
	const parts: Part<T>[] = [];
	let start = 0;
	let bytes = HEAD_BYTES;
	for (const [at, item] of items.entries()) {
		const size = sizeOf(item);
		if (at > start && bytes + size >= bytesMax) {
			parts.push({ items: items.slice(start, at), more: true });
			start = at;
			bytes = HEAD_BYTES;
		}
		bytes += size;
	}
	parts.push({ items: start === 0 ? items : items.slice(start), more: false });
	return parts;
}

function pieceSize({ bytes }: EventPiece): number {
	return bytes.length;
}

/** In a response: tag, length, event. */
function eventSize(event: Uint8Array): number {
	let size = 2 + event.length;
	for (let rest = event.length; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
	return size;
}
