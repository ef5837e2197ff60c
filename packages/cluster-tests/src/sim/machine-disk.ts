import type { Dice } from "@flotilla/base";
import { type CrashKind, SimDisk } from "@flotilla/server/internal";
import type { SimProcess } from "./process.ts";

/** The disk of one simulated machine: outlives its processes, and keeps the faults that were set until it is mended. */
export class MachineDisk {
	private readonly dice: Dice;
	private disk: SimDisk;
	private slowMs = 0;

	constructor(dice: Dice) {
		this.dice = dice;
		this.disk = new SimDisk({
			dice,
			schedule: () => {
				throw new Error("no process has opened this disk");
			},
		});
	}

	/** As one process life sees it. The former life must have ended. */
	open(process: SimProcess): SimDisk {
		this.disk = this.disk.crash("process", {
			schedule: (work, extraMs) => {
				process.scheduler.after(this.dice.range(30, 600) / 1_000 + extraMs, work);
			},
		});
		this.disk.slow(this.slowMs);
		return this.disk;
	}

	crash(kind: CrashKind): void {
		this.disk = this.disk.crash(kind);
	}

	slow(extraMs: number): void {
		this.slowMs = extraMs;
		this.disk.slow(extraMs);
	}

	failNextWrite(): void {
		this.disk.failNextWrite();
	}

	mend(): void {
		this.slowMs = 0;
		this.disk.mend();
	}
}
