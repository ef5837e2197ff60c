/** One call of `flotilla` without subcommand: from arguments and environment to what is to be done. Reads files, writes none. */
import type { BootstrapRequest } from "./bootstrap.ts";
import { configFilePath, type Environment, type LogNote, readArguments, readEnvironment, shownArguments } from "./flags.ts";
import { type MemberOptions, memberOptions } from "./member-options.ts";
import type { Parsed } from "./parsed.ts";
import type { Settings } from "./settings.ts";

export type CommandLineOutcome =
	| RunOutcome
	| { readonly kind: "help" }
	| { readonly kind: "version" }
	/** Exit status 2: the text and the usage on standard error. */
	| { readonly kind: "usageError"; readonly text: string }
	/** Exit status 1: these lines and nothing else. */
	| { readonly kind: "refused"; readonly notes: readonly LogNote[] };

export interface RunOutcome {
	readonly kind: "run";
	readonly options: MemberOptions;
	readonly bootstrap: BootstrapRequest;
	/** For the log, once it is open. */
	readonly notes: readonly LogNote[];
}

export interface CommandLineFiles {
	/** Reads a configuration file. */
	readSettings(path: string): Promise<Parsed<Settings>>;
}

export async function readCommandLine(
	args: readonly string[],
	environment: Environment,
	files: CommandLineFiles,
): Promise<CommandLineOutcome> {
	const read = readArguments(args);
	if (read.kind === "help" || read.kind === "usageError") return read;
	if (read.kind === "refused") return { kind: "refused", notes: [running(args), failed(read.error)] };
	if (read.settings.flag("version")) return { kind: "version" };
	const path = configFilePath(environment, read.settings);
	return path === null ? fromFlags(args, environment, read.settings) : fromFile(args, path, files);
}

function fromFlags(args: readonly string[], environment: Environment, settings: Settings): CommandLineOutcome {
	const { notes, ending } = readEnvironment(environment, settings);
	if (ending?.kind === "conflict") return { kind: "refused", notes };
	const before = [...notes, running(args)];
	return ending === null ? conclude(settings, false, before) : { kind: "refused", notes: [...before, failed(ending.error)] };
}

async function fromFile(args: readonly string[], path: string, files: CommandLineFiles): Promise<CommandLineOutcome> {
	const settings = await files.readSettings(path);
	const msg = "loaded server configuration, other configuration command line flags and environment variables will be ignored if provided";
	const before: LogNote[] = [{ level: "info", msg, fields: { path } }, running(args)];
	return settings.ok
		? conclude(settings.value, true, before)
		: { kind: "refused", notes: [...before, failed(`${path}: ${settings.reason}`)] };
}

function conclude(settings: Settings, isFile: boolean, before: readonly LogNote[]): CommandLineOutcome {
	const problem = settings.foldOldNames();
	if (problem !== null) return { kind: "refused", notes: [...before, failed(problem)] };
	const outcome = memberOptions(settings, isFile);
	if (!outcome.ok) return { kind: "refused", notes: [...before, failed(outcome.error)] };
	return { kind: "run", options: outcome.options, bootstrap: outcome.bootstrap, notes: [...before, ...outcome.notes] };
}

function running(args: readonly string[]): LogNote {
	return { level: "info", msg: "Running: ", fields: { args: ["flotilla", ...shownArguments(args)] } };
}

function failed(error: string): LogNote {
	return { level: "warn", msg: "failed to verify flags", fields: { error } };
}
