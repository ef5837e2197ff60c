/** Everything of the world that the driver needs, handed in: real in a process, simulated in a test. */
import type { TapSink } from "@flotilla/base";
import type { RecordBatch, RecordStorage, StoredRecord } from "@flotilla/mvcc";
import type { NodeId } from "@flotilla/raft";
import type { PeerMessage } from "@flotilla/replica";

export interface Clock {
	/** Milliseconds that never step back; for intervals and deadlines. */
	monotonicMs(): number;
	/** Milliseconds since 1970; may jump either way; never decides anything. */
	wallMs(): number;
}

export interface Scheduler {
	/** Runs after the input that is already there was read (Node: setImmediate). */
	soon(work: () => void): void;
	/** Runs once after `ms`. Returns a function that calls it off. */
	after(ms: number, work: () => void): () => void;
}

/** A piece of a state on its way to a member that the log can no longer bring up to date (rule N2). */
export interface SnapshotPart {
	readonly kind: "snapshotPart";
	readonly from: NodeId;
	readonly to: NodeId;
	/** The sender's, who led it when the part was made. */
	readonly term: number;
	/** Names this transfer among all that its sender ever makes. */
	readonly transfer: number;
	/** From 0, which holds what the state is; all others hold records. */
	readonly sequence: number;
	readonly last: boolean;
	readonly data: Uint8Array;
}

/** How far a transfer has come at its receiver. */
export interface SnapshotAck {
	readonly kind: "snapshotAck";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly transfer: number;
	/** All parts before this one are written. */
	readonly next: number;
	/** `done`: installed, or not needed any more. `refused`: this transfer is over. */
	readonly outcome: "more" | "done" | "refused";
}

export type SnapshotMessage = SnapshotPart | SnapshotAck;
/** What travels between members. */
export type LaneMessage = PeerMessage | SnapshotMessage;

/** Messages to other members. Sending never blocks: a full queue drops the message and reports the peer as unreachable. */
export interface PeerTransport {
	send(messages: readonly LaneMessage[]): void;
	/**
	 * Addresses by id; connections to ids that are gone are closed. `removed`: those that are told, when they dial, that they
	 * were removed from the cluster; the others are strangers.
	 */
	setMembers(members: ReadonlyArray<{ readonly id: NodeId; readonly peerUrls: readonly string[] }>, removed?: ReadonlySet<NodeId>): void;
	close(): Promise<void>;
}

/** What the transport tells. Called in the turn in which it happened; all frames of one socket read come in one call. */
export interface PeerEvents {
	messages(messages: readonly LaneMessage[]): void;
	connected(peer: NodeId): void;
	/** A stream broke or a queue overflowed. */
	unreachable(peer: NodeId): void;
	/** All lanes to the peer's incarnation are closed and what arrived was delivered (rule H2). */
	lost(peer: NodeId): void;
	/** A peer answered that this member was removed from the cluster. */
	removed(by: NodeId): void;
}

/** A state of one moment on its way out, as the image of a file (docs/snapshot-file.md), as fast as it is asked for. */
export interface StateExport {
	/** Asks for the next part, one at a time; `done` in a later turn, never after `close`. */
	next(done: (part: StatePart) => void): void;
	close(): void;
}

export type StatePart =
	/** `bytesLeft`: about, behind this part; 0 only with the last one. */
	| { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly last: boolean; readonly bytesLeft: number }
	| { readonly kind: "failed"; readonly reason: string };

/** A member without its store that looks for somebody who gives it the state. */
export interface Seeker {
	readonly clusterId: bigint;
	readonly memberId: NodeId;
}

export type StateOpening =
	| { readonly ok: true; readonly state: StateExport }
	/** `removed`: the seeker was removed from the cluster for good, says the one that was asked. `reason`: why not, in words. */
	| { readonly ok: false; readonly removed: boolean; readonly reason: string };

