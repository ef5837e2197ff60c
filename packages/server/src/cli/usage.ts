/** What `--help` prints: how to call, and every flag with its default. */
import { FLAG_GROUPS, FLAG_TABLE, type FlagRow } from "./flag-table.ts";

export const USAGE = `Usage:

  flotilla [flags]
    Run one member of a cluster. Takes etcd's flags and ETCD_ environment variables.

  flotilla start-local [flags]
    Run three members on this machine, with a live table of them: what npm start does.

  flotilla log dump [--value-bytes N] <data-dir>
    Print the log of a member as JSON lines, also while it runs.

  flotilla snapshot save|status|restore <file> [flags]
    Save the state of a running cluster to a file, look at one, or make a new cluster from it. snapshot --help tells more.

  flotilla doctor [--endpoints HOST:PORT,...] [--data-dir DIR ...]
    Say what is wrong with a cluster, which data folder holds the most and what could be lost. doctor --help tells more.

  flotilla migrate --from HOST:PORT,... --to HOST:PORT,...
    Copy a running etcd or flotilla into another cluster, and keep it in step until clients are switched. migrate --help tells more.

  flotilla bench <load> [flags]
    Measure a server of the etcd v3 API; bench compare: beside etcd. bench --help tells more.
  flotilla chaos [flags]
    Break a cluster of its own by a scenario, and judge what clients were told. chaos --help tells more.

  flotilla --version
    Print the version.

  flotilla -h | --help
    Print all flags.
`;

export function flagHelp(): string {
	const sections = FLAG_GROUPS.map((group) => {
		const rows = FLAG_TABLE.filter((row) => row.group === group && row.kind !== "forgotten" && row.support === "used");
		return rows.length === 0 ? "" : `${group}:\n${rows.map(describeRow).join("")}\n`;
	});
	const accepted = FLAG_TABLE.filter((row) => row.support !== "used" && row.kind !== "forgotten");
	const [noEffect, refused] = [accepted.filter((row) => row.support === "noEffect"), accepted.filter((row) => row.support === "refused")];
	return [
		sections.join(""),
		`Taken without effect:\n${listNames(noEffect)}\n`,
		`Known, but only the default is accepted in this version:\n${listNames(refused)}\n`,
		"For a flag --some-flag the variable is ETCD_SOME_FLAG; giving both is an error. Durations are written like 100ms or 1m30s.\n",
	].join("\n");
}

function describeRow(row: FlagRow): string {
	return `  --${row.name} '${row.standard}'\n    ${row.help}\n`;
}

function listNames(rows: readonly FlagRow[]): string {
	const lines: string[] = [];
	let line = " ";
	for (const name of rows.map((row) => ` --${row.name}`)) {
		if (line.length + name.length > 100) {
			lines.push(line);
			line = " ";
		}
		line += name;
	}
	return [...lines, line, ""].join("\n");
}
