import { type ByteOps, concatBytes } from "@flotilla/base";
import type { LaneMessage } from "../ports.ts";
import { slabCrc } from "../wal/entry-codec.ts";
import { encodeFrameHead } from "./frame.ts";
import { encodeMessage } from "./message-codec.ts";
import type { PeerLimits } from "./options.ts";

/** Up to here chunks are copied together; above, the socket gathers them (a copy then costs more than the bookkeeping). */
const JOIN_BYTES_MAX = 64 << 10;

/** CRCs of the slabs of a turn: one slab for several peers is summed once. */
export class SlabSums {
	private readonly bytes: ByteOps;
	private slab: Uint8Array | null = null;
	private sum = 0;

	constructor(bytes: ByteOps) {
		this.bytes = bytes;
	}

	of(slab: Uint8Array): number {
		if (slab.length === 0) return 0;
		if (this.slab !== slab) {
			this.sum = slabCrc(this.bytes, slab);
			this.slab = slab;
		}
		return this.sum;
	}

	/** At the end of a turn: holds no slab longer than needed. */
	clear(): void {
		this.slab = null;
	}
}

export type OfferResult = "queued" | "full" | "too long";

/** Encoded messages of one lane on their way to the socket. When full, the newest message is dropped: order and age stay true. */
export class SendQueue {
	private readonly bytes: ByteOps;
	private readonly limits: PeerLimits;
	private chunks: Uint8Array[] = [];
	private messages = 0;
	private chunkBytes = 0;

	constructor(bytes: ByteOps, limits: PeerLimits) {
		this.bytes = bytes;
		this.limits = limits;
	}

	/** `unsentBytes`: what the socket was given and has not passed on; it counts against the bound. */
	offer(message: LaneMessage, sums: SlabSums, unsentBytes: number): OfferResult {
		if (this.messages >= this.limits.queueMessagesMax) return "full";
		const { envelope, slab } = encodeMessage(message);
		const head = encodeFrameHead(this.bytes, envelope, slab.length, sums.of(slab));
		const frameBytes = head.length + slab.length;
		if (frameBytes > this.limits.frameBytesMax) return "too long";
		if (this.chunkBytes + unsentBytes + frameBytes > this.limits.queueBytesMax) return "full";
		this.chunks.push(head);
		if (slab.length > 0) this.chunks.push(slab);
		this.messages++;
		this.chunkBytes += frameBytes;
		return "queued";
	}

	/** Everything queued, as few chunks; the queue is empty afterwards. */
	take(): Uint8Array[] {
		const chunks = this.chunkBytes <= JOIN_BYTES_MAX ? [concatBytes(this.chunks)] : this.chunks;
		this.clear();
		return chunks;
	}

	clear(): void {
		this.chunks = [];
		this.messages = 0;
		this.chunkBytes = 0;
	}

	get length(): number {
		return this.messages;
	}

	get byteLength(): number {
		return this.chunkBytes;
	}
}
