import { assert, fail, type TapSink, unreachable } from "@flotilla/base";
import type { HardState, SnapshotMeta } from "@flotilla/raft";
import type { FileCompletion, FileDisk, FileOp } from "../disk/file-ops.ts";
import type { OpenStore, Scheduler, StateDoors, StoreCompletion, StoreHouse, StoreOp } from "../ports.ts";
import type { WalIdentity } from "../wal/wal-interface.ts";
import {
	type LogExaminer,
	type LogOpening,
	type OtherMember,
	type RecoveryOp,
	type RecoveryReply,
	RefusedStart,
	type Steps,
} from "./recovery-steps.ts";
import type { StartRefusal } from "./refusal.ts";

/** Makes or opens the member's log; both answer in a later turn. */
export interface LogHouse {
	create(identity: WalIdentity, hardState: HardState, base: SnapshotMeta, done: (opening: LogOpening) => void): void;
	recover(done: (opening: LogOpening) => void, examine: LogExaminer): void;
	/** Takes completions of the operations that the log emitted; their ids are above 0. */
	complete(completion: FileCompletion): void;
}

export interface RecoveryWorld {
	readonly scheduler: Scheduler;
	readonly disk: FileDisk;
	readonly stores: StoreHouse;
	readonly logs: LogHouse;
	/** Answers with the URL of one that runs, or null. Absent: nobody can be asked. */
	readonly askOthers?: AskOthers;
	/** Absent: nobody can be asked for a state. */
	readonly stateDoors?: StateDoors;
	readonly tap?: TapSink;
}

export type AskOthers = (clusterId: bigint, members: readonly OtherMember[], done: (alive: string | null) => void) => void;

export type RecoveryOutcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: StartRefusal };

/**
 * Carries out what a start asks for, one operation at a time, and sorts the disk's completions: ids below 0 belong to the
 * start, those above to the log, which stays the disk's only user afterwards.
 */
export function runRecovery<T>(steps: Steps<T>, world: RecoveryWorld, done: (outcome: RecoveryOutcome<T>) => void): void {
	new Runner(steps, world, done).step(null);
}

class Runner<T> {
	private readonly steps: Steps<T>;
	private readonly world: RecoveryWorld;
	private readonly done: (outcome: RecoveryOutcome<T>) => void;
	private lastFileId = 0;
	private lastStoreId = 0;
	private awaited: ((completion: FileCompletion) => void) | null = null;

	constructor(steps: Steps<T>, world: RecoveryWorld, done: (outcome: RecoveryOutcome<T>) => void) {
		this.steps = steps;
		this.world = world;
		this.done = done;
		world.disk.onCompletion = (completion) => {
			if (completion.id > 0) world.logs.complete(completion);
			else this.fileCompleted(completion);
		};
	}

	step(reply: RecoveryReply | null): void {
		let result: IteratorResult<RecoveryOp, T>;
		try {
			// The first reply starts the generator, which does not look at it.
			result = this.steps.next(reply as RecoveryReply);
		} catch (error) {
			if (!(error instanceof RefusedStart)) throw error;
			this.done({ ok: false, refusal: error.refusal });
			return;
		}
		if (result.done) this.done({ ok: true, value: result.value });
		else this.carryOut(result.value);
	}

	private carryOut(op: RecoveryOp): void {
		const { stores, logs } = this.world;
		switch (op.on) {
			case "file":
				this.awaited = (completion) => this.step({ on: "file", completion });
				this.world.disk.submit({ ...op.op, id: --this.lastFileId } as FileOp);
				return;
			case "store":
				this.askStore(op.store, { ...op.op, id: ++this.lastStoreId } as StoreOp);
				return;
			case "pause":
				this.world.scheduler.soon(() => this.step({ on: "pause" }));
				return;
			case "listStores":
				stores.list((generations, error) => this.step({ on: "listStores", generations, error }));
				return;
			case "openStore":
				stores.open(op.generation, op.create, (opening) => this.step({ on: "openStore", opening }));
				return;
			case "closeStore":
				op.store.close(() => this.step({ on: "closeStore" }));
				return;
			case "removeStore":
				stores.remove(op.generation, (error) => this.step({ on: "removeStore", error }));
				return;
			case "createLog":
				logs.create(op.identity, op.hardState, op.base, (opening) => this.step({ on: "createLog", opening }));
				return;
			case "recoverLog":
				logs.recover((opening) => this.step({ on: "recoverLog", opening }), op.examine);
				return;
			case "readLog":
				op.wal.read(op.fromIndex, op.uptoIndex, op.bytesMax, (entries) => this.step({ on: "readLog", entries }));
				return;
			case "amendLog":
				op.wal.amend(op.change, () => this.step({ on: "amendLog" }));
				return;
			case "syncStores":
				stores.sync((error) => this.step({ on: "syncStores", error }));
				return;
			case "wait":
				this.world.scheduler.after(op.ms, () => this.step({ on: "wait" }));
				return;
			case "tell":
				this.world.tap?.emit(op.name, 0, op.index, op.fields);
				this.world.scheduler.soon(() => this.step({ on: "tell" }));
				return;
			case "askOthers":
				if (this.world.askOthers === undefined) this.world.scheduler.soon(() => this.step({ on: "askOthers", alive: null }));
				else this.world.askOthers(op.clusterId, op.members, (alive) => this.step({ on: "askOthers", alive }));
				return;
			case "findMembers":
				this.doors.find(op.seeker, op.urls, (members) => this.step({ on: "findMembers", members }));
				return;
			case "askState":
				this.doors.ask(op.seeker, op.giver, (opening) => this.step({ on: "askState", opening }));
				return;
			case "readState":
				op.state.next((part) => this.step({ on: "readState", part }));
				return;
			case "closeState":
				op.state.close();
				this.world.scheduler.soon(() => this.step({ on: "closeState" }));
				return;
			default:
				unreachable(op);
		}
	}

	private get doors(): StateDoors {
		const { stateDoors } = this.world;
		assert(stateDoors !== undefined, "a start asks for a state only where somebody can be asked");
		return stateDoors;
	}

	private askStore(store: OpenStore, op: StoreOp): void {
		store.onCompletion = (completion: StoreCompletion) => {
			if (completion.id !== op.id) fail("a start waits for one operation of the store", { wanted: op.id, got: completion.id });
			store.onCompletion = () => {};
			this.step({ on: "store", completion });
		};
		store.submit(op);
	}

	private fileCompleted(completion: FileCompletion): void {
		const { awaited } = this;
		if (completion.id !== this.lastFileId || awaited === null) fail("a start waits for one file operation", { got: completion.id });
		this.awaited = null;
		awaited(completion);
	}
}
