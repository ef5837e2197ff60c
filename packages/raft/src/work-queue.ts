import { assert, fail, marks } from "@flotilla/base";
import type { RaftLog } from "./log.ts";
import type { HardState, LogIndex, Message, SnapshotMeta, Term } from "./message.ts";
import type { AppendWork } from "./output.ts";

/** What the core remembers of an item that was handed out and not yet acknowledged. */
interface Outstanding {
	readonly seq: number;
	/** Highest index that this item leaves untouched. */
	readonly keepsUpto: LogIndex;
	/** End of the log as left by the items up to this one. */
	readonly lastIndex: LogIndex;
	/** Of the entry at that end. */
	readonly lastTerm: Term;
	readonly hardState: HardState;
	readonly mustSync: boolean;
}

const NO_MESSAGES: readonly Message[] = [];

/**
 * Numbers the work for the disk and derives from the acknowledgements what is stable:
 *
 *   after item k: min(end of the log as left by items 1..k, lowest index that a later item overwrites - 1)
 *
 * An entry may be overwritten and come back with its first content while three writes are in flight; the sequence numbers
 * keep the acknowledgement of the first write from vouching for the last one.
 */
export class WorkQueue {
	/** HardState as it stands on the local disk, but for a commit that rides with a later write. */
	durable: HardState;
	/** The commit that no crash takes back: that of the last write that was synced. */
	syncedCommit: LogIndex;
	private issued: HardState;
	private issuedSeq = 0;
	private ackedSeq = 0;
	private issuedLast: LogIndex;
	private outstanding: Outstanding[] = [];
	private unissuedFrom: LogIndex;
	private truncateFrom: LogIndex = 0;
	private snapshot: SnapshotMeta | null = null;
	/** Bound of `stable` while the snapshot item is not yet issued. */
	private snapshotKeepsUpto: LogIndex = 0;
	private release: Message[] = [];
	private commitMustSync = false;

	constructor(durable: HardState, lastIndex: LogIndex) {
		this.durable = durable;
		this.syncedCommit = durable.commit;
		this.issued = durable;
		this.issuedLast = lastIndex;
		this.unissuedFrom = lastIndex + 1;
	}

	/** The log was cut in memory. */
	noteTruncation(fromIndex: LogIndex): void {
		this.unissuedFrom = Math.min(this.unissuedFrom, fromIndex);
		if (fromIndex > this.issuedLast) return;
		this.truncateFrom = this.truncateFrom === 0 ? fromIndex : Math.min(this.truncateFrom, fromIndex);
	}

	/** The log was replaced by a point. `keepsUpto`: what may still count as stable until the marker is durable. */
	noteSnapshot(meta: SnapshotMeta, keepsUpto: LogIndex): void {
		this.snapshotKeepsUpto = this.snapshot === null ? keepsUpto : Math.min(keepsUpto, this.snapshotKeepsUpto);
		this.snapshot = meta;
		this.truncateFrom = 0;
		this.unissuedFrom = meta.index + 1;
		this.issuedLast = meta.index;
	}

	/** A commit passed a configuration entry: it is not left to ride with a later write (rule C3). */
	syncCommit(): void {
		this.commitMustSync = true;
	}

	/** To leave once everything decided so far is durable. Acknowledgements subsume each other: only the highest success of a turn leaves. */
	releaseWhenDurable(message: Message): void {
		const last = this.release.length - 1;
		const before = this.release[last];
		if (message.kind === "appendResp" && !message.reject && before?.kind === "appendResp" && !before.reject) {
			if (before.to === message.to && before.term === message.term) {
				this.release[last] = before.index > message.index ? { ...message, index: before.index } : message;
				return;
			}
		}
		this.release.push(message);
	}

	/** Everything since the last call as one item, or null when there is nothing to keep. */
	take(log: RaftLog, hardState: HardState): AppendWork | null {
		const { issued, snapshot, truncateFrom } = this;
		const voteChanged = hardState.term !== issued.term || hardState.vote !== issued.vote;
		const entries = log.slice(this.unissuedFrom, log.lastIndex);
		const writes = entries.length > 0 || truncateFrom !== 0 || snapshot !== null;
		if (!writes && !voteChanged && hardState.commit === issued.commit && this.release.length === 0) return null;
		const work: AppendWork = {
			seq: ++this.issuedSeq,
			hardState: writes || voteChanged || hardState.commit !== issued.commit ? hardState : null,
			truncateFrom,
			entries,
			snapshot,
			mustSync: writes || voteChanged || this.release.length > 0 || this.commitMustSync,
			release: this.release.length === 0 ? NO_MESSAGES : this.release,
		};
		const keepsUpto = this.unissuedKeepsUpto();
		const { mustSync } = work;
		this.outstanding.push({ seq: this.issuedSeq, keepsUpto, lastIndex: log.lastIndex, lastTerm: log.lastTerm, hardState, mustSync });
		this.issued = hardState;
		this.issuedLast = log.lastIndex;
		this.unissuedFrom = log.lastIndex + 1;
		this.truncateFrom = 0;
		this.snapshot = null;
		this.commitMustSync = false;
		if (this.release.length > 0) this.release = [];
		return work;
	}

	/** Items up to `seq` are durable. Moves `log.stable`. */
	acknowledge(seq: number, log: RaftLog): void {
		if (seq > this.issuedSeq) fail("only issued work can become durable", { seq, issuedSeq: this.issuedSeq });
		if (seq <= this.ackedSeq) return;
		this.ackedSeq = seq;
		let count = 0;
		while (count < this.outstanding.length && (this.outstanding[count] as Outstanding).seq <= seq) count++;
		const done = this.outstanding[count - 1];
		assert(done !== undefined, "an acknowledged item was outstanding");
		for (let at = 0; at < count; at++) {
			const item = this.outstanding[at] as Outstanding;
			if (item.mustSync) this.syncedCommit = item.hardState.commit;
		}
		this.outstanding.splice(0, count);
		this.durable = done.hardState;
		let stable = Math.min(done.lastIndex, this.unissuedKeepsUpto());
		for (const item of this.outstanding) if (item.keepsUpto < stable) stable = item.keepsUpto;
		if (stable < done.lastIndex && log.lastIndex >= done.lastIndex && log.termAt(done.lastIndex) === done.lastTerm)
			marks.returnedEntryHeld++;
		log.stableTo(stable);
	}

	private unissuedKeepsUpto(): LogIndex {
		if (this.snapshot !== null) return this.snapshotKeepsUpto;
		if (this.truncateFrom !== 0) return this.truncateFrom - 1;
		return this.unissuedFrom - 1;
	}
}
