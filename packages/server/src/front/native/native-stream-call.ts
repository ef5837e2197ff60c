/** A call with many messages in either or both directions, as the seam has it. */

import { NO_PARTS } from "../../http2/outbox.ts";
import { MALFORMED_IN_STREAM, NO_REQUEST, SECOND_REQUEST } from "../etcd-texts.ts";
import { Inbox, type InboxOwner, type Packed } from "../inbox.ts";
import type { Status, StreamCall } from "../seam.ts";
import { NativeCall } from "./native-call.ts";

/** What may wait before the sender is told to stop. */
const WAITING_BYTES_MAX = 16 << 10;
/** About what a piece that waits takes besides its bytes: thousands of small messages would otherwise take many times their size. */
const PIECE_BYTES = 256;

abstract class NativeStream extends NativeCall implements StreamCall, InboxOwner {
	protected override readonly malformed = MALFORMED_IN_STREAM;
	protected readonly inbox = new Inbox(this);
	private drainListener: (() => void) | null = null;
	private full = false;

	onMessage(listener: (message: Uint8Array) => void): void {
		this.inbox.onMessage(listener);
	}

	holdBack(): void {
		this.inbox.holdBack();
	}

	readOn(): void {
		this.inbox.readOn();
	}

	onHalfClose(listener: () => void): void {
		this.inbox.onHalfClose(listener);
	}

	emptied(): void {
		this.topUp();
	}

	onDrain(listener: () => void): void {
		this.drainListener = listener;
	}

	send(message: Uint8Array): boolean {
		return this.sendParts(message, NO_PARTS);
	}

	sendParts(head: Uint8Array, parts: readonly Uint8Array[]): boolean {
		if (this.over) return true;
		this.sendMessage(head, parts);
		if (this.over) {
			// It was one too many for this connection.
			this.tellCancelled();
			return true;
		}
		const { pending, pendingAt, pendingBytes } = this;
		this.full = pendingBytes > 0 && pendingBytes + (pending.length - pendingAt) * PIECE_BYTES > WAITING_BYTES_MAX;
		return !this.full;
	}

	end(status: Status): void {
		if (!this.over) this.finish(status);
	}

	protected override take(message: Uint8Array | Packed): void {
		this.inbox.put(message);
	}

	protected override halfClosed(): void {
		this.inbox.end();
	}

	protected override drained(): void {
		if (!this.full) return;
		this.full = false;
		if (!this.over) this.drainListener?.();
	}

	override get wantsMore(): boolean {
		return this.inbox.wantsMore;
	}

	protected start(): void {
		const { method } = this.head;
		if (method?.shape === "stream") this.run<StreamCall>(method.handle, this);
	}
}

/** Serves methods whose client streams and whose server answers once, too: on the wire they are the same. */
export class NativeDuplexCall extends NativeStream {
	protected override readonly single = false;

	protected override begin(): void {
		this.start();
	}
}

/** The client sends one message; the handler runs when it is whole. */
export class NativeServerStreamCall extends NativeStream {
	protected override readonly single = true;
	private requests = 0;

	protected override begin(): void {}

	protected override take(message: Uint8Array | Packed): void {
		if (this.requests++ === 0) super.take(message);
		else this.refuse(SECOND_REQUEST);
	}

	protected override halfClosed(): void {
		if (this.requests === 0) {
			this.finish(NO_REQUEST);
			return;
		}
		super.halfClosed();
		this.start();
	}

	override get wantsMore(): boolean {
		return true;
	}
}
