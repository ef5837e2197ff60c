/** What cannot be collected, of a process that was started with `--expose-gc`. */
export function usedBytes(): number {
	// The second waits until the first has given buffers back.
	globalThis.gc?.();
	globalThis.gc?.();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}
