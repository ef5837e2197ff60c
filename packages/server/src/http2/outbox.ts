/** What one connection sends of its streams: at once where windows, socket and memory let it, else in turns, a frame each. */
import { assert } from "@flotilla/base";
import { type FrameWriter, MESSAGE_HEAD_BYTES } from "./frame-writer.ts";
import { type HeaderField, HpackEncoder, PreparedBlock } from "./hpack-encoder.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { ConnectionFault, DEFAULT_WINDOW_BYTES, ErrorCode, WINDOW_MAX } from "./protocol.ts";
import type { Http2Stream } from "./stream.ts";

/** Answers up to here are written in one go. */
const SHORT_ANSWER_BYTES = 1 << 10;
/** A peer may allow far larger frames; smaller ones let streams take turns. */
const FRAME_BYTES_SENT_MAX = 64 << 10;
/** A message up to here leaves whole where it may; a larger one shares its turns with other streams from the beginning. */
const AT_ONCE_BYTES_MAX = 64 << 10;
const NO_BYTES = new Uint8Array(0);
/** Of a message that is whole. */
export const NO_PARTS: readonly Uint8Array[] = [];
/** Of more that waits, less than this is a crumb: whoever opens windows byte by byte asks for a frame with each. */
const CRUMB_BYTES = 1 << 10;
const PIECES_BEHIND_MAX = 256;

/** A DATA frame of the stream was written; `useful`: not a crumb that a narrow window let go; `ends`: with END_STREAM. */
export type DataListener = (stream: Http2Stream, useful: boolean, ends: boolean) => void;

export class Outbox {
	/** Bytes of all streams that wait. */
	queuedBytes = 0;
	dataSent = 0;
	congested = false;
	private readonly writer: FrameWriter;
	private readonly peer: PeerSettings;
	private readonly outputBytesMax: number;
	private readonly onData: DataListener;
	private readonly encoder = new HpackEncoder();
	/** Streams with something to send and a window for it, in the order of their turns. */
	private readonly ready = new Set<Http2Stream>();
	private sendWindow: number = DEFAULT_WINDOW_BYTES;

	constructor(writer: FrameWriter, peer: PeerSettings, outputBytesMax: number, onData: DataListener) {
		this.writer = writer;
		this.peer = peer;
		this.outputBytesMax = outputBytesMax;
		this.onData = onData;
	}

	headers(stream: Http2Stream, block: PreparedBlock | readonly HeaderField[], ends: boolean): void {
		assert(stream.pendingBytes === 0, "headers do not overtake data");
		const bytes = block instanceof PreparedBlock ? this.encoder.encodePrepared(block) : this.encoder.encode(block);
		this.writer.headers(stream.id, bytes, ends, this.peer.frameBytesMax);
	}

	/**
	 * Head, message and trailers of an answer that is short, known to the peer's table and can leave at once; the stream ends with it.
	 * False otherwise: then nothing was written.
	 */
	answer(stream: Http2Stream, head: PreparedBlock, message: Uint8Array, trailers: PreparedBlock): boolean {
		const bytes = MESSAGE_HEAD_BYTES + message.length;
		if (
			stream.pendingBytes > 0 ||
			bytes > SHORT_ANSWER_BYTES ||
			bytes > stream.sendWindow ||
			bytes > this.sendWindow ||
			this.congested ||
			this.writer.size >= this.outputBytesMax ||
			!this.encoder.knows(head) ||
			!this.encoder.knows(trailers)
		) {
			return false;
		}
		this.writer.answer(stream.id, head.bytes, message, trailers.bytes);
		this.sent(stream, bytes, true, false);
		return true;
	}

	/** False when it has to wait. `parts`: how the message goes on. `framed`: as a message of gRPC. */
	send(stream: Http2Stream, message: Uint8Array, parts: readonly Uint8Array[], framed: boolean, ends: boolean): boolean {
		const { writer } = this;
		let length = message.length;
		for (const part of parts) length += part.length;
		const bytes = (framed ? MESSAGE_HEAD_BYTES : 0) + length;
		const leaves =
			stream.pendingBytes === 0 &&
			bytes <= stream.sendWindow &&
			bytes <= this.sendWindow &&
			bytes <= AT_ONCE_BYTES_MAX &&
			!this.congested &&
			writer.size < this.outputBytesMax;
		if (leaves && bytes <= this.peer.frameBytesMax) {
			writer.dataHead(stream.id, bytes, ends);
			if (framed) writer.messageHead(length, false);
			writer.content(message);
			for (const part of parts) writer.content(part);
			this.sent(stream, bytes, true, ends);
			return true;
		}
		this.queue(stream, message, parts, framed ? length : -1, ends);
		if (leaves) {
			while (stream.pendingBytes > 0) this.sendFrame(stream, Math.min(stream.pendingBytes, this.peer.frameBytesMax));
			return true;
		}
		if (stream.sendWindow > 0) this.ready.add(stream);
		return false;
	}

