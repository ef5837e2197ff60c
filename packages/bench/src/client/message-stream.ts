/** gRPC on one HTTP/2 stream, seen by the client: whole messages come out, and one status at the end. */
import { type HeaderBlock, type Http2Connection, type Http2ErrorCode, Http2Stream, http2StatusOf } from "@flotilla/server/internal";

const HEAD_BYTES = 5;
/** A server that announces more means something else than a message. */
const MESSAGE_BYTES_MAX = 1 << 30;
/** Granted in parts of this size: what is read is given back before the window is empty. */
const GRANT_BYTES_MIN = 256 << 10;

const OK = 0;
const UNKNOWN = 2;
const UNAVAILABLE = 14;

export abstract class MessageStream extends Http2Stream {
	protected readonly connection: Http2Connection;
	private held: Buffer[] = [];
	private heldBytes = 0;
	private ungranted = 0;
	private statusSeen = false;

	constructor(connection: Http2Connection) {
		super();
		this.connection = connection;
	}

	/** bytes[start, end) are the callee's only during the call. */
	abstract onMessage(bytes: Buffer, start: number, end: number): void;
	/** Once, the last of all. */
	abstract onStatus(code: number, text: string): void;

	override onHeaders(block: HeaderBlock, ends: boolean): void {
		const status = block.get("grpc-status");
		if (ends || status !== undefined) {
			this.end(status === undefined ? UNKNOWN : Number(status), decodeText(block.get("grpc-message") ?? ""));
			return;
		}
		const http = http2StatusOf(block);
		if (http !== 200) this.end(UNKNOWN, `HTTP status ${http ?? "missing"}`);
	}

	override onData(bytes: Buffer, start: number, end: number, ends: boolean): void {
		this.grantBack(end - start);
		if (this.heldBytes > 0) this.goOn(Buffer.from(bytes.subarray(start, end)));
		else this.cut(bytes, start, end);
		// The status comes with trailers.
		if (ends) this.end(UNKNOWN, "the stream ended without a status");
	}

	override onAbort(code: Http2ErrorCode): void {
		this.end(UNAVAILABLE, `stream or connection ended, HTTP/2 code ${code}`);
	}

	override onSent(): void {}

	/** A message that began in earlier frames: pieces are joined once, when it is whole. */
	private goOn(piece: Buffer): void {
		this.held.push(piece);
		this.heldBytes += piece.length;
		if (this.heldBytes < HEAD_BYTES || this.heldBytes < HEAD_BYTES + this.heldLength()) return;
		const joined = Buffer.concat(this.held);
		this.held = [];
		this.heldBytes = 0;
		this.cut(joined, 0, joined.length);
	}

	/** Hands on whole messages and keeps the rest. */
	private cut(bytes: Buffer, start: number, end: number): void {
		let at = start;
		while (end - at >= HEAD_BYTES) {
			const length = bytes.readUInt32BE(at + 1);
			if (length > MESSAGE_BYTES_MAX) {
				this.end(UNKNOWN, "a message of more than 1 GiB");
				return;
			}
			if (end - at - HEAD_BYTES < length) break;
			this.onMessage(bytes, at + HEAD_BYTES, at + HEAD_BYTES + length);
			at += HEAD_BYTES + length;
		}
		if (at === end) return;
		this.held = [Buffer.from(bytes.subarray(at, end))];
		this.heldBytes = end - at;
	}

	/** Length of the message whose beginning is held; its head may lie in several pieces. */
	private heldLength(): number {
		const first = this.held[0] as Buffer;
		if (first.length >= HEAD_BYTES) return first.readUInt32BE(1);
		this.held = [Buffer.concat(this.held)];
		return (this.held[0] as Buffer).readUInt32BE(1);
	}

	private grantBack(bytes: number): void {
		this.ungranted += bytes;
		if (this.ungranted < GRANT_BYTES_MIN) return;
		this.connection.grant(this, this.ungranted);
		this.ungranted = 0;
	}

	private end(code: number, text: string): void {
		if (this.statusSeen) return;
		this.statusSeen = true;
		this.onStatus(code, code === OK ? "" : text);
	}
}

/** Percent signs before two hexadecimal digits stand for a byte. */
function decodeText(text: string): string {
	if (!text.includes("%")) return text;
	const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
	return Buffer.from(bytes, "latin1").toString();
}
