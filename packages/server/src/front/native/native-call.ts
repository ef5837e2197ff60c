/**
 * One call of the native front: a stream of HTTP/2 that takes messages apart and answers with a status. Nothing is made for a
 * unary call but this object, unless its request comes in pieces.
 *
 *     headers -> messages -> half-close          answered: over        aborted, expired: over, and the handler is told
 */
import type { HeaderBlock } from "../../http2/header-block.ts";
import { ErrorCode } from "../../http2/protocol.ts";
import { Http2Stream } from "../../http2/stream.ts";
import { DEADLINE_EXCEEDED, TRUNCATED_REQUEST } from "../etcd-texts.ts";
import { isMalformed } from "../handler-errors.ts";
import { ABANDONED, type AbandonReason, UNREAD } from "../held-bytes.ts";
import { Packed } from "../inbox.ts";
import { FramingFault, MessageReader, type PieceSource } from "../message-reader.ts";
import { Grpc, type Status } from "../seam.ts";
import { loneStatus, refusalOf, trailersOf } from "./answer-headers.ts";
import type { CallHead } from "./call-head.ts";
import type { Expiring } from "./deadlines.ts";
import { inflate } from "./inflate.ts";
import type { NativeConnection } from "./native-connection.ts";

const HEAD_BYTES = 5;
/** What a call costs that waits for its request, and headers that count as no more than that. */
const CALL_BYTES = 1 << 10;
export const OK: Status = { code: Grpc.ok, message: "" };

export abstract class NativeCall extends Http2Stream implements Expiring, PieceSource {
	readonly path: string;
	deadlineMs = Number.POSITIVE_INFINITY;
	protected readonly connection: NativeConnection;
	protected readonly head: CallHead;
	/** It has its status, or was called off. */
	over = false;
	/** The client sends one message. */
	protected abstract readonly single: boolean;
	/** To a client whose bytes are no message. */
	protected abstract readonly malformed: Status;
	private readonly block: HeaderBlock;
	private reader: MessageReader | null = null;
	private headSent = false;
	/** Goes out when everything before it has. */
	private ending: Status | null = null;
	private cancelListener: (() => void) | null = null;
	/** Behind the first one: few calls have more. */
	private moreCancelListeners: Array<() => void> | null = null;
	/** Bytes of its answers that are counted as not read. */
	private heldAnswer = 0;
	/** Of its headers, and for itself while its request is not whole. */
	private heldBytes = 0;
	/** Of the window that was granted for the message under way, what lies above the usual. */
	private ahead = 0;

	constructor(connection: NativeConnection, head: CallHead, block: HeaderBlock) {
		super();
		this.path = head.path;
		this.connection = connection;
		this.head = head;
		this.block = block;
	}

	/** A message is whole. */
	protected abstract take(message: Uint8Array | Packed): void;
	/** The client sends no more. */
	protected abstract halfClosed(): void;
	/** Its headers came and are sound. */
	protected abstract begin(): void;
	/** What was sent has left. */
	protected abstract drained(): void;
	abstract get wantsMore(): boolean;

	get peer(): string {
		return this.connection.peer;
	}

	get commonName(): string | undefined {
		return this.connection.commonName;
	}

	get remainingMs(): number {
		return this.deadlineMs === Number.POSITIVE_INFINITY ? this.deadlineMs : Math.max(0, this.deadlineMs - performance.now());
	}

	metadata(key: string): string | undefined {
		return this.block.get(key);
	}

	onCancel(listener: () => void): void {
		if (this.cancelListener === null) this.cancelListener = listener;
		else if (this.moreCancelListeners === null) this.moreCancelListeners = [listener];
		else this.moreCancelListeners.push(listener);
	}

	override onHeaders(_block: HeaderBlock, ends: boolean): void {
		if (this.begun) {
			this.requestEnded();
			return;
		}
		this.begun = true;
		const { head, connection } = this;
		if (head.refusal !== null) {
			this.over = true;
			this.sendLast(refusalOf(head.refusal));
			return;
		}
		if (head.timeoutMs !== Number.POSITIVE_INFINITY) {
			if (head.timeoutMs <= 0) {
				this.finish(DEADLINE_EXCEEDED);
				return;
			}
			this.deadlineMs = performance.now() + head.timeoutMs;
			connection.deadlines.add(this);
		}
		// Small ones are no more than the call itself.
		if (this.block.bytes > CALL_BYTES && !this.holdBytes(this.block.bytes)) return;
		this.begin();
		if (ends) this.requestEnded();
		else if (this.single) connection.began(this);
	}

