/** Frames that cost their sender little, one flood a name: what each sends at its `at`-th round, and why its connection is ended. */
import { Http2Flag as Flag, Http2FrameType as T } from "@flotilla/server/internal";
import { encodeMessage } from "../client/protocol.ts";
import { type Attacker, frame, framed } from "./attacker.ts";

export interface Flood {
	readonly name: string;
	/** A part of the text in GOAWAY, whose code is always ENHANCE_YOUR_CALM. */
	readonly reason: RegExp;
	readonly frames: (attacker: Attacker, at: number) => Buffer[];
}

const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const WATCH = "/etcdserverpb.Watch/Watch";
const CANCEL = "00000008";
const KEY = Buffer.from("flooded");
const PUT_REQUEST = encodeMessage("etcdserverpb.PutRequest", { key: KEY, value: Buffer.alloc(100, "v") });
const RANGE_REQUEST = encodeMessage("etcdserverpb.RangeRequest", { key: KEY });
const WATCH_REQUEST = encodeMessage("etcdserverpb.WatchRequest", { create_request: { key: KEY } });

/** Read as one, frames that want an answer are too many answers at once. */
const WASTE = /^too many (frames without use|acknowledgements are not read)$/;
const RESETS = /^too many resets$/;
const BLAMED = /^too many streams had to be reset$/;

const ENDS = Flag.endHeaders | Flag.endStream;
/** As an indexed field: the one that the table took last. */
const NEWEST_FIELD = 0x80 | 62;

const idOf = (at: number): number => 1 + 2 * at;
const reset = (at: number): Buffer => frame(T.rstStream, 0, idOf(at), CANCEL);

/** Before all others: a call whose request never comes. */
function behindCall(attacker: Attacker, at: number, flood: Buffer): Buffer[] {
	return at === 0 ? [attacker.headers(1, PUT), flood] : [flood];
}

export const FLOODS: readonly Flood[] = [
	{ name: "PING", reason: /^too_many_pings$/, frames: () => [frame(T.ping, 0, 0, "0000000000000000")] },
	{ name: "acknowledgements of PING", reason: WASTE, frames: () => [frame(T.ping, Flag.ack, 0, "0000000000000000")] },
	{ name: "SETTINGS", reason: WASTE, frames: () => [frame(T.settings, 0, 0)] },
	{
		name: "SETTINGS that move the windows",
		reason: WASTE,
		frames: (_attacker, at) => [frame(T.settings, 0, 0, at % 2 === 0 ? "000400000001" : "000400010000")],
	},
	{ name: "WINDOW_UPDATE", reason: WASTE, frames: () => [frame(T.windowUpdate, 0, 0, "00000001")] },
	{ name: "WINDOW_UPDATE of a stream", reason: WASTE, frames: (a, at) => behindCall(a, at, frame(T.windowUpdate, 0, 1, "00000001")) },
	{ name: "PRIORITY", reason: WASTE, frames: (_attacker, at) => [frame(T.priority, 0, idOf(at), "0000000110")] },
	{ name: "frames of unknown types", reason: WASTE, frames: () => [frame(0x20, 0, 0, "00")] },
	{ name: "empty DATA", reason: WASTE, frames: (a, at) => behindCall(a, at, frame(T.data, 0, 1)) },
	{ name: "DATA of nothing but padding", reason: WASTE, frames: (a, at) => behindCall(a, at, frame(T.data, Flag.padded, 1, "00")) },
	{
		name: "CONTINUATION",
		reason: /^a header block is too long or in too many pieces$/,
		frames: (attacker, at) => [at === 0 ? attacker.headers(1, PUT, 0) : frame(T.continuation, 0, 1, Buffer.alloc(1_000, 0x82))],
	},
	{
		name: "empty CONTINUATION",
		reason: /^a header block is too long or in too many pieces$/,
		frames: (attacker, at) => [at === 0 ? attacker.headers(1, PUT, 0) : frame(T.continuation, 0, 1)],
	},
	{
		name: "writes that are reset at once",
		reason: RESETS,
		frames: (attacker, at) => [
			attacker.headers(idOf(at), PUT),
			frame(T.data, 0, idOf(at), framed(PUT_REQUEST)),
			frame(T.data, Flag.endStream, idOf(at)),
			reset(at),
		],
	},
	{
		name: "reads that are reset at once",
		reason: RESETS,
		frames: (attacker, at) => [attacker.call(idOf(at), RANGE, RANGE_REQUEST), reset(at)],
	},
	{
		name: "watches that are reset at once",
		reason: RESETS,
		frames: (attacker, at) => [attacker.headers(idOf(at), WATCH), frame(T.data, 0, idOf(at), framed(WATCH_REQUEST)), reset(at)],
	},
	{
		name: "calls that have to be reset: a window update by nothing",
		reason: BLAMED,
		frames: (attacker, at) => [attacker.headers(idOf(at), WATCH), frame(T.windowUpdate, 0, idOf(at), "00000000")],
	},
	{
		name: "calls that have to be reset: a window that overflows",
		reason: BLAMED,
		frames: (attacker, at) => [attacker.headers(idOf(at), WATCH), frame(T.windowUpdate, 0, idOf(at), "7fffffff")],
	},
	{
		name: "calls that have to be reset: PRIORITY of a wrong length",
		reason: BLAMED,
		frames: (attacker, at) => [attacker.headers(idOf(at), WATCH), frame(T.priority, 0, idOf(at), "00")],
	},
	{
		name: "calls that have to be reset: DATA behind the end",
		reason: BLAMED,
		frames: (attacker, at) => [attacker.headers(idOf(at), WATCH, ENDS), frame(T.data, 0, idOf(at), "00")],
	},
	{
		name: "headers of one byte a field that grow to three thousand",
		reason: BLAMED,
		frames: (attacker, at) => {
			const block = attacker.block(PUT, { x: "x".repeat(3_000) });
			return [frame(T.headers, ENDS, idOf(at), Buffer.concat([block, Buffer.alloc(8_000, NEWEST_FIELD)]))];
		},
	},
];
