/** `flotilla log dump`: the log of a member in words, also while it runs or after it refused to start. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NodeDisk } from "../disk/node-disk.ts";
import { runScript } from "../disk/run-script.ts";
import { LOG_FOLDER } from "../driver/bootstrap.ts";
import { MEMBER_FOLDER } from "../member-folder.ts";
import { nodeBytes } from "../node-bytes.ts";
import { dumpLog } from "../wal/dump.ts";

const USAGE = `Usage: flotilla log dump [--entries] [--data-bytes N] <data-dir>

  Prints identity, vote and log of the member whose --data-dir it is. Takes no lock and changes nothing. Exit status 0 if all
  is well, 1 if something would keep the member from starting or would be repaired, 2 for a wrong call.

  --entries        a line for each entry, not one for each run of them
  --data-bytes N   so many bytes of each entry, as hexadecimal digits
`;
const FLUSH_CHARACTERS = 1 << 16;

/** `args`: what follows `flotilla log`. Resolves with the exit status. */
export async function logCommand(args: readonly string[]): Promise<number> {
	const call = readCall(args);
	if (call.kind === "usage") {
		(call.problem === "" ? process.stdout : process.stderr).write(`${call.problem}${USAGE}`);
		return call.problem === "" ? 0 : 2;
	}
	const folder = join(call.dataDir, MEMBER_FOLDER);
	if (!existsSync(folder)) {
		process.stderr.write(`flotilla: there is no member in ${call.dataDir}: it has no folder ${MEMBER_FOLDER}\n`);
		return 2;
	}
	// Whoever read has seen enough: `flotilla log dump x | head`.
	process.stdout.on("error", () => process.exit(0));
	const disk = new NodeDisk(folder);
	const page = new Page();
	const options = { folder: LOG_FOLDER, eachEntry: call.eachEntry, dataBytesMax: call.dataBytesMax };
	const { problems } = await runScript(
		disk,
		dumpLog(nodeBytes, options, (line) => page.print(line)),
	);
	page.flush();
	await disk.close();
	return problems === 0 ? 0 : 1;
}

type Call =
	| { readonly kind: "dump"; readonly dataDir: string; readonly eachEntry: boolean; readonly dataBytesMax: number }
	/** `problem`: empty when only help was asked for. */
	| { readonly kind: "usage"; readonly problem: string };

function readCall(args: readonly string[]): Call {
	try {
		const options = {
			entries: { type: "boolean", default: false },
			"data-bytes": { type: "string", default: "0" },
			help: { type: "boolean", short: "h", default: false },
		} as const;
		const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
		if (values.help) return { kind: "usage", problem: "" };
		const [command, dataDir, ...more] = positionals;
		if (command !== "dump") return usageError(`unknown command: log ${command ?? ""}`.trimEnd());
		if (dataDir === undefined || more.length > 0) return usageError("need one data folder");
		if (!/^\d{1,9}$/.test(values["data-bytes"])) return usageError(`--data-bytes ${values["data-bytes"]}: need a whole number`);
		return { kind: "dump", dataDir, eachEntry: values.entries, dataBytesMax: Number(values["data-bytes"]) };
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

	print(line: string): void {
		this.text += `${line}\n`;
		if (this.text.length >= FLUSH_CHARACTERS) this.flush();
	}

	flush(): void {
		process.stdout.write(this.text);
		this.text = "";
	}
}