	override onData(bytes: Buffer, start: number, end: number, ends: boolean): void {
		if (this.over) return;
		if (ends && this.reader === null && end - start >= HEAD_BYTES && bytes[start] === 0) {
			const length = bytes.readUInt32BE(start + 1);
			if (length === end - start - HEAD_BYTES && length <= this.connection.options.messageBytesMax) {
				// A copy: what was read with it must not live as long as this message.
				const message = Buffer.allocUnsafe(length);
				bytes.copy(message, 0, start + HEAD_BYTES, end);
				this.take(message);
				this.halfClosed();
				return;
			}
		}
		this.readPieces(bytes.subarray(start, end));
		if (ends) this.requestEnded();
	}

	override onAbort(_code: ErrorCode): void {
		this.connection.hold.releaseAnswer(this.heldAnswer, this.heldAnswer);
		if (this.heldAnswer > 0) this.connection.answersMoved();
		this.heldAnswer = 0;
		if (this.ending !== null) {
			this.ending = null;
			this.connection.waitingAnswers--;
		}
		this.callOff();
	}

	override onSent(bytes: number): void {
		this.connection.hold.releaseAnswer(this.heldAnswer, bytes);
		this.heldAnswer -= bytes;
		this.connection.answersMoved();
		if (this.pendingBytes > 0) return;
		const { ending } = this;
		if (ending === null) {
			this.drained();
			return;
		}
		this.ending = null;
		this.connection.waitingAnswers--;
		this.sendStatus(ending);
	}

	expire(): void {
		if (this.over) return;
		this.finish(DEADLINE_EXCEEDED);
		this.tellCancelled();
	}

	/** Only part of its request came with the read that brought its headers: from now on it is watched for progress. */
	watch(): void {
		if (this.over || this.remoteEnded) return;
		this.reader ??= this.createReader();
		this.holdBytes(CALL_BYTES);
	}

	pause(): void {}

	resume(): void {
		this.topUp();
	}

	/** Lets the client send on, as far as it may. */
	protected topUp(): void {
		const { reader, connection } = this;
		if (this.over || this.remoteEnded || reader?.paused === true || !this.wantsMore) return;
		const usual = connection.windowBytes;
		const missing = reader?.missing ?? 0;
		connection.ahead -= this.ahead;
		this.ahead = Math.max(0, connection.mayGoAhead(missing) ? missing - usual : 0);
		connection.ahead += this.ahead;
		const target = usual + this.ahead;
		if (this.receiveWindow < target && (this.receiveWindow <= usual >>> 1 || this.ahead > 0)) {
			connection.http2.grant(this, target - this.receiveWindow);
		}
	}

	/** False when it has to wait for its reader. `parts`: how it goes on. */
	protected sendMessage(message: Uint8Array, parts: readonly Uint8Array[]): boolean {
		const { http2, hold, answerHead } = this.connection;
		let bytes = HEAD_BYTES + message.length;
		for (const part of parts) bytes += part.length;
		if (!hold.holdAnswer(this.heldAnswer, bytes)) {
			this.tooMuchUnread();
			return true;
		}
		if (!this.headSent) {
			this.headSent = true;
			http2.sendHeaders(this, answerHead, false);
		}
		if (http2.sendMessage(this, message, false, parts)) {
			hold.releaseAnswer(this.heldAnswer + bytes, bytes);
			return true;
		}
		this.heldAnswer += bytes;
		return false;
	}

	/** The one message of a call that went well, and its end. False where a part of it has to wait: then nothing was sent. */
	protected answerAtOnce(message: Uint8Array): boolean {
		const { http2, answerHead, okTrailers } = this.connection;
		if (this.headSent || !http2.sendAnswer(this, answerHead, message, okTrailers)) return false;
		this.headSent = true;
		this.over = true;
		this.letGo();
		// What the client still sends of it is not wanted (RFC 9113, 8.1).
		if (!this.gone) http2.reset(this, ErrorCode.noError);
		return true;
	}

	/** Ends the call with a status, behind what was sent. */
	protected finish(status: Status): void {
		this.over = true;
		this.letGo();
		if (this.gone) return;
		if (this.pendingBytes === 0) {
			this.sendStatus(status);
			return;
		}
		this.ending = status;
		this.connection.waitingAnswers++;
	}

