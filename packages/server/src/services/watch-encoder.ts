import type { HotCodec, ResponseHeader, WatchResult } from "@flotilla/api/hot";
import type { EventBatch } from "@flotilla/mvcc";
import type { StreamCall } from "../front/seam.ts";
import { sendInParts } from "../front/send-in-parts.ts";
import type { Fragment } from "./watch-fragments.ts";

/** Ids up to here have heads that are kept: as many watchers may be on one stream. */
const HEADS_MAX = 1_024;

/**
 * Responses of a watch stream. Those that hear the same hold the same bytes: a response with events is a head, which names its
 * watcher, and the events behind it, which are encoded once for all. Watchers of different streams mostly have the same ids, so
 * heads are made once, too.
 */
export class WatchEncoder {
	private readonly codec: HotCodec;
	/** Of the responses that are told at present. */
	private readonly heads = new Map<bigint, Uint8Array>();
	private revision = 0;
	private term = 0;

	constructor(codec: HotCodec) {
		this.codec = codec;
	}

	/** False when the client reads too slowly. */
	sendBatch(call: StreamCall, header: ResponseHeader, watchId: bigint, batch: EventBatch): boolean {
		if (batch.readers > 1 || batch.pieces.length > 0) return sendInParts(call, this.head(header, watchId), batch.asFields());
		return call.send(this.response(header, watchId, false, batch.events));
	}

	sendFragment(call: StreamCall, header: ResponseHeader, watchId: bigint, { pieces, events, more: fragment }: Fragment): boolean {
		const head = this.response(header, watchId, fragment, events);
		if (pieces.length === 0) return call.send(head);
		return sendInParts(
			call,
			head,
			pieces.map(({ bytes }) => bytes),
		);
	}

	/** One without events. */
	answer(header: ResponseHeader, result: Partial<WatchResult>): Uint8Array {
		return this.codec.encodeWatchResponse(header, { ...ANSWER, ...result });
	}

	/** A response without its events. The bytes are shared: do not change. */
	private head(header: ResponseHeader, watchId: bigint): Uint8Array {
		const { heads } = this;
		if (header.revision !== this.revision || header.raftTerm !== this.term) {
			heads.clear();
			this.revision = header.revision;
			this.term = header.raftTerm;
		}
		let head = heads.get(watchId);
		if (head === undefined) {
			head = this.response(header, watchId, false, NO_EVENTS);
			if (heads.size < HEADS_MAX) heads.set(watchId, head);
		}
		return head;
	}

	private response(header: ResponseHeader, watchId: bigint, fragment: boolean, events: readonly Uint8Array[]): Uint8Array {
		return this.codec.encodeWatchResponse(header, {
			watchId,
			created: false,
			canceled: false,
			compactRevision: 0,
			cancelReason: "",
			fragment,
			events,
		});
	}
}

const NO_EVENTS: readonly Uint8Array[] = [];
const ANSWER: WatchResult = {
	watchId: 0n,
	created: false,
	canceled: false,
	compactRevision: 0,
	cancelReason: "",
	fragment: false,
	events: NO_EVENTS,
};
