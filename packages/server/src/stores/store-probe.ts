import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./probe-store.ts", import.meta.url));
const TEXT_MAX = 500;

/** Null: LevelDB can read all of it, or says in words why not. Otherwise how it ended the process that tried. */
export function probeStore(folder: string): Promise<string | null> {
	return new Promise((resolve) => {
		const child = spawn(process.execPath, [...process.execArgv, PROGRAM, folder], { stdio: ["ignore", "ignore", "pipe"] });
		let text = "";
		child.stderr.setEncoding("utf8").on("data", (piece: string) => {
			if (text.length < TEXT_MAX) text += piece;
		});
		// Where no process can be made nothing was learnt.
		child.once("error", () => resolve(null));
		child.once("close", (_status, signal) => {
			const words = text.trim().split("\n").at(-1) ?? "";
			resolve(signal === null ? null : `LevelDB ends the process that reads it (${signal})${words === "" ? "" : `: ${words}`}`);
		});
	});
}
