/** A header block that comes in several frames, bounded before it is joined (RFC 9113, 6.10). */
import { ConnectionFault, ErrorCode } from "./protocol.ts";

export class PartialBlock {
	/** 0 while no block is under way. */
	streamId = 0;
	/** END_STREAM came with its first frame. */
	ends = false;
	/** Blocks begun so far, to see whether it is still the same one. */
	serial = 0;
	private readonly bytesMax: number;
	private readonly framesMax: number;
	private pieces: Buffer[] = [];
	private bytes = 0;

	constructor(bytesMax: number, framesMax: number) {
		this.bytesMax = bytesMax;
		this.framesMax = framesMax;
	}

	begin(streamId: number, ends: boolean): void {
		this.streamId = streamId;
		this.ends = ends;
		this.serial++;
	}

	add(bytes: Buffer, start: number, end: number): void {
		this.bytes += end - start;
		if (this.pieces.length >= this.framesMax || this.bytes > this.bytesMax) {
			throw new ConnectionFault(ErrorCode.enhanceYourCalm, "a header block is too long or in too many pieces");
		}
		// A copy: what was read with it must not live as long.
		this.pieces.push(Buffer.from(bytes.subarray(start, end)));
	}

	finish(): Buffer {
		const whole = Buffer.concat(this.pieces);
		this.pieces = [];
		this.bytes = 0;
		this.streamId = 0;
		return whole;
	}
}
