/** `flotilla migrate`: from its arguments to the end of a migration. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { readEndpoints } from "../endpoints.ts";
import { type LoginWish, loginWish, readLogin } from "../login.ts";
import type { Access } from "../outside-client.ts";
import { runSubcommand } from "../subcommand.ts";
import { type MigrationSettings, migrate } from "./migrate.ts";
import { Terminal } from "./terminal.ts";

const USAGE = `Usage: flotilla migrate --from HOST:PORT,... --to HOST:PORT,... [--once] [--no-users] [--passwords FILE]
           [--from-user NAME[:PASSWORD] [--from-password-file FILE]]
           [--from-cacert FILE] [--from-cert FILE --from-key FILE] [the same with --to-]

  Copies a running cluster of the etcd v3 API, etcd or flotilla, into another, empty one: keys, leases, roles and users. Then it
  keeps the second one in step until you say that clients have been switched; then it compares both and ends.

  The switch: when it says "in step", stop the writers (or let them fail for a moment), press Enter here, or send SIGINT; wait for
  the comparison; start the writers with the new endpoints. Before and after that SIGINT gives up.

  --once         do not wait: end with the comparison as soon as the target is in step
  --no-users     keys and leases only
  --from-user    NAME alone: the password is the first line of the file, or what the variable FLOTILLA_FROM_PASSWORD holds; with
                 --to-user: FLOTILLA_TO_PASSWORD
  --passwords    a file with NAME:PASSWORD on each line: no server gives passwords away. Users that it does not name get one that
                 nobody knows. If it names root, and the source demands logins, the target does so at the end as well

  Not kept: revisions and versions begin anew (the order in which keys were created is kept), and a lease has its whole time again.

  Exit status 0 if both hold the same, 1 if not or if something failed (the text says what), 2 for a wrong call.
`;

const STRING = { type: "string" } as const;
const BOOLEAN = { type: "boolean", default: false } as const;
const OPTIONS = {
	...{ from: STRING, "from-user": STRING, "from-password-file": STRING, "from-cacert": STRING, "from-cert": STRING, "from-key": STRING },
	...{ to: STRING, "to-user": STRING, "to-password-file": STRING, "to-cacert": STRING, "to-cert": STRING, "to-key": STRING },
	...{ passwords: STRING, once: BOOLEAN, "no-users": BOOLEAN },
	help: { type: "boolean", short: "h", default: false },
} as const;

/** `args`: what follows `flotilla migrate`. Resolves with the exit status. */
export function migrateCommand(args: readonly string[]): Promise<number> {
	return runSubcommand({ usage: USAGE, read, run: copy }, args);
}

async function copy({ values, wishes }: ReturnType<typeof read>): Promise<number> {
	const terminal = new Terminal(values.once);
	try {
		const { same } = await migrate(await settingsOf(values, wishes), terminal);
		return same ? 0 : 1;
	} finally {
		terminal.close();
	}
}

type Values = ReturnType<typeof parse>;
type Wishes = Readonly<Record<SideFlag, LoginWish | undefined>>;
type SideFlag = "from" | "to";

function parse(args: readonly string[]) {
	return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false, strict: true }).values;
}

function read(args: readonly string[]) {
	const values = parse(args);
	if (values.help) return { help: true, values, wishes: { from: undefined, to: undefined } };
	for (const side of ["from", "to"] as const) {
		if (endpointsOf(values, side).length === 0) throw new Error(`--${side} is needed`);
		if ((values[`${side}-cert`] === undefined) !== (values[`${side}-key`] === undefined))
			throw new Error(`--${side}-cert and --${side}-key go together`);
	}
	return { help: false, values, wishes: { from: wishOf(values, "from"), to: wishOf(values, "to") } };
}

function wishOf(values: Values, side: SideFlag): LoginWish | undefined {
	const names = { flag: `--${side}-user`, fileFlag: `--${side}-password-file`, variable: `FLOTILLA_${side.toUpperCase()}_PASSWORD` };
	return loginWish({ ...names, user: values[`${side}-user`], passwordFile: values[`${side}-password-file`] }, process.env);
}

async function settingsOf(values: Values, wishes: Wishes): Promise<MigrationSettings> {
	const access = async (side: SideFlag): Promise<Access> => ({
		...{ login: await readLogin(wishes[side]), cacert: values[`${side}-cacert`] },
		...{ cert: values[`${side}-cert`], key: values[`${side}-key`] },
	});
	return {
		source: { endpoints: endpointsOf(values, "from"), access: await access("from") },
		target: { endpoints: endpointsOf(values, "to"), access: await access("to") },
		users: !values["no-users"],
		passwords: values.passwords === undefined ? "" : await readFile(values.passwords, "utf8"),
	};
}

function endpointsOf(values: Values, side: SideFlag): readonly string[] {
	return readEndpoints(`--${side}`, values[side] ?? "");
}
