import { type ByteOps, fail } from "@flotilla/base";
import type { NodeId, Term } from "@flotilla/raft";
import type { FileCompletion } from "../disk/file-ops.ts";
import type { FileRequest } from "../disk/file-script.ts";
import { encodeVoteSlot, VOTE_PATH, VOTE_SLOT_BYTES, type VoteSlot } from "./meta-files.ts";

/**
 * Keeps term and vote a second time, outside the log, and with them how far the log is known to be durable. One slot is
 * written at a time and the two slots take turns, so a crash damages at most the older one. A frame that changes term or vote
 * is acknowledged only when the mirror has followed: see `want` and `coveredVersion`.
 */
export class VoteMirror {
	private readonly ops: ByteOps;
	private readonly walId: bigint;
	private readonly submit: (request: FileRequest, done: (completion: FileCompletion) => void) => void;
	private readonly moved: (problem: string | null) => void;
	private counter: number;
	private wanted: { term: Term; vote: NodeId };
	private wantedVersion = 0;
	private wantedHead: number;
	private writtenHead: number;
	private covered = 0;
	private writing = false;
	private dirty = false;

	/** `moved` is called after each slot written, or with what went wrong. */
	constructor(
		ops: ByteOps,
		walId: bigint,
		newest: VoteSlot,
		submit: (request: FileRequest, done: (completion: FileCompletion) => void) => void,
		moved: (problem: string | null) => void,
	) {
		this.ops = ops;
		this.walId = walId;
		this.submit = submit;
		this.moved = moved;
		this.counter = newest.counter;
		this.wanted = { term: newest.term, vote: newest.vote };
		this.wantedHead = newest.headSeq;
		this.writtenHead = newest.headSeq;
	}

	/** All versions up to here are durable. */
	get coveredVersion(): number {
		return this.covered;
	}

	/** Head that the file tells of. */
	get headSeq(): number {
		return this.writtenHead;
	}

	get idle(): boolean {
		return !this.writing;
	}

	/** Asks for a slot with this state; returns the version that must be covered before anything relies on it. */
	want(term: Term, vote: NodeId): number {
		if (term === this.wanted.term && vote === this.wanted.vote) return this.wantedVersion;
		if (term < this.wanted.term) fail("the mirrored term must not fall", { term, mirrored: this.wanted.term });
		this.wanted = { term, vote };
		this.wantedVersion++;
		this.dirty = true;
		this.write();
		return this.wantedVersion;
	}

	/** Asks for a slot that tells of frames up to `headSeq`; for its own sake nothing waits. */
	hint(headSeq: number): void {
		if (headSeq <= this.wantedHead) return;
		this.wantedHead = headSeq;
		this.dirty = true;
		this.write();
	}

	private write(): void {
		if (this.writing || !this.dirty) return;
		this.writing = true;
		this.dirty = false;
		this.counter++;
		const version = this.wantedVersion;
		const headSeq = this.wantedHead;
		const data = encodeVoteSlot(this.ops, this.walId, { counter: this.counter, ...this.wanted, headSeq });
		const offset = (this.counter % 2) * VOTE_SLOT_BYTES;
		this.submit({ kind: "write", path: VOTE_PATH, lane: 0, offset, data }, (completion) => {
			if (completion.error !== null || completion.bytes !== data.length) {
				this.moved(`writing ${VOTE_PATH} failed: ${completion.error ?? `${completion.bytes} of ${data.length} bytes written`}`);
				return;
			}
			this.writing = false;
			this.covered = version;
			this.writtenHead = headSeq;
			this.write();
			this.moved(null);
		});
	}
}
