/** A running hash over what a run does, 64 bits wide. Tells two runs apart, nothing more. */
export class TraceHash {
	private low = 0x811c9dc5;
	private high = 0x9e3779b9;

	add(text: string): void {
		for (let at = 0; at < text.length; at++) this.mix(text.charCodeAt(at));
		this.mix(0x100);
	}

	bytes(bytes: Uint8Array): void {
		for (const byte of bytes) this.mix(byte);
		this.mix(0x101);
	}

	number(value: number): void {
		this.mix(value >>> 0);
		this.mix(Math.floor(value / 0x1_0000_0000) >>> 0);
	}

	hex(): string {
		return [this.high, this.low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
	}

	private mix(value: number): void {
		this.low = Math.imul(this.low ^ value, 0x01000193);
		this.high = Math.imul(this.high ^ (this.low >>> 15), 0x85ebca6b);
	}
}
