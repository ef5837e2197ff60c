/** `flotilla log dump`: the log of a member, also while it runs or after it refused to start. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { NodeDisk } from "../disk/node-disk.ts";
import { runScript } from "../disk/run-script.ts";
import { LOG_FOLDER } from "../driver/bootstrap.ts";
import { MEMBER_FOLDER } from "../member-folder.ts";
import { nodeBytes } from "../node-bytes.ts";
import { type DumpFact, LogDump } from "../wal/dump.ts";
import { LogJson } from "./log-json.ts";
import { LogWords } from "./log-words.ts";
import { isReaderGone, print } from "./output.ts";

const USAGE = `Usage: flotilla log dump [--value-bytes N] <data-dir>
       flotilla log dump --words [--entries] [--data-bytes N] <data-dir>

  Prints identity, vote and log of the member whose --data-dir it is, as JSON lines. Takes no lock and changes nothing; the
  member may run meanwhile. Exit status 0 if all is well with these, 1 if something of them would keep the member from
  starting or would be repaired, 2 for a wrong call. Of all else in the folder flotilla doctor tells.

  --value-bytes N  so many bytes of each value at most (default: all)
  --words          in words, for people
  --entries        in words: a line for each entry, not one for each run of them
  --data-bytes N   in words: so many bytes of each entry, as hexadecimal digits
`;
const FLUSH_CHARACTERS = 1 << 16;
/** A write that is under way when the end of the log is read is over by then, or was cut short by a crash. */
const SETTLE = { tries: 40, pauseMs: 50 } as const;

/** `args`: what follows `flotilla log`. Resolves with the exit status. */
export async function logCommand(args: readonly string[]): Promise<number> {
	const call = readCall(args);
	if (call.kind === "usage") {
		if (call.problem === "") print(USAGE);
		else process.stderr.write(`${call.problem}${USAGE}`);
		return call.problem === "" ? 0 : 2;
	}
	const folder = join(call.dataDir, MEMBER_FOLDER);
	if (!existsSync(folder)) {
		process.stderr.write(`flotilla: there is no member in ${call.dataDir}: it has no folder ${MEMBER_FOLDER}\n`);
		return 2;
	}
	// Whoever read has seen enough: `flotilla log dump x | head`.
	process.stdout.on("error", (error) => {
		if (isReaderGone(error)) process.exit(0);
	});
	const page = new Page();
	const printer = call.form.kind === "words" ? new LogWords(call.form, page.print) : new LogJson(call.form.valueBytesMax, page.print);
	const problems = await dump(folder, (fact) => printer.tell(fact));
	page.flush();
	return problems === 0 ? 0 : 1;
}

/** Returns how many problems there are. */
async function dump(folder: string, tell: (fact: DumpFact) => void): Promise<number> {
	const disk = new NodeDisk(folder);
	const log = new LogDump(nodeBytes, LOG_FOLDER, tell);
	let settled = await runScript(disk, log.read());
	for (let tries = 0; !settled && tries < SETTLE.tries; tries++) {
		await pause(SETTLE.pauseMs);
		settled = await runScript(disk, log.again());
	}
	const { problems } = await runScript(disk, log.finish());
	await disk.close();
	return problems;
}

type Form =
	| { readonly kind: "json"; readonly valueBytesMax: number }
	| { readonly kind: "words"; readonly eachEntry: boolean; readonly dataBytesMax: number };

type Call =
	| { readonly kind: "dump"; readonly dataDir: string; readonly form: Form }
	/** `problem`: empty when only help was asked for. */
	| { readonly kind: "usage"; readonly problem: string };

const OPTIONS = {
	words: { type: "boolean", default: false },
	entries: { type: "boolean" },
	"data-bytes": { type: "string" },
	"value-bytes": { type: "string" },
	help: { type: "boolean", short: "h", default: false },
} as const;

function readCall(args: readonly string[]): Call {
	try {
		const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
		if (values.help) return { kind: "usage", problem: "" };
		const [command, dataDir, ...more] = positionals;
		if (command !== "dump") return usageError(`unknown command: log ${command ?? ""}`.trimEnd());
		if (dataDir === undefined || more.length > 0) return usageError("need one data folder");
		const stranger = (values.words ? ["value-bytes"] : ["entries", "data-bytes"]).find((name) => values[name as "entries"] !== undefined);
		if (stranger !== undefined) return usageError(`--${stranger} ${values.words ? "does not go with" : "needs"} --words`);
		for (const name of ["data-bytes", "value-bytes"] as const) {
			const text = values[name];
			if (text !== undefined && !/^\d{1,9}$/.test(text)) return usageError(`--${name} ${text}: need a whole number`);
		}
		const form: Form = values.words
			? { kind: "words", eachEntry: values.entries ?? false, dataBytesMax: Number(values["data-bytes"] ?? 0) }
			: { kind: "json", valueBytesMax: Number(values["value-bytes"] ?? Number.POSITIVE_INFINITY) };
		return { kind: "dump", dataDir, form };
	} catch (error) {
		return usageError((error as Error).message);
	}
}

function usageError(text: string): Call {
	return { kind: "usage", problem: `${text}\n\n` };
}

/** Lines on standard output, many in one write. */
class Page {
	private text = "";

	readonly print = (line: string): void => {
		this.text += `${line}\n`;
		if (this.text.length >= FLUSH_CHARACTERS) this.flush();
	};

	flush(): void {
		print(this.text);
		this.text = "";
	}
}
