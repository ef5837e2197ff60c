import { keySpan } from "../key-span.ts";
import type { WatchHub } from "./watch-hub.ts";
import { MessageQueue, type WatchMessage, type WatchRefusal } from "./watch-message.ts";
import { Watcher, type WatchId, type WatchRequest } from "./watcher.ts";

/** Where the messages of a stream go. */
export interface WatchSink {
	/** False: this was the last one for now. The stream is told by `drained` when there is room again. */
	take(message: WatchMessage): boolean;
}

/** Watchers that share one order of messages and one reader. All of it is done between two turns of the store. */
export class WatchStream {
	/** Watchers by id; one that a compaction ended keeps its id until the client gives it up. */
	readonly watchers = new Map<WatchId, Watcher>();
	/** The sink takes nothing for now. */
	blocked = false;
	/** Watchers that are to hear something and not synced. */
	unsynced = 0;
	/** Watchers that wait until the queue is empty. */
	parked = 0;
	readonly queue = new MessageQueue();
	private readonly hub: WatchHub;
	private readonly sink: WatchSink;
	private nextId = 0n;
	private closed = false;

	/** Made by the hub. */
	constructor(hub: WatchHub, sink: WatchSink) {
		this.hub = hub;
		this.sink = sink;
	}

	/** Answers of its client's requests that it does not take. Whoever feeds the stream with requests must bound them. */
	get answersWaiting(): number {
		return this.queue.answers;
	}

	/** Its id; null when it was refused. */
	create(request: WatchRequest): WatchId | null {
		const refusal = this.refusalOf(request);
		if (refusal !== null) {
			this.refuse(refusal);
			return null;
		}
		const { hub } = this;
		const { startRevision } = request;
		const id = request.watchId === 0n ? this.freeId() : request.watchId;
		const span = keySpan(request.key, request.rangeEnd, hub.ops);
		const watcher = new Watcher(id, this, span, request, startRevision > 0 ? startRevision : hub.revision + 1);
		this.watchers.set(id, watcher);
		this.send({ kind: "created", id, revision: hub.revision });
		hub.enter(watcher);
		return id;
	}

	/** Answers a create that does not come to be. */
	refuse(reason: WatchRefusal): void {
		this.send({ kind: "refused", reason, revision: this.hub.revision });
	}

	/** One that is not there is passed over in silence. `reason`: why it ends when its client did not ask for it. */
	cancel(id: WatchId, reason = ""): void {
		const watcher = this.watchers.get(id);
		if (watcher === undefined) return;
		this.watchers.delete(id);
		this.hub.leave(watcher);
		this.send({ kind: "canceled", id, revision: this.hub.revision, reason });
	}

	/** For the whole stream, if all of it was shown everything and nothing waits; otherwise there is no answer (rule V4). */
	progress(): void {
		if (!this.settled || !this.hasLiveWatcher()) return;
		this.send({ kind: "progress", id: -1n, revision: this.hub.revision });
	}

	/** For each watcher that asked for it and heard nothing since the last time. */
	tellProgress(): void {
		const mayTell = this.queue.empty;
		for (const watcher of this.watchers.values()) {
			if (!watcher.request.progressNotify) continue;
			if (mayTell && watcher.quiet && watcher.state === "synced") {
				this.push({ kind: "progress", id: watcher.id, revision: this.hub.revision });
			}
			watcher.quiet = true;
		}
		this.flush();
	}

	/** The sink takes messages again. */
	drained(): void {
		if (this.closed) return;
		this.blocked = false;
		this.flush();
		if (this.parked > 0 && this.queue.empty) this.hub.unpark(this);
	}

	/** The client is gone. */
	close(): void {
		if (this.closed) return;
		this.closed = true;
		this.hub.counts.streams--;
		for (const watcher of this.watchers.values()) this.hub.leave(watcher);
		this.watchers.clear();
		this.hub.queuedBytes -= this.queue.bytes;
		this.queue.clear();
	}

	/** The sink takes messages, and none waits for it. */
	get takes(): boolean {
		return !this.blocked && this.queue.empty;
	}

	/** Takes back the events that wait for watchers that are parked: those read on from the first of them. */
	forgetParked(): void {
		this.hub.queuedBytes -= this.queue.dropEvents(({ watcher, batch }) => {
			if (watcher.state === "gone") return true;
			if (watcher.state !== "parked") return false;
			watcher.next = Math.min(watcher.next, batch.firstRevision);
			return true;
		});
	}

	/** Queues; the hub sees to it that it is sent. */
	push(message: WatchMessage): void {
		if (!this.closed) this.hub.queuedBytes += this.queue.push(message);
	}

	flush(): void {
		const { queue, hub, sink } = this;
		while (!this.blocked && !queue.empty) {
			const { bytes } = queue;
			const message = queue.shift();
			hub.queuedBytes -= bytes - queue.bytes;
			// Nothing follows the end of a watcher, not even what it was to hear before.
			if ("watcher" in message && message.watcher.state === "gone") continue;
			if (!sink.take(message)) this.blocked = true;
		}
	}

	private send(message: WatchMessage): void {
		this.push(message);
		this.flush();
	}

	private get settled(): boolean {
		return this.unsynced === 0 && this.queue.empty;
	}

	private hasLiveWatcher(): boolean {
		for (const { state } of this.watchers.values()) if (state !== "ended") return true;
		return false;
	}

	private refusalOf({ key, rangeEnd, watchId }: WatchRequest): WatchRefusal | null {
		const { ops } = this.hub;
		const fromKeyOn = rangeEnd.length === 1 && rangeEnd[0] === 0;
		if (rangeEnd.length > 0 && !fromKeyOn && ops.compare(key, rangeEnd) >= 0) return { code: "emptyRange" };
		if (watchId !== 0n && this.watchers.has(watchId)) return { code: "duplicateWatchId" };
		return this.hub.hasRoomFor(key.length + rangeEnd.length) ? null : { code: "tooManyWatchers" };
	}

	/** Ids are given once, and those that the client chose are left out. */
	private freeId(): WatchId {
		while (this.watchers.has(this.nextId)) this.nextId++;
		return this.nextId++;
	}
}
