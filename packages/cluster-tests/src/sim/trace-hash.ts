/** A running hash over what a run does, 64 bits wide. Tells two runs apart, nothing more. */
export class TraceHash {
	private low = 0x811c9dc5;
	private high = 0x9e3779b9;

	/** A line of what a member tells; never put together as one text, since there are so many. */
	event(member: string, name: string, term: number, index: number): void {
		this.text(member);
		this.mix(SPACE);
		this.text(name);
		this.mix(SPACE);
		this.text(String(term));
		this.mix(SPACE);
		this.text(String(index));
		this.mix(0x100);
	}

	bytes(bytes: Uint8Array): void {
		let { low, high } = this;
		for (let at = 0; at < bytes.length; at++) {
			low = Math.imul(low ^ (bytes[at] as number), 0x01000193);
			high = Math.imul(high ^ (low >>> 15), 0x85ebca6b);
		}
		this.low = low;
		this.high = high;
		this.mix(0x101);
	}

	number(value: number): void {
		this.mix(value >>> 0);
		this.mix(Math.floor(value / 0x1_0000_0000) >>> 0);
	}

	hex(): string {
		return [this.high, this.low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
	}

	private text(text: string): void {
		let { low, high } = this;
		for (let at = 0; at < text.length; at++) {
			low = Math.imul(low ^ text.charCodeAt(at), 0x01000193);
			high = Math.imul(high ^ (low >>> 15), 0x85ebca6b);
		}
		this.low = low;
		this.high = high;
	}

	private mix(value: number): void {
		this.low = Math.imul(this.low ^ value, 0x01000193);
		this.high = Math.imul(this.high ^ (this.low >>> 15), 0x85ebca6b);
	}
}

const SPACE = 0x20;
