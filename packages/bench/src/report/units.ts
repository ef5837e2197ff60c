/** Numbers as people read them. */

export function rate(perSecond: number): string {
	return perSecond >= 100 || perSecond === 0 ? Math.round(perSecond).toLocaleString("en-US") : perSecond.toFixed(1);
}

/** Microseconds as a time of three digits or so. */
export function time(us: number): string {
	if (us < 1_000) return `${Math.round(us)} us`;
	if (us < 1_000_000) return `${(us / 1_000).toFixed(us < 10_000 ? 2 : 1)} ms`;
	return `${(us / 1_000_000).toFixed(2)} s`;
}

export function percent(share: number): string {
	return `${Math.round(share * 100)} %`;
}

export function mebibytes(bytes: number): string {
	return `${Math.round(bytes / 2 ** 20)} MiB`;
}
