import { closeSync, fsyncSync, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolders } from "./make-folders.ts";

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
	const firstMade = makeFolders(path);
	// What is in a folder outlives a power loss only if the folder's own name does.
	if (firstMade !== undefined)
		for (let folder = dirname(path); folder !== dirname(dirname(firstMade)); folder = dirname(folder)) syncFolder(folder);
	// A folder that was there before keeps its mode: it may be a mount whose owner decides.
	const mode = statSync(dataDir).mode & 0o777;
	return { path, looseMode: (mode & 0o077) === 0 ? null : `0${mode.toString(8)}` };
}

function syncFolder(path: string): void {
	const descriptor = openSync(path, "r");
	try {
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}
