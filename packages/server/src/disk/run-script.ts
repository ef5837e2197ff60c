import type { FileDisk } from "./file-ops.ts";
import { type FileScript, FileScripts } from "./file-script.ts";

/** Runs one script on a disk that nobody else uses, for tools outside the member's loop. */
export function runScript<T>(disk: FileDisk, script: FileScript<T>): Promise<T> {
	return new Promise((resolve) => {
		const scripts = new FileScripts((op) => disk.submit(op));
		disk.onCompletion = (completion) => scripts.complete(completion);
		scripts.run(script, resolve);
	});
}
