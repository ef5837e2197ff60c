import { LogOutput, openLogSink } from "./log-output.ts";

/** Ascending. The level of a logger and of those above it are written. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "panic", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Bigints are ids and become unpadded hexadecimal text; an Error becomes its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** `console`: the same for people, in columns. */
export type LogFormat = "json" | "console";

export interface LoggerOptions {
	readonly level: LogLevel;
	/** Missing: `json`. */
	readonly format?: LogFormat;
	/** Milliseconds since 1970; fractions are used down to the microsecond. */
	readonly wallMs: () => number;
}

/**
 * One JSON object a line, as etcd's tooling expects it: level, ts, caller, msg, then the fields (etcd API 12.7). Own code
 * instead of a library: the form of the time stamp, the caller and the bounded buffer before each output are the whole of it.
 */
export class Logger {
	private readonly threshold: number;
	private readonly wallMs: () => number;
	private readonly outputs: readonly LogOutput[];
	private readonly formatted: typeof formatLine;

	constructor(options: LoggerOptions, outputs: readonly LogOutput[]) {
		this.threshold = LOG_LEVELS.indexOf(options.level);
		this.wallMs = options.wallMs;
		this.outputs = outputs;
		this.formatted = formatterOf(options);
	}

	debug(msg: string, fields: LogFields = {}): void {
		if (this.enabled("debug")) this.write("debug", msg, fields, callerOf(2));
	}

	info(msg: string, fields: LogFields = {}): void {
		if (this.enabled("info")) this.write("info", msg, fields, callerOf(2));
	}

	warn(msg: string, fields: LogFields = {}): void {
		if (this.enabled("warn")) this.write("warn", msg, fields, callerOf(2));
	}

	error(msg: string, fields: LogFields = {}): void {
		if (this.enabled("error")) this.write("error", msg, fields, callerOf(2));
	}

	/** Writes and flushes; ending the process is the caller's business. */
	fatal(msg: string, fields: LogFields = {}): void {
		const stacktrace = (new Error().stack ?? "").split("\n").slice(2).join("\n");
		this.write("fatal", msg, { ...fields, stacktrace }, callerOf(2));
		this.flush();
	}

	enabled(level: LogLevel): boolean {
		return LOG_LEVELS.indexOf(level) >= this.threshold;
	}

	/** For lines whose place in the code is known beforehand. */
	write(level: LogLevel, msg: string, fields: LogFields, caller: string): void {
		if (!this.enabled(level)) return;
		const line = this.formatted(level, this.wallMs(), caller, msg, fields);
		for (const output of this.outputs) output.write(line);
	}

	/** Lines lost because an output was closed or not read. */
	get dropped(): number {
		return this.outputs.reduce((sum, output) => sum + output.dropped, 0);
	}

	/** Resolves when all lines so far are written, or lost. An output that is stuck never settles. */
	async settled(): Promise<void> {
		await Promise.all(this.outputs.map((output) => output.settled()));
	}

	/** Before the process ends. */
	flush(): void {
		for (const output of this.outputs) output.flush();
	}
}

/** A logger on the outputs that `--log-outputs` names. Throws when a file cannot be opened. */
export function openLogger(options: LoggerOptions & { readonly outputs: readonly string[] }): Logger {
	const describeDropped = (count: number): string =>
		formatterOf(options)("warn", options.wallMs(), "tap/log-output.ts", "log lines were dropped: the output was not read", { count });
	return new Logger(
		options,
		options.outputs.map((name) => new LogOutput(openLogSink(name), describeDropped)),
	);
}

export function formatLine(level: LogLevel, wallMs: number, caller: string, msg: string, fields: LogFields): string {
	return `${JSON.stringify({ level, ts: formatTimestamp(wallMs), caller, msg, ...fields }, jsonValue)}\n`;
}

/** Columns with tabs between them, the fields as one JSON object at the end, a stack trace below. */
function formatForPeople(level: LogLevel, wallMs: number, caller: string, msg: string, { stacktrace, ...fields }: LogFields): string {
	const columns = [formatTimestamp(wallMs), level, caller, msg];
	if (Object.keys(fields).length > 0) columns.push(JSON.stringify(fields, jsonValue));
	return `${columns.join("\t")}\n${typeof stacktrace === "string" && stacktrace !== "" ? `${stacktrace}\n` : ""}`;
}

function formatterOf({ format }: Pick<LoggerOptions, "format">): typeof formatLine {
	return format === "console" ? formatForPeople : formatLine;
}

/** `2025-05-15T10:00:00.123456Z`. */
export function formatTimestamp(wallMs: number): string {
	const wholeMs = Math.floor(wallMs);
	const micros = Math.min(999, Math.floor((wallMs - wholeMs) * 1_000));
	return `${new Date(wholeMs).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}

/** JSON form of what log lines and tap lines carry. */
export function jsonValue(_key: string, value: unknown): unknown {
	if (typeof value === "bigint") return value.toString(16);
	if (value instanceof Error) return value.message;
	return value;
}

/** `folder/file.ts:line` of the frame `depth` above this function. Costs some microseconds: log lines are rare. */
function callerOf(depth: number): string {
	const limit = Error.stackTraceLimit;
	Error.stackTraceLimit = depth + 1;
	const frame = (new Error().stack ?? "").split("\n")[depth + 1] ?? "";
	Error.stackTraceLimit = limit;
	return /([^/\\]+[/\\][^/\\]+?):(\d+)(?::\d+)?\)?$/.exec(frame)?.slice(1, 3).join(":") ?? "unknown";
}
