/** A long answer in pieces of its encoding, put together at the end, in slices. */

/** Put together in one slice. */
const COPY_BYTES = 1 << 20;
const NOTHING = new Uint8Array(0);

export class AnswerPieces {
	/** Of all pieces. */
	bytes = 0;
	private pieces: Uint8Array[] = [];
	private message: Uint8Array | null = null;
	private copied = 0;

	add(piece: Uint8Array): void {
		this.pieces.push(piece);
		this.bytes += piece.length;
	}

	/** For a piece that is known later: its place. */
	leaveRoom(): number {
		return this.pieces.push(NOTHING) - 1;
	}

	fill(place: number, piece: Uint8Array): void {
		this.pieces[place] = piece;
		this.bytes += piece.length;
	}

	/** A slice of the work: null until the answer is whole. What was copied is let go. */
	assemble(): Uint8Array | null {
		this.message ??= new Uint8Array(this.bytes);
		const until = this.copied + COPY_BYTES;
		let place = 0;
		for (; place < this.pieces.length && this.copied < until; place++) {
			const piece = this.pieces[place] as Uint8Array;
			this.message.set(piece, this.copied);
			this.copied += piece.length;
		}
		this.pieces = this.pieces.slice(place);
		return this.pieces.length === 0 ? this.message : null;
	}
}
