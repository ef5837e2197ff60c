/** Numbers of HTTP/2 (RFC 9113) that both ends of a connection know. */

/** What a client sends first (3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const FRAME_HEAD_BYTES = 9;
/** Length of a frame's content that every peer must take, and the most that we take. */
export const FRAME_BYTES_MIN = 16_384;
export const FRAME_BYTES_MAX = 0xff_ffff;
export const WINDOW_MAX = 0x7fff_ffff;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const STREAM_ID_MAX = 0x7fff_ffff;

export const FrameType = {
	data: 0,
	headers: 1,
	priority: 2,
	rstStream: 3,
	settings: 4,
	pushPromise: 5,
	ping: 6,
	goaway: 7,
	windowUpdate: 8,
	continuation: 9,
} as const;

export const Flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const ErrorCode = {
	noError: 0,
	protocolError: 1,
	internalError: 2,
	flowControlError: 3,
	settingsTimeout: 4,
	streamClosed: 5,
	frameSizeError: 6,
	refusedStream: 7,
	cancel: 8,
	compressionError: 9,
	connectError: 10,
	enhanceYourCalm: 11,
	inadequateSecurity: 12,
	http11Required: 13,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

export const Setting = {
	headerTableSize: 1,
	enablePush: 2,
	maxConcurrentStreams: 3,
	initialWindowSize: 4,
	maxFrameSize: 5,
	maxHeaderListSize: 6,
} as const;

/** The peer broke the rules in a way that ends the connection (5.4.1). The text goes into GOAWAY and names no content. */
export class ConnectionFault extends Error {
	override readonly name = "ConnectionFault";
	readonly code: ErrorCode;

	constructor(code: ErrorCode, text: string) {
		super(text);
		this.code = code;
	}
}
