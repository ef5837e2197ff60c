/** Ctrl-C on a run: the first one ends it early, with all that it has found; a later one ends the tester. */

/** Runners such as npm pass on what the terminal has sent already: what comes so soon is the same key. */
const SAME_MS = 1_000;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;
type Signal = keyof typeof SIGNALS;

export class EarlyEnd {
	private readonly controller = new AbortController();
	private readonly say: (words: string) => void;
	private firstMs: number | null = null;
	private readonly heard = (signal: Signal): void => this.take(signal);

	private constructor(say: (words: string) => void) {
		this.say = say;
	}

	static listen(say: (words: string) => void): EarlyEnd {
		const early = new EarlyEnd(say);
		for (const signal of Object.keys(SIGNALS)) process.on(signal, early.heard);
		return early;
	}

	get signal(): AbortSignal {
		return this.controller.signal;
	}

	close(): void {
		for (const signal of Object.keys(SIGNALS)) process.off(signal, this.heard);
	}

	private take(signal: Signal): void {
		const nowMs = performance.now();
		if (this.firstMs === null) {
			this.firstMs = nowMs;
			this.say(`${signal}: the faults end now; what happened is healed, checked and reported. Once more ends all at once.`);
			this.controller.abort();
		} else if (nowMs - this.firstMs > SAME_MS) {
			// The dead man's switch ends the members and takes back what was made.
			process.exit(128 + SIGNALS[signal]);
		}
	}
}
