/** First-in first-out queue of numbers that may hold millions: taken elements are given back in large pieces. */
export class NumberQueue {
	private items: number[] = [];
	private head = 0;

	get length(): number {
		return this.items.length - this.head;
	}

	push(value: number): void {
		this.items.push(value);
	}

	/** The element `index` places behind the head. */
	at(index: number): number {
		return this.items[this.head + index] as number;
	}

	shift(): number {
		const value = this.items[this.head++] as number;
		if (this.head >= 1024 && this.head * 2 >= this.items.length) {
			this.items = this.items.slice(this.head);
			this.head = 0;
		}
		return value;
	}

	/** Drops what is behind the first `length` elements. */
	truncate(length: number): void {
		this.items.length = this.head + length;
	}
}
