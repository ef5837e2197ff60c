/** What LevelDB's errors mean. Its words are all that tells them apart: one errno may stand for a file that is missing or cut. */

export interface LevelRefusal {
	readonly ok: false;
	/** `damaged`: the files contradict each other. `io`: the disk did not do what was asked; the files may be sound. */
	readonly code: "locked" | "missing" | "damaged" | "io";
	/** What LevelDB said. */
	readonly text: string;
}

/** Another process holds the lock; every other error on the lock file is the disk's. */
const LOCK_HELD = /^IO error: (LockFile |lock .*(already held|temporarily unavailable|Permission denied))/;
/** Of a file that the manifest names, of CURRENT without a manifest, and of a table that ends before its last block. */
const DAMAGE = /^(Corruption|NotFound|Invalid argument): |^IO error: .*: (No such file or directory|Invalid argument)$/;

export function describeLevelError(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	return error.cause instanceof Error ? error.cause.message : error.message;
}

export function isDamage(text: string): boolean {
	return DAMAGE.test(text);
}

export function levelRefusal(error: unknown, create: boolean): LevelRefusal {
	const text = describeLevelError(error);
	if (LOCK_HELD.test(text)) return { ok: false, code: "locked", text };
	// Of a store that is being made no file can be missing.
	const damaged = create ? text.startsWith("Corruption: ") : isDamage(text);
	return { ok: false, code: damaged ? "damaged" : "io", text };
}
