/** How outages are distributed, and what they may cost at most: the goals hold for three members on loopback, default time-outs. */

/** Milliseconds. */
export interface Distribution {
	readonly p50: number;
	readonly p90: number;
	readonly p99: number;
	readonly max: number;
}

export const GOALS = {
	SIGKILL: { p50: 150, p99: 400 },
	SIGTERM: { p50: 30, p99: 150 },
} as const satisfies Readonly<Record<string, Pick<Distribution, "p50" | "p99">>>;

/** By nearest rank: of fewer than a hundred the p99 is the maximum. */
export function distribution(timesMs: readonly number[]): Distribution {
	const ascending = [...timesMs].sort((a, b) => a - b);
	const part = (percent: number): number => ascending[Math.max(0, Math.ceil((ascending.length * percent) / 100) - 1)] as number;
	return { p50: part(50), p90: part(90), p99: part(99), max: part(100) };
}

/** What was missed; empty when the goals are reached. A survivor's write that failed is a miss whatever it cost. */
export function missed(signal: keyof typeof GOALS, { p50, p99 }: Distribution, failedWrites: number): readonly string[] {
	const goal = GOALS[signal];
	return [
		...(p50 <= goal.p50 ? [] : [`${signal}: p50 is ${p50.toFixed(0)} ms, wanted ${goal.p50} ms or less`]),
		...(p99 <= goal.p99 ? [] : [`${signal}: p99 is ${p99.toFixed(0)} ms, wanted ${goal.p99} ms or less`]),
		...(failedWrites === 0 ? [] : [`${signal}: ${failedWrites} writes failed at survivors`]),
	];
}
