const HIGH = 0x1_0000_0000;

/** A column of safe integers from 0 on, 4 bytes each until one of them needs more: revisions and ordinals rarely do, but must be able to. */
export class WideColumn {
	private readonly low: Uint32Array;
	private high: Uint32Array | null = null;

	constructor(length: number) {
		this.low = new Uint32Array(length);
	}

	get(at: number): number {
		const low = this.low[at] as number;
		return this.high === null ? low : (this.high[at] as number) * HIGH + low;
	}

	set(at: number, value: number): void {
		if (value >= HIGH) this.high ??= new Uint32Array(this.low.length);
		// A typed array takes a number modulo its width.
		this.low[at] = value;
		if (this.high !== null) this.high[at] = value / HIGH;
	}
}
