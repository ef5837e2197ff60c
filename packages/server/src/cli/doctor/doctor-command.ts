/** `flotilla doctor`: looks at members and data folders, says what is wrong and why, and rehearses the rescue. */
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { readEndpoints } from "../endpoints.ts";
import { loginWish, readLogin } from "../login.ts";
import { print } from "../output.ts";
import { runSubcommand } from "../subcommand.ts";
import { type Diagnosis, diagnose, verdictOf } from "./findings.ts";
import type { Rehearsal } from "./observations.ts";

const USAGE = `Usage: flotilla doctor [--endpoints HOST:PORT,...] [--data-dir DIR ...] [--dry-run] [--json] [--scratch DIR]
           [--user NAME[:PASSWORD] [--password-file FILE]] [--cacert FILE --cert FILE --key FILE]

  Asks members that run, looks at data folders of members that do not, and says what is wrong, by which evidence, which folder
  holds the most, what could be lost, and what to do. Changes nothing: folders are copied, and the copies are started.

  --endpoints  members to ask; together with --data-dir: those that still run (default without --data-dir: 127.0.0.1:2379)
  --data-dir   the data folder of a member that does not run; several times for several
  --dry-run    rehearse --force-new-cluster on a copy of the folder that holds the most, also where no rescue is needed
  --user       NAME alone: the password is the first line of the file, or what the variable ETCDCTL_PASSWORD holds
  --scratch    where copies go: as large as the largest folder (default: ${tmpdir()})
  --json       everything as one JSON object

  Exit status 0 if nothing is wrong, 1 if something is, 2 for a wrong call, 3 if nothing was found to be wrong and not everything could
  be looked at.
`;

const STRING = { type: "string" } as const;
const BOOLEAN = { type: "boolean", default: false } as const;
const OPTIONS = {
	...{ endpoints: STRING, user: STRING, "password-file": STRING, cacert: STRING, cert: STRING, key: STRING, scratch: STRING },
	"data-dir": { type: "string", multiple: true },
	"dry-run": BOOLEAN,
	json: BOOLEAN,
	help: { type: "boolean", short: "h", default: false },
} as const;

/** `args`: what follows `flotilla doctor`. Resolves with the exit status. */
export function doctorCommand(args: readonly string[]): Promise<number> {
	return runSubcommand({ usage: USAGE, read, run: examine }, args);
}

function read(args: readonly string[]) {
	const { values } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false, strict: true });
	if ((values.cert === undefined) !== (values.key === undefined)) throw new Error("--cert and --key go together");
	if (values["dry-run"] && values["data-dir"] === undefined) throw new Error("--dry-run needs --data-dir");
	const { user, "password-file": passwordFile } = values;
	const wish = values.help
		? undefined
		: loginWish({ flag: "--user", fileFlag: "--password-file", user, passwordFile, variable: "ETCDCTL_PASSWORD" }, process.env);
	const standard = values["data-dir"] === undefined ? "127.0.0.1:2379" : "";
	return { ...values, endpoints: readEndpoints("--endpoints", values.endpoints ?? standard), wish };
}

async function examine(values: ReturnType<typeof read>): Promise<number> {
	const { endpoints, wish, cacert, cert, key, scratch = tmpdir(), "data-dir": dataDirs = [] } = values;
	const { checkFiles } = await import("../why-shut-out.ts");
	await checkFiles({ cacert, cert, key });
	const { askMembers } = await import("./ask-members.ts");
	const { examineFolder, rehearse } = await import("./examine-folder.ts");
	const members = await askMembers(endpoints, { login: await readLogin(wish), cacert, cert, key });
	const folders = [];
	// One after another: each takes the memory of a member.
	for (const dataDir of dataDirs) folders.push(await examineFolder(dataDir, scratch));
	const diagnosis = diagnose({ members, folders });
	const { best, quorumLost } = diagnosis;
	const rehearsal = best !== null && (quorumLost || values["dry-run"]) ? await rehearse(best, scratch) : null;
	print(values.json ? `${JSON.stringify({ members, folders, ...diagnosis, rehearsal }, null, "\t")}\n` : report(diagnosis, rehearsal));
	return rehearsal?.ok === false ? STATUS.wrong : STATUS[verdictOf(diagnosis)];
}

const STATUS = { healthy: 0, wrong: 1, unknown: 3 } as const;
const SIGNS = { ok: "ok     ", note: "note   ", unseen: "UNSEEN ", problem: "PROBLEM" } as const;

function report(diagnosis: Diagnosis, rehearsal: Rehearsal | null): string {
	const lines = diagnosis.findings.map(({ severity, text }) => `${SIGNS[severity]}  ${text}`);
	if (rehearsal !== null) lines.push(`${rehearsal.ok ? SIGNS.ok : SIGNS.problem}  ${describe(rehearsal)}`);
	const verdict = verdictOf(diagnosis);
	if (verdict === "healthy") lines.push("Nothing is wrong.");
	if (verdict === "unknown") lines.push("Nothing that was looked at is wrong, but not everything could be looked at.");
	if (diagnosis.next.length > 0) lines.push("", "What to do:", ...diagnosis.next.map((text, at) => `  ${at + 1}. ${text}`));
	return `${lines.join("\n")}\n`;
}

function describe(rehearsal: Rehearsal): string {
	if (!rehearsal.ok) return `Dry run of --force-new-cluster on a copy of ${rehearsal.dataDir}: it fails. ${rehearsal.reason}`;
	const { dataDir, revision, keys, leases, users, roles, authEnabled, removed, uncertain } = rehearsal;
	const auth = authEnabled ? "authentication is on" : "authentication is off";
	const who = removed.length === 0 ? "it is alone already" : `it removes ${removed.join(", ")}`;
	const held = `revision ${revision}, ${keys} keys, ${leases} leases, ${users} users, ${roles} roles, ${auth}`;
	return `Dry run of --force-new-cluster on a copy of ${dataDir}: it serves with ${held}; ${who}, and keeps ${uncertain} entries that were not known to be committed.`;
}