	/** Runs what belongs to a handler: what it throws is the client's fault, or a bug that ends the process. */
	run<T>(work: (argument: T) => void, argument: T): void {
		try {
			work(argument);
		} catch (error) {
			if (isMalformed(error)) this.refuse(this.malformed);
		}
	}

	private begun = false;

	private requestEnded(): void {
		if (this.over) return;
		if (this.reader !== null) {
			const truncated = this.reader.inMessage;
			this.reader.settle();
			if (truncated) {
				this.refuse(TRUNCATED_REQUEST);
				return;
			}
		}
		this.halfClosed();
	}

	private readPieces(piece: Buffer): void {
		this.reader ??= this.createReader();
		try {
			for (const message of this.reader.write(piece)) {
				if (this.over) return;
				const content = message.subarray(HEAD_BYTES);
				this.take(message[0] === 0 ? content : new Packed(content));
			}
		} catch (error) {
			this.refuseFramed(error);
			return;
		}
		this.topUp();
	}

	unpack({ bytes }: Packed): Uint8Array | null {
		try {
			return inflate(bytes, this.connection.options);
		} catch (error) {
			this.refuseFramed(error);
			return null;
		}
	}

	private refuseFramed(error: unknown): void {
		if (!(error instanceof FramingFault)) throw error;
		if (error.status.code === Grpc.resourceExhausted) this.connection.options.onLimit?.("messageBytes", this);
		this.refuse(error.status);
	}

	/** Counted while the call is not over. False when it is too much. */
	private holdBytes(bytes: number): boolean {
		const { hold, options } = this.connection;
		this.heldBytes += bytes;
		hold.hold(bytes);
		if (hold.requestBytes <= options.unfinishedBytesPerConnectionMax) return true;
		this.abandon("connectionFull");
		return false;
	}

	private createReader(): MessageReader {
		const { hold, options } = this.connection;
		return new MessageReader(hold, this, {
			messageBytesMax: options.messageBytesMax,
			encoded: this.head.gzip,
			single: this.single,
			abandon: (reason) => this.abandon(reason),
		});
	}

	protected abandon(reason: AbandonReason): void {
		if (reason !== "stalled") this.connection.options.onLimit?.(reason, this);
		this.refuse(ABANDONED[reason]);
	}

	/** The client is at fault: it gets a status, and the handler is told. */
	protected refuse(status: Status): void {
		if (this.over) return;
		this.finish(status);
		this.tellCancelled();
	}

	private tooMuchUnread(): void {
		if (this.gone) return;
		this.connection.options.onLimit?.("unread", this);
		if (this.pendingBytes === 0) {
			this.finish(UNREAD);
			return;
		}
		// A status would wait behind what is not read.
		this.connection.http2.reset(this, ErrorCode.enhanceYourCalm);
		this.onAbort(ErrorCode.enhanceYourCalm);
	}

	private sendStatus(status: Status): void {
		if (!this.headSent) this.sendLast(loneStatus(status));
		else if (status.code === Grpc.ok) this.sendLast(this.connection.okTrailers);
		else this.sendLast(trailersOf(status));
	}

	private sendLast(block: Parameters<NativeConnection["http2"]["sendHeaders"]>[1]): void {
		const { http2 } = this.connection;
		http2.sendHeaders(this, block, true);
		// What the client still sends of it is not wanted (RFC 9113, 8.1).
		if (!this.gone) http2.reset(this, ErrorCode.noError);
	}

	private callOff(): void {
		if (this.over) return;
		this.over = true;
		this.letGo();
		this.tellCancelled();
	}

	/** Nothing more is read or waited for. */
	protected letGo(): void {
		if (this.deadlineMs !== Number.POSITIVE_INFINITY) this.connection.deadlines.remove(this);
		if (this.heldBytes > 0) {
			this.connection.hold.release(this.heldBytes);
			this.heldBytes = 0;
		}
		if (this.reader === null) return;
		this.reader.settle();
		this.connection.ahead -= this.ahead;
		this.ahead = 0;
	}

	protected tellCancelled(): void {
		const first = this.cancelListener;
		const more = this.moreCancelListeners;
		this.cancelListener = null;
		this.moreCancelListeners = null;
		first?.();
		if (more !== null) for (const listener of more) listener();
	}
}
