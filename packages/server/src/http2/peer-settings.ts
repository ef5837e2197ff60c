/** What the other side said in SETTINGS (RFC 9113, 6.5.2), beginning with the defaults. */
import { ConnectionFault, DEFAULT_WINDOW_BYTES, ErrorCode, FRAME_BYTES_MAX, FRAME_BYTES_MIN, Setting, WINDOW_MAX } from "./protocol.ts";
import { DEFAULT_TABLE_BYTES } from "./static-table.ts";

export class PeerSettings {
	headerTableBytes: number = DEFAULT_TABLE_BYTES;
	maxConcurrentStreams: number = Number.POSITIVE_INFINITY;
	initialWindowBytes: number = DEFAULT_WINDOW_BYTES;
	frameBytesMax: number = FRAME_BYTES_MIN;

	/** Takes the content of a SETTINGS frame, whose length is a multiple of six. Settings that are not known are passed over. */
	read(bytes: Buffer, start: number, end: number, pushAllowed: boolean): void {
		for (let at = start; at < end; at += 6) this.set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), pushAllowed);
	}

	private set(id: number, value: number, pushAllowed: boolean): void {
		switch (id) {
			case Setting.headerTableSize:
				this.headerTableBytes = value;
				return;
			case Setting.enablePush:
				if (value > (pushAllowed ? 1 : 0)) throw new ConnectionFault(ErrorCode.protocolError, "SETTINGS_ENABLE_PUSH out of range");
				return;
			case Setting.maxConcurrentStreams:
				this.maxConcurrentStreams = value;
				return;
			case Setting.initialWindowSize:
				if (value > WINDOW_MAX) throw new ConnectionFault(ErrorCode.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE out of range");
				this.initialWindowBytes = value;
				return;
			case Setting.maxFrameSize:
				if (value < FRAME_BYTES_MIN || value > FRAME_BYTES_MAX) {
					throw new ConnectionFault(ErrorCode.protocolError, "SETTINGS_MAX_FRAME_SIZE out of range");
				}
				this.frameBytesMax = value;
				return;
			default:
		}
	}
}
