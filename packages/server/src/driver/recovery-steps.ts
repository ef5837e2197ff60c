import { fail, type TapEventName, type TapFields } from "@flotilla/base";
import type { Entry, HardState, LogIndex, NodeId, SnapshotMeta, Term } from "@flotilla/raft";
import type { FileCompletion, FileOp } from "../disk/file-ops.ts";
import type { OpenStore, Seeker, StateExport, StateOpening, StatePart, StoreCompletion, StoreOp, StoreOpening } from "../ports.ts";
import type { LogAmendment, RecoveredLog, WalIdentity, WalRefusal, WriteAheadLog } from "../wal/wal-interface.ts";
import { type RefusalParts, refusal, type StartRefusal, type StartRefusalCode } from "./refusal.ts";

type Unnumbered<T> = T extends unknown ? Omit<T, "id"> : never;

export type LogOpening =
	| { readonly ok: true; readonly wal: WriteAheadLog; readonly recovered: RecoveredLog }
	| { readonly ok: false; readonly refusal: WalRefusal };

/** Asked before any file of the log is changed. `termAt`: of an entry, or of the point before the first one; else null. */
export type LogExaminer = (found: RecoveredLog, termAt: (index: LogIndex) => Term | null) => WalRefusal | null;

/** What a start asks of the world, one operation at a time. */
export type RecoveryOp =
	| { readonly on: "file"; readonly op: Unnumbered<FileOp> }
	| { readonly on: "store"; readonly store: OpenStore; readonly op: Unnumbered<StoreOp> }
	/** Long work gives way to whatever else the process has to do. */
	| { readonly on: "pause" }
	| { readonly on: "listStores" }
	| { readonly on: "openStore"; readonly generation: string; readonly create: boolean }
	| { readonly on: "closeStore"; readonly store: OpenStore }
	| { readonly on: "removeStore"; readonly generation: string }
	| { readonly on: "createLog"; readonly identity: WalIdentity; readonly hardState: HardState; readonly base: SnapshotMeta }
	| { readonly on: "recoverLog"; readonly examine: LogExaminer }
	| {
			readonly on: "readLog";
			readonly wal: WriteAheadLog;
			readonly fromIndex: LogIndex;
			readonly uptoIndex: LogIndex;
			readonly bytesMax: number;
	  }
	/** One frame behind what was recovered. */
	| { readonly on: "amendLog"; readonly wal: WriteAheadLog; readonly change: LogAmendment }
	/** The folders that were made stay after a power cut. */
	| { readonly on: "syncStores" }
	| { readonly on: "wait"; readonly ms: number }
	| { readonly on: "tell"; readonly name: TapEventName; readonly index: LogIndex; readonly fields: TapFields }
	/** Whether one of these members of the cluster is running. */
	| { readonly on: "askOthers"; readonly clusterId: bigint; readonly members: readonly OtherMember[] }
	/** Who belongs to the cluster, by the word of those that can be asked there and know this member. */
	| { readonly on: "findMembers"; readonly seeker: Seeker; readonly urls: readonly string[] }
	/** For the state that this member has. */
	| { readonly on: "askState"; readonly seeker: Seeker; readonly giver: OtherMember }
	| { readonly on: "readState"; readonly state: StateExport }
	| { readonly on: "closeState"; readonly state: StateExport };

export interface OtherMember {
	readonly id: NodeId;
	readonly peerUrls: readonly string[];
}

export type RecoveryReply =
	| { readonly on: "file"; readonly completion: FileCompletion }
	| { readonly on: "store"; readonly completion: StoreCompletion }
	| { readonly on: "pause" }
	| { readonly on: "listStores"; readonly generations: readonly string[]; readonly error?: string | undefined }
	| { readonly on: "openStore"; readonly opening: StoreOpening }
	| { readonly on: "closeStore" }
	| { readonly on: "removeStore"; readonly error: string | null }
	| { readonly on: "createLog"; readonly opening: LogOpening }
	| { readonly on: "recoverLog"; readonly opening: LogOpening }
	| { readonly on: "readLog"; readonly entries: readonly Entry[] }
	| { readonly on: "amendLog" }
	| { readonly on: "syncStores"; readonly error: string | null }
	| { readonly on: "wait" }
	| { readonly on: "tell" }
	/** The URL at which one answered; null: nobody did. */
	| { readonly on: "askOthers"; readonly alive: string | null }
	| { readonly on: "findMembers"; readonly members: readonly OtherMember[] }
	| { readonly on: "askState"; readonly opening: StateOpening }
	| { readonly on: "readState"; readonly part: StatePart }
	| { readonly on: "closeState" };

