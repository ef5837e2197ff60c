/**
 * The handshake of a peer stream. Little endian; a reader takes the fields it knows and skips what follows them, so that a
 * later version can say more:
 *
 *   hello:  "FLOT" | body length u16 | versionMin u16 | versionMax u16 | lane u8 | 0 u8 | cluster u64 | from u64 | to u64 | incarnation u64 |
 *           length u16 and text of the sender's peer URLs, one a line | ... | CRC-32C u32
 *   answer: "FLOT" | body length u16 | code u8 | 0 u8 | version u16 | incarnation u64 | ... | CRC-32C u32
 *
 * The CRC covers everything before it and ends the body.
 */
import { type ByteOps, readBigU64, readU32, readU64, writeBigU64, writeU32, writeU64 } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { Lane } from "./lane.ts";

/**
 * Raised with every change of what members tell each other: builds that do not understand each other say so when they meet.
 * 2: a heartbeat names the term of the entry at its commit.
 */
export const PROTOCOL_VERSION = 2;
/** Of what a stranger may make us hold. */
export const HELLO_BYTES_MAX = 1_024;
const MAGIC = Uint8Array.of(0x46, 0x4c, 0x4f, 0x54);
const PREFIX_BYTES = 6;
const CRC_BYTES = 4;
const HELLO_BODY_BYTES = 38 + CRC_BYTES;
const URLS_AT = 44;
/** Longer lists are left out: they serve only those who do not know the sender. */
const URLS_BYTES_MAX = 512;
const ANSWER_BODY_BYTES = 12 + CRC_BYTES;

export interface Hello {
	readonly versionMin: number;
	readonly versionMax: number;
	readonly clusterId: bigint;
	readonly from: NodeId;
	readonly to: NodeId;
	/** Random 53 bits of the process life. */
	readonly incarnation: number;
	readonly lane: Lane;
	/** Where the sender can be asked who it is; empty when it does not say. */
	readonly peerUrls: readonly string[];
}

/** Numbers are on the wire: add, never reuse. */
const AnswerCode = {
	accepted: 0,
	version: 1,
	"wrong-cluster": 2,
	"wrong-node": 3,
	removed: 4,
	unknown: 5,
	lane: 6,
	busy: 7,
} as const;
export type HelloCode = keyof typeof AnswerCode;
export type HelloRefusal = Exclude<HelloCode, "accepted">;
const CODES: ReadonlyMap<number, HelloCode> = new Map(Object.entries(AnswerCode).map(([code, number]) => [number, code as HelloCode]));

export interface HelloAnswer {
	readonly code: HelloCode;
	readonly version: number;
	/** Of the answering process. */
	readonly incarnation: number;
}

export function encodeHello(bytes: ByteOps, hello: Hello): Uint8Array {
	const text = Buffer.from(hello.peerUrls.join("\n"));
	const urls = text.length > URLS_BYTES_MAX ? Buffer.alloc(0) : text;
	const out = begin(HELLO_BODY_BYTES + 2 + urls.length);
	writeU16(out, 6, hello.versionMin);
	writeU16(out, 8, hello.versionMax);
	out[10] = hello.lane;
	writeBigU64(out, 12, hello.clusterId);
	writeBigU64(out, 20, hello.from);
	writeBigU64(out, 28, hello.to);
	writeU64(out, 36, hello.incarnation);
	writeU16(out, URLS_AT, urls.length);
	out.set(urls, URLS_AT + 2);
	return seal(bytes, out);
}

export function encodeAnswer(bytes: ByteOps, answer: HelloAnswer): Uint8Array {
	const out = begin(ANSWER_BODY_BYTES);
	out[6] = AnswerCode[answer.code];
	writeU16(out, 8, answer.version);
	writeU64(out, 10, answer.incarnation);
	return seal(bytes, out);
}

/** Null when the sealed bytes are no hello. An unknown lane is kept as it came: refusing it is the listener's business. */
export function decodeHello(message: Uint8Array): Hello | null {
	if (message.length < PREFIX_BYTES + HELLO_BODY_BYTES) return null;
	const incarnation = readU64(message, 36);
	if (incarnation < 0) return null;
	return {
		versionMin: readU16(message, 6),
		versionMax: readU16(message, 8),
		lane: message[10] as Lane,
		clusterId: readBigU64(message, 12),
		from: readBigU64(message, 20),
		to: readBigU64(message, 28),
		incarnation,
		peerUrls: urlsOf(message),
	};
}

/** None, also where an earlier version said nothing. */
function urlsOf(message: Uint8Array): string[] {
	const room = message.length - CRC_BYTES - URLS_AT - 2;
	const length = room < 0 ? 0 : readU16(message, URLS_AT);
	if (length === 0 || length > room) return [];
	return Buffer.from(message.subarray(URLS_AT + 2, URLS_AT + 2 + length))
		.toString()
		.split("\n");
}

export function decodeAnswer(message: Uint8Array): HelloAnswer | null {
	if (message.length < PREFIX_BYTES + ANSWER_BODY_BYTES) return null;
	const code = CODES.get(message[6] as number);
	const incarnation = readU64(message, 10);
	if (code === undefined || incarnation < 0) return null;
	return { code, version: readU16(message, 8), incarnation };
}

export function isLane(value: number): value is Lane {
	return value === Lane.control || value === Lane.log || value === Lane.snapshots;
}

export type HandshakeProgress =
	| { readonly state: "more" }
	| { readonly state: "garbage" }
	/** The sealed message, its CRC already checked, and what came behind it. */
	| { readonly state: "done"; readonly message: Uint8Array; readonly rest: Uint8Array };

/** Collects one handshake message: garbage is noticed at the first wrong byte, and 1 KiB is never exceeded. */
export class HandshakeReader {
	private readonly bytes: ByteOps;
	private held: Uint8Array = new Uint8Array(0);

	constructor(bytes: ByteOps) {
		this.bytes = bytes;
	}

	feed(chunk: Uint8Array): HandshakeProgress {
		const before = this.held.length;
		// What a stranger sends behind the limit is not even copied.
		const taken = chunk.subarray(0, Math.max(0, HELLO_BYTES_MAX - before));
		const joined = new Uint8Array(before + taken.length);
		joined.set(this.held);
		joined.set(taken, before);
		for (let i = 0; i < Math.min(joined.length, MAGIC.length); i++) if (joined[i] !== MAGIC[i]) return { state: "garbage" };
		this.held = joined;
		if (joined.length < PREFIX_BYTES) return { state: "more" };
		const total = PREFIX_BYTES + readU16(joined, 4);
		if (total > HELLO_BYTES_MAX || total < PREFIX_BYTES + CRC_BYTES) return { state: "garbage" };
		if (joined.length < total) return { state: "more" };
		const message = joined.subarray(0, total);
		if (this.bytes.crc32c(message, 0, total - CRC_BYTES) !== readU32(message, total - CRC_BYTES)) return { state: "garbage" };
		return { state: "done", message, rest: chunk.subarray(total - before) };
	}
}

function begin(bodyBytes: number): Uint8Array {
	const out = new Uint8Array(PREFIX_BYTES + bodyBytes);
	out.set(MAGIC);
	writeU16(out, 4, bodyBytes);
	return out;
}

function seal(bytes: ByteOps, out: Uint8Array): Uint8Array {
	const end = out.length - CRC_BYTES;
	writeU32(out, end, bytes.crc32c(out, 0, end));
	return out;
}

function readU16(bytes: Uint8Array, at: number): number {
	return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
	bytes[at] = value;
	bytes[at + 1] = value >>> 8;
}
