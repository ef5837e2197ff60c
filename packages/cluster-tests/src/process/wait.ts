/** Reached only by what will never come, on a machine as busy as may be. */
const PATIENCE_MS = 120_000;

/** Polls a condition that only another process can make true. Fails with the last reason after the time limit. */
export async function eventually<T>(what: string, attempt: () => Promise<T>, timeoutMs = PATIENCE_MS): Promise<T> {
	const deadline = performance.now() + timeoutMs;
	for (;;) {
		try {
			return await attempt();
		} catch (error) {
			if (performance.now() > deadline)
				throw new Error(`not within ${timeoutMs} ms: ${what}: ${error instanceof Error ? error.message : String(error)}`);
		}
		await pause(50);
	}
}

export function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}
