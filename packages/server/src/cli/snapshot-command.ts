/** `flotilla snapshot save|status|restore`: reads its arguments and says what went wrong. */
import { parseArgs } from "node:util";
import { initialClusterOf } from "./bootstrap.ts";
import { readEndpoints } from "./endpoints.ts";
import { type LoginWish, loginWish, readLogin } from "./login.ts";
import { print } from "./output.ts";
import type { CallError } from "./outside-client.ts";
import { restoreSnapshot } from "./snapshot-restore.ts";
import { printStatus } from "./snapshot-status.ts";

const USAGE = `Usage: flotilla snapshot save [--endpoints HOST:PORT] [--user NAME[:PASSWORD] [--password-file FILE]]
           [--cacert FILE --cert FILE --key FILE] <file>
       flotilla snapshot status [--write-out table|json] <file>
       flotilla snapshot restore --data-dir DIR [--name NAME] [--initial-cluster NAME=URL,...] [--initial-cluster-token TOKEN]
           [--initial-advertise-peer-urls URL,...] [--bump-revision N --mark-compacted] [--skip-hash-check] <file>

  save     writes what one member holds at this moment (keys with their history, leases, users and roles) to a file
  status   verifies a file and prints its hash, revision, records and size
  restore  makes the data folder of one member of a new cluster from a file; run it once for each member

  --endpoints          one member (default: 127.0.0.1:2379)
  --user               NAME alone: the password is the first line of the file, or what the variable ETCDCTL_PASSWORD holds
  --bump-revision N    raise the revision by N, so that no revision that clients saw after the snapshot comes again
  --mark-compacted     with --bump-revision: compact everything up to the new revision, so that open watches are canceled
  --skip-hash-check    take a file without the SHA-256 at its end, or with a wrong one; its sections are verified all the same

  Exit status 0 if all is well, 1 if something failed (the text says what), 2 for a wrong call.
`;

const STRING = { type: "string" } as const;
const OPTIONS = {
	help: { type: "boolean", short: "h" },
	endpoints: STRING,
	user: STRING,
	"password-file": STRING,
	cacert: STRING,
	cert: STRING,
	key: STRING,
	"write-out": { type: "string", short: "w" },
	"data-dir": STRING,
	name: STRING,
	"initial-cluster": STRING,
	"initial-cluster-token": STRING,
	"initial-advertise-peer-urls": STRING,
	"bump-revision": STRING,
	"mark-compacted": { type: "boolean" },
	"skip-hash-check": { type: "boolean" },
	"wal-dir": STRING,
} as const;

const OF_COMMAND: Readonly<Record<string, readonly (keyof typeof OPTIONS)[]>> = {
	save: ["endpoints", "user", "password-file", "cacert", "cert", "key"],
	status: ["write-out"],
	restore: [
		...(["data-dir", "name", "initial-cluster", "initial-cluster-token", "initial-advertise-peer-urls"] as const),
		...(["bump-revision", "mark-compacted", "skip-hash-check", "wal-dir"] as const),
	],
};

type Values = ReturnType<typeof parse>["values"];

/** A call that cannot be understood. */
class WrongCall extends Error {}

/** `args`: what follows `flotilla snapshot`. Resolves with the exit status. */
export async function snapshotCommand(args: readonly string[]): Promise<number> {
	try {
		const { values, positionals } = parse(args);
		if (values.help === true) {
			print(USAGE);
			return 0;
		}
		await obey(positionals, values);
		return 0;
	} catch (error) {
		const wrong = error instanceof WrongCall;
		process.stderr.write(wrong ? `${error.message}\n\n${USAGE}` : `Error: ${(error as Error).message}\n`);
		return wrong ? 2 : 1;
	}
}

function parse(args: readonly string[]) {
	return read(() => parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true }));
}

async function obey([command = "", file, ...more]: readonly string[], values: Values): Promise<void> {
	const known = Object.hasOwn(OF_COMMAND, command) ? OF_COMMAND[command] : undefined;
	if (known === undefined) throw new WrongCall(`unknown command: snapshot ${command}`.trimEnd());
	const stranger = Object.keys(values).find((name) => !(known as readonly string[]).includes(name));
	if (stranger !== undefined) throw new WrongCall(`--${stranger} does not go with snapshot ${command}`);
	if (file === undefined || more.length > 0) throw new WrongCall(`snapshot ${command} expects one file`);
	if (command === "save") await save(file, values);
	else if (command === "status") await printStatus(file, writeOut(values["write-out"]));
	else await restore(file, values);
}

async function save(file: string, values: Values): Promise<void> {
	const endpoint = values.endpoints ?? "127.0.0.1:2379";
	if (endpoint.includes(",")) throw new WrongCall("snapshot must be requested to one selected node, not multiple");
	if (read(() => readEndpoints("--endpoints", endpoint)).length === 0) throw new WrongCall("--endpoints needs HOST:PORT");
	const { cacert, cert, key } = values;
	if ((cert === undefined) !== (key === undefined)) throw new WrongCall("--cert and --key go together");
	const wish = loginOf(values);
	const { checkFiles, whyShutOut } = await import("./why-shut-out.ts");
	await checkFiles({ cacert, cert, key });
	const { saveSnapshot } = await import("./snapshot-save.ts");
	const access = { login: await readLogin(wish), cacert, cert, key };
	try {
		await saveSnapshot(file, { endpoint, ...access });
	} catch (error) {
		const reason = isCallError(error) ? await whyShutOut(endpoint, access, error) : null;
		throw reason === null ? error : new Error(`${endpoint} could not be asked: ${reason}`);
	}
	print(`Snapshot saved at ${file}\n`);
}

function isCallError(error: unknown): error is CallError {
	return error instanceof Error && "details" in error && "code" in error;
}

function loginOf({ user, "password-file": passwordFile }: Values): LoginWish | undefined {
	return read(() =>
		loginWish({ flag: "--user", fileFlag: "--password-file", user, passwordFile, variable: "ETCDCTL_PASSWORD" }, process.env),
	);
}

/** What it throws makes the call a wrong one. */
function read<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw new WrongCall((error as Error).message);
	}
}

function writeOut(text = "table"): "table" | "json" {
	if (text !== "table" && text !== "json") throw new WrongCall(`--write-out ${text}: need table or json`);
	return text;
}

async function restore(file: string, values: Values): Promise<void> {
	const { "data-dir": dataDir, name = "default", "bump-revision": bump, "mark-compacted": compacted = false } = values;
	if (values["wal-dir"] !== undefined) throw new WrongCall("--wal-dir is not supported: the log of a member lies in its data folder");
	if (dataDir === undefined) throw new WrongCall("snapshot restore needs --data-dir");
	if (bump !== undefined && !/^[1-9]\d{0,14}$/.test(bump)) throw new WrongCall(`--bump-revision ${bump}: need a whole number above 0`);
	if ((bump !== undefined) !== compacted) throw new WrongCall("--bump-revision and --mark-compacted go together");
	const peerUrls = values["initial-advertise-peer-urls"] ?? "http://localhost:2380";
	const text = await restoreSnapshot(file, {
		...{ dataDir, name, bumpRevision: Number(bump ?? 0), skipHashCheck: values["skip-hash-check"] ?? false },
		initialCluster: values["initial-cluster"] ?? initialClusterOf(name, peerUrls.split(",")),
		token: values["initial-cluster-token"] ?? "etcd-cluster",
		peerUrls: peerUrls.split(","),
	});
	print(`${text}\n`);
}
