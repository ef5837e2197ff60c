/**
 * Folders for the owner alone, with those above them. Node's own recursive call never returns where the folder above says ENOENT to
 * a new name although it is there (below /proc).
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

const OWNER_ALONE = 0o700;

/** Undefined, or the first of those that were made. Throws what the file system says. */
export function makeFolders(path: string): string | undefined {
	const missing: string[] = [];
	for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.unshift(at);
	if (missing.length === 0) makeUnlessThere(path);
	for (const folder of missing) makeUnlessThere(folder);
	return missing[0];
}

function makeUnlessThere(folder: string): void {
	try {
		mkdirSync(folder, { mode: OWNER_ALONE });
	} catch (error) {
		// Another process may have made it a moment ago.
		if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
	}
}
