/** The page of one load: throughput and latency over time with the cluster's events, latency by load, stages of a write. */
import type { LoadReport } from "../cli/load-command.ts";
import type { RunResult } from "../load/run.ts";
import { type Point, rateOf } from "../measure/recorder.ts";
import { chart, escapeHtml, type Line, type Mark } from "./chart.ts";
import { figures, page, table } from "./page-frame.ts";
import { describeSettings } from "./text.ts";
import { percent, rate, time } from "./units.ts";

export function loadPage(report: LoadReport): string {
	const { runs, knee, stages, server } = report;
	const best = runs[knee ?? 0] as RunResult;
	const sections = [
		`<p>${escapeHtml(describeSettings((runs.at(-1) as RunResult).settings))}. Server says version ${escapeHtml(server)}; load on ${escapeHtml(best.endpoints.join(", "))}.</p>`,
		knee === null ? overview(best) : `<h2>Latency by load</h2>${latencyByLoad(runs, knee)}${sweepTable(runs, knee)}`,
		`<h2>Over time</h2>${overTime(report)}`,
	];
	if (stages !== null) sections.push(`<h2>Stages of a write</h2>${stageTable(report)}`);
	if (report.events.length > 0) sections.push(`<h2>Events of the cluster</h2>${eventTable(report)}`);
	return page(`flotilla bench: ${best.settings.load}`, sections.join("\n"), report);
}

function overview(run: RunResult): string {
	const { latency, client } = run;
	const warnings = [
		...Object.entries(run.failures).map(([text, count]) => `${count} calls failed: ${text}`),
		...(run.doubt === null ? [] : [run.doubt]),
		...(client.clientBound ? ["client-bound: the load generator itself was busy all the time, the server may be faster than this"] : []),
	];
	return (
		figures([
			["operations a second", rate(run.perSecond)],
			["p50", time(latency.p50Us)],
			["p90", time(latency.p90Us)],
			["p99", time(latency.p99Us)],
			["p99.9", time(latency.p999Us)],
			["longest", time(latency.maxUs)],
			["operations", latency.count === 0 ? "0" : run.operations.toLocaleString("en-US")],
			["client's loop busy", percent(client.loopShare)],
		]) + warnings.map((text) => `<p class="bad">${escapeHtml(text)}</p>`).join("")
	);
}

function latencyByLoad(runs: readonly RunResult[], knee: number): string {
	const labels = runs.map(
		({ settings, perSecond, latency }) =>
			`${settings.clients} clients: ${rate(perSecond)}/s, p50 ${time(latency.p50Us)}, p99 ${time(latency.p99Us)}`,
	);
	const line = (name: string, style: string, of: (run: RunResult) => number): Line => ({
		...{ name, style, labels },
		points: runs.map((run) => [run.perSecond, of(run)] as const),
	});
	const at = runs[knee] as RunResult;
	return chart({
		title: "Latency by throughput; each point has twice the clients of the one before",
		xLabel: "operations a second",
		...{ xText: rate, yText: time, logarithmic: true, fromZero: true },
		lines: [
			line("p50", "c0", ({ latency }) => latency.p50Us),
			line("p90", "c1", ({ latency }) => latency.p90Us),
			line("p99", "c2", ({ latency }) => latency.p99Us),
		],
		highlight: { x: at.perSecond, y: at.latency.p50Us, text: `knee: ${at.settings.clients} clients` },
	});
}

function sweepTable(runs: readonly RunResult[], knee: number): string {
	const rows = runs.map(({ settings, perSecond, latency, client, failed }, at) => [
		`${settings.clients}${at === knee ? " (knee)" : ""}`,
		rate(perSecond),
		time(latency.p50Us),
		time(latency.p90Us),
		time(latency.p99Us),
		time(latency.maxUs),
		String(failed),
		`${percent(client.loopShare)}${client.clientBound ? " <span class=bad>client-bound</span>" : ""}`,
	]);
	return table(["clients", "a second", "p50", "p90", "p99", "longest", "failed", "client busy"], rows);
}

