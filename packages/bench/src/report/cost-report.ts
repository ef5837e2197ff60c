/** What flotilla loses by users, TLS and metrics, as a table: in words, and as a page. */
import { type CostValue, median } from "../compare/comparison.ts";
import { escapeHtml } from "./chart.ts";
import { digits } from "./compare-report.ts";
import { page, table } from "./page-frame.ts";

export interface CostReport {
	readonly tool: "flotilla bench compare --with";
	readonly version: 1;
	/** The first one is what the others are compared with. */
	readonly names: readonly string[];
	readonly rounds: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
	readonly machine: string;
	readonly notes: readonly string[];
	readonly values: readonly CostValue[];
}

export function costLines({ names, rounds, seconds, machine, notes, values }: CostReport): string[] {
	const lines = [
		`${rounds} interleaved rounds of ${seconds} s; three members of flotilla each on this machine, every write synced; ${machine}`,
		`shares of what ${names[0]} reaches, with the smallest and the largest of the rounds`,
		...notes,
	];
	for (const value of values) {
		lines.push("", `${value.title}${value.clientBound ? ", client-bound" : ""}`);
		for (const [at, side] of value.sides.entries()) lines.push(`  ${side.name.padEnd(20)} ${cellsOf(value, at).join("  ")}`);
	}
	return lines;
}

export function costPage(report: CostReport): string {
	const { names, notes, rounds, seconds, values, warmUpSeconds } = report;
	const head = ["load", ...names.map(escapeHtml)];
	const rows = values.map((value) => [
		escapeHtml(`${value.title}${value.clientBound ? ", client-bound" : ""}`),
		...names.map((_, at) => cellsOf(value, at).map(escapeHtml).join("<br>")),
	]);
	const about = `<p>${rounds} interleaved rounds of ${seconds} s after ${warmUpSeconds} s of warm-up; three members of flotilla each on one machine, every write synced. Medians, and shares of what ${escapeHtml(names[0] ?? "")} reaches, with the smallest and the largest of the rounds.</p><p>${escapeHtml(report.machine)}</p>`;
	return page(
		"flotilla bench compare --with",
		`${about}${notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("")}${table(head, rows)}`,
		report,
	);
}

/** The value, and for all but the first its share. */
function cellsOf({ value, sides }: CostValue, at: number): string[] {
	const { values = [], ratios = [] } = sides[at] ?? {};
	const present = values.filter((each) => each !== null);
	const reached = present.length === 0 ? "-" : `${digits(median(present))}${value.unit}`;
	if (at === 0) return [reached];
	if (ratios.length === 0) return [reached, "-"];
	return [reached, `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`];
}
