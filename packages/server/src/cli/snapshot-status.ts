import { stat } from "node:fs/promises";
import type { FloorRecord } from "../driver/floor-record.ts";
import { print } from "./output.ts";
import { readSnapshot } from "./snapshot-file.ts";

/** Verifies the whole file first. The hash is that of the records: equal for the same state, whichever member was asked. */
export async function printStatus(path: string, form: "table" | "json"): Promise<void> {
	let floor: FloorRecord | null = null;
	let totalKey = 0;
	for await (const section of readSnapshot(path, { skipHashCheck: false })) {
		if (section.kind === "head") ({ floor } = section);
		if (section.kind === "records") totalKey += section.records.length;
	}
	if (floor === null) return;
	const { digest: hash, revision } = floor.mark;
	const totalSize = (await stat(path)).size;
	if (form === "json") print(`${JSON.stringify({ hash, revision, totalKey, totalSize, version: "3.6.0" })}\n`);
	else {
		const titles = ["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE", "STORAGE VERSION"];
		printTable(titles, [hash.toString(16), String(revision), String(totalKey), sizeText(totalSize), "3.6.0"]);
	}
}

function printTable(titles: readonly string[], row: readonly string[]): void {
	const widths = titles.map((title, at) => Math.max(title.length, row[at]?.length ?? 0));
	const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+\n`;
	const centred = (text: string, width: number): string => {
		const left = Math.floor((width - text.length) / 2);
		return ` ${" ".repeat(left)}${text}${" ".repeat(width - text.length - left)} `;
	};
	const line = (cells: readonly string[]): string => `|${cells.map((cell, at) => centred(cell, widths[at] ?? 0)).join("|")}|\n`;
	print(`${rule}${line(titles)}${rule}${line(row)}${rule}`);
}

function sizeText(bytes: number): string {
	for (const [unit, size] of [
		["GB", 1e9],
		["MB", 1e6],
		["kB", 1e3],
	] as const) {
		if (bytes >= size) return `${(bytes / size).toFixed(bytes < 10 * size ? 1 : 0)} ${unit}`;
	}
	return `${bytes} B`;
}
