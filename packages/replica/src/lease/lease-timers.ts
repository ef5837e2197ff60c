import { assert } from "@flotilla/base";
import { type Lease, LeaseTable } from "@flotilla/mvcc";

/** Timers of leases that are gone may fill so much of the heap before it is made anew. */
const GONE_MIN = 1_024;

/** What a leader knows of one lease beyond what is replicated. */
export class LeaseTimer {
	readonly lease: Lease;
	readonly ttlTicks: number;
	deadlineTick: number;
	/** When the clock looks at it next; never later than anything is due. */
	lookTick = 0;
	/** Where the last proposal to end it lies in the log; 0: there is none. */
	endIndex = 0;
	/** What the newest checkpoint says, applied or still in the log's tail, and where that lies (L4). */
	markMs: number;
	markIndex = 0;
	gone = false;
	inHeap = false;

	constructor(lease: Lease, ttlTicks: number, deadlineTick: number) {
		this.lease = lease;
		this.ttlTicks = ttlTicks;
		this.deadlineTick = deadlineTick;
		this.markMs = lease.remainingMs;
	}
}

/**
 * The timers of a leader, by lease and in the order in which they are to be looked at. A renewal only moves its timer's
 * deadline; the heap learns of it when the timer comes up, so that a renewal costs no more than a look-up.
 */
export class LeaseTimers {
	private readonly buckets: Array<Map<bigint, LeaseTimer> | undefined> = new Array(LeaseTable.bucketCount);
	private heap: LeaseTimer[] = [];
	private goneInHeap = 0;

	of(lease: Lease): LeaseTimer | undefined {
		return this.buckets[LeaseTable.bucketOf(lease.id)]?.get(lease.id);
	}

	add(timer: LeaseTimer): void {
		const number = LeaseTable.bucketOf(timer.lease.id);
		let bucket = this.buckets[number];
		if (bucket === undefined) {
			bucket = new Map();
			this.buckets[number] = bucket;
		}
		assert(!bucket.has(timer.lease.id), "a lease has one timer");
		bucket.set(timer.lease.id, timer);
	}

	remove(lease: Lease): void {
		const bucket = this.buckets[LeaseTable.bucketOf(lease.id)];
		const timer = bucket?.get(lease.id);
		if (timer === undefined) return;
		bucket?.delete(lease.id);
		timer.gone = true;
		if (!timer.inHeap) return;
		this.goneInHeap++;
		if (this.goneInHeap > GONE_MIN && 2 * this.goneInHeap > this.heap.length) this.sweep();
	}

	push(timer: LeaseTimer): void {
		assert(!timer.inHeap && !timer.gone, "a timer waits once");
		timer.inHeap = true;
		this.heap.push(timer);
		this.rise(this.heap.length - 1);
	}

	/** The next timer that is to be looked at by now, taken out; null when there is none. */
	popDue(tick: number): LeaseTimer | null {
		for (;;) {
			const top = this.heap[0];
			if (top === undefined || top.lookTick > tick) return null;
			const last = this.heap.pop() as LeaseTimer;
			if (last !== top) {
				this.heap[0] = last;
				this.sink(0);
			}
			top.inHeap = false;
			if (!top.gone) return top;
			this.goneInHeap--;
		}
	}

	private sweep(): void {
		this.heap = this.heap.filter((timer) => !timer.gone);
		this.goneInHeap = 0;
		for (let at = (this.heap.length >>> 1) - 1; at >= 0; at--) this.sink(at);
	}

	private rise(from: number): void {
		const { heap } = this;
		const timer = heap[from] as LeaseTimer;
		let at = from;
		while (at > 0) {
			const above = (at - 1) >>> 1;
			const parent = heap[above] as LeaseTimer;
			if (parent.lookTick <= timer.lookTick) break;
			heap[at] = parent;
			at = above;
		}
		heap[at] = timer;
	}

	private sink(from: number): void {
		const { heap } = this;
		const timer = heap[from] as LeaseTimer;
		let at = from;
		for (;;) {
			let below = 2 * at + 1;
			if (below >= heap.length) break;
			if (below + 1 < heap.length && (heap[below + 1] as LeaseTimer).lookTick < (heap[below] as LeaseTimer).lookTick) below++;
			const child = heap[below] as LeaseTimer;
			if (child.lookTick >= timer.lookTick) break;
			heap[at] = child;
			at = below;
		}
		heap[at] = timer;
	}
}
