/** Messages of a stream on their way to its handler: they wait until somebody listens, and while the handler holds them back. */

/** A message that is compressed still: it grows only when its handler takes it, since what waits is counted as it came. */
export class Packed {
	readonly bytes: Uint8Array;

	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}
}

/** The call whose messages they are. */
export interface InboxOwner {
	/** It has its status, or was called off: nothing is handed on any more. */
	readonly over: boolean;
	/** Runs what belongs to the handler. */
	run<T>(work: (argument: T) => void, argument: T): void;
	/** Null where it cannot be done: then the call has its status. Of owners that put nothing packed there is none. */
	unpack?(message: Packed): Uint8Array | null;
	/** The handler takes more than has come. */
	emptied(): void;
}

export class Inbox {
	private readonly owner: InboxOwner;
	private readonly waiting: Array<Uint8Array | Packed> = [];
	private ended = false;
	private held = false;
	private messageListener: ((message: Uint8Array) => void) | null = null;
	private endListener: (() => void) | null = null;

	constructor(owner: InboxOwner) {
		this.owner = owner;
	}

	/** Nothing is asked of the client before somebody listens. */
	get wantsMore(): boolean {
		return this.messageListener !== null && !this.held;
	}

	put(message: Uint8Array | Packed): void {
		if (this.messageListener !== null && !this.held && this.waiting.length === 0) this.hand(this.messageListener, message);
		else this.waiting.push(message);
	}

	/** No message follows. */
	end(): void {
		this.ended = true;
		this.deliver();
	}

	onMessage(listener: (message: Uint8Array) => void): void {
		this.messageListener = listener;
		this.deliverSoon();
	}

	onHalfClose(listener: () => void): void {
		this.endListener = listener;
		this.deliverSoon();
	}

	holdBack(): void {
		this.held = true;
	}

	readOn(): void {
		if (!this.held) return;
		this.held = false;
		this.deliverSoon();
	}

	private hand(listener: (message: Uint8Array) => void, message: Uint8Array | Packed): void {
		const bytes = message instanceof Packed ? this.owner.unpack?.(message) : message;
		if (bytes !== null && bytes !== undefined) this.owner.run(listener, bytes);
	}

	private deliverSoon(): void {
		queueMicrotask(() => this.deliver());
	}

	private deliver(): void {
		const { messageListener, owner, waiting } = this;
		let taken = 0;
		while (messageListener !== null && !this.held && !owner.over && taken < waiting.length) {
			this.hand(messageListener, waiting[taken++] as Uint8Array | Packed);
		}
		if (taken > 0) waiting.splice(0, taken);
		if (owner.over) return;
		if (this.wantsMore) owner.emptied();
		if (!this.ended || this.waiting.length > 0 || this.endListener === null) return;
		const listener = this.endListener;
		this.endListener = null;
		owner.run(listener, undefined);
	}
}
