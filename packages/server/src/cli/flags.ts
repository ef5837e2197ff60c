/** Arguments and environment in Go's manner: what is accepted, what wins, and what is refused with which words and status. */
import { CONFIG_FILE_FLAG, type FlagRow, VERSION_FLAG } from "./flag-table.ts";
import { KNOWN_FLAGS, parseFlagValue, Settings } from "./settings.ts";

/** A line for the log, made before there is a logger. */
export interface LogNote {
	readonly level: "info" | "warn" | "fatal";
	readonly msg: string;
	readonly fields: Readonly<Record<string, unknown>>;
}

export type ArgumentsOutcome =
	| { readonly kind: "settings"; readonly settings: Settings }
	| { readonly kind: "help" }
	/** For standard error, before the usage. Exit status 2. */
	| { readonly kind: "usageError"; readonly text: string }
	/** Exit status 1 with a log line. */
	| { readonly kind: "refused"; readonly error: string };

/** Reads `-x`, `--x`, `-x=value` and `-x value`; a boolean takes its value only after `=`. */
export function readArguments(args: readonly string[]): ArgumentsOutcome {
	const settings = new Settings();
	let at = 0;
	while (at < args.length) {
		const argument = args[at] as string;
		if (argument.length < 2 || !argument.startsWith("-")) break;
		at++;
		if (argument === "--") break;
		const step = readFlag(argument, args[at]);
		switch (step.kind) {
			case "value": {
				if (step.tookNext) at++;
				const problem = setFlag(settings, step.row, step.text);
				if (problem !== null) return { kind: "usageError", text: problem };
				break;
			}
			case "help":
			case "usageError":
				return step;
		}
	}
	const stray = args[at];
	return stray === undefined ? { kind: "settings", settings } : { kind: "refused", error: `${JSON.stringify(stray)} is not a valid flag` };
}

type FlagStep =
	| { readonly kind: "value"; readonly row: FlagRow; readonly text: string; readonly tookNext: boolean }
	| { readonly kind: "help" }
	| { readonly kind: "usageError"; readonly text: string };

function readFlag(argument: string, next: string | undefined): FlagStep {
	const body = argument.slice(argument.startsWith("--") ? 2 : 1);
	if (body === "" || body.startsWith("-") || body.startsWith("=")) return { kind: "usageError", text: `bad flag syntax: ${argument}` };
	const equals = body.indexOf("=");
	const name = equals < 0 ? body : body.slice(0, equals);
	const row = KNOWN_FLAGS.get(name);
	if (row === undefined) {
		return name === "help" || name === "h" ? { kind: "help" } : { kind: "usageError", text: `flag provided but not defined: -${name}` };
	}
	if (equals >= 0) return { kind: "value", row, text: body.slice(equals + 1), tookNext: false };
	if (row.kind === "boolean" || row.kind === "forgotten") return { kind: "value", row, text: "true", tookNext: false };
	if (next === undefined) return { kind: "usageError", text: `flag needs an argument: -${name}` };
	return { kind: "value", row, text: next, tookNext: true };
}

function setFlag(settings: Settings, row: FlagRow, text: string): string | null {
	const parsed = parseFlagValue(row, text);
	if (parsed.ok) {
		settings.put(row.name, parsed.value);
		return null;
	}
	const sort = row.kind === "boolean" ? "boolean value" : "value";
	return withoutCredentials(
		`invalid ${sort} ${JSON.stringify(text)} for ${row.kind === "boolean" ? "" : "flag "}-${row.name}: ${parsed.reason}`,
	);
}

/** What stands before the `@` of a URL is nobody's business, least of all a log's. */
function withoutCredentials(text: string): string {
	return text.replace(/:\/\/[^/@\s"]*@/g, "://***@");
}

const HIDDEN = "***";

function shown(row: FlagRow, text: string): string {
	return row.secret === true ? HIDDEN : withoutCredentials(text);
}

/** The arguments as a log may show them. */
export function shownArguments(args: readonly string[]): readonly string[] {
	let hidesNext = false;
	return args.map((argument) => {
		if (hidesNext) {
			hidesNext = false;
			return HIDDEN;
		}
		const equals = argument.indexOf("=");
		const row = KNOWN_FLAGS.get(argument.slice(0, equals < 0 ? argument.length : equals).replace(/^--?/, ""));
		if (row?.secret !== true) return withoutCredentials(argument);
		hidesNext = equals < 0;
		return equals < 0 ? argument : `${argument.slice(0, equals + 1)}${HIDDEN}`;
	});
}

const PREFIX = "ETCD_";
const CONFLICT =
	"conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentOutcome {
	readonly notes: readonly LogNote[];
	/** `conflict`: the last note is fatal and says all. `invalid`: refused like a wrong combination of flags. Both: exit status 1. */
	readonly ending: null | { readonly kind: "conflict" } | { readonly kind: "invalid"; readonly error: string };
}

/** `ETCD_SOME_FLAG` for `--some-flag`, where no flag was given. An empty variable counts as unset. */
export function readEnvironment(environment: Environment, settings: Settings): EnvironmentOutcome {
	const notes: LogNote[] = [];
	const fromArguments = new Set(settings.given.map(([row]) => row.name));
	let ending: EnvironmentOutcome["ending"] = null;
	const known = new Map([...KNOWN_FLAGS.values()].map((row) => [variableOf(row), row]));
	const variables = Object.keys(environment).filter((name) => name.startsWith(PREFIX) && environment[name] !== "");
	for (const variable of variables.sort()) {
		const text = environment[variable] as string;
		const row = known.get(variable);
		if (row === VERSION_FLAG) {
			notes.push({ level: "warn", msg: "cannot set special environment variable", fields: { key: variable, value: text } });
		} else if (row === undefined) {
			// Deviation: without its value. Other programs keep passwords in such variables (ETCD_ROOT_PASSWORD).
			notes.push({ level: "warn", msg: "unrecognized environment variable", fields: { "environment-variable": variable } });
		} else if (fromArguments.has(row.name)) {
			notes.push({ level: "fatal", msg: CONFLICT, fields: { "environment-variable": variable } });
			return { notes, ending: { kind: "conflict" } };
		} else {
			const parsed = parseFlagValue(row, text);
			if (parsed.ok) {
				settings.put(row.name, parsed.value);
				const fields = { "variable-name": variable, "variable-value": shown(row, text) };
				notes.push({ level: "info", msg: "recognized and used environment variable", fields });
			} else {
				const error = withoutCredentials(`invalid value ${JSON.stringify(text)} for ${variable}: ${parsed.reason}`);
				ending ??= { kind: "invalid", error };
			}
		}
	}
	return { notes, ending };
}

/** The configuration file that is asked for, or null. Read before all else: with a file, nothing else counts. */
export function configFilePath(environment: Environment, settings: Settings): string | null {
	const path = settings.text(CONFIG_FILE_FLAG.name) || (environment[variableOf(CONFIG_FILE_FLAG)] ?? "");
	return path === "" ? null : path;
}

function variableOf(row: FlagRow): string {
	return PREFIX + row.name.toUpperCase().replaceAll("-", "_");
}
