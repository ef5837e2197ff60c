/**
 * The log as its frames leave it. Writing and recovery run every frame through the same `apply`, so that what the one accepts
 * the other accepts after any restart.
 */
import { bytesEqual } from "@flotilla/base";
import { type Entry, EntryKind, type HardState, type LogIndex, type SnapshotMeta } from "@flotilla/raft";
import { LogMap, type LogSegment } from "./log-map.ts";
import { type Checkpoint, contentBytes, EMPTY_CONTENT, type FrameContent, writeContent } from "./records.ts";
import type { WalIdentity } from "./wal-interface.ts";

export class LogState {
	readonly identity: WalIdentity;
	readonly map = new LogMap();
	hardState: HardState;
	snapshot: SnapshotMeta;
	/** Of the newest entry of a configuration that any frame brought since the last marker, if only for a while; 0: none. */
	configAt: LogIndex = 0;
	/** Rises whenever entries that were in force stop being so: what a read gathered across a change may be void. */
	epoch = 0;

	constructor(checkpoint: Checkpoint) {
		this.identity = checkpoint.identity;
		this.hardState = checkpoint.hardState;
		this.snapshot = checkpoint.snapshot;
		this.map.reset(checkpoint.lastIndex, checkpoint.lastTerm);
	}

	checkpoint(): Checkpoint {
		const { identity, hardState, snapshot, map } = this;
		return { identity, hardState, snapshot, lastIndex: map.lastIndex, lastTerm: map.lastTerm };
	}

	/** Takes over one frame. Returns the rule that it breaks, and is then no longer to be used. */
	apply(segment: LogSegment, offset: number, content: FrameContent): string | null {
		if (content.checkpoint !== null) return this.compare(content.checkpoint);
		const commitBefore = this.hardState.commit;
		const problem = content.hardState === null ? null : this.moveHardState(content.hardState);
		if (problem !== null) return problem;
		if (content.snapshot !== null) {
			if (content.snapshot.index > this.hardState.commit) return "a snapshot's index must not exceed the commit";
			this.reset(content.snapshot);
		}
		const from = content.truncateFrom;
		if (from !== 0) {
			if (from <= commitBefore) return "a truncation must not reach the commit";
			if (from > this.map.lastIndex + 1) return "a truncation must start within the log";
			const known = this.map.termAt(from - 1);
			if (known !== null && known !== content.truncateTerm) return "a truncation must name the term before it";
			this.truncate(from);
			this.map.setTermBefore(from, content.truncateTerm);
		}
		const wrong = content.entries.length === 0 ? null : this.append(segment, offset, content.entries, commitBefore);
		if (wrong !== null) return wrong;
		if (this.map.lastTerm > this.hardState.term) return "the last entry's term must not exceed the current term";
		if (this.hardState.commit > this.map.lastIndex) return "the commit must not exceed the last index";
		return null;
	}

	private moveHardState(next: HardState): string | null {
		const now = this.hardState;
		if (next.term < now.term) return "the term must not fall";
		if (next.term === now.term && now.vote !== 0n && next.vote !== now.vote) return "a vote must not change within a term";
		if (next.commit < now.commit) return "the commit must not fall";
		this.hardState = next;
		return null;
	}

	private reset(snapshot: SnapshotMeta): void {
		this.snapshot = snapshot;
		this.map.reset(snapshot.index, snapshot.term);
		this.configAt = 0;
		this.epoch++;
	}

	private truncate(from: LogIndex): void {
		if (from > this.map.lastIndex) return;
		this.map.truncate(from);
		this.epoch++;
	}

	private append(segment: LogSegment, offset: number, entries: readonly Entry[], commitBefore: LogIndex): string | null {
		const first = entries[0] as Entry;
		if (first.index > this.map.lastIndex + 1) return "entries must follow the last index";
		if (first.index <= this.map.lastIndex) {
			if (first.index <= commitBefore) return "entries must not replace committed ones";
			this.truncate(first.index);
		}
		let term = this.map.lastTerm;
		let index = first.index;
		for (const entry of entries) {
			if (entry.index !== index) return "entries must be consecutive";
			if (entry.term < term) return "terms must not fall along the log";
			if (entry.kind === EntryKind.config) this.configAt = Math.max(this.configAt, index);
			term = entry.term;
			index++;
		}
		this.map.append(segment, offset, entries);
		return null;
	}

	/** A segment's checkpoint repeats what all frames before it gave. */
	private compare(checkpoint: Checkpoint): string | null {
		return bytesEqual(encodeCheckpoint(this.checkpoint()), encodeCheckpoint(checkpoint))
			? null
			: "the checkpoint must agree with the frames before it";
	}
}

function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
	const content = { ...EMPTY_CONTENT, checkpoint };
	const bytes = new Uint8Array(contentBytes(content));
	writeContent(bytes, 0, content);
	return bytes;
}
