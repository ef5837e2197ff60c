/** Ctrl-C on a run: the first one ends it early, with all that it has found; a later one ends the tester. */

/** Runners such as npm pass on what the terminal has sent already: what comes so soon is the same key. */
const SAME_MS = 1_000;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;
type Signal = keyof typeof SIGNALS;
const NAMES = ["SIGINT", "SIGTERM"] as const satisfies readonly Signal[];

/** Where signals come from, when, and how a process ends: the process itself outside of tests. */
export interface Surroundings {
	on(signal: Signal, heard: (signal: Signal) => void): unknown;
	off(signal: Signal, heard: (signal: Signal) => void): unknown;
	exit(status: number): void;
	nowMs(): number;
}

const REAL: Surroundings = {
	on: (signal, heard) => process.on(signal, heard),
	off: (signal, heard) => process.off(signal, heard),
	exit: (status) => process.exit(status),
	nowMs: () => performance.now(),
};

export class EarlyEnd {
	private readonly controller = new AbortController();
	private readonly say: (words: string) => void;
	private readonly around: Surroundings;
	private firstMs: number | null = null;
	private readonly heard = (signal: Signal): void => this.take(signal);

	private constructor(say: (words: string) => void, around: Surroundings) {
		this.say = say;
		this.around = around;
	}

	static listen(say: (words: string) => void, around = REAL): EarlyEnd {
		const early = new EarlyEnd(say, around);
		for (const signal of NAMES) around.on(signal, early.heard);
		return early;
	}

	get signal(): AbortSignal {
		return this.controller.signal;
	}

	close(): void {
		for (const signal of NAMES) this.around.off(signal, this.heard);
	}

	private take(signal: Signal): void {
		const nowMs = this.around.nowMs();
		if (this.firstMs === null) {
			this.firstMs = nowMs;
			this.say(`${signal}: the faults end now; what happened is healed, checked and reported. Once more ends all at once.`);
			this.controller.abort();
		} else if (nowMs - this.firstMs > SAME_MS) {
			// The dead man's switch ends the members and takes back what was made.
			this.around.exit(128 + SIGNALS[signal]);
		}
	}
}
