import { WireReader } from "@flotilla/base";
import { bytesFieldSize, isCreation, writeBytesField } from "../key-value.ts";
import type { Revision } from "../request.ts";
import type { KeyValueStore } from "../store-interface.ts";

/** Where the pairs before an event are read. */
export type EventStore = Pick<KeyValueStore, "history" | "compactRevision">;

const TAG_TYPE = 0x08;
const TAG_KV = 0x12;
const TAG_PREV_KV = 0x1a;

/**
 * One change as watchers see it: an encoded mvccpb.Event, made at most twice whoever and however many ask for it, with and
 * without the pair before. Everybody holds the same bytes.
 */
export class WatchEvent {
	readonly revision: Revision;
	private readonly type: "put" | "delete";
	private readonly key: string;
	private readonly kv: Uint8Array;
	private readonly store: EventStore;
	private plain: Uint8Array | null = null;
	private withPrevious: Uint8Array | null = null;

	/** `kv`: the encoded pair of a put; key and mod_revision of a delete. */
	constructor(type: "put" | "delete", key: string, revision: Revision, kv: Uint8Array, store: EventStore) {
		this.type = type;
		this.key = key;
		this.revision = revision;
		this.kv = kv;
		this.store = store;
	}

	/** To be asked for before the store changes again: the pair before is read now. */
	bytes(prevKv: boolean): Uint8Array {
		if (!prevKv) {
			this.plain ??= this.encode(null);
			return this.plain;
		}
		if (this.withPrevious === null) {
			const previous = this.previousPair();
			this.withPrevious = previous === null ? this.bytes(false) : this.encode(previous);
		}
		return this.withPrevious;
	}

	/** The pair as of the revision before, whatever this revision did to the key earlier; none where that is compacted (rule V6). */
	private previousPair(): Uint8Array | null {
		const { history, compactRevision } = this.store;
		const before = this.revision - 1;
		if (before < compactRevision || (this.type === "put" && isCreation(this.kv))) return null;
		return history.pairAt(this.key, before);
	}

	private encode(previous: Uint8Array | null): Uint8Array {
		const { kv } = this;
		const typeBytes = this.type === "delete" ? 2 : 0;
		const event = new Uint8Array(typeBytes + bytesFieldSize(kv.length) + (previous === null ? 0 : bytesFieldSize(previous.length)));
		if (typeBytes > 0) {
			event[0] = TAG_TYPE;
			event[1] = 1;
		}
		const end = writeBytesField(event, typeBytes, TAG_KV, kv);
		if (previous !== null) writeBytesField(event, end, TAG_PREV_KV, previous);
		return event;
	}
}

const TAG_EVENTS = 0x5a;

/** Encoded events behind one another, as the field of a response: a million of them by themselves would take many times their size. */
export interface EventPiece {
	readonly bytes: Uint8Array;
	readonly events: number;
}

export function pieceOf(events: readonly Uint8Array[]): EventPiece {
	let size = 0;
	for (const event of events) size += bytesFieldSize(event.length);
	const bytes = new Uint8Array(size);
	let at = 0;
	for (const event of events) at = writeBytesField(bytes, at, TAG_EVENTS, event);
	return { bytes, events: events.length };
}

function eventsOf({ bytes, events }: EventPiece): Uint8Array[] {
	const reader = new WireReader(bytes);
	return Array.from({ length: events }, () => {
		reader.tag();
		return reader.view();
	});
}

/** One by one, however they are kept. */
export function* allEvents({ events, pieces }: Pick<EventBatch, "events" | "pieces">): Generator<Uint8Array, void> {
	for (const piece of pieces) yield* eventsOf(piece);
	yield* events;
}

/** What one response tells: encoded events in their order, shared by all watchers that are to hear the same. */
export class EventBatch {
	/** Of the first event. */
	readonly firstRevision: Revision;
	readonly bytes: number;
	/** Watchers that are to hear it. */
	readonly readers: number;
	private loose: readonly Uint8Array[];
	private packed: readonly EventPiece[];
	private fields: readonly Uint8Array[] | null = null;

	constructor(pieces: readonly EventPiece[], events: readonly Uint8Array[], firstRevision: Revision, bytes: number, readers: number) {
		this.packed = pieces;
		this.loose = events;
		this.firstRevision = firstRevision;
		this.bytes = bytes;
		this.readers = readers;
	}

	/** Empty where they stand in pieces: `allEvents` has them either way. */
	get events(): readonly Uint8Array[] {
		return this.loose;
	}

	/** In their place, where they are many or large, or were asked for as fields. */
	get pieces(): readonly EventPiece[] {
		return this.packed;
	}

	/** As they stand at the end of a response, the same bytes for all who hear them: they are put together once. */
	asFields(): readonly Uint8Array[] {
		if (this.fields === null) {
			if (this.packed.length === 0) {
				this.packed = [pieceOf(this.loose)];
				this.loose = [];
			}
			this.fields = this.packed.map(({ bytes }) => bytes);
		}
		return this.fields;
	}
}
