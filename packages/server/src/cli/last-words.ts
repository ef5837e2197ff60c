import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const TAIL_BYTES = 16 << 10;

/** Why a process ended, as far as the end of its log tells: the newest line that speaks of an error, else the newest line. */
export function lastWords(logFile: string): string {
	const lines = readTail(logFile)
		.split("\n")
		.filter((line) => line.trim() !== "");
	for (const line of lines.toReversed()) {
		const said = parseLine(line);
		if (said !== null && ["error", "panic", "fatal"].includes(String(said.level))) {
			return typeof said.error === "string" ? `${String(said.msg)}: ${said.error}` : String(said.msg);
		}
	}
	return lines.at(-1) ?? "it left no word";
}

function readTail(path: string): string {
	let descriptor: number;
	try {
		descriptor = openSync(path, "r");
	} catch {
		return "";
	}
	try {
		const { size } = fstatSync(descriptor);
		const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
		readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
		return bytes.toString("utf8");
	} finally {
		closeSync(descriptor);
	}
}

function parseLine(line: string): Readonly<Record<string, unknown>> | null {
	try {
		const parsed: unknown = JSON.parse(line);
		return typeof parsed === "object" ? (parsed as Record<string, unknown> | null) : null;
	} catch {
		return null;
	}
}
