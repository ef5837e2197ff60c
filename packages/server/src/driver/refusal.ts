/** A start that must not happen, in one line: what, where, the two values, what to do (etcd API: exit codes are ours). */
export interface StartRefusal {
	readonly code: StartRefusalCode;
	readonly text: string;
}

export type StartRefusalCode =
	| "locked"
	| "identityMissing"
	| "ofEtcd"
	| "identityDamaged"
	| "foreign"
	| "newer"
	| "older"
	| "storeMissing"
	| "storeEmptied"
	| "storeDamaged"
	| "storeMismatch"
	| "logMissing"
	| "logDamaged"
	| "logBehindStore"
	| "logBeginsLate"
	| "io"
	| "notInCluster"
	| "cannotForce"
	| "removed"
	| "folderLost";

/** Exit status of a process whose data folder must not be used. */
export const START_REFUSED_STATUS = 3;

/** etcd's words for a member that was removed, which tools look for. */
export const MEMBER_REMOVED = "the member has been permanently removed from the cluster";
export const DATA_DIR_DONE = "data-dir used by this member must be removed";

/** What an operator can do about a member that must not go on with what it has. */
export const REPLACE_MEMBER =
	"Keep the folder for examination; remove this member from the cluster (etcdctl member remove) and add it anew with an empty data folder";

export interface RefusalParts {
	readonly what: string;
	/** File or row, relative to the member's folder, with an offset where one is known. */
	readonly where: string;
	readonly found: string;
	readonly wanted: string;
	readonly next: string;
}

export function refusal(code: StartRefusalCode, { what, where, found, wanted, next }: RefusalParts): StartRefusal {
	return { code, text: `Cannot start (${code}): ${what}. ${where}: found ${found}, need ${wanted}. ${next}.` };
}
