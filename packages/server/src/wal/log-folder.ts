import type { ByteOps } from "@flotilla/base";
import type { HardState, LogIndex, SnapshotMeta, Term } from "@flotilla/raft";
import type { FileCompletion } from "../disk/file-ops.ts";
import { FileScripts } from "../disk/file-script.ts";
import { createScript } from "./create-log.ts";
import { type LogEnd, type LogRecovery, recoverScript } from "./recover-log.ts";
import { SegmentedLog } from "./segmented-log.ts";
import type { RecoveredLog, WalEvents, WalIdentity, WalOptions, WalRefusal } from "./wal-interface.ts";

export type LogOpening =
	| { readonly ok: true; readonly wal: SegmentedLog; readonly recovered: RecoveredLog }
	| { readonly ok: false; readonly refusal: WalRefusal };

/** Null, or why the log must not be used. `termAt`: of an entry, or of the point before the first one. */
export type RecoveredLogExaminer = (found: RecoveredLog, termAt: (index: LogIndex) => Term | null) => WalRefusal | null;

export interface LogWorld {
	readonly bytes: ByteOps;
	readonly events: WalEvents;
}

/**
 * A member's log from its files: made once, recovered at every later start. Emits file operations with ids from 1 on and takes
 * their completions, before it is open and afterwards.
 */
export class LogFolder {
	private readonly options: WalOptions;
	private readonly world: LogWorld;
	private readonly scripts: FileScripts;
	private wal: SegmentedLog | null = null;
	/** Set while the log is being opened: a failure then is a refusal, and not yet the end of a member. */
	private opening: ((opening: LogOpening) => void) | null = null;

	constructor(options: WalOptions, world: LogWorld) {
		this.options = options;
		this.world = world;
		this.scripts = new FileScripts((op) => world.events.emit(op));
	}

	/** Makes a log that starts from `base`. The folder must hold none. */
	create(identity: WalIdentity, hardState: HardState, base: SnapshotMeta, done: (opening: LogOpening) => void): void {
		const { folder, segmentBytes } = this.options;
		const script = createScript(this.world.bytes, { identity, hardState, base, folder, segmentBytes });
		this.scripts.run(script, (recovery) => this.open(recovery, done));
	}

	/** `examine` is asked before any file is changed. */
	recover(done: (opening: LogOpening) => void, examine: RecoveredLogExaminer = () => null): void {
		const script = recoverScript(this.world.bytes, this.options.folder, (end) =>
			examine(describe(end), (index) => end.state.map.termAt(index)),
		);
		this.scripts.run(script, (recovery) => this.open(recovery, done));
	}

	complete(completion: FileCompletion): void {
		if (this.wal !== null) this.wal.complete(completion);
		else this.scripts.complete(completion);
	}

	private open(recovery: LogRecovery, done: (opening: LogOpening) => void): void {
		if (!recovery.ok) {
			done(recovery);
			return;
		}
		const { end } = recovery;
		this.opening = done;
		const wal = new SegmentedLog(this.options, this.world.bytes, this.events(), this.scripts, end);
		this.wal = wal;
		const recovered = describe(end);
		wal.writeFence(end.hardState, () => {
			this.opening = null;
			wal.start();
			done({ ok: true, wal, recovered });
		});
	}

	private events(): WalEvents {
		const { events } = this.world;
		return {
			durable: (seq) => events.durable(seq),
			cut: (firstIndex) => events.cut(firstIndex),
			emit: (op) => events.emit(op),
			synced: (frames, bytes, seq) => {
				if (this.opening === null) events.synced(frames, bytes, seq);
			},
			failed: (reason) => {
				const { opening } = this;
				this.opening = null;
				if (opening === null) events.failed(reason);
				else opening({ ok: false, refusal: { code: "io", text: reason } });
			},
		};
	}
}

function describe(end: LogEnd): RecoveredLog {
	const { state, hardState, nextSeq, tornBytes, cleanStop } = end;
	const { snapshot, map, identity } = state;
	return {
		identity,
		hardState,
		snapshot,
		changesMembers: state.configAt >= map.firstIndex,
		firstIndex: map.firstIndex,
		lastIndex: map.lastIndex,
		lastTerm: map.lastTerm,
		nextSeq,
		tornBytes,
		cleanStop,
	};
}