function overTime({ runs, events }: LoadReport): string {
	const points = runs.flatMap((run) => run.points);
	const first = points[0];
	if (first === undefined) return "";
	// In the middle of its second.
	const at = (point: Point): number => (point.atMs - first.atMs + point.lengthMs / 2) / 1_000;
	const last = points.at(-1) as Point;
	const lastMs = last.atMs + last.lengthMs;
	const marks: Mark[] = [
		...(runs.length > 1
			? runs.map(
					({ startedMs, settings }) =>
						({ x: (startedMs - first.atMs) / 1_000, text: `${settings.clients} clients`, style: "part" }) as const,
				)
			: []),
		...events
			.filter(({ atMs }) => atMs >= first.atMs && atMs <= lastMs)
			.map(({ atMs, member, text }) => ({ x: (atMs - first.atMs) / 1_000, text: `${member} ${text}`, style: "event" }) as const),
	];
	const shaded = points
		.filter(({ warmUp }) => warmUp)
		.map((point) => [at(point) - point.lengthMs / 2_000, at(point) + point.lengthMs / 2_000] as const);
	const common = {
		xLabel: "seconds; grey: warm-up, dashed: an event of the cluster (rest the pointer on it)",
		xText: (x: number) => String(Math.round(x * 10) / 10),
		marks,
		shaded,
		fromZero: true,
	};
	const line = (name: string, style: string, of: (point: Point) => number): Line => ({
		name,
		style,
		points: points.map((point) => [at(point), of(point)] as const),
	});
	return (
		chart({
			...common,
			title: "Throughput, operations a second",
			yText: rate,
			lines: [
				line("answered", "c0", rateOf),
				...(points.some(({ failures }) => failures > 0) ? [line("failed", "c3", ({ failures }) => failures)] : []),
			],
		}) +
		chart({
			...{ ...common, title: "Latency", yText: time, logarithmic: true },
			lines: [
				line("p50", "c0", ({ p50Us }) => p50Us),
				line("p90", "c1", ({ p90Us }) => p90Us),
				line("p99", "c2", ({ p99Us }) => p99Us),
				line("longest", "c3", ({ maxUs }) => maxUs),
			],
		})
	);
}

function stageTable({ stages }: LoadReport): string {
	if (stages === null) return "";
	const longest = Math.max(...stages.stages.map(({ p99Us }) => p99Us), 1);
	const bar = (us: number): string => `<span class="bar" style="width:${Math.max(1, Math.round((us / longest) * 220))}px"></span>`;
	const rows = stages.stages.map(({ name, meaning, p50Us, p99Us }) => [
		name,
		time(p50Us),
		time(p99Us),
		`<span style="float:left">${bar(p50Us)}</span>`,
		`<span style="float:left;color:var(--soft)">${escapeHtml(meaning)}</span>`,
	]);
	const how = `<p>By ${stages.batches} batches of ${stages.entriesABatch.toFixed(1)} entries at the leader, sampled behind the measured time. fsync runs beside replicate and commit.</p>`;
	return how + table(["stage", "p50", "p99", "", ""], rows);
}

function eventTable({ events, runs }: LoadReport): string {
	const startedMs = (runs[0] as RunResult).startedMs;
	const shown = events.slice(0, EVENTS_SHOWN_MAX);
	const rows = shown.map(({ atMs, member, text }) => [
		`${((atMs - startedMs) / 1_000).toFixed(2)} s`,
		`<span style="float:left">${escapeHtml(`${member} ${text}`)}</span>`,
	]);
	const more = events.length > shown.length ? `<p>and ${events.length - shown.length} more, in the data of this page</p>` : "";
	return table(["since the start", ""], rows) + more;
}

const EVENTS_SHOWN_MAX = 200;
