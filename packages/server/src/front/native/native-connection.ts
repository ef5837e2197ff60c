/** One client's connection: joins HTTP/2, the socket, the method table and what the client makes the port hold. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { type ConnectionOwner, Http2Connection } from "../../http2/connection.ts";
import { type ConnectionOptions, DEFAULT_CONNECTION_OPTIONS } from "../../http2/connection-options.ts";
import type { ChunkPool } from "../../http2/frame-writer.ts";
import type { HeaderBlock } from "../../http2/header-block.ts";
import type { PreparedBlock } from "../../http2/hpack-encoder.ts";
import { Patience, Stillness } from "../../http2/patience.ts";
import { ErrorCode } from "../../http2/protocol.ts";
import { SocketLink } from "../../http2/socket-link.ts";
import type { Http2Stream } from "../../http2/stream.ts";
import { commonNameOf } from "../../tls/peer-names.ts";
import type { GrpcFrontOptions } from "../front-options.ts";
import type { ConnectionHold, HeldBytes } from "../held-bytes.ts";
import type { HttpHandler, MethodTable } from "../seam.ts";
import { ANSWER_HEAD, OK_TRAILERS } from "./answer-headers.ts";
import { type CallHead, isGrpc, readCallHead } from "./call-head.ts";
import type { Deadlines } from "./deadlines.ts";
import type { NativeCall } from "./native-call.ts";
import { NativeHttpCall } from "./native-http-call.ts";
import { NativeDuplexCall, NativeServerStreamCall } from "./native-stream-call.ts";
import { NativeUnaryCall } from "./native-unary-call.ts";
import { PingPolicy } from "./ping-policy.ts";

/** What all connections of one front share. */
export interface FrontParts {
	readonly methods: MethodTable;
	readonly services: ReadonlySet<string>;
	readonly options: GrpcFrontOptions;
	readonly held: HeldBytes;
	readonly deadlines: Deadlines;
	readonly pool: ChunkPool;
	/** For requests that are no gRPC; null: they are answered 415. */
	readonly http: HttpHandler | null;
}

/** Waiting answers above which no large ones are made for the connection. */
const UNREAD_BYTES_PAUSED = 4 << 20;

const PING = Buffer.from("keepalve", "latin1");

export class NativeConnection implements ConnectionOwner {
	readonly http2: Http2Connection;
	readonly hold: ConnectionHold;
	readonly options: GrpcFrontOptions;
	readonly deadlines: Deadlines;
	readonly windowBytes: number;
	readonly answerHead: PreparedBlock;
	readonly okTrailers: PreparedBlock;
	readonly peer: string;
	/** Over TLS. */
	readonly secure: boolean;
	/** Of the client's certificate, where one was demanded. */
	readonly commonName: string | undefined;
	/** Answers that wait for their reader, with their status behind them. */
	waitingAnswers = 0;
	/** Windows granted above the usual, for messages whose length is known. */
	ahead = 0;
	private readonly parts: FrontParts;
	private readonly link: SocketLink;
	private readonly patience: Patience;
	private readonly unread = new Stillness();
	private readonly quiet = new Stillness();
	private readonly pings: PingPolicy;
	private incomplete: NativeCall[] = [];
	private pingedMs = Number.NaN;
	/** Answers that are made when those before them have been read. */
	private producing = false;
	private readonly producers = new Set<NativeUnaryCall>();