type ReplyTo<Op extends RecoveryOp> = Extract<RecoveryReply, { on: Op["on"] }>;

/**
 * A part of a start: yields operations, is resumed with their replies, ends with a value. A generator instead of a
 * promise, so that the simulator can stop between any two operations.
 */
export type Steps<T> = Generator<RecoveryOp, T, RecoveryReply>;

/** Ends a start; nothing was changed that a copy of the folder would miss. */
export class RefusedStart extends Error {
	override readonly name = "RefusedStart";
	readonly refusal: StartRefusal;
	constructor(reason: StartRefusal) {
		super(reason.text);
		this.refusal = reason;
	}
}

/** Thrown by whatever step finds that a start must not go on. */
export function refuse(code: StartRefusalCode, parts: RefusalParts): RefusedStart {
	return new RefusedStart(refusal(code, parts));
}

export function* ask<Op extends RecoveryOp>(op: Op): Generator<RecoveryOp, ReplyTo<Op>, RecoveryReply> {
	const reply = yield op;
	if (reply.on !== op.on) fail("a reply belongs to the operation asked for", { asked: op.on, got: reply.on });
	return reply as ReplyTo<Op>;
}

/** Runs a file operation. Every error but those named in `allowed` ends the start. */
export function* file(op: Unnumbered<FileOp>, ...allowed: string[]): Steps<FileCompletion> {
	const { completion } = yield* ask({ on: "file", op });
	if (completion.error !== null && !allowed.includes(completion.error))
		throw ioRefusal(`the file operation ${op.kind}`, placeOf(op), completion.error);
	return completion;
}

/** Asks a store; the completion may tell of damage. What fails in the disk under it ends the start. */
export function* attempt(disk: OpenStore, generation: string, op: Unnumbered<StoreOp>): Steps<StoreCompletion> {
	const { completion } = yield* ask({ on: "store", store: disk, op });
	if (completion.error !== null && completion.damaged !== true)
		throw ioRefusal(STORE_WORK[op.kind], `store.${generation}`, completion.error);
	return completion;
}

/** Asks a store that was made just now, or by a first start that was interrupted: damage has no remedy here. */
export function* store(disk: OpenStore, generation: string, op: Unnumbered<StoreOp>): Steps<StoreCompletion> {
	const completion = yield* attempt(disk, generation, op);
	if (completion.error === null) return completion;
	throw refuse("storeDamaged", {
		what: "the new store is damaged",
		where: `store.${generation}`,
		found: completion.error,
		wanted: "a store that keeps what was written",
		next: "Look for disk errors in the system's log, then start again",
	});
}

const STORE_WORK: Readonly<Record<StoreOp["kind"], string>> = {
	batch: "writing to the store",
	barrier: "writing to the store",
	floor: "writing to the store",
	deleteRecords: "writing to the store",
	readTables: "reading the store's tables",
	scan: "reading the store's records",
	openView: "reading the store",
	readView: "reading the store",
	closeView: "reading the store",
};

/** Names in a folder; none when it does not exist. */
export function* list(folder: string): Steps<readonly string[]> {
	return (yield* file({ kind: "list", folder }, "ENOENT")).names ?? [];
}

/** Content of a file, or null when it does not exist. */
export function* readWhole(path: string): Steps<Uint8Array | null> {
	const size = yield* file({ kind: "size", path }, "ENOENT");
	if (size.error !== null) return null;
	return (yield* file({ kind: "read", path, offset: 0, bytes: size.bytes })).data;
}

/** Replaces a file so that after a crash it holds the old or the new content. */
export function* replaceFile(path: string, data: Uint8Array): Steps<void> {
	yield* file({ kind: "writeFile", path: `${path}.tmp`, data });
	yield* file({ kind: "rename", from: `${path}.tmp`, to: path });
	yield* file({ kind: "syncFolder", folder: "" });
}

/** The disk did not do what was asked. That says nothing about what it holds. */
export function ioRefusal(doing: string, where: string, error: string): RefusedStart {
	const next = "The data may be sound, so keep the folder: repair the disk, its mount, its permissions or limits, then start again";
	return new RefusedStart({ code: "io", text: `Cannot start (io): ${doing} failed. ${where}: ${error}. ${next}.` });
}

function placeOf(op: Unnumbered<FileOp>): string {
	if ("path" in op) return op.path;
	return "folder" in op ? op.folder || "the member's folder" : op.from;
}