	/** `framedLength`: -1 without a head of gRPC. */
	private queue(stream: Http2Stream, message: Uint8Array, parts: readonly Uint8Array[], framedLength: number, ends: boolean): void {
		if (stream.pendingBytes === 0) {
			stream.pending = [];
			stream.pendingAt = 0;
		}
		const { pending } = stream;
		let bytes = message.length;
		if (framedLength >= 0) {
			const head = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES);
			head[0] = 0;
			head.writeUInt32BE(framedLength, 1);
			pending.push(head);
			bytes += MESSAGE_HEAD_BYTES;
		}
		if (message.length > 0) pending.push(message);
		for (const part of parts) {
			if (part.length > 0) pending.push(part);
			bytes += part.length;
		}
		stream.pendingBytes += bytes;
		stream.pendingEnds = ends;
		this.queuedBytes += bytes;
	}

	/** The stream is gone: what waits of it never leaves. */
	drop(stream: Http2Stream): void {
		this.ready.delete(stream);
		this.queuedBytes -= stream.pendingBytes;
		stream.pending = [];
	}

	/** True when something can leave now. */
	widen(bytes: number): boolean {
		this.sendWindow += bytes;
		if (this.sendWindow > WINDOW_MAX) throw new ConnectionFault(ErrorCode.flowControlError, "the connection's window overflows");
		return this.ready.size > 0;
	}

	/** The same of one stream; the caller has checked that its window does not overflow. */
	widenStream(stream: Http2Stream, bytes: number): boolean {
		stream.sendWindow += bytes;
		if (stream.pendingBytes === 0 || stream.sendWindow <= 0) return false;
		this.ready.add(stream);
		return true;
	}

	/** The peer changed what streams begin with, which holds for those that are open, too (RFC 9113, 6.9.2). */
	shiftWindows(streams: Iterable<Http2Stream>, bytes: number): void {
		for (const stream of streams) {
			stream.sendWindow += bytes;
			if (stream.sendWindow > WINDOW_MAX) throw new ConnectionFault(ErrorCode.flowControlError, "a stream's window overflows");
			if (stream.sendWindow <= 0) this.ready.delete(stream);
			else if (stream.pendingBytes > 0) this.ready.add(stream);
		}
	}

	setTableLimit(bytes: number): void {
		this.encoder.setLimit(bytes);
	}

	/** As far as windows and memory let it. */
	pump(): void {
		for (const stream of this.ready) {
			if (this.sendWindow <= 0 || this.writer.size >= this.outputBytesMax) return;
			this.ready.delete(stream);
			const bytes = Math.min(stream.pendingBytes, stream.sendWindow, this.sendWindow, this.peer.frameBytesMax, FRAME_BYTES_SENT_MAX);
			this.sendFrame(stream, bytes);
			stream.onSent(bytes);
			// Behind the others; the loop comes to it again.
			if (stream.pendingBytes > 0 && stream.sendWindow > 0 && !stream.gone) this.ready.add(stream);
		}
	}

	/** Of what waits. */
	private sendFrame(stream: Http2Stream, bytes: number): void {
		const { writer } = this;
		const whole = bytes === stream.pendingBytes;
		const ends = stream.pendingEnds && whole;
		writer.dataHead(stream.id, bytes, ends);
		let left = bytes;
		while (left > 0) {
			const piece = stream.pending[stream.pendingAt] as Uint8Array;
			const from = stream.pendingOffset;
			const count = Math.min(left, piece.length - from);
			writer.content(from === 0 && count === piece.length ? piece : piece.subarray(from, from + count));
			left -= count;
			if (from + count === piece.length) {
				// Not kept alive any longer than it is needed.
				stream.pending[stream.pendingAt++] = NO_BYTES;
				stream.pendingOffset = 0;
			} else stream.pendingOffset = from + count;
		}
		if (stream.pendingAt > PIECES_BEHIND_MAX && stream.pendingAt * 2 > stream.pending.length) {
			stream.pending = stream.pending.slice(stream.pendingAt);
			stream.pendingAt = 0;
		}
		stream.pendingBytes -= bytes;
		this.queuedBytes -= bytes;
		this.sent(stream, bytes, whole || bytes >= CRUMB_BYTES, ends);
	}

	private sent(stream: Http2Stream, bytes: number, useful: boolean, ends: boolean): void {
		stream.sendWindow -= bytes;
		this.sendWindow -= bytes;
		this.dataSent += bytes;
		this.onData(stream, useful, ends);
	}
}
