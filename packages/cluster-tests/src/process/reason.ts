const DEPTH_MAX = 5;

/** An error's text with those of what caused it: the outermost one alone ("fetch failed") often says nothing. */
export function reasonOf(error: unknown): string {
	const texts: string[] = [];
	let one = error;
	for (; one instanceof Error && texts.length < DEPTH_MAX; one = one.cause) {
		texts.push(one.message, ...(one instanceof AggregateError ? [one.errors.map(reasonOf).join("; ")] : []));
	}
	if (typeof one === "string") texts.push(one);
	return texts.filter((text) => text !== "").join(": ");
}
