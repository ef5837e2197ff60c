/** Fragments of one response that leave as fast as their client reads: all at once they would be more than a connection may hold. */
import type { Fragment } from "./watch-fragments.ts";

/** Bytes of responses that have begun and are not over, of all streams. Streams that are told of the same events count each. */
const UNSENT_BYTES_MAX = 1 << 30;

export class UnsentFragments {
	/** Of all streams. */
	bytes = 0;

	/** Room for another response of so many bytes. One is always taken. */
	hasRoomFor(bytes: number): boolean {
		return this.bytes === 0 || this.bytes + bytes <= UNSENT_BYTES_MAX;
	}
}

/** One response on its way. Nothing else may be sent on its stream before its end. */
export class FragmentsUnderWay {
	private readonly all: UnsentFragments;
	private readonly bytes: number;
	private readonly parts: readonly Fragment[];
	private readonly sendPart: (part: Fragment) => boolean;
	private next = 0;
	private over = false;

	/** `sendPart`: false when the client has to read first. */
	constructor(all: UnsentFragments, bytes: number, parts: readonly Fragment[], sendPart: (part: Fragment) => boolean) {
		this.all = all;
		this.bytes = bytes;
		this.parts = parts;
		this.sendPart = sendPart;
		all.bytes += bytes;
	}

	/** True at the end, with all of it taken. */
	goOn(): boolean {
		while (this.next < this.parts.length) {
			if (!this.sendPart(this.parts[this.next++] as Fragment)) return false;
		}
		this.end();
		return true;
	}

	/** It is over, or nobody waits for it any more. */
	end(): void {
		if (!this.over) this.all.bytes -= this.bytes;
		this.over = true;
	}
}