/** The doors of other members at which a member that does not run yet can ask (rule S6). All answer in a later turn, bounded in time. */
export interface StateDoors {
	/** The members as those know them that answer at one of these URLs, belong to the seeker's cluster and know the seeker. */
	find(
		seeker: Seeker,
		urls: readonly string[],
		done: (members: ReadonlyArray<{ readonly id: NodeId; readonly peerUrls: readonly string[] }>) => void,
	): void;
	/** Asks one member for its state. */
	ask(seeker: Seeker, giver: { readonly id: NodeId; readonly peerUrls: readonly string[] }, done: (opening: StateOpening) => void): void;
}

/**
 * For whom a view of the store is open: a member that is sent the state by its leader, a client that saves it, a member that fetches
 * it because its own store is lost. None waits for another.
 */
export type ViewName = "transfer" | "export" | "fetch";

/** The key-value store's disk as numbered operations (rules S1 to S5). */
export type StoreOp =
	/** Unsynced batch. */
	| { readonly id: number; readonly kind: "batch"; readonly batch: RecordBatch }
	/** Everything written so far becomes durable, whatever file it went to (rule S2, step 2). */
	| { readonly id: number; readonly kind: "barrier" }
	/** Table rows and the floor, one synced batch. Null value: the row is gone. */
	| {
			readonly id: number;
			readonly kind: "floor";
			readonly rows: ReadonlyArray<{ readonly key: string; readonly value: Uint8Array | null }>;
	  }
	/** All rows of the tables, the floor's own included. */
	| { readonly id: number; readonly kind: "readTables" }
	/** The next records in key order, at most `recordsMax`, from a position taken by the first call. */
	| { readonly id: number; readonly kind: "scan"; readonly recordsMax: number }
	/** Removes records (start-up only: those above the floor). */
	| { readonly id: number; readonly kind: "deleteRecords"; readonly keys: readonly Uint8Array[] }
	/** Keeps all records as they are now readable through `readView`, whatever is written later. One view of a name at a time. */
	| { readonly id: number; readonly kind: "openView"; readonly view: ViewName }
	/** The view's next records in key order: at least one, more up to so many bytes; none at the end. */
	| { readonly id: number; readonly kind: "readView"; readonly view: ViewName; readonly bytesMax: number }
	| { readonly id: number; readonly kind: "closeView"; readonly view: ViewName };

export interface StoreCompletion {
	readonly id: number;
	/** Null, or what went wrong. */
	readonly error: string | null;
	/** The error is about what the store holds, not about the disk under it. */
	readonly damaged?: boolean;
	readonly rows: ReadonlyArray<{ readonly key: string; readonly value: Uint8Array }> | null;
	/** `scan`: fewer than asked for means the end. */
	readonly records: readonly StoredRecord[] | null;
}

export interface StoreDisk extends RecordStorage {
	submit(op: StoreOp): void;
	onCompletion: (completion: StoreCompletion) => void;
	/** Bytes on disk, for Status. */
	sizeBytes(): number;
}

/** A store that was opened; closing it releases its lock. */
export interface OpenStore extends StoreDisk {
	/** Waits for what was submitted; `done` in a later turn. No promise: the simulator's turns know none. */
	close(done: () => void): void;
}

export type StoreOpening =
	| { readonly ok: true; readonly store: OpenStore }
	| {
			readonly ok: false;
			/** `io`: the disk failed, which says nothing about what the store holds. */
			readonly code: "locked" | "missing" | "damaged" | "io";
			readonly text: string;
	  };

/** The generations of the key-value store in a member's folder (`store.<generation>`). Completions come in later turns. */
export interface StoreHouse {
	/** `error`: the folder could not be read. */
	list(done: (generations: readonly string[], error?: string) => void): void;
	/** Opening takes the store's lock; it is the lock of the whole member. */
	open(generation: string, create: boolean, done: (opening: StoreOpening) => void): void;
	/** Removes a generation that is not open. */
	remove(generation: string, done: (error: string | null) => void): void;
	/** The folders that were made stay after a power cut. */
	sync(done: (error: string | null) => void): void;
}

export interface WorldPorts {
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	readonly tap: TapSink;
}
