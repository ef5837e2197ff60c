import type { Buckets } from "./buckets.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
	readonly value: number;
	readonly labels?: Labels;
	/** Where it is not the figure's: parts of a histogram. */
	readonly metricName?: string;
}

/** One metric: what it is, and how its values are read when somebody asks. */
export interface Figure {
	readonly name: string;
	readonly type: "counter" | "gauge" | "histogram";
	readonly help: string;
	read(): readonly Sample[];
}

type Read = () => number | readonly Sample[];

export function gauge(name: string, help: string, read: Read): Figure {
	return { name, type: "gauge", help, read: () => samples(read()) };
}

export function counter(name: string, help: string, read: Read): Figure {
	return { name, type: "counter", help, read: () => samples(read()) };
}

export function histogram(name: string, help: string, read: () => ReadonlyArray<readonly [Labels, Buckets]>): Figure {
	return { name, type: "histogram", help, read: () => read().flatMap(([labels, buckets]) => parts(name, labels, buckets)) };
}

/** Without labels. */
export function oneHistogram(name: string, help: string, buckets: Buckets): Figure {
	return histogram(name, help, () => [[{}, buckets]]);
}

function samples(value: number | readonly Sample[]): readonly Sample[] {
	return typeof value === "number" ? [{ value }] : value;
}

function parts(name: string, labels: Labels, { bounds, counts, sum, count }: Buckets): Sample[] {
	let upto = 0;
	const below = bounds.map((bound, place) => {
		upto += counts[place] as number;
		return { metricName: `${name}_bucket`, labels: { ...labels, le: String(bound) }, value: upto };
	});
	return [
		...below,
		{ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count },
		{ metricName: `${name}_sum`, labels, value: sum },
		{ metricName: `${name}_count`, labels, value: count },
	];
}
