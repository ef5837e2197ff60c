/** One stream of a connection. Whoever answers or asks derives from it: there is one object a call, and no listener. */
import type { HeaderBlock } from "./header-block.ts";
import type { ErrorCode } from "./protocol.ts";

export abstract class Http2Stream {
	/** 0 until it is opened. */
	id = 0;
	/** Bytes of DATA that the peer takes now, and that it may send now. Kept by the connection. */
	sendWindow = 0;
	receiveWindow = 0;
	/** Which side has sent its last frame. */
	localEnded = false;
	remoteEnded = false;
	/** The connection knows it no more. */
	gone = false;
	/** What waits for windows or for the socket: pieces from `pendingAt` on, the first of which has left up to `pendingOffset`. */
	pending: Uint8Array[] = NOTHING;
	pendingAt = 0;
	pendingOffset = 0;
	pendingBytes = 0;
	/** The last of what waits ends this side. */
	pendingEnds = false;
	/** Bytes that `content-length` still promises; -1 without one. */
	contentLeft = -1;

	/** A request or an answer, or trailers (then `ends` is true). */
	abstract onHeaders(block: HeaderBlock, ends: boolean): void;
	/** bytes[start, end) are the callee's only during the call. */
	abstract onData(bytes: Buffer, start: number, end: number, ends: boolean): void;
	/** The stream or its connection is over before both sides have ended. Nothing can be sent any more. */
	abstract onAbort(code: ErrorCode): void;
	/** So many bytes of what waited have left. When `pendingBytes` is 0 there is room again. */
	abstract onSent(bytes: number): void;
}

const NOTHING: Uint8Array[] = [];
