/**
 * Nobody is struck while somebody asks for peace: a change of members that other faults do not let happen is made in it. What is under way
 * then is mended in its time.
 */
import { eventually } from "../process/wait.ts";

const LOOK_MS = 50;

export class Truces {
	private readonly asked = new Set<() => void>();

	/** Peace until the function that is returned is called; there may be several at a time. */
	ask(): () => void {
		const over = (): void => void this.asked.delete(over);
		this.asked.add(over);
		return over;
	}

	/** Resolves when nobody asks for it, or when the faults are to end. */
	async wait(sleep: (ms: number) => Promise<void>, ending: () => boolean): Promise<void> {
		while (this.asked.size > 0 && !ending()) await sleep(LOOK_MS);
	}
}

/**
 * What `attempt` resolves with, tried until time is up; what has been refused for `patienceMs` asks for a truce, which ends with it, however
 * it ends.
 */
export async function inPeaceIfNeedBe<T>(
	what: string,
	attempt: () => Promise<T>,
	{ ask, patienceMs, timeoutMs }: { readonly ask: () => () => void; readonly patienceMs: number; readonly timeoutMs: number },
): Promise<T> {
	const sinceMs = performance.now();
	let over: (() => void) | null = null;
	const refused = (error: unknown): never => {
		if (performance.now() - sinceMs >= patienceMs) over ??= ask();
		throw error;
	};
	return eventually(what, () => attempt().catch(refused), timeoutMs).finally(() => over?.());
}
