/**
 * Takes the messages of one call out of its stream, piece by piece. For grpc-js in place of the library's reader: that one keeps
 * every piece as it came, for as many calls as there are, and takes any flag for a message that is not compressed.
 */
import { messageTooLarge } from "./etcd-texts.ts";
import type { AbandonReason, ConnectionHold, UnfinishedRequest } from "./held-bytes.ts";
import { Grpc, type Status } from "./seam.ts";

const HEAD_BYTES = 5;
const COMPRESSED = 1;
/** A first piece is kept in this many bytes at least. */
const ROOM_BYTES_MIN = 512;
/** More room is so many times what has come: a client that announces much and sends little holds little, and a long message moves but twice. */
const ROOM_GROWTH = 8;

export interface ReaderOptions {
	readonly messageBytesMax: number;
	/** The call has a `grpc-encoding` other than identity. */
	readonly encoded: boolean;
	/** The client sends one message and then ends its half: what it sent is held until then. */
	readonly single: boolean;
	/** Ends the call with the status that belongs to the reason. */
	readonly abandon: (reason: AbandonReason) => void;
}

/** Where the pieces come from. */
export interface PieceSource {
	/** Whoever the messages are for takes more of them now. */
	readonly wantsMore: boolean;
	pause(): unknown;
	resume(): unknown;
}

/** Bytes that are no message. The status is etcd's; the text is what grpc-js is given to make a status of. */
export class FramingFault extends Error {
	override readonly name = "FramingFault";
	readonly status: Status;

	constructor(status: Status, text: string = status.message) {
		super(text);
		this.status = status;
	}
}

export class MessageReader implements UnfinishedRequest {
	paused = false;
	progressBytes = 0;
	watchedSinceMs: number = Number.NaN;
	private readonly connection: ConnectionHold;
	private readonly source: PieceSource;
	private readonly options: ReaderOptions;
	/** What came of a message that is not whole, head and all; its length is the room for it. */
	private room: Buffer | null = null;
	private filled = 0;
	/** With its head; 0 while the head is not whole. */
	private messageBytes = 0;
	private heldBytes = 0;
	private over = false;

	constructor(connection: ConnectionHold, source: PieceSource, options: ReaderOptions) {
		this.connection = connection;
		this.source = source;
		this.options = options;
		if (options.single) connection.expect(this);
	}

	/** The messages that are whole now, each with its head. Throws a FramingFault. */
	write(data: Buffer): Buffer[] {
		const messages: Buffer[] = [];
		this.progressBytes += data.length;
		let at = 0;
		while (at < data.length && !this.over) at = this.room === null ? this.begin(data, at, messages) : this.goOn(data, at, messages);
		return messages;
	}

	pause(): void {
		this.paused = true;
		this.source.pause();
	}

	resume(): void {
		this.paused = false;
		this.source.resume();
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
			const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(most, Math.max(ROOM_BYTES_MIN, ROOM_GROWTH * needed))));
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
		const bytes = data.readUInt32BE(at + 1);
		const fault = headFault(flag, bytes, this.options);
		if (fault === null) return HEAD_BYTES + bytes;
		this.settle();
		throw fault;
	}

	get held(): boolean {
		return !this.source.wantsMore;
	}

	get inMessage(): boolean {
		return this.filled > 0;
	}

	/** Bytes that came of the message that has begun. */
	get begunBytes(): number {
		return this.filled;
	}

	/** Bytes that the message that has begun still needs; 0 between two messages. */
	get missing(): number {
		return this.messageBytes === 0 ? 0 : this.messageBytes - this.filled;
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

/** What is wrong with a message of this head; null for nothing. */
export function headFault(flag: number, bytes: number, options: Pick<ReaderOptions, "encoded" | "messageBytesMax">): FramingFault | null {
	const { encoded, messageBytesMax } = options;
	if (flag > COMPRESSED) return internal(`received unexpected payload format ${flag}`);
	if (flag === COMPRESSED && !encoded) return internal("compressed flag set with identity or empty encoding");
	if (bytes <= messageBytesMax) return null;
	// In the library's words, which are changed to etcd's where all of them are.
	return new FramingFault(messageTooLarge(bytes, messageBytesMax), `Received message larger than max (${bytes} vs ${messageBytesMax})`);
}

function internal(text: string): FramingFault {
	return new FramingFault({ code: Grpc.internal, message: `${FAULT_PREFIX}${text}` });
}

/** The library gives all that is thrown here one code, which is not that of a flag that cannot be. */
export function isFramingFault(text: string): boolean {
	return text.startsWith(FAULT_PREFIX);
}
