/**
 * Takes the messages of one call out of its stream, in place of the library's reader: that one keeps every piece as it came,
 * for as many calls as there are, and takes any flag for a message that is not compressed.
 */
import type { ServerHttp2Stream } from "node:http2";
import type { AbandonReason, ConnectionHold, UnfinishedRequest } from "./held-bytes.ts";

const HEAD_BYTES = 5;
const COMPRESSED = 1;
/** A first piece is kept in this many bytes at least; then the room is doubled. */
const ROOM_BYTES_MIN = 512;

export interface ReaderOptions {
	readonly messageBytesMax: number;
	/** The call has a `grpc-encoding` other than identity. */
	readonly encoded: boolean;
	/** The client sends one message and then ends its half: what it sent is held until then. */
	readonly single: boolean;
	/** Ends the call with the status that belongs to the reason. */
	readonly abandon: (reason: AbandonReason) => void;
}

export class MessageReader implements UnfinishedRequest {
	paused = false;
	progressBytes = 0;
	watchedSinceMs: number = Number.NaN;
	private readonly connection: ConnectionHold;
	private readonly stream: ServerHttp2Stream;
	private readonly options: ReaderOptions;
	/** What came of a message that is not whole, head and all; its length is the room for it. */
	private room: Buffer | null = null;
	private filled = 0;
	/** With its head; 0 while the head is not whole. */
	private messageBytes = 0;
	private heldBytes = 0;
	private over = false;

	constructor(connection: ConnectionHold, stream: ServerHttp2Stream, options: ReaderOptions) {
		this.connection = connection;
		this.stream = stream;
		this.options = options;
		if (options.single) connection.expect(this);
	}

	/** The messages that are whole now, each with its head. Throws what the library makes a status of. */
	write(data: Buffer): Buffer[] {
		const messages: Buffer[] = [];
		this.progressBytes += data.length;
		let at = 0;
		while (at < data.length && !this.over) at = this.room === null ? this.begin(data, at, messages) : this.goOn(data, at, messages);
		return messages;
	}

	pause(): void {
		this.paused = true;
		this.stream.pause();
	}

	resume(): void {
		this.paused = false;
		this.stream.resume();
	}

	abandon(reason: AbandonReason): void {
		if (this.over) return;
		this.settle();
		this.options.abandon(reason);
	}

	private begin(data: Buffer, at: number, messages: Buffer[]): number {
		const left = data.length - at;
		if (left >= HEAD_BYTES) {
			this.messageBytes = this.readHead(data, at);
			if (left >= this.messageBytes) {
				const end = at + this.messageBytes;
				// A copy: what was read with it must not live as long as this message.
				messages.push(Buffer.from(data.subarray(at, end)));
				this.complete(this.messageBytes);
				return end;
			}
		}
		this.keep(data, at, left);
		return data.length;
	}

	private goOn(data: Buffer, at: number, messages: Buffer[]): number {
		const wanted = this.messageBytes === 0 ? HEAD_BYTES : this.messageBytes;
		const bytes = Math.min(wanted - this.filled, data.length - at);
		this.keep(data, at, bytes);
		if (this.room === null || this.filled < wanted) return at + bytes;
		if (this.messageBytes === 0) this.messageBytes = this.readHead(this.room, 0);
		if (this.filled === this.messageBytes) {
			messages.push(this.room.subarray(0, this.filled));
			const kept = this.room.length;
			this.room = null;
			this.filled = 0;
			this.complete(0);
			if (!this.options.single) this.release(kept);
		}
		return at + bytes;
	}

	private keep(data: Buffer, at: number, bytes: number): void {
		const needed = this.filled + bytes;
		let { room } = this;
		if (room === null || room.length < needed) {
			const most = this.messageBytes === 0 ? ROOM_BYTES_MIN : this.messageBytes;
			// Copied, since a piece may keep all that was read of its connection alive.
			const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(most, Math.max(ROOM_BYTES_MIN, 2 * needed))));
			if (room !== null) room.copy(larger, 0, 0, this.filled);
			const grownBytes = larger.length - (room?.length ?? 0);
			room = larger;
			this.room = larger;
			this.heldBytes += grownBytes;
			data.copy(room, this.filled, at, at + bytes);
			this.filled = needed;
			this.connection.grew(this, grownBytes);
			return;
		}
		data.copy(room, this.filled, at, at + bytes);
		this.filled = needed;
		if (!this.paused) this.connection.grew(this, 0);
	}

	private readHead(data: Buffer, at: number): number {
		const flag = data[at] as number;
		if (flag > COMPRESSED) return this.fail(unexpectedFlag(flag));
		if (flag === COMPRESSED && !this.options.encoded) return this.fail(COMPRESSED_WITHOUT_ENCODING);
		const bytes = data.readUInt32BE(at + 1);
		return bytes > this.options.messageBytesMax ? this.fail(tooLarge(bytes, this.options.messageBytesMax)) : HEAD_BYTES + bytes;
	}

	private fail(text: string): never {
		this.settle();
		throw new Error(text);
	}

	private complete(newBytes: number): void {
		this.messageBytes = 0;
		this.connection.completed(this);
		if (!this.options.single) {
			this.connection.settled(this);
			return;
		}
		this.heldBytes += newBytes;
		this.connection.hold(newBytes);
	}

	/** Nothing more is read of the call, or nothing more is to come: to be told when the client ends its half, and when the call ends. */
	settle(): void {
		if (this.over) return;
		this.over = true;
		this.room = null;
		this.connection.settled(this);
		this.release(this.heldBytes);
	}

	private release(bytes: number): void {
		this.heldBytes -= bytes;
		if (bytes > 0) this.connection.release(bytes);
	}
}

const FAULT_PREFIX = "grpc: ";
const COMPRESSED_WITHOUT_ENCODING = `${FAULT_PREFIX}compressed flag set with identity or empty encoding`;

function unexpectedFlag(flag: number): string {
	return `${FAULT_PREFIX}received unexpected payload format ${flag}`;
}

/** The library gives all that is thrown here one code, which is not that of a flag that cannot be. */
export function isFramingFault(text: string): boolean {
	return text.startsWith(FAULT_PREFIX);
}

/** In the library's words, which are changed to etcd's where all of them are. */
function tooLarge(bytes: number, bytesMax: number): string {
	return `Received message larger than max (${bytes} vs ${bytesMax})`;
}
