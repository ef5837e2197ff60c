const AT_ONCE = 16;

/** Some of them at once; the first failure is the failure of all. */
export async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
	const left = items.values();
	const worker = async (): Promise<void> => {
		for (const item of left) await work(item);
	};
	await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
