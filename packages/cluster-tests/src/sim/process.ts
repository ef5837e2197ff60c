import type { Dice } from "@flotilla/base";
import type { VirtualTime } from "./virtual-time.ts";

/** How a machine's monotonic clock runs against the world's: a rate, within the drift that real crystals and bad hosts show. */
export interface ClockModel {
	/** 1: true; 1.1: ten percent fast. */
	readonly rate: number;
	readonly offsetMs: number;
}

/**
 * One life of one simulated process: it has a clock, an event loop that can be paused, and an end. Whatever was scheduled
 * for it and comes after its end is dropped; what comes while it is paused happens when it goes on, in the same order.
 */
export class SimProcess {
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly model: ClockModel;
	private wallOffsetMs = 0;
	private ended = false;
	private pausedWork: Array<() => void> | null = null;
	/** Takes what nobody in the process has caught, which ends a real one; false: it is no end, but a finding. */
	uncaught: (error: unknown) => boolean = () => false;

	constructor(time: VirtualTime, dice: Dice, model: ClockModel) {
		this.time = time;
		this.dice = dice;
		this.model = model;
	}

	readonly clock = {
		monotonicMs: (): number => this.model.offsetMs + (this.time.nowUs / 1_000) * this.model.rate,
		wallMs: (): number => 1_700_000_000_000 + this.time.nowUs / 1_000 + this.wallOffsetMs,
	};

	readonly scheduler = {
		/** A turn of the loop takes some microseconds, more when the machine is busy. */
		soon: (work: () => void): void => {
			this.time.later(this.dice.range(5, 40), work, this);
		},
		after: (ms: number, work: () => void): (() => void) => this.time.after((ms * 1_000) / this.model.rate, work, this),
	};

	/** As `scheduler.after`, for what nobody calls off. */
	later(ms: number, work: () => void): void {
		this.time.later((ms * 1_000) / this.model.rate, work, this);
	}

	get alive(): boolean {
		return !this.ended;
	}

	get paused(): boolean {
		return this.pausedWork !== null;
	}

	/** Runs `work` inside this process: now, when it goes on, or never. */
	run(work: () => void): void {
		if (this.ended) return;
		if (this.pausedWork !== null) {
			this.pausedWork.push(work);
			return;
		}
		try {
			work();
		} catch (error) {
			if (!this.uncaught(error)) throw error;
		}
	}

	pause(): void {
		this.pausedWork ??= [];
	}

	resume(): void {
		const waiting = this.pausedWork ?? [];
		this.pausedWork = null;
		for (const work of waiting) this.time.after(0, () => this.run(work));
	}

	/** The wall clock is set; nothing may depend on it. */
	jumpWallClock(byMs: number): void {
		this.wallOffsetMs += byMs;
	}

	end(): void {
		this.ended = true;
		this.pausedWork = null;
	}
}
