/** Limits of one connection; each has a stated behaviour when it is reached. */
import { DEFAULT_FLOOD_LIMITS, type FloodLimits } from "./flood-guard.ts";

export interface ConnectionOptions {
	/** Streams that the peer may have open at once; a further one is refused. */
	readonly concurrentStreamsMax: number;
	/** What a stream may send before it is granted more. */
	readonly streamWindowBytes: number;
	/** What all streams together may have under way. */
	readonly connectionWindowBytes: number;
	/** A block's decoded size and number of fields; a stream that brings more is reset. */
	readonly headerListBytesMax: number;
	readonly headerFieldsMax: number;
	/** A block's bytes and frames before they are joined; more ends the connection. */
	readonly headerBlockBytesMax: number;
	readonly headerFramesMax: number;
	/** Bytes of output gathered before streams have to wait for the socket. */
	readonly outputBytesMax: number;
	/** Bytes of headers and control frames that the socket does not take; a peer that goes on asking loses its connection. */
	readonly unreadBytesMax: number;
	/** How long the first SETTINGS, the rest of a header block, or any byte of a frame that was begun may take. */
	readonly silenceMs: number;
	/** How long one frame may take in all, and how long a peer may read nothing of what waits for it. */
	readonly slownessMs: number;
	readonly floods: FloodLimits;
}

export const DEFAULT_CONNECTION_OPTIONS: ConnectionOptions = {
	concurrentStreamsMax: 16_384,
	streamWindowBytes: 65_535,
	connectionWindowBytes: 4 << 20,
	headerListBytesMax: 64 << 10,
	headerFieldsMax: 256,
	headerBlockBytesMax: 64 << 10,
	headerFramesMax: 16,
	outputBytesMax: 512 << 10,
	unreadBytesMax: 4 << 20,
	silenceMs: 10_000,
	slownessMs: 30_000,
	floods: DEFAULT_FLOOD_LIMITS,
};
