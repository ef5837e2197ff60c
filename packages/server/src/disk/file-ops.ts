/**
 * Files as numbered operations and completions: what the log asks for and what a real disk, a test or the simulator carries
 * out. No promises: an owner emits an operation and takes its completion in a later turn.
 */
export type FileOp =
	/** Makes `path` with `bytes` zero bytes written and synced. Fails if it exists. */
	| { readonly id: number; readonly kind: "create"; readonly path: string; readonly bytes: number }
	/** Replaces `path` with `data`, synced (not renamed). */
	| { readonly id: number; readonly kind: "writeFile"; readonly path: string; readonly data: Uint8Array }
	/** Durable write at an offset, on the descriptor of `lane` (opened with O_DSYNC; one write a lane at a time). */
	| {
			readonly id: number;
			readonly kind: "write";
			readonly path: string;
			readonly lane: number;
			readonly offset: number;
			readonly data: Uint8Array;
	  }
	| { readonly id: number; readonly kind: "read"; readonly path: string; readonly offset: number; readonly bytes: number }
	| { readonly id: number; readonly kind: "size"; readonly path: string }
	| { readonly id: number; readonly kind: "list"; readonly folder: string }
	| { readonly id: number; readonly kind: "makeFolder"; readonly folder: string }
	| { readonly id: number; readonly kind: "sync"; readonly path: string }
	| { readonly id: number; readonly kind: "syncFolder"; readonly folder: string }
	| { readonly id: number; readonly kind: "rename"; readonly from: string; readonly to: string }
	| { readonly id: number; readonly kind: "unlink"; readonly path: string }
	/** Closes the descriptors kept for `path`. */
	| { readonly id: number; readonly kind: "close"; readonly path: string };

export interface FileCompletion {
	readonly id: number;
	/** errno name (`EIO`, `ENOSPC`, `ENOENT` ...) or null. */
	readonly error: string | null;
	/** `write`: bytes written. `size`: the size. Otherwise 0. */
	readonly bytes: number;
	/** `read`: what was there (shorter at the end of the file). */
	readonly data: Uint8Array | null;
	/** `list`: names, sorted. */
	readonly names: readonly string[] | null;
}

/** Paths are relative to the member's folder, with `/`. Completions come in any order, each in a turn of its own or together. */
export interface FileDisk {
	submit(op: FileOp): void;
	/** Set once by the owner before the first `submit`. */
	onCompletion: (completion: FileCompletion) => void;
}
