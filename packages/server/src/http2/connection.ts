/**
 * One HTTP/2 connection, either end of it, without its socket: bytes go in, bytes and calls of the streams come out
 * (RFC 9113). All frames of one read are taken in one go; what they and the rest of the turn give to send is taken at once.
 *
 *     open:   own id, or HEADERS of the peer        ended:  END_STREAM of both sides, or RST_STREAM of either
 *     a stream that this side reset or ended early stays in `leaving` for a while: what was under way to it means nothing
 *
 * Faults of a stream reset it, faults of the connection send GOAWAY and end it; the text in GOAWAY says which rule was broken.
 */
import { assert, NumberTable } from "@flotilla/base";
import type { ConnectionOptions } from "./connection-options.ts";
import { TokenBucket } from "./flood-guard.ts";
import { FrameCutter } from "./frame-cutter.ts";
import { type ChunkPool, FrameWriter } from "./frame-writer.ts";
import { greet } from "./greeting.ts";
import { type HeaderBlock, trailersFault } from "./header-block.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { type HeaderField, PreparedBlock } from "./hpack-encoder.ts";
import { type DataListener, NO_PARTS, Outbox } from "./outbox.ts";
import { PartialBlock } from "./partial-block.ts";
import { PeerSettings } from "./peer-settings.ts";
import { ConnectionFault, ErrorCode, Flag, FrameType, PREFACE, STREAM_ID_MAX, WINDOW_MAX } from "./protocol.ts";
import type { Http2Stream } from "./stream.ts";
import { StreamNumbers } from "./stream-numbers.ts";

export interface ConnectionOwner {
	/** Output waits; `takeOutput` is to be called before the turn ends. Said once until then. */
	outputWaits(): void;
	/** The server's end: an object for a sound request, whose `onHeaders` is called next. */
	createStream(block: HeaderBlock): Http2Stream;
	/** A sound request was one too many. */
	streamRefused?(): void;
	/** All frames of one read were taken. */
	readDone?(): void;
	/** A PING came. False: the peer was told how often it may (gRPC's keepalive), and does not keep to it. */
	pinged(): boolean;
	/** GOAWAY came: streams above the id were aborted, no new ones can be opened. */
	goneAway(code: number): void;
	/** It is over, for `reason` if not as it should: what `takeOutput` gives now is the last; then the socket is to be closed. */
	ended(reason: string | null): void;
	nowMs(): number;
}

/** What one DATA frame or one finished stream entitles the peer to: updates of both windows and a ping. */
const USEFUL_FRAME_TOKENS = 3;

export class Http2Connection {
	readonly streams = new NumberTable<Http2Stream>();
	readonly peer = new PeerSettings();
	/** Frames and bytes that came, and how often output was taken: to see whether anything moves. */
	framesSeen = 0;
	bytesSeen = 0;
	flushes = 0;
	/** Header blocks that were sent. */
	blocksSent = 0;
	over = false;
	/** The peer's first SETTINGS came. */
	greeted = false;
	/** GOAWAY was sent or has come. */
	leavingSoon = false;
	readonly partial: PartialBlock;
	private readonly isServer: boolean;
	private readonly owner: ConnectionOwner;
	private readonly options: ConnectionOptions;
	private readonly writer: FrameWriter;
	private readonly outbox: Outbox;
	private readonly decoder: HpackDecoder;
	private readonly cutter: FrameCutter;
	private readonly control: TokenBucket;
	private readonly resets: TokenBucket;
	private readonly numbers: StreamNumbers;
	private receiveWindow: number;
	private prefaceSeen = 0;
	private lastTakenId: number = STREAM_ID_MAX;
	private replies = 0;
	private waking = false;

