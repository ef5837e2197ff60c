import type { HotCodec, ResponseHeader, WatchResult } from "@flotilla/api/hot";
import type { EventBatch } from "@flotilla/mvcc";
import type { Fragment } from "./watch-fragments.ts";

interface Encoded {
	readonly term: number;
	readonly byId: Map<bigint, Uint8Array>;
}

/**
 * Responses with events. Watchers of different streams mostly have the same ids, and those of one group hear the same batch: the
 * whole response is then made once, and all streams hold the same bytes.
 */
export class WatchEncoder {
	private readonly codec: HotCodec;
	private readonly made = new WeakMap<EventBatch, Encoded>();

	constructor(codec: HotCodec) {
		this.codec = codec;
	}

	/** The bytes are shared: do not change. */
	batch(header: ResponseHeader, watchId: bigint, batch: EventBatch): Uint8Array {
		if (batch.readers < 2) return this.whole(header, watchId, batch);
		let encoded = this.made.get(batch);
		if (encoded === undefined || encoded.term !== header.raftTerm) {
			encoded = { term: header.raftTerm, byId: new Map() };
			this.made.set(batch, encoded);
		}
		let response = encoded.byId.get(watchId);
		if (response === undefined) {
			response = this.whole(header, watchId, batch);
			encoded.byId.set(watchId, response);
		}
		return response;
	}

	private whole(header: ResponseHeader, watchId: bigint, { pieces, events }: EventBatch): Uint8Array {
		return this.events(header, watchId, { pieces, events, more: false });
	}

	events(header: ResponseHeader, watchId: bigint, { pieces, events, more: fragment }: Fragment): Uint8Array {
		const plain = this.plain(header, watchId, events, fragment);
		return pieces.length === 0 ? plain : Buffer.concat([plain, ...pieces.map(({ bytes }) => bytes)]);
	}

	private plain(header: ResponseHeader, watchId: bigint, events: readonly Uint8Array[], fragment: boolean): Uint8Array {
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

	/** One without events. */
	answer(header: ResponseHeader, result: Partial<WatchResult>): Uint8Array {
		return this.codec.encodeWatchResponse(header, { ...ANSWER, ...result });
	}
}

const ANSWER: WatchResult = {
	watchId: 0n,
	created: false,
	canceled: false,
	compactRevision: 0,
	cancelReason: "",
	fragment: false,
	events: [],
};