	constructor(socket: Socket, parts: FrontParts, onClose: (connection: NativeConnection) => void) {
		const { options, held, deadlines } = parts;
		const http2Options: ConnectionOptions = { ...DEFAULT_CONNECTION_OPTIONS, concurrentStreamsMax: options.concurrentStreamsMax };
		this.parts = parts;
		this.options = options;
		this.deadlines = deadlines;
		this.windowBytes = http2Options.streamWindowBytes;
		this.peer = `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
		this.secure = socket instanceof TLSSocket;
		this.commonName = socket instanceof TLSSocket ? commonNameOf(socket) : undefined;
		this.pings = new PingPolicy(options.pingMinMs);
		this.hold = held.connect((reason) => this.http2.fail(ErrorCode.enhanceYourCalm, reason));
		this.http2 = new Http2Connection("server", this, http2Options, parts.pool);
		this.answerHead = this.http2.prepare(ANSWER_HEAD);
		this.okTrailers = this.http2.prepare(OK_TRAILERS);
		this.patience = new Patience(this.http2, http2Options, performance.now());
		this.link = new SocketLink(socket, this.http2, () => {
			held.forget(this.hold);
			onClose(this);
		});
	}

	outputWaits(): void {
		// The greeting waits before there is a link, which begins with it.
		this.link?.outputWaits();
	}

	createStream(block: HeaderBlock): Http2Stream {
		const { http, methods } = this.parts;
		// A method that is called in another way is refused as gRPC servers refuse it.
		if (http !== null && !isGrpc(block) && !methods.has(block.requestHead.path)) return new NativeHttpCall(this, http, block);
		block.note ??= readCallHead(block, this.parts.methods, this.parts.services);
		const head = block.note as CallHead;
		const { method } = head;
		if (method === null || method.shape === "unary") return new NativeUnaryCall(this, head, block);
		return method.clientStreams ? new NativeDuplexCall(this, head, block) : new NativeServerStreamCall(this, head, block);
	}

	streamRefused(): void {
		this.options.onLimit?.("streams", { path: "", peer: this.peer });
	}

	/** Its request is to come. */
	began(call: NativeCall): void {
		this.incomplete.push(call);
	}

	/** Requests that came whole were never watched. */
	readDone(): void {
		if (this.incomplete.length === 0) return;
		const calls = this.incomplete;
		this.incomplete = [];
		for (const call of calls) call.watch();
	}

	get mayProduce(): boolean {
		return this.producers.size === 0 && this.http2.queuedBytes <= UNREAD_BYTES_PAUSED;
	}

	/** False when the requests that wait so would be too much to hold. */
	produceLater(call: NativeUnaryCall, requestBytes: number): boolean {
		if (this.hold.requestBytes + requestBytes > this.options.unfinishedBytesPerConnectionMax) return false;
		this.hold.hold(requestBytes);
		this.producers.add(call);
		return true;
	}

	producesNothing(call: NativeUnaryCall): void {
		if (this.producers.delete(call)) this.hold.release(call.request.length);
	}

	/** Something that waited has left. */
	answersMoved(): void {
		if (this.producers.size === 0 || this.producing) return;
		this.producing = true;
		for (const call of this.producers) {
			if (this.http2.queuedBytes > UNREAD_BYTES_PAUSED) break;
			this.producesNothing(call);
			call.produceNow();
		}
		this.producing = false;
	}

	pinged(): boolean {
		const { http2 } = this;
		return this.pings.pinged(performance.now(), http2.blocksSent + http2.dataSent, http2.streams.size > 0);
	}

	goneAway(): void {}

	ended(reason: string | null): void {
		if (reason !== null) this.options.onCut?.(reason, this);
		this.link.end();
	}

	nowMs(): number {
		return performance.now();
	}

	/** A message that needs so much more may be sent in one go. */
	mayGoAhead(bytes: number): boolean {
		return this.hold.requestBytes + this.ahead + bytes <= this.options.unfinishedBytesPaused >>> 1;
	}

	/** To be called about every second. */
	look(nowMs: number): void {
		const { http2, options } = this;
		if (http2.over) return;
		const reason = this.patience.look(nowMs);
		const waits = http2.queuedBytes > 0 && this.waitingAnswers > 0;
		if (reason !== null) http2.fail(ErrorCode.enhanceYourCalm, reason);
		else if (this.unread.since(waits, http2.dataSent, nowMs, options.stallBytes) >= options.stallMs) {
			http2.fail(ErrorCode.enhanceYourCalm, "answers are not read");
		} else this.keepAlive(nowMs);
	}

	private keepAlive(nowMs: number): void {
		const { http2, options } = this;
		const quietMs = this.quiet.since(true, http2.bytesSeen, nowMs);
		if (quietMs === 0) this.pingedMs = Number.NaN;
		if (Number.isNaN(this.pingedMs)) {
			if (quietMs < options.keepaliveIntervalMs) return;
			this.pingedMs = nowMs;
			http2.ping(PING);
		} else if (nowMs - this.pingedMs >= options.keepaliveTimeoutMs) {
			options.onCut?.("a ping was not answered", this);
			this.cut();
		}
	}

	leave(): void {
		this.http2.leave();
	}

	cut(): void {
		this.link.socket.destroy();
	}
}