	constructor(role: "server" | "client", owner: ConnectionOwner, options: ConnectionOptions, pool: ChunkPool) {
		this.isServer = role === "server";
		this.numbers = new StreamNumbers(this.isServer);
		this.owner = owner;
		this.options = options;
		this.writer = new FrameWriter(pool);
		this.outbox = new Outbox(this.writer, this.peer, options.outputBytesMax, this.sentData);
		this.decoder = new HpackDecoder({ listBytesMax: options.headerListBytesMax, fieldsMax: options.headerFieldsMax });
		this.partial = new PartialBlock(options.headerBlockBytesMax, options.headerFramesMax);
		this.cutter = new FrameCutter((type, flags, streamId, bytes, start, end) => this.frame(type, flags, streamId, bytes, start, end));
		const now = (): number => owner.nowMs();
		this.control = new TokenBucket(options.floods.controlBurst, options.floods.controlPerSecond, now);
		this.resets = new TokenBucket(options.floods.resetBurst, options.floods.resetPerSecond, now);
		this.receiveWindow = options.connectionWindowBytes;
		greet(this.writer, this.isServer, options);
		this.wake();
	}

	/** The socket does not take more now. Set by whoever has the socket, who flushes again when it does. */
	get congested(): boolean {
		return this.outbox.congested;
	}

	set congested(congested: boolean) {
		this.outbox.congested = congested;
	}

	/** Bytes of all streams that wait for windows or for the socket. */
	get queuedBytes(): number {
		return this.outbox.queuedBytes;
	}

	/** Bytes of DATA that left so far. */
	get dataSent(): number {
		return this.outbox.dataSent;
	}

	/** In the middle of a frame. */
	get inFrame(): boolean {
		return this.cutter.waits;
	}

	/** The client's end may open a stream now. */
	get canOpen(): boolean {
		return !this.over && !this.leavingSoon && this.streams.size < this.peer.maxConcurrentStreams && this.numbers.left;
	}

	receive(chunk: Buffer): void {
		if (this.over) return;
		this.bytesSeen += chunk.length;
		try {
			if (this.writer.size > this.options.unreadBytesMax) {
				throw new ConnectionFault(ErrorCode.enhanceYourCalm, "answers are not read");
			}
			const rest = this.isServer && this.prefaceSeen < PREFACE.length ? this.passPreface(chunk) : chunk;
			if (rest.length > 0) this.cutter.feed(rest);
		} catch (error) {
			if (!(error instanceof ConnectionFault)) throw error;
			this.fail(error.code, error.message);
		}
		this.owner.readDone?.();
	}

	/** What is to be sent now, with what the windows let go of what waited. The memory is to be given back by `outputSent`. */
	takeOutput(): Uint8Array[] {
		this.waking = false;
		this.flushes++;
		if (!this.congested) {
			this.replies = 0;
			this.outbox.pump();
		}
		return this.writer.take();
	}

	/** `copied` false: the socket still reads from it. */
	outputSent(copied: boolean): void {
		this.writer.release(copied);
	}

	/** The socket is gone. */
	abort(): void {
		if (this.over) return;
		this.over = true;
		this.abortStreams(ErrorCode.cancel);
	}

	/** GOAWAY; streams that are open may finish, then the connection is over. */
	leave(code: ErrorCode = ErrorCode.noError, text = ""): void {
		if (this.over || this.lastTakenId !== STREAM_ID_MAX) return;
		this.leavingSoon = true;
		this.lastTakenId = this.numbers.lastPeerId;
		this.writer.goaway(this.numbers.lastPeerId, code, text);
		this.wake();
		this.endIfLeft();
	}

	/** Ends the connection at once, with GOAWAY. */
	fail(code: ErrorCode, text: string): void {
		if (this.over) return;
		this.over = true;
		this.writer.goaway(this.numbers.lastPeerId, code, text);
		this.wake();
		this.abortStreams(code);
		this.owner.ended(text);
	}

	ping(content: Uint8Array): void {
		this.writer.ping(content, false);
		this.wake();
	}

	/** Fields that will be sent often, in this order, on this connection. */
	prepare(fields: readonly HeaderField[]): PreparedBlock {
		return new PreparedBlock(fields);
	}

	/** The client's end: opens the stream with its request. To be asked for only while `canOpen`. */
	open(stream: Http2Stream, block: PreparedBlock | readonly HeaderField[], ends: boolean): void {
		assert(this.canOpen, "a stream is opened only where the peer takes one");
		stream.id = this.numbers.takeOwn();
		this.register(stream);
		this.sendHeaders(stream, block, ends);
	}

