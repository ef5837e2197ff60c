import type { AppendWork, Entry, HardState, LogIndex, NodeId, SnapshotMeta } from "@flotilla/raft";
import type { FileCompletion, FileOp } from "../disk/file-ops.ts";

export interface WalIdentity {
	readonly clusterId: bigint;
	readonly memberId: NodeId;
	/** Random 64 bits, drawn when the log was made; seeds every checksum, so frames of another log never fit. */
	readonly walId: bigint;
}

export interface WalOptions {
	/** Folder of the segments, relative to the member's folder. */
	readonly folder: string;
	readonly segmentBytes: number;
	/** Writes in flight, each on its own descriptor (rule W2). */
	readonly depth: number;
	/** Kept behind a cut (retention, decisions 3). */
	readonly keepEntries: number;
	readonly keepBytesMax: number;
}

/** What recovery found (raft.md 3.5, rules W7). */
export interface RecoveredLog {
	readonly identity: WalIdentity;
	readonly hardState: HardState;
	/** Newest snapshot marker, or the bootstrap point of the first checkpoint. */
	readonly snapshot: SnapshotMeta;
	/** It holds an entry that changes the members; false only where it certainly holds none. */
	readonly changesMembers: boolean;
	readonly firstIndex: LogIndex;
	readonly lastIndex: LogIndex;
	readonly lastTerm: number;
	readonly nextSeq: number;
	/** Bytes cut from a torn tail; 0 after a clean stop. */
	readonly tornBytes: number;
	readonly cleanStop: boolean;
}

/** A log that must not be used. The text names file, offset and sequence, says what is wrong and what to do. */
export interface WalRefusal {
	readonly code: "corrupt" | "foreign" | "newer" | "older" | "missing" | "io";
	readonly text: string;
}

/** What a start adds to a log: entries behind its end, or a state in the place of all that it holds (rule N4). */
export interface LogAmendment {
	readonly hardState: HardState;
	readonly entries: readonly Entry[];
	readonly snapshot: SnapshotMeta | null;
}

/** Segmented write-ahead log, sans-I/O: emits file operations, takes completions, owns no descriptor and no clock. */
export interface WriteAheadLog {
	/** After the opening and before all work: one frame of the start's own; `done` when it is durable. */
	amend(change: LogAmendment, done: () => void): void;
	/** Queues one frame. Several queued items become one write. */
	append(work: AppendWork): void;
	/** Called by the owner at the end of its turn: starts the writes that may start. */
	flush(): void;
	complete(completion: FileCompletion): void;
	/** A floor is durable at `index`: segments wholly below it and below the retention may go. */
	cutBehind(index: LogIndex): void;
	/** Entries from `index` on stay, whatever lies behind the floor, until another index is named (rule N2). Infinity: none. */
	holdFrom(index: LogIndex): void;
	/** Reads entries for a slow peer; `done` comes in a later turn, with an empty list when they are gone. */
	read(fromIndex: LogIndex, uptoIndex: LogIndex, bytesMax: number, done: (entries: readonly Entry[]) => void): void;
	/** To be called once a second or so: makes durable what rides, and how far the log reaches (narrows what a restart takes for torn). */
	noteHead(): void;
	/** Writes the closing fence once all is durable; `done` when that is. */
	close(done: () => void): void;
	readonly firstIndex: LogIndex;
	readonly durableSeq: number;
	/** Bytes written since the last floor, for the floor policy. */
	readonly bytesSinceFloor: number;
	/** Sequence of the oldest frame that is not durable, and when it was handed over is the owner's business. 0: none. */
	readonly oldestPendingSeq: number;
}

export interface WalEvents {
	/** Everything up to `seq` is durable (rule W3). */
	durable(seq: number): void;
	/** Rule W4: the process must end before anything else is done. */
	failed(reason: string): void;
	/** The lowest index that `read` can answer moved. */
	cut(firstIndex: LogIndex): void;
	emit(op: FileOp): void;
	synced(frames: number, bytes: number, seq: number): void;
}
