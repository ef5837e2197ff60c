interface TimedEvent {
	readonly atUs: number;
	readonly order: number;
	readonly work: () => void;
}

/** One event queue; time moves only from event to event, ties in the order of scheduling. */
export class VirtualTime {
	nowUs = 0;
	private readonly heap: TimedEvent[] = [];
	private lastOrder = 0;

	after(delayUs: number, work: () => void): void {
		this.push({ atUs: this.nowUs + Math.round(delayUs), order: ++this.lastOrder, work });
	}

	step(): boolean {
		const event = this.pop();
		if (event === undefined) return false;
		this.nowUs = event.atUs;
		event.work();
		return true;
	}

	private push(event: TimedEvent): void {
		const { heap } = this;
		let at = heap.length;
		heap.push(event);
		while (at > 0) {
			const parent = (at - 1) >>> 1;
			if (!isBefore(event, heap[parent] as TimedEvent)) break;
			heap[at] = heap[parent] as TimedEvent;
			at = parent;
		}
		heap[at] = event;
	}

	private pop(): TimedEvent | undefined {
		const { heap } = this;
		const first = heap[0];
		const last = heap.pop();
		if (first === undefined || last === undefined || heap.length === 0) return first;
		let at = 0;
		for (let child = 1; child < heap.length; child = 2 * at + 1) {
			const right = heap[child + 1];
			if (right !== undefined && isBefore(right, heap[child] as TimedEvent)) child++;
			if (!isBefore(heap[child] as TimedEvent, last)) break;
			heap[at] = heap[child] as TimedEvent;
			at = child;
		}
		heap[at] = last;
		return first;
	}
}

function isBefore(a: TimedEvent, b: TimedEvent): boolean {
	return a.atUs === b.atUs ? a.order < b.order : a.atUs < b.atUs;
}
