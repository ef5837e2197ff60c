import { type LaneName, LossWatch, type LossWatchOptions } from "@flotilla/server/internal";
import type { SimProcess } from "./process.ts";

/** A simulated connection stands for all raft lanes both ways: they break together. */
const LANES: readonly LaneName[] = ["out0", "out1", "in0", "in1"];

/**
 * One life's judgement of its connections to one peer: the product's own (rules H2, H7), fed with what happens to the simulated
 * connection as the product's link feeds it with the ends of its streams.
 */
export class PeerWatch {
	private readonly process: SimProcess;
	private readonly lost: () => void;
	private readonly loss: LossWatch;
	/** The peer's life that was met last. */
	private met: SimProcess | null = null;
	private cancelGrace: () => void = () => {};

	/** `process`: whose judgement this is; in its turns the methods below are called. */
	constructor(process: SimProcess, options: LossWatchOptions, lost: () => void) {
		this.process = process;
		this.loss = new LossWatch(options);
		this.lost = lost;
	}

	opened(life: SimProcess): void {
		const former = this.met;
		this.met = life;
		if (former !== null && former !== life && this.loss.replaced()) this.lost();
		for (const lane of LANES) this.loss.opened(lane, this.nowMs());
		this.cancelGrace();
	}

	closed(by: "peer" | "us"): void {
		const isLost = LANES.map((lane) => this.loss.closed(lane, by, this.nowMs())).includes(true);
		if (isLost) this.lost();
		else this.armGrace();
	}

	/** A redial met a closed port. */
	refused(): void {
		if (this.loss.redialRefused()) this.lost();
	}

	private armGrace(): void {
		this.cancelGrace();
		const { deadlineMs } = this.loss;
		if (deadlineMs === Number.POSITIVE_INFINITY) return;
		// Virtual time is whole microseconds: one more, so that it is surely over.
		this.cancelGrace = this.process.scheduler.after(Math.max(0, deadlineMs - this.nowMs()) + 0.002, () => {
			if (this.loss.graceOver(this.nowMs())) this.lost();
			else this.armGrace();
		});
	}

	private nowMs(): number {
		return this.process.clock.monotonicMs();
	}
}
