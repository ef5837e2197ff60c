/** Cuts a stream of text into lines. A line longer than the limit ends it: `feed` returns null from then on. */
export class LineSplitter {
	private readonly charactersMax: number;
	private rest = "";
	private broken = false;

	constructor(charactersMax: number) {
		this.charactersMax = charactersMax;
	}

	/** The lines completed by this piece, without their line feeds. */
	feed(piece: string): string[] | null {
		if (this.broken) return null;
		const lines = (this.rest + piece).split("\n");
		this.rest = lines.pop() as string;
		this.broken = this.rest.length > this.charactersMax;
		return this.broken ? null : lines;
	}
}
