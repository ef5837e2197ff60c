import type { Clock, Scheduler } from "../ports.ts";

/** At most so many ticks in one turn: a late process must not run through several time-outs at once. */
const TICKS_A_TURN_MAX = 2;

/**
 * Ticks of the monotonic clock. The timer only notes what is due; the owner takes it in a later turn, behind whatever the
 * sockets hold: after a pause Node runs timers first, and a follower would campaign with its leader's heartbeat unread.
 */
export class Ticker {
	private readonly clock: Clock;
	private readonly scheduler: Scheduler;
	private readonly tickMs: number;
	private readonly due: () => void;
	private countedUptoMs: number;
	private waiting = 0;
	private callOff: (() => void) | null = null;

	/** `due` is called from the timer when at least one tick waits to be taken. */
	constructor(clock: Clock, scheduler: Scheduler, tickMs: number, due: () => void) {
		this.clock = clock;
		this.scheduler = scheduler;
		this.tickMs = tickMs;
		this.due = due;
		this.countedUptoMs = clock.monotonicMs();
	}

	start(): void {
		this.countedUptoMs = this.clock.monotonicMs();
		this.arm();
	}

	stop(): void {
		this.callOff?.();
		this.callOff = null;
	}

	/** Ticks to deliver now, and how many had passed. The surplus of a pause is dropped. */
	take(): { readonly ticks: number; readonly passed: number } {
		const passed = this.waiting;
		this.waiting = 0;
		return { ticks: Math.min(passed, TICKS_A_TURN_MAX), passed };
	}

	private arm(): void {
		const waitMs = Math.max(1, this.countedUptoMs + this.tickMs - this.clock.monotonicMs());
		this.callOff = this.scheduler.after(waitMs, () => this.fire());
	}

	private fire(): void {
		const passed = Math.floor((this.clock.monotonicMs() - this.countedUptoMs) / this.tickMs);
		if (passed > 0) {
			this.countedUptoMs += passed * this.tickMs;
			this.waiting += passed;
			this.due();
		}
		this.arm();
	}
}
