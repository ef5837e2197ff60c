/** `flotilla migrate`: from its arguments to the end of a migration. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Access } from "../outside-client.ts";
import { runSubcommand } from "../subcommand.ts";
import { type MigrationSettings, migrate } from "./migrate.ts";

const USAGE = `Usage: flotilla migrate --from HOST:PORT,... --to HOST:PORT,... [--once] [--no-users] [--passwords FILE]
           [--from-user NAME:PASSWORD] [--from-cacert FILE --from-cert FILE --from-key FILE] [the same with --to-]

  Copies a running cluster of the etcd v3 API, etcd or flotilla, into another, empty one: keys, leases, roles and users. Then it
  keeps the second one in step until you say that clients have been switched; then it compares both and ends.

  The switch: stop the writers (or let them fail for a moment), press Enter here, or send SIGINT; wait for the comparison; start
  the writers with the new endpoints.

  --once         do not wait: end with the comparison as soon as the target is in step
  --no-users     keys and leases only
  --passwords    a file with NAME:PASSWORD on each line: no server gives passwords away. Users that it does not name get one that
                 nobody knows. If it names root, and the source demands logins, the target does so at the end as well

  Not kept: revisions and versions begin anew (the order in which keys were created is kept), and a lease has its whole time again.
  The source must keep the history that is not read yet: no compaction below the revision shown, or begin again.

  Exit status 0 if both hold the same, 1 if not or if something failed (the text says what), 2 for a wrong call.
`;

const STRING = { type: "string" } as const;
const BOOLEAN = { type: "boolean", default: false } as const;
const OPTIONS = {
	...{ from: STRING, "from-user": STRING, "from-cacert": STRING, "from-cert": STRING, "from-key": STRING },
	...{ to: STRING, "to-user": STRING, "to-cacert": STRING, "to-cert": STRING, "to-key": STRING },
	...{ passwords: STRING, once: BOOLEAN, "no-users": BOOLEAN },
	help: { type: "boolean", short: "h", default: false },
} as const;

/** `args`: what follows `flotilla migrate`. Resolves with the exit status. */
export function migrateCommand(args: readonly string[]): Promise<number> {
	return runSubcommand({ usage: USAGE, read, run: copy }, args);
}

async function copy(values: ReturnType<typeof read>): Promise<number> {
	try {
		const passwords = values.passwords === undefined ? "" : await readFile(values.passwords, "utf8");
		const { same } = await migrate(settingsOf(values, passwords), switchAsked(values.once), (line) => process.stdout.write(`${line}\n`));
		return same ? 0 : 1;
	} finally {
		process.stdin.unref?.();
	}
}

function read(args: readonly string[]) {
	const { values } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false, strict: true });
	if (values.help) return values;
	for (const side of ["from", "to"] as const) {
		if (endpoints(values[side]).length === 0) throw new Error(`--${side} is needed`);
		if ((values[`${side}-cert`] === undefined) !== (values[`${side}-key`] === undefined))
			throw new Error(`--${side}-cert and --${side}-key go together`);
	}
	return values;
}

function settingsOf(values: ReturnType<typeof read>, passwords: string): MigrationSettings {
	const access = (side: "from" | "to"): Access => ({
		...{ user: values[`${side}-user`], cacert: values[`${side}-cacert`] },
		...{ cert: values[`${side}-cert`], key: values[`${side}-key`] },
	});
	return {
		source: { endpoints: endpoints(values.from), access: access("from") },
		target: { endpoints: endpoints(values.to), access: access("to") },
		users: !values["no-users"],
		passwords,
	};
}

function endpoints(text = ""): readonly string[] {
	return text.split(",").filter((endpoint) => endpoint !== "");
}

/** Resolves when clients are to be switched. */
function switchAsked(once: boolean): Promise<void> {
	if (once) return Promise.resolve();
	return new Promise((resolve) => {
		process.once("SIGINT", () => resolve());
		process.once("SIGTERM", () => resolve());
		// The end of a pipe is no wish: a service has none to begin with.
		process.stdin.once("data", () => resolve());
	});
}
