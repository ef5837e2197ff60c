/**
 * The first frames of an HTTP/2 connection, read before Node gets them: the first header block is where a client of etcd may
 * say something that Node refuses (see `mendAuthority`). Later blocks refer to what the first one put into the table, so from
 * then on Node reads the socket itself and nothing is in between.
 *
 * A client may wait for the server's SETTINGS before its first call. It gets an empty frame of them, and its
 * acknowledgement is taken out of what Node will read: Node sends and counts its own.
 */
import { mendAuthority } from "./authority.ts";
import { HTTP2_PREFACE } from "./preface.ts";

const FrameType = { data: 0, headers: 1, priority: 2, settings: 4, windowUpdate: 8 } as const;
const FRAME_HEAD_BYTES = 9;
/** Of a frame, unless a server has allowed more: ours never does. */
const FRAME_BYTES_MAX = 16_384;
const FLAG_ACK = 0x1;
const FLAG_PADDED = 0x8;
const FLAG_PRIORITY = 0x20;
/** What a client may send before it has seen our settings: its window of 64 KiB, and headers. */
const HELD_BYTES_MAX = 256 << 10;

export const EMPTY_SETTINGS: Uint8Array = Uint8Array.of(0, 0, 0, FrameType.settings, 0, 0, 0, 0, 0);

export type OpeningProgress =
	/** More bytes are needed. `settings`: send these now. */
	| { readonly state: "more"; readonly settings: Uint8Array | null }
	/** Everything that was read, mended where it had to be: Node may have the connection. */
	| { readonly state: "done"; readonly bytes: Buffer }
	/** No client sends so much in vain: close. */
	| { readonly state: "flooded" };

export class Http2Opening {
	private bytes: Buffer = Buffer.alloc(0);
	/** Frames before it were looked at. */
	private at: number = HTTP2_PREFACE.length;
	private settingsSent = false;
	private acknowledged = false;
	private inspected = false;

	/** The client has nothing under way: what it sent was complete, and it owes no acknowledgement. */
	get idle(): boolean {
		return this.bytes.length === this.at && this.acknowledged;
	}

	feed(chunk: Buffer): OpeningProgress {
		this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
		while (this.takeFrame());
		if (this.inspected && (!this.settingsSent || this.acknowledged)) return { state: "done", bytes: this.bytes };
		if (this.bytes.length > HELD_BYTES_MAX) return { state: "flooded" };
		if (this.settingsSent || this.inspected) return { state: "more", settings: null };
		this.settingsSent = true;
		return { state: "more", settings: EMPTY_SETTINGS };
	}

	/** Looks at the next frame. False when there is none, or none that has to be looked at. */
	private takeFrame(): boolean {
		const { bytes, at } = this;
		if (this.inspected && (this.acknowledged || !this.settingsSent)) return false;
		if (bytes.length < at + FRAME_HEAD_BYTES) return false;
		const length = bytes.readUIntBE(at, 3);
		const type = bytes[at + 3] as number;
		const flags = bytes[at + 4] as number;
		if (length > FRAME_BYTES_MAX) {
			// Node has the right error for it; what its acknowledgement count says does not matter any more.
			this.inspected = true;
			this.acknowledged = true;
			return false;
		}
		const end = at + FRAME_HEAD_BYTES + length;
		if (bytes.length < end) return false;
		this.at = end;
		if (type === FrameType.settings && (flags & FLAG_ACK) !== 0 && this.settingsSent && !this.acknowledged) this.takeOut(at, end);
		else if (type === FrameType.headers && !this.inspected) this.mend(at, end, flags);
		else if (type !== FrameType.settings && type !== FrameType.windowUpdate && type !== FrameType.priority) this.inspected = true;
		return true;
	}

	private takeOut(from: number, to: number): void {
		this.bytes = Buffer.concat([this.bytes.subarray(0, from), this.bytes.subarray(to)]);
		this.at = from;
		this.acknowledged = true;
	}

	/** A block that goes on in other frames is left as it is: its authority would come in the first, but no client splits so small a block. */
	private mend(from: number, to: number, flags: number): void {
		this.inspected = true;
		if ((flags & FLAG_PADDED) !== 0) return;
		const blockAt = from + FRAME_HEAD_BYTES + ((flags & FLAG_PRIORITY) !== 0 ? 5 : 0);
		const mended = mendAuthority(this.bytes.subarray(blockAt, to));
		if (mended === null) return;
		const head = Buffer.from(this.bytes.subarray(from, blockAt));
		head.writeUIntBE(blockAt - from - FRAME_HEAD_BYTES + mended.length, 0, 3);
		this.bytes = Buffer.concat([this.bytes.subarray(0, from), head, mended, this.bytes.subarray(to)]);
		this.at = from + head.length + mended.length;
	}
}
