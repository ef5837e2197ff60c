import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const TAIL_BYTES = 16 << 10;
const SEVERE = ["error", "panic", "fatal"];
/** How Node begins the report of an error that nobody caught. */
const UNCAUGHT = /^\w*Error(?: \[\w+\])?: .+/;

/** Why a process ended, as far as its log tells from `offset` on: the newest line that speaks of an error, or null. */
export function lastWords(logFile: string, offset: number): string | null {
	for (const line of readTail(logFile, offset).split("\n").toReversed()) {
		if (UNCAUGHT.test(line)) return line;
		const { level, msg, error } = parseLine(line);
		if (SEVERE.includes(String(level))) return typeof error === "string" ? `${String(msg)}: ${error}` : String(msg);
	}
	return null;
}

function readTail(path: string, offset: number): string {
	const descriptor = openSync(path, "r");
	try {
		const { size } = fstatSync(descriptor);
		const start = Math.max(offset, size - TAIL_BYTES);
		const bytes = Buffer.alloc(Math.max(0, size - start));
		readSync(descriptor, bytes, 0, bytes.length, start);
		return bytes.toString("utf8");
	} finally {
		closeSync(descriptor);
	}
}

/** Fields of a log line; none of a line that is something else. */
function parseLine(line: string): Readonly<Record<string, unknown>> {
	try {
		const parsed: unknown = JSON.parse(line);
		return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
	} catch {
		return {};
	}
}
