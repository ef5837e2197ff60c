import { assert } from "@flotilla/base";
import type { Revision } from "../request.ts";
import type { EventBatch } from "./watch-event.ts";
import type { Watcher, WatchId } from "./watcher.ts";

/** Why a watcher was not made: what the hub itself finds, or what its owner found before. */
export type WatchRefusal = { readonly code: "emptyRange" | "duplicateWatchId" | "tooManyWatchers" } | { readonly text: string };

export interface EventsMessage {
	readonly kind: "events";
	readonly watcher: Watcher;
	readonly revision: Revision;
	readonly batch: EventBatch;
}

/** One response of a stream. `revision` is what its header names. */
export type WatchMessage =
	| EventsMessage
	| { readonly kind: "created"; readonly id: WatchId; readonly revision: Revision }
	/** `reason`: empty when its client gave it up. */
	| { readonly kind: "canceled"; readonly id: WatchId; readonly revision: Revision; readonly reason: string }
	| { readonly kind: "compacted"; readonly watcher: Watcher; readonly compactRevision: Revision }
	| { readonly kind: "progress"; readonly id: WatchId; readonly revision: Revision }
	/** Created and canceled at once, under no id. */
	| { readonly kind: "refused"; readonly reason: WatchRefusal; readonly revision: Revision };

/** What a message takes besides its events, which are shared. */
const MESSAGE_BYTES = 160;

/**
 * Messages that a stream does not take yet, first in first out. Those behind one another that tell the same events hold them
 * together, and they count once.
 */
export class MessageQueue {
	bytes = 0;
	/** Of messages other than events. */
	answers = 0;
	private messages: WatchMessage[] = [];
	private head = 0;

	get empty(): boolean {
		return this.head === this.messages.length;
	}

	/** Returns how many bytes more wait now. */
	push(message: WatchMessage): number {
		const bytes = MESSAGE_BYTES + eventBytes(message, this.empty ? undefined : this.messages.at(-1));
		this.messages.push(message);
		this.bytes += bytes;
		if (message.kind !== "events") this.answers++;
		return bytes;
	}

	/** Only while there is one. */
	shift(): WatchMessage {
		const message = this.messages[this.head++] as WatchMessage;
		this.bytes -= MESSAGE_BYTES + eventBytes(message, this.messages[this.head]);
		if (this.head === this.messages.length || this.head >= 1_024) {
			this.messages.splice(0, this.head);
			this.head = 0;
		}
		if (message.kind !== "events") this.answers--;
		return message;
	}

	/** Those that `isDropped` says; the others keep their order. Returns the bytes that waited with them. */
	dropEvents(isDropped: (message: EventsMessage) => boolean): number {
		const { bytes, messages, head, answers } = this;
		this.clear();
		for (let at = head; at < messages.length; at++) {
			const message = messages[at] as WatchMessage;
			if (message.kind !== "events" || !isDropped(message)) this.push(message);
		}
		assert(this.answers === answers, "answers are not dropped");
		return bytes - this.bytes;
	}

	clear(): void {
		this.messages = [];
		this.head = 0;
		this.bytes = 0;
		this.answers = 0;
	}
}

/** Of its events, unless its neighbour in the queue holds them as well. */
function eventBytes(message: WatchMessage, neighbour: WatchMessage | undefined): number {
	if (message.kind !== "events") return 0;
	return neighbour?.kind === "events" && neighbour.batch === message.batch ? 0 : message.batch.bytes;
}
