/** Messages of a stream on their way to its handler: they wait until somebody listens, and while the handler holds them back. */

/** The call whose messages they are. */
export interface InboxOwner {
	/** It has its status, or was called off: nothing is handed on any more. */
	readonly over: boolean;
	/** Runs what belongs to the handler. */
	run<T>(work: (argument: T) => void, argument: T): void;
	/** The handler takes more than has come. */
	emptied(): void;
}

export class Inbox {
	private readonly owner: InboxOwner;
	private readonly waiting: Uint8Array[] = [];
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

	put(message: Uint8Array): void {
		if (this.messageListener !== null && !this.held && this.waiting.length === 0) this.owner.run(this.messageListener, message);
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

	private deliverSoon(): void {
		queueMicrotask(() => this.deliver());
	}

	private deliver(): void {
		const { messageListener, owner, waiting } = this;
		let taken = 0;
		while (messageListener !== null && !this.held && !owner.over && taken < waiting.length) {
			owner.run(messageListener, waiting[taken++] as Uint8Array);
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
