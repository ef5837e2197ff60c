/** A comparison as a table: in words, and as a page. */
import { spawnSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { type ComparedValue, goalMet, median } from "../compare/comparison.ts";
import { escapeHtml } from "./chart.ts";
import { page, table } from "./page-frame.ts";
import { mebibytes } from "./units.ts";

export interface CompareReport {
	readonly tool: "flotilla bench compare";
	readonly version: 1;
	readonly rounds: number;
	readonly seconds: number;
	readonly warmUpSeconds: number;
	readonly machine: string;
	readonly notes: readonly string[];
	readonly values: readonly ComparedValue[];
}

export function describeMachine(): string {
	const all = cpus();
	return `${all.length} x ${all[0]?.model ?? "unknown processor"}, ${mebibytes(totalmem())}, ${platform()} ${release()} ${arch()}, Node ${process.version}`;
}

/** When, and what: the commit of a checkout and the version of etcd, as far as they are known. To be asked before anything is started. */
export function describeSubject(): string {
	const commit = firstLine("git", ["-C", import.meta.dirname, "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]);
	const etcd = firstLine("etcd", ["--version"]).replace("etcd Version: ", "etcd ");
	const now = new Date().toISOString().slice(0, 16).replace("T", " ");
	return [`${now} UTC`, ...(commit === "" ? [] : [`commit ${commit}`]), ...(etcd === "" ? [] : [etcd])].join(", ");
}

/** Empty where there is no such program, or it fails. */
function firstLine(program: string, args: readonly string[]): string {
	const { stdout, status } = spawnSync(program, args, { encoding: "utf8" });
	return status === 0 ? (stdout.split("\n")[0] ?? "") : "";
}

export function describeLoad(when: string): string {
	return `load average ${when}: ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} processors`;
}

/** Null while the machine has nothing else to do. To be asked before anything is started. */
export function describeOtherWork(): string | null {
	const [lastMinute = 0] = loadavg();
	const processors = availableParallelism();
	if (lastMinute < processors / 2) return null;
	return `the machine was busy with other work (load ${lastMinute.toFixed(1)} on ${processors} processors): even the ratios mean little`;
}

export function compareLines({ values, rounds, seconds, machine, notes }: CompareReport): string[] {
	const lines = [
		`${rounds} interleaved rounds of ${seconds} s; three members each on this machine, every write synced in both; ${machine}`,
		...notes,
		"",
	];
	for (const value of values) lines.push(`${value.title.padEnd(80)} ${cellsOf(value).join("  ")}`);
	return lines;
}

export function comparePage(report: CompareReport): string {
	const rows = report.values.map((value) => [escapeHtml(value.title), ...cellsOf(value).map(escapeHtml)]);
	const head = ["load", "flotilla", "etcd", "ratio (spread)", "goal"];
	const about = `<p>${report.rounds} interleaved rounds of ${report.seconds} s after ${report.warmUpSeconds} s of warm-up; three members each on one machine, every write synced in both. Medians; the spread is that of the rounds' ratios.</p><p>${escapeHtml(report.machine)}</p>`;
	return page(
		"flotilla bench compare",
		`${about}${report.notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("")}${table(head, rows)}`,
		report,
	);
}

function cellsOf(compared: ComparedValue): [flotilla: string, etcd: string, ratio: string, goal: string] {
	const { value, flotilla, etcd, ratios, clientBound } = compared;
	const shown = (all: readonly (number | null)[]): string => {
		const values = all.filter((each) => each !== null);
		return values.length === 0 ? "-" : `${digits(median(values))}${value.unit}`;
	};
	const ratio =
		ratios.length === 0 ? "-" : `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
	const met = goalMet(compared);
	const sign = value.rises ? ">=" : "<=";
	const goal =
		value.goal === null
			? "-"
			: `${value.goalIsOwn === true ? "its own " : ""}${sign} ${value.goal}${met === null ? "" : met ? ", met" : ", NOT met"}`;
	return [shown(flotilla), shown(etcd), `${ratio}${clientBound ? ", client-bound" : ""}`, goal];
}

export function digits(value: number): string {
	if (value >= 100) return Math.round(value).toLocaleString("en-US");
	return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
