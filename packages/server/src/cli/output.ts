/** Standard output of the commands. What cannot be written there is a failure, and said; only a reader that has seen enough is none. */
import { fstatSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

const DESCRIPTOR = 1;

export class OutputLost extends Error {
	override readonly name = "OutputLost";

	constructor({ message }: Error) {
		super(`standard output cannot be written: ${message.replace(/, write$/, "")}`);
	}
}

/**
 * Once, before anything is printed. A pipe or a terminal tells of a failure later than `print`: it ends the process then. What
 * cannot be said on standard error is said nowhere.
 */
export function watchOutput(): void {
	process.stderr.on("error", () => {});
	process.stdout.on("error", (error: NodeJS.ErrnoException) => {
		if (isReaderGone(error)) return;
		process.stderr.write(`Error: ${new OutputLost(error).message}\n`);
		process.exit(1);
	});
}

export function isReaderGone({ code }: NodeJS.ErrnoException): boolean {
	return code === "EPIPE" || code === "ERR_STREAM_DESTROYED";
}

/** Throws `OutputLost` when a file does not take all of it: the stream of Node.js takes a part for the whole, where a disk is nearly full. */
export function print(text: string): void {
	if (!isFile()) {
		process.stdout.write(text);
		return;
	}
	const bytes = Buffer.from(text);
	try {
		for (let at = 0; at < bytes.length; ) at += writeSync(DESCRIPTOR, bytes, at);
	} catch (error) {
		throw new OutputLost(error as Error);
	}
}

let file: boolean | null = null;

/** Or a device that is no terminal, as /dev/full. */
function isFile(): boolean {
	if (file === null) {
		const kind = fstatSync(DESCRIPTOR);
		file = kind.isFile() || (kind.isCharacterDevice() && !isatty(DESCRIPTOR));
	}
	return file;
}
