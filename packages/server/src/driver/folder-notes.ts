import { type RecoveryOutcome, type RecoveryWorld, runRecovery } from "./recovery-runner.ts";
import type { Steps } from "./recovery-steps.ts";

/** Writes small files into the folder of a member that runs, one after the other: each has the disk's ear alone, beside the log. */
export class FolderNotes {
	private readonly world: RecoveryWorld;
	private readonly waiting: Array<() => void> = [];
	private busy = false;

	constructor(world: RecoveryWorld) {
		this.world = world;
	}

	run(steps: Steps<void>, done: (outcome: RecoveryOutcome<void>) => void): void {
		this.waiting.push(() =>
			runRecovery(steps, this.world, (outcome) => {
				this.busy = false;
				done(outcome);
				this.next();
			}),
		);
		this.next();
	}

	/** Once all that was asked for is written. */
	settled(done: () => void): void {
		this.waiting.push(() => {
			this.busy = false;
			done();
			this.next();
		});
		this.next();
	}

	private next(): void {
		if (this.busy) return;
		const work = this.waiting.shift();
		if (work === undefined) return;
		this.busy = true;
		work();
	}
}
