/** Connections without sockets for tests: one end alone, fed with frames by hand, or both ends joined. */
import { type ConnectionOwner, Http2Connection } from "../../src/http2/connection.ts";
import { type ConnectionOptions, DEFAULT_CONNECTION_OPTIONS } from "../../src/http2/connection-options.ts";
import { ChunkPool } from "../../src/http2/frame-writer.ts";
import type { HeaderBlock } from "../../src/http2/header-block.ts";
import { type ErrorCode, FrameType, PREFACE } from "../../src/http2/protocol.ts";
import { Http2Stream } from "../../src/http2/stream.ts";

/** Keeps everything that comes. */
export class KeptStream extends Http2Stream {
	readonly blocks: HeaderBlock[] = [];
	readonly data: Buffer[] = [];
	ends = false;
	aborted: ErrorCode | null = null;
	sent = 0;

	get text(): string {
		return Buffer.concat(this.data).toString("latin1");
	}

	override onHeaders(block: HeaderBlock, ends: boolean): void {
		this.blocks.push(block);
		this.ends ||= ends;
	}
	override onData(bytes: Buffer, start: number, end: number, ends: boolean): void {
		this.data.push(Buffer.from(bytes.subarray(start, end)));
		this.ends ||= ends;
	}
	override onAbort(code: ErrorCode): void {
		this.aborted = code;
	}
	override onSent(bytes: number): void {
		this.sent += bytes;
	}
}

export class End implements ConnectionOwner {
	readonly connection: Http2Connection;
	readonly streams: KeptStream[] = [];
	waits = false;
	streamsRefused = 0;
	isEnded = false;
	goneAwayCode = -1;
	now = 0;
	takesPings = true;

	constructor(role: "server" | "client", options: Partial<ConnectionOptions> = {}) {
		this.connection = new Http2Connection(role, this, { ...DEFAULT_CONNECTION_OPTIONS, ...options }, new ChunkPool(4));
	}

	outputWaits(): void {
		this.waits = true;
	}
	createStream(): KeptStream {
		const stream = new KeptStream();
		this.streams.push(stream);
		return stream;
	}
	streamRefused(): void {
		this.streamsRefused++;
	}
	pinged(): boolean {
		return this.takesPings;
	}
	goneAway(code: number): void {
		this.goneAwayCode = code;
	}
	ended(): void {
		this.isEnded = true;
	}
	nowMs(): number {
		return this.now;
	}

	/** Everything that waits to be sent. */
	take(): Buffer {
		const pieces: Uint8Array[] = [];
		while (this.waits) {
			this.waits = false;
			for (const piece of this.connection.takeOutput()) pieces.push(Uint8Array.from(piece));
			this.connection.outputSent(true);
		}
		return Buffer.concat(pieces);
	}
}

/** Carries bytes both ways until nobody has any, in pieces of `bytesMax`. */
export function carry(one: End, other: End, bytesMax = Number.POSITIVE_INFINITY): void {
	for (;;) {
		const there = one.take();
		const back = other.take();
		if (there.length === 0 && back.length === 0) return;
		feed(other, there, bytesMax);
		feed(one, back, bytesMax);
	}
}

function feed(end: End, bytes: Buffer, bytesMax: number): void {
	for (let at = 0; at < bytes.length; at += bytesMax) end.connection.receive(Buffer.from(bytes.subarray(at, at + bytesMax)));
}

export function frame(type: number, flags: number, streamId: number, content: Uint8Array | string = ""): Buffer {
	const bytes = typeof content === "string" ? Buffer.from(content, "hex") : content;
	const head = Buffer.alloc(9);
	head.writeUIntBE(bytes.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(streamId, 5);
	return Buffer.concat([head, bytes]);
}

export const SETTINGS = frame(FrameType.settings, 0, 0);
export const OPENING = Buffer.concat([PREFACE, SETTINGS]);
/** `:method: POST, :scheme: http, :path: /` of the static table. */
export const REQUEST = "838684";

export interface SeenFrame {
	readonly type: number;
	readonly flags: number;
	readonly streamId: number;
	readonly content: Buffer;
}

export function framesOf(bytes: Buffer): SeenFrame[] {
	const frames: SeenFrame[] = [];
	for (let at = 0; at < bytes.length; ) {
		const end = at + 9 + bytes.readUIntBE(at, 3);
		frames.push({
			type: bytes[at + 3] as number,
			flags: bytes[at + 4] as number,
			streamId: bytes.readUInt32BE(at + 5),
			content: bytes.subarray(at + 9, end),
		});
		at = end;
	}
	return frames;
}

/** What a server says to these frames behind a regular opening: `goaway 1 text`, `reset 3: 5`, ... */
export function verdictOf(server: End, ...frames: Buffer[]): string {
	server.connection.receive(OPENING);
	server.take();
	for (const bytes of frames) server.connection.receive(bytes);
	const said = framesOf(server.take()).flatMap(({ type, streamId, content }) => {
		if (type === FrameType.goaway) return [`goaway ${content.readUInt32BE(4)}: ${content.toString("latin1", 8)}`];
		if (type === FrameType.rstStream) return [`reset ${streamId}: ${content.readUInt32BE(0)}`];
		return [];
	});
	return said.length === 0 ? "nothing" : said.join(", ");
}