	/** Nothing of the stream may wait: headers go out at once. */
	sendHeaders(stream: Http2Stream, block: PreparedBlock | readonly HeaderField[], ends: boolean): void {
		if (stream.gone || stream.localEnded) return;
		this.blocksSent++;
		this.outbox.headers(stream, block, ends);
		if (ends) this.endLocal(stream);
		this.wake();
	}

	/**
	 * A message as gRPC frames it. False when it, or a part of it, has to wait; it is taken all the same, and must not be
	 * changed any more. `ends`: nothing follows it. `parts`: how the message goes on.
	 */
	sendMessage(stream: Http2Stream, message: Uint8Array, ends: boolean, parts: readonly Uint8Array[] = NO_PARTS): boolean {
		if (stream.gone || stream.localEnded) return true;
		const sent = this.outbox.send(stream, message, parts, true, ends);
		this.wake();
		return sent;
	}

	/** The whole answer of a unary call in one go, with the stream's end. False where that cannot be: then nothing was sent. */
	sendAnswer(stream: Http2Stream, head: PreparedBlock, message: Uint8Array, trailers: PreparedBlock): boolean {
		if (stream.gone || stream.localEnded || !this.outbox.answer(stream, head, message, trailers)) return false;
		this.blocksSent += 2;
		this.endLocal(stream);
		this.wake();
		return true;
	}

	/** Bytes as they are, at least one; otherwise as `sendMessage`. */
	sendBytes(stream: Http2Stream, bytes: Uint8Array, ends: boolean): boolean {
		if (stream.gone || stream.localEnded) return true;
		assert(bytes.length > 0, "an empty frame says nothing that headers cannot say");
		const sent = this.outbox.send(stream, bytes, NO_PARTS, false, ends);
		this.wake();
		return sent;
	}

	/** This side sends nothing more. Nothing of the stream may wait. */
	endStream(stream: Http2Stream): void {
		if (stream.gone || stream.localEnded) return;
		assert(stream.pendingBytes === 0, "the end does not overtake data");
		this.writer.dataHead(stream.id, 0, true);
		this.endLocal(stream);
		this.wake();
	}

	/** Ends the stream from this side; it hears nothing more. */
	reset(stream: Http2Stream, code: ErrorCode): void {
		if (stream.gone) return;
		this.writer.reset(stream.id, code);
		this.wake();
		this.numbers.leave(stream.id);
		this.forget(stream);
	}

	/** Lets the peer send so many bytes more on the stream. */
	grant(stream: Http2Stream, bytes: number): void {
		if (stream.gone || stream.remoteEnded || bytes <= 0) return;
		stream.receiveWindow += bytes;
		this.writer.windowUpdate(stream.id, bytes);
		this.wake();
	}

	private passPreface(chunk: Buffer): Buffer {
		let at = 0;
		for (; at < chunk.length && this.prefaceSeen < PREFACE.length; at++, this.prefaceSeen++) {
			if (chunk[at] !== PREFACE[this.prefaceSeen]) throw new ConnectionFault(ErrorCode.protocolError, "the preface is wrong");
		}
		return chunk.subarray(at);
	}

