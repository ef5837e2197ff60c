import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

export const MEMBER_FOLDER = "member";
/** Live tools read the event tap here. */
export const TAP_SOCKET = "tap.sock";

export interface MemberFolder {
	readonly path: string;
	/** Others than the owner may enter the data folder; its mode, else null. */
	readonly looseMode: string | null;
}

/** Makes the data folder and the member's folder in it, both for the owner alone. Throws when that cannot be done. */
export function makeMemberFolder(dataDir: string): MemberFolder {
	const path = join(dataDir, MEMBER_FOLDER);
	assertParentHolds(path);
	const firstMade = mkdirSync(path, { recursive: true, mode: 0o700 });
	// What is in a folder outlives a power loss only if the folder's own name does.
	if (firstMade !== undefined)
		for (let folder = dirname(path); folder !== dirname(dirname(firstMade)); folder = dirname(folder)) syncFolder(folder);
	// A folder that was there before keeps its mode: it may be a mount whose owner decides.
	const mode = statSync(dataDir).mode & 0o777;
	return { path, looseMode: (mode & 0o077) === 0 ? null : `0${mode.toString(8)}` };
}

/**
 * Node's recursive mkdir never returns where the parent says ENOENT to a new name although it is there (below /proc): the
 * first name that is missing is tried by itself.
 */
function assertParentHolds(path: string): void {
	let missing = path;
	while (!existsSync(dirname(missing)) && dirname(missing) !== missing) missing = dirname(missing);
	if (existsSync(missing)) return;
	mkdirSync(missing, { mode: 0o700 });
	rmdirSync(missing);
}

function syncFolder(path: string): void {
	const descriptor = openSync(path, "r");
	try {
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
