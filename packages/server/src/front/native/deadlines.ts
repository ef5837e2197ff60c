/** Ends calls whose time is over: one timer for all of them, in steps of some milliseconds. */

const STEP_MS = 10;

export interface Expiring {
	/** Milliseconds of `performance.now()`; Infinity without one. */
	readonly deadlineMs: number;
	expire(): void;
}

export class Deadlines {
	/** By step. Calls are taken out when they are answered. */
	private readonly steps = new Map<number, Set<Expiring>>();
	private timer: NodeJS.Timeout | null = null;
	private timerStep = Number.POSITIVE_INFINITY;

	add(call: Expiring): void {
		const step = stepOf(call);
		const calls = this.steps.get(step);
		if (calls === undefined) this.steps.set(step, new Set([call]));
		else calls.add(call);
		if (step < this.timerStep) this.arm(step);
	}

	remove(call: Expiring): void {
		const step = stepOf(call);
		const calls = this.steps.get(step);
		if (calls === undefined) return;
		calls.delete(call);
		if (calls.size === 0) this.steps.delete(step);
	}

	close(): void {
		if (this.timer !== null) clearTimeout(this.timer);
		this.timer = null;
		this.timerStep = Number.POSITIVE_INFINITY;
		this.steps.clear();
	}

	private arm(step: number): void {
		if (this.timer !== null) clearTimeout(this.timer);
		this.timerStep = step;
		// One that is further away than a timer can be is looked at again then.
		const waitMs = Math.min(Math.max(1, step * STEP_MS - performance.now()), LOOK_MS_MAX);
		this.timer = setTimeout(() => this.look(), waitMs).unref();
	}

	private look(): void {
		this.timer = null;
		this.timerStep = Number.POSITIVE_INFINITY;
		const now = performance.now() / STEP_MS;
		let next = Number.POSITIVE_INFINITY;
		for (const [step, calls] of [...this.steps]) {
			if (step > now) {
				next = Math.min(next, step);
				continue;
			}
			this.steps.delete(step);
			for (const call of calls) call.expire();
		}
		if (next < this.timerStep) this.arm(next);
	}
}

const LOOK_MS_MAX = 3_600_000;

function stepOf(call: Expiring): number {
	return Math.ceil(call.deadlineMs / STEP_MS);
}
