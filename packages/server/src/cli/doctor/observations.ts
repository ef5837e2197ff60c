/** What the doctor has seen: members that answered, and data folders. Plain facts; `findings.ts` says what follows from them. */

/** An endpoint that was asked. */
export type SeenMember =
	| { readonly kind: "silent"; readonly endpoint: string; readonly error: string }
	/** Somebody is there, and does not let the doctor in. */
	| { readonly kind: "shut"; readonly endpoint: string; readonly reason: string }
	| { readonly kind: "live"; readonly endpoint: string; readonly state: LiveState };

export interface LiveState {
	readonly clusterId: string;
	readonly memberId: string;
	/** 0: none. */
	readonly leader: string;
	readonly term: number;
	readonly index: number;
	readonly applied: number;
	readonly revision: number;
	readonly learner: boolean;
	readonly sizeBytes: number;
	/** 0: not told. */
	readonly quotaBytes: number;
	/** As Status tells them. */
	readonly errors: readonly string[];
	readonly members: readonly ListedMember[];
	/** HashKV at the lowest revision of all members asked; null where it could not be had. */
	readonly hash: { readonly revision: number; readonly compactRevision: number; readonly value: number } | null;
	/** Why there is no hash; null: there is one, or nobody asked. */
	readonly noHashBecause: string | null;
}

export interface ListedMember {
	readonly id: string;
	readonly name: string;
	readonly learner: boolean;
	readonly clientUrls: readonly string[];
}

/** A data folder that was looked at. */
export type SeenFolder =
	| { readonly kind: "unreadable"; readonly dataDir: string; readonly reason: string }
	| { readonly kind: "running"; readonly dataDir: string; readonly memberId: string; readonly evidence: string }
	| { readonly kind: "refused"; readonly dataDir: string; readonly clusterId: string; readonly memberId: string; readonly reason: string }
	| { readonly kind: "dead"; readonly dataDir: string; readonly state: FolderState };

export interface FolderState {
	readonly clusterId: string;
	readonly memberId: string;
	readonly cleanStop: boolean;
	readonly tornBytes: number;
	/** One of the two slots of the vote file fails its checksum. */
	readonly damagedVoteSlot: boolean;
	/** Why a start makes the store again from the log; null: it does not. */
	readonly rebuiltBecause: string | null;
	/** Why a start does not believe the file that names the members; null: it does. */
	readonly addressesFault: string | null;
	readonly floorIndex: number;
	readonly commit: number;
	readonly lastIndex: number;
	readonly lastTerm: number;
	/** Terms of the entries that are still there, by runs: [first index, term]. */
	readonly terms: ReadonlyArray<readonly [number, number]>;
	/** When everything in the log has taken effect. */
	readonly voters: readonly string[];
	readonly learners: readonly string[];
	readonly names: Readonly<Record<string, string>>;
}

/** What a copy of a data folder became under `--force-new-cluster`. */
export type Rehearsal =
	| { readonly ok: false; readonly dataDir: string; readonly reason: string }
	| {
			readonly ok: true;
			readonly dataDir: string;
			readonly revision: number;
			readonly keys: number;
			readonly leases: number;
			readonly users: number;
			readonly roles: number;
			readonly authEnabled: boolean;
			readonly removed: readonly string[];
			readonly uncertain: number;
	  };

export interface Observations {
	readonly members: readonly SeenMember[];
	readonly folders: readonly SeenFolder[];
}
