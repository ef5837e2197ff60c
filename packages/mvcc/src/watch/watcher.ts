import type { KeySpan } from "../key-span.ts";
import type { Revision } from "../request.ts";
import type { Cohort } from "./cohort.ts";
import type { WatchStream } from "./watch-stream.ts";
import type { WatchGroup } from "./watcher-index.ts";

export type WatchId = bigint;

/** What a client asks for, checked by its kinds only. */
export interface WatchRequest {
	readonly key: Uint8Array;
	/** Empty: the single key. One zero byte: from `key` on. */
	readonly rangeEnd: Uint8Array;
	/** First revision of interest; 0 or less: what comes after now. */
	readonly startRevision: Revision;
	/** 0: chosen by the stream. */
	readonly watchId: WatchId;
	readonly prevKv: boolean;
	readonly noPut: boolean;
	readonly noDelete: boolean;
	/** A response that is too large for one message may be cut. */
	readonly fragment: boolean;
	/** Wants a word now and then while nothing happens. */
	readonly progressNotify: boolean;
}

/**
 * Where a watcher stands:
 * - `synced`: has been shown everything; hears of each revision as it is made;
 * - `future`: waits for the revision that it begins with;
 * - `behind`: is shown the past, together with the others of its cohort;
 * - `parked`: its stream takes nothing more for now;
 * - `ended`: a compaction took what it was to hear next; what was queued before still goes out;
 * - `gone`: the client gave it up, and hears nothing any more.
 */
export type WatcherState = "synced" | "future" | "behind" | "parked" | "ended" | "gone";

export class Watcher {
	readonly id: WatchId;
	readonly stream: WatchStream;
	readonly span: KeySpan;
	readonly request: WatchRequest;
	state: WatcherState = "parked";
	/**
	 * The first revision that was not examined for it (rule V1), while `future` or `parked`. A synced one's is that after the
	 * present revision, one that is behind has its cohort's.
	 */
	next: Revision;
	/** While synced or behind. */
	group: WatchGroup | null = null;
	/** While behind. */
	cohort: Cohort | null = null;
	/** Nothing was sent since the last look of the stream's clock. */
	quiet = true;

	constructor(id: WatchId, stream: WatchStream, span: KeySpan, request: WatchRequest, next: Revision) {
		this.id = id;
		this.stream = stream;
		this.span = span;
		this.request = request;
		this.next = next;
	}
}
