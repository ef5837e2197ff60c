/**
 * The log entry of a command: a fixed little-endian head, the user's name, and the payload as it came, untouched, at the end.
 *
 *   0  u8  format version      12  u64 incarnation      36  user (UTF-8)
 *   1  u8  kind                20  u64 sequence         ..  payload
 *   2  u16 bytes of the user   28  u64 auth revision
 *   4  u64 origin member
 *
 * The head says all that apply needs besides the state: no flag, clock, dice or role is read there.
 */
import { assert, fail, readBigU64, readU64, writeBigU64, writeU64 } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { CommandKind } from "./calls.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

export const ENVELOPE_VERSION = 1;
export const ENVELOPE_HEAD_BYTES = 36;
const USER_BYTES_MAX = 0xffff;
const NO_BYTES = new Uint8Array(0);

/** What goes into an envelope besides its origin. A `WriteCall` is one. */
export interface EnvelopeContent {
	readonly kind: CommandKind;
	readonly sequence: number;
	readonly user: string;
	readonly authRevision: number;
	readonly payload: Uint8Array;
}

/** Kinds that this version can apply. Any other kind ends the process: skipping it would part this member from the rest. */
const APPLICABLE: ReadonlySet<number> = new Set([
	CommandKind.put,
	CommandKind.deleteRange,
	CommandKind.txn,
	CommandKind.compact,
	CommandKind.publish,
	CommandKind.clusterVersion,
	CommandKind.alarm,
	CommandKind.memberUpdate,
	CommandKind.auth,
	CommandKind.leaseGrant,
	CommandKind.leaseRevoke,
	CommandKind.leaseCheckpoint,
	CommandKind.leaseEnd,
]);

/** Writes envelopes of one process life. */
export class EnvelopeEncoder {
	/** What all of them have in common: copied, since bigints cost more than the rest of the head together. */
	private readonly head = new Uint8Array(ENVELOPE_HEAD_BYTES);

	constructor(origin: NodeId, incarnation: number) {
		this.head[0] = ENVELOPE_VERSION;
		writeBigU64(this.head, 4, origin);
		writeU64(this.head, 12, incarnation);
	}

	/** One allocation for all; the results are consecutive views of it, in order. */
	encode(contents: readonly EnvelopeContent[]): Uint8Array[] {
		let total = 0;
		for (const { user, payload } of contents) total += ENVELOPE_HEAD_BYTES + (user === "" ? 0 : encodeUtf8(user).length) + payload.length;
		const slab = new Uint8Array(total);
		const envelopes = new Array<Uint8Array>(contents.length);
		let at = 0;
		for (let i = 0; i < contents.length; i++) {
			const start = at;
			at = this.write(slab, start, contents[i] as EnvelopeContent);
			envelopes[i] = slab.subarray(start, at);
		}
		return envelopes;
	}

	private write(slab: Uint8Array, at: number, content: EnvelopeContent): number {
		const user = content.user === "" ? NO_BYTES : encodeUtf8(content.user);
		assert(user.length <= USER_BYTES_MAX, "a user name fits its length field");
		slab.set(this.head, at);
		slab[at + 1] = content.kind;
		slab[at + 2] = user.length;
		slab[at + 3] = user.length >>> 8;
		writeU64(slab, at + 20, content.sequence);
		writeU64(slab, at + 28, content.authRevision);
		slab.set(user, at + ENVELOPE_HEAD_BYTES);
		slab.set(content.payload, at + ENVELOPE_HEAD_BYTES + user.length);
		return at + ENVELOPE_HEAD_BYTES + user.length + content.payload.length;
	}
}

/** A cursor over one envelope, reused from entry to entry: valid until the next `open`. */
export class EnvelopeReader {
	kind = 0;
	incarnation = 0;
	sequence = 0;
	data: Uint8Array = NO_BYTES;
	/** Where the payload begins in `data`; it reaches to the end. */
	payloadAt = 0;

	/** Null, or why these bytes are not an envelope that this version can apply. */
	tryOpen(data: Uint8Array): string | null {
		if (data.length < ENVELOPE_HEAD_BYTES) return "an envelope is shorter than its head";
		if (data[0] !== ENVELOPE_VERSION) return "unknown format version of an envelope";
		const kind = data[1] as number;
		if (!APPLICABLE.has(kind)) return "unknown kind of an envelope";
		const payloadAt = ENVELOPE_HEAD_BYTES + ((data[2] as number) | ((data[3] as number) << 8));
		if (payloadAt > data.length) return "the user of an envelope exceeds it";
		this.data = data;
		this.kind = kind;
		this.incarnation = readU64(data, 12);
		this.sequence = readU64(data, 20);
		this.payloadAt = payloadAt;
		return null;
	}

	/** For committed entries: what cannot be applied ends the process before it has had any effect. */
	open(data: Uint8Array, index: number): void {
		const problem = this.tryOpen(data);
		if (problem !== null) fail(problem, { index, version: data[0], kind: data[1] });
	}

	get origin(): NodeId {
		return readBigU64(this.data, 4);
	}

	get authRevision(): number {
		return readU64(this.data, 28);
	}

	get user(): string {
		return decodeUtf8(this.data.subarray(ENVELOPE_HEAD_BYTES, this.payloadAt));
	}

	get payload(): Uint8Array {
		return this.data.subarray(this.payloadAt);
	}
}
