/** Figures in the text format that Prometheus reads. */
import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import type { Figure } from "./figure.ts";

export interface Exposition {
	readonly contentType: string;
	text(): Promise<string>;
}

/**
 * Values stay where they arise and are read at each scrape: nothing is told to the library when something happens.
 * `withProcess`: the process's own figures, too; once in a process.
 */
export function exposition(figures: readonly Figure[], withProcess: boolean): Exposition {
	const registry = new Registry();
	for (const figure of figures) registry.registerMetric(asMetric(figure));
	if (withProcess) collectDefaultMetrics({ register: registry });
	return { contentType: registry.contentType, text: () => registry.metrics() };
}

/** The registry asks no more of a metric than its name and what `get` returns. */
function asMetric(figure: Figure): Metric {
	const { name, help, type } = figure;
	const metric = { name, help, get: async () => ({ name, help, type, values: figure.read(), aggregator: "sum" }) };
	return metric as unknown as Metric;
}
