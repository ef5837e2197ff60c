import { assert } from "@flotilla/base";

/** Where work is carried out: a process may be paused or over when its time comes. */
export interface Place {
	run(work: () => void): void;
}

class TimedEvent {
	readonly atUs: number;
	/** Ties are broken by the order of scheduling, so that a run is a pure function of its seed. */
	readonly order: number;
	/** Null: called off. */
	work: (() => void) | null;
	readonly place: Place | null;

	constructor(atUs: number, order: number, work: () => void, place: Place | null) {
		this.atUs = atUs;
		this.order = order;
		this.work = work;
		this.place = place;
	}
}

/** The one event queue of a simulated world: time moves only from event to event. Microseconds since the start of the run. */
export class VirtualTime {
	private readonly heap: TimedEvent[] = [];
	private clockUs = 0;
	private lastOrder = 0;
	private done = 0;

	get nowUs(): number {
		return this.clockUs;
	}

	/** Events carried out so far. */
	get steps(): number {
		return this.done;
	}

	/** Runs `work` once, `delayUs` from now. Returns a function that calls it off. */
	after(delayUs: number, work: () => void, place: Place | null = null): () => void {
		const event = this.add(delayUs, work, place);
		return () => {
			event.work = null;
		};
	}

	/** The same for what nobody ever calls off. */
	later(delayUs: number, work: () => void, place: Place | null = null): void {
		this.add(delayUs, work, place);
	}

	/** Carries out the next event. False when none is left. */
	step(): boolean {
		for (;;) {
			const event = this.pop();
			if (event === undefined) return false;
			const { work, place } = event;
			if (work === null) continue;
			this.clockUs = event.atUs;
			this.done++;
			if (place === null) work();
			else place.run(work);
			return true;
		}
	}

	/** Carries out all events up to and including `untilUs`, then stands there. */
	runUntil(untilUs: number): void {
		for (;;) {
			const next = this.heap[0];
			if (next === undefined || next.atUs > untilUs) break;
			this.step();
		}
		this.clockUs = Math.max(this.clockUs, untilUs);
	}

	private add(delayUs: number, work: () => void, place: Place | null): TimedEvent {
		assert(delayUs >= 0, "time does not run backwards");
		const event = new TimedEvent(this.clockUs + Math.round(delayUs), ++this.lastOrder, work, place);
		this.heap.push(event);
		this.siftUp(this.heap.length - 1);
		return event;
	}

	private pop(): TimedEvent | undefined {
		const first = this.heap[0];
		const last = this.heap.pop();
		if (first === undefined || last === undefined || first === last) return first;
		this.heap[0] = last;
		this.siftDown(0);
		return first;
	}

	private siftUp(from: number): void {
		const { heap } = this;
		const event = heap[from] as TimedEvent;
		let at = from;
		while (at > 0) {
			const parent = (at - 1) >> 1;
			const above = heap[parent] as TimedEvent;
			if (!before(event, above)) break;
			heap[at] = above;
			at = parent;
		}
		heap[at] = event;
	}

	private siftDown(from: number): void {
		const { heap } = this;
		const event = heap[from] as TimedEvent;
		let at = from;
		for (;;) {
			let child = 2 * at + 1;
			if (child >= heap.length) break;
			if (child + 1 < heap.length && before(heap[child + 1] as TimedEvent, heap[child] as TimedEvent)) child++;
			const below = heap[child] as TimedEvent;
			if (!before(below, event)) break;
			heap[at] = below;
			at = child;
		}
		heap[at] = event;
	}
}

function before(a: TimedEvent, b: TimedEvent): boolean {
	return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}