	private frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
		if (this.over) return;
		this.framesSeen++;
		if (this.partial.streamId !== 0 && (type !== FrameType.continuation || streamId !== this.partial.streamId)) {
			throw new ConnectionFault(ErrorCode.protocolError, "a frame inside of a header block");
		}
		if (!this.greeted && (type !== FrameType.settings || (flags & Flag.ack) !== 0)) {
			throw new ConnectionFault(ErrorCode.protocolError, "the first frame is not SETTINGS");
		}
		switch (type) {
			case FrameType.data:
				this.onData(flags, streamId, bytes, start, end);
				return;
			case FrameType.headers:
				this.onHeaders(flags, streamId, bytes, start, end);
				return;
			case FrameType.priority:
				this.onPriority(streamId, end - start);
				return;
			case FrameType.rstStream:
				this.onReset(streamId, bytes, start, end);
				return;
			case FrameType.settings:
				this.onSettings(flags, streamId, bytes, start, end);
				return;
			case FrameType.pushPromise:
				throw new ConnectionFault(ErrorCode.protocolError, "PUSH_PROMISE is not allowed");
			case FrameType.ping:
				this.onPing(flags, streamId, bytes, start, end);
				return;
			case FrameType.goaway:
				this.onGoaway(streamId, bytes, start, end);
				return;
			case FrameType.windowUpdate:
				this.onWindowUpdate(streamId, bytes, start, end);
				return;
			case FrameType.continuation:
				this.onContinuation(flags, bytes, start, end);
				return;
			default:
				this.useless();
		}
	}

	private onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
		if (streamId === 0) throw new ConnectionFault(ErrorCode.protocolError, "DATA on stream 0");
		const length = end - start;
		const padding = (flags & Flag.padded) === 0 ? -1 : ((bytes[start] as number | undefined) ?? 0);
		if (padding >= length) throw new ConnectionFault(ErrorCode.protocolError, "padding longer than its frame");
		this.receiveWindow -= length;
		if (this.receiveWindow < 0) throw new ConnectionFault(ErrorCode.flowControlError, "more DATA than the connection's window");
		const windowBytes = this.options.connectionWindowBytes;
		if (this.receiveWindow <= windowBytes >>> 1) {
			this.writer.windowUpdate(0, windowBytes - this.receiveWindow);
			this.receiveWindow = windowBytes;
			this.wake();
		}
		const stream = this.streams.get(streamId);
		if (stream === undefined) {
			this.onClosedStream(streamId, "DATA");
			return;
		}
		if (stream.remoteEnded) {
			this.blame(stream, ErrorCode.streamClosed);
			return;
		}
		stream.receiveWindow -= length;
		if (stream.receiveWindow < 0) {
			this.blame(stream, ErrorCode.flowControlError);
			return;
		}
		const from = padding < 0 ? start : start + 1;
		const to = padding < 0 ? end : end - padding;
		const ends = (flags & Flag.endStream) !== 0;
		if (stream.contentLeft >= 0) {
			stream.contentLeft -= to - from;
			if (stream.contentLeft < 0 || (ends && stream.contentLeft > 0)) {
				this.blame(stream, ErrorCode.protocolError);
				return;
			}
		}
		if (from === to && !ends) this.useless();
		if (ends) stream.remoteEnded = true;
		stream.onData(bytes, from, to, ends);
		if (ends) this.forgetIfEnded(stream);
	}

	private onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
		if (streamId === 0) throw new ConnectionFault(ErrorCode.protocolError, "HEADERS on stream 0");
		let from = start;
		let to = end;
		if ((flags & Flag.padded) !== 0) {
			to -= from < end ? (bytes[from++] as number) : 1;
		}
		if ((flags & Flag.priority) !== 0) from += PRIORITY_BYTES;
		if (from > to) throw new ConnectionFault(ErrorCode.protocolError, "padding or priority longer than its frame");
		const ends = (flags & Flag.endStream) !== 0;
		if ((flags & Flag.endHeaders) === 0) {
			this.partial.begin(streamId, ends);
			this.partial.add(bytes, from, to);
			return;
		}
		this.onBlock(streamId, ends, this.decoder.decode(bytes, from, to));
	}

	private onContinuation(flags: number, bytes: Buffer, start: number, end: number): void {
		const { partial } = this;
		const { streamId, ends } = partial;
		if (streamId === 0) throw new ConnectionFault(ErrorCode.protocolError, "CONTINUATION without HEADERS");
		partial.add(bytes, start, end);
		if ((flags & Flag.endHeaders) === 0) return;
		const whole = partial.finish();
		this.onBlock(streamId, ends, this.decoder.decode(whole, 0, whole.length));
	}

	private onBlock(streamId: number, ends: boolean, block: HeaderBlock): void {
		const stream = this.streams.get(streamId);
		if (stream !== undefined) this.onMoreHeaders(stream, ends, block);
		else if (this.numbers.isNew(streamId)) this.onRequest(streamId, ends, block);
		else this.onClosedStream(streamId, "HEADERS");
	}

	/** An answer, at the client's end; trailers, at either. */
	private onMoreHeaders(stream: Http2Stream, ends: boolean, block: HeaderBlock): void {
		if (stream.remoteEnded) {
			this.blame(stream, ErrorCode.streamClosed);
			return;
		}
		if (this.isServer && (!ends || trailersFault(block) !== null || stream.contentLeft > 0)) {
			this.blame(stream, ErrorCode.protocolError);
			return;
		}
		if (ends) stream.remoteEnded = true;
		stream.onHeaders(block, ends);
		if (ends) this.forgetIfEnded(stream);
	}

	private onRequest(streamId: number, ends: boolean, block: HeaderBlock): void {
		this.numbers.openedByPeer(streamId);
		// GOAWAY told the client that it would not be looked at.
		if (streamId > this.lastTakenId) {
			this.numbers.leave(streamId);
			return;
		}
		const { requestHead } = block;
		if (block.cut) this.refuse(streamId, ErrorCode.enhanceYourCalm);
		else if (requestHead.fault !== null || (ends && requestHead.contentLength > 0)) this.refuse(streamId, ErrorCode.protocolError);
		else if (this.streams.size >= this.options.concurrentStreamsMax) this.refuse(streamId, ErrorCode.refusedStream);
		else {
			const stream = this.owner.createStream(block);
			stream.id = streamId;
			stream.contentLeft = requestHead.contentLength;
			stream.remoteEnded = ends;
			this.register(stream);
			stream.onHeaders(block, ends);
			if (ends) this.forgetIfEnded(stream);
		}
	}

	private onPriority(streamId: number, length: number): void {
		if (streamId === 0) throw new ConnectionFault(ErrorCode.protocolError, "PRIORITY on stream 0");
		this.useless();
		if (length === PRIORITY_BYTES) return;
		const stream = this.streams.get(streamId);
		if (stream !== undefined) this.blame(stream, ErrorCode.frameSizeError);
		else throw new ConnectionFault(ErrorCode.frameSizeError, "PRIORITY of a wrong length");
	}

	private onReset(streamId: number, bytes: Buffer, start: number, end: number): void {
		if (end - start !== 4) throw new ConnectionFault(ErrorCode.frameSizeError, "RST_STREAM of a wrong length");
		if (this.numbers.isIdle(streamId)) throw new ConnectionFault(ErrorCode.protocolError, "RST_STREAM on an idle stream");
		const stream = this.streams.get(streamId);
		if (stream === undefined) {
			this.useless();
			return;
		}
		if (this.isServer && !this.resets.take()) throw new ConnectionFault(ErrorCode.enhanceYourCalm, "too many resets");
		this.forget(stream);
		stream.onAbort(bytes.readUInt32BE(start) as ErrorCode);
	}

	private onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
		if (streamId !== 0) throw new ConnectionFault(ErrorCode.protocolError, "SETTINGS on a stream");
		const isAck = (flags & Flag.ack) !== 0;
		if ((isAck && end > start) || (end - start) % 6 !== 0) {
			throw new ConnectionFault(ErrorCode.frameSizeError, "SETTINGS of a wrong length");
		}
		if (this.greeted) this.useless();
		if (isAck) return;
		this.greeted = true;
		const { peer } = this;
		const { initialWindowBytes, headerTableBytes } = peer;
		peer.read(bytes, start, end, this.isServer);
		if (peer.headerTableBytes !== headerTableBytes) this.outbox.setTableLimit(peer.headerTableBytes);
		if (peer.initialWindowBytes !== initialWindowBytes)
			this.outbox.shiftWindows(this.streams.all(), peer.initialWindowBytes - initialWindowBytes);
		this.reply();
		this.writer.settingsAck();
	}

	private onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
		if (streamId !== 0) throw new ConnectionFault(ErrorCode.protocolError, "PING on a stream");
		if (end - start !== 8) throw new ConnectionFault(ErrorCode.frameSizeError, "PING of a wrong length");
		this.useless();
		if ((flags & Flag.ack) !== 0) return;
		if (!this.owner.pinged()) throw new ConnectionFault(ErrorCode.enhanceYourCalm, "too_many_pings");
		this.reply();
		this.writer.ping(bytes.subarray(start, end), true);
	}

	private onGoaway(streamId: number, bytes: Buffer, start: number, end: number): void {
		if (streamId !== 0) throw new ConnectionFault(ErrorCode.protocolError, "GOAWAY on a stream");
		if (end - start < 8) throw new ConnectionFault(ErrorCode.frameSizeError, "GOAWAY of a wrong length");
		this.useless();
		if (this.isServer) return;
		this.leavingSoon = true;
		const last = bytes.readUInt32BE(start) & STREAM_ID_MAX;
		for (const stream of this.streams.all()) {
			if (stream.id <= last) continue;
			this.forget(stream);
			stream.onAbort(ErrorCode.refusedStream);
		}
		this.owner.goneAway(bytes.readUInt32BE(start + 4));
		this.endIfLeft();
	}

	private onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
		if (end - start !== 4) throw new ConnectionFault(ErrorCode.frameSizeError, "WINDOW_UPDATE of a wrong length");
		this.useless();
		const increment = bytes.readUInt32BE(start) & WINDOW_MAX;
		if (streamId === 0) {
			if (increment === 0) throw new ConnectionFault(ErrorCode.protocolError, "WINDOW_UPDATE by nothing");
			if (this.outbox.widen(increment)) this.wake();
			return;
		}
		if (this.numbers.isIdle(streamId)) throw new ConnectionFault(ErrorCode.protocolError, "WINDOW_UPDATE on an idle stream");
		const stream = this.streams.get(streamId);
		if (stream === undefined) return;
		if (increment === 0) this.blame(stream, ErrorCode.protocolError);
		else if (stream.sendWindow + increment > WINDOW_MAX) this.blame(stream, ErrorCode.flowControlError);
		else if (this.outbox.widenStream(stream, increment)) this.wake();
	}

	private onClosedStream(streamId: number, what: string): void {
		this.numbers.checkClosed(streamId, what);
		this.useless();
	}

	/** The peer made this side reset the stream. Peers that do it often are as bad as those that reset themselves. */
	private blame(stream: Http2Stream, code: ErrorCode): void {
		this.reset(stream, code);
		stream.onAbort(code);
		if (!this.resets.take()) throw new ConnectionFault(ErrorCode.enhanceYourCalm, "too many streams had to be reset");
	}

	private refuse(streamId: number, code: ErrorCode): void {
		if (code === ErrorCode.refusedStream) this.owner.streamRefused?.();
		this.writer.reset(streamId, code);
		this.numbers.leave(streamId);
		if (!this.resets.take()) throw new ConnectionFault(ErrorCode.enhanceYourCalm, "too many streams had to be reset");
		this.wake();
	}

	private useless(): void {
		if (!this.control.take()) throw new ConnectionFault(ErrorCode.enhanceYourCalm, "too many frames without use");
	}

	private reply(): void {
		if (++this.replies > this.options.floods.repliesMax) {
			throw new ConnectionFault(ErrorCode.enhanceYourCalm, "too many acknowledgements are not read");
		}
		this.wake();
	}

	private register(stream: Http2Stream): void {
		stream.sendWindow = this.peer.initialWindowBytes;
		stream.receiveWindow = this.options.streamWindowBytes;
		this.streams.set(stream.id, stream);
	}

	private endLocal(stream: Http2Stream): void {
		stream.localEnded = true;
		this.forgetIfEnded(stream);
	}

	private forgetIfEnded(stream: Http2Stream): void {
		if (stream.gone || !stream.localEnded || !stream.remoteEnded) return;
		this.resets.give(1);
		this.control.give(USEFUL_FRAME_TOKENS);
		this.forget(stream);
	}

	private forget(stream: Http2Stream): void {
		if (stream.gone) return;
		stream.gone = true;
		this.streams.delete(stream.id);
		if (stream.pendingBytes > 0) this.outbox.drop(stream);
		if (this.streams.size === 0) this.endIfLeft();
	}

	private endIfLeft(): void {
		if (!this.leavingSoon || this.streams.size > 0 || this.over) return;
		this.over = true;
		this.owner.ended(null);
	}

	private abortStreams(code: ErrorCode): void {
		for (const stream of this.streams.all()) {
			this.forget(stream);
			stream.onAbort(code);
		}
	}

	private readonly sentData: DataListener = (stream, useful, ends) => {
		if (useful) this.control.give(USEFUL_FRAME_TOKENS);
		if (ends) this.endLocal(stream);
	};

	private wake(): void {
		if (this.waking) return;
		this.waking = true;
		this.owner.outputWaits();
	}
}

const PRIORITY_BYTES = 5;
