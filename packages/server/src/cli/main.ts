/**
 * The program `flotilla`: one member of a cluster, or one of the subcommands. Each way loads only what it needs, so that
 * `--version` and refusals come at once.
 */
import { readFile } from "node:fs/promises";
import { type CommandLineOutcome, readCommandLine } from "./command-line.ts";
import { readConfigFile } from "./config-file.ts";
import type { LogNote } from "./flags.ts";
import { OutputLost, print, watchOutput } from "./output.ts";
import { bad } from "./parsed.ts";
import { flagHelp, USAGE } from "./usage.ts";
import { versionText } from "./version.ts";

const [command, ...rest] = process.argv.slice(2);

// Whatever a subcommand makes, a restored member or a saved snapshot, holds what clients stored: nobody but the owner reads it.
process.umask(0o077);

try {
	await runCommand();
} catch (error) {
	if (!(error instanceof OutputLost)) throw error;
	process.stderr.write(`Error: ${error.message}\n`);
	process.exitCode = 1;
}

async function runCommand(): Promise<void> {
	switch (command ?? "") {
		case "log":
			watchOutput();
			process.exitCode = await (await import("./log-dump.ts")).logCommand(rest);
			break;
		case "snapshot":
			watchOutput();
			// A connection to nobody who ever answers would keep the process up.
			process.exit(await (await import("./snapshot-command.ts")).snapshotCommand(rest));
			break;
		case "doctor":
			watchOutput();
			process.exit(await (await import("./doctor/doctor-command.ts")).doctorCommand(rest));
			break;
		case "migrate":
			watchOutput();
			process.exit(await (await import("./migrate/migrate-command.ts")).migrateCommand(rest));
			break;
		// It and a member have their own ways to go on, or to end, when nobody reads what they say.
		case "start-local":
			process.exit(await (await import("./local-cluster.ts")).startLocal(rest, process.env));
			break;
		case "help":
			printHelp();
			break;
		default:
			await obey(await readCommandLine(process.argv.slice(2), process.env, { readSettings }));
	}
}

async function obey(outcome: CommandLineOutcome): Promise<void> {
	switch (outcome.kind) {
		case "run":
			return (await import("./run-member.ts")).runMember(outcome);
		case "help":
			return printHelp();
		case "version":
			watchOutput();
			print(versionText(process.platform, process.arch, process.version));
			return;
		case "usageError":
			process.stderr.write(`${outcome.text}\n${USAGE}`);
			process.exitCode = 2;
			return;
		case "refused":
			await printNotes(outcome.notes);
			process.exitCode = 1;
			return;
	}
}

function printHelp(): void {
	watchOutput();
	process.stderr.write(USAGE);
	print(flagHelp());
}

/** What was wrong with the flags is said on standard error, whatever the flags say about logs. */
async function printNotes(notes: readonly LogNote[]): Promise<void> {
	const { formatLine } = await import("../tap/logger.ts");
	for (const { level, msg, fields } of notes) process.stderr.write(formatLine(level, Date.now(), "cli/main.ts", msg, fields));
}

async function readSettings(path: string): ReturnType<Parameters<typeof readCommandLine>[2]["readSettings"]> {
	const { parse } = await import("yaml");
	try {
		return readConfigFile(await readFile(path, "utf8"), parse);
	} catch (error) {
		return bad(openProblem(path, error as NodeJS.ErrnoException));
	}
}

function openProblem(path: string, { code, message }: NodeJS.ErrnoException): string {
	const words: Readonly<Record<string, string>> = {
		ENOENT: "no such file or directory",
		EACCES: "permission denied",
		EISDIR: "is a directory",
	};
	return `open ${path}: ${words[code ?? ""] ?? message}`;
}
