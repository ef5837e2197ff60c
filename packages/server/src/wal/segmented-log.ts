import { assert, type ByteOps, fail, marks } from "@flotilla/base";
import type { AppendWork, Entry, HardState, LogIndex } from "@flotilla/raft";
import type { FileCompletion } from "../disk/file-ops.ts";
import type { FileScripts } from "../disk/file-script.ts";
import { FRAME_HEADER_BYTES, FRAME_PAYLOAD_BYTES_MAX, frameSeed, sealFrame } from "./format.ts";
import type { LogSegment } from "./log-map.ts";
import { readEntries } from "./log-reader.ts";
import type { LogState } from "./log-state.ts";
import { VOTE_PATH } from "./meta-files.ts";
import { contentBytes, contentCrc, contentRecords, EMPTY_CONTENT, type FrameContent, writeContent } from "./records.ts";
import type { LogEnd } from "./recover-log.ts";
import { SegmentDropper } from "./segment-dropper.ts";
import { encodeSegmentStart, installSegment, newSegment, segmentPrefixBytes } from "./segment-files.ts";
import { SpareSegment } from "./spare-segment.ts";
import { VoteMirror } from "./vote-mirror.ts";
import type { LogAmendment, WalEvents, WalOptions, WriteAheadLog } from "./wal-interface.ts";
import { WritePipeline } from "./write-pipeline.ts";

/** A frame that waits for a lane. */
interface QueuedFrame {
	readonly seq: number;
	readonly content: FrameContent;
	readonly payloadBytes: number;
}

/** Frames that queued up leave in one write up to this size; a larger frame goes alone. */
const WRITE_BYTES_MAX = 4 << 20;

/**
 * The log while it is written: frames in sequence at consecutive offsets, several writes under way, one segment after
 * another (rules W1 to W5).
 *
 *   append -> queue -> lane -> write returns -> prefix of all writes -> vote file -> durable(seq)
 *
 * The queue is bounded by what its owner leaves unacknowledged. Work that only tells of a commit and need not be synced takes
 * no frame: every later frame says it as well, and it is acknowledged with what precedes it.
 */
export class SegmentedLog implements WriteAheadLog {
	private readonly ops: ByteOps;
	private readonly options: WalOptions;
	private readonly events: WalEvents;
	private readonly scripts: FileScripts;
	private readonly state: LogState;
	private readonly seed: number;
	private readonly pipeline: WritePipeline;
	private readonly mirror: VoteMirror;
	private readonly spare: SpareSegment;
	private readonly dropper: SegmentDropper;

	private segment: LogSegment;
	private endOffset: number;
	private prevCrc: number;
	private nextFrameSeq: number;
	private syncedFrameSeq: number;
	private readonly queue: QueuedFrame[] = [];
	/** Highest seq taken, and told to be durable. */
	private takenSeq = 0;
	private toldSeq = 0;
	/** Handed over with a commit that may ride; null when a frame says it. */
	private riding: HardState | null = null;
	private rolling = false;
	/** Segments wait for the frame that made them useless. */
	private resetsUnderWay = 0;
	private floorIndex: LogIndex = 0;
	private floorPosition = 0;
	private heldFrom: LogIndex = Number.POSITIVE_INFINITY;
	/** Nothing more is taken or done: the log failed, or is closed. */
	private ended = false;
	private closing: { readonly done: () => void; stage: "fence" | "head" | "files" } | null = null;
	private fenceDone: (() => void) | null = null;
	private fenceFrameSeq = 0;

	constructor(options: WalOptions, ops: ByteOps, events: WalEvents, scripts: FileScripts, end: LogEnd) {
		this.ops = ops;
		this.options = options;
		this.events = events;
		this.scripts = scripts;
		this.state = end.state;
		this.seed = frameSeed(ops, end.state.identity);
		this.segment = end.segment;
		this.endOffset = end.endOffset;
		this.prevCrc = end.prevCrc;
		this.nextFrameSeq = end.nextSeq;
		this.syncedFrameSeq = end.nextSeq - 1;
		const submit = (request: Parameters<FileScripts["submit"]>[0], done: (completion: FileCompletion) => void): void =>
			scripts.submit(request, done);
		const moved = (problem: string | null): void => this.moved(problem);
		this.pipeline = new WritePipeline(options.depth, submit, moved);
		this.mirror = new VoteMirror(ops, end.state.identity.walId, end.voteSlot, submit, moved);
		this.spare = new SpareSegment(options.folder, options.segmentBytes, scripts);
		this.dropper = new SegmentDropper(options.folder, scripts, (problem) => this.dropped(problem));
		this.floorPosition = this.state.map.positionOf(this.state.map.firstIndex, this.position);
	}

	get firstIndex(): LogIndex {
		return this.state.map.firstIndex;
	}

	get durableSeq(): number {
		return this.toldSeq;
	}

	get bytesSinceFloor(): number {
		return this.position - this.floorPosition;
	}

	get oldestPendingSeq(): number {
		const oldest = this.pipeline.oldest?.firstSeq ?? this.queue[0]?.seq ?? 0;
		return oldest > this.takenSeq ? 0 : oldest;
	}

	/** Position of the end in the log as a whole. */
	private get position(): number {
		return this.segment.start + this.endOffset;
	}

	append(work: AppendWork): void {
		if (this.ended) return;
		assert(this.closing === null, "a log that is being closed takes no work");
		if (this.takenSeq !== 0 && work.seq !== this.takenSeq + 1)
			fail("work for the log comes in sequence", { seq: work.seq, last: this.takenSeq });
		if (this.takenSeq === 0) this.toldSeq = work.seq - 1;
		this.takenSeq = work.seq;
		const { hardState, truncateFrom, entries, snapshot } = work;
		if (snapshot !== null) assert(truncateFrom === 0, "a snapshot leaves nothing to cut");
		const changes = entries.length > 0 || truncateFrom !== 0 || snapshot !== null;
		// What must be synced takes along what rides: answers that wait for it may speak of that commit (rule C3).
		const owed = work.mustSync ? (hardState ?? this.riding) : null;
		if (!changes && hardState === null && owed !== null) marks.commitRodeAlong++;
		if (changes || owed !== null) {
			this.enqueue(work.seq, { ...EMPTY_CONTENT, hardState: hardState ?? owed, snapshot, truncateFrom, entries });
		} else if (hardState !== null) {
			this.riding = hardState;
		}
	}

	flush(): void {
		if (this.ended) return;
		this.pump();
		this.tell();
	}

	complete(completion: FileCompletion): void {
		// Rule W4: after an error nothing that completes may have an effect.
		if (this.ended) return;
		this.scripts.complete(completion);
		this.maybeEndClose();
	}

	/** Makes durable what rides, and how far the log reaches, for a restart after a damaged end. Once a second or so. */
	noteHead(): void {
		if (this.ended || this.closing !== null) return;
		if (this.riding !== null && this.queue.length === 0) {
			this.enqueue(this.takenSeq + 1, { ...EMPTY_CONTENT, hardState: this.riding });
			this.pump();
		} else if (this.pipeline.idle) {
			this.mirror.hint(this.syncedFrameSeq);
		}
	}

	/** First frame after a start: what was read is verified and durable, and this is what follows from it. */
	writeFence(hardState: HardState, done: () => void): void {
		assert(this.takenSeq === 0, "the fence of a start comes before all work");
		const fence = { verifiedSeq: this.syncedFrameSeq, closing: false };
		this.enqueue(1, { ...EMPTY_CONTENT, hardState, fence });
		this.fenceDone = done;
		this.pump();
	}

	amend({ hardState, entries, snapshot }: LogAmendment, done: () => void): void {
		if (this.ended) return;
		assert(this.takenSeq === 0 && this.fenceDone === null, "what a start adds comes before all work");
		const fence = { verifiedSeq: this.syncedFrameSeq, closing: false };
		this.enqueue(1, { ...EMPTY_CONTENT, hardState, snapshot, entries, fence });
		this.fenceFrameSeq = 0;
		this.fenceDone = done;
		this.pump();
	}

	/** Begins what runs beside the writes. */
	start(): void {
		this.mirror.hint(this.syncedFrameSeq);
		this.spare.prepare();
	}

	cutBehind(index: LogIndex): void {
		if (this.ended || index <= this.floorIndex) return;
		this.floorIndex = index;
		this.floorPosition = Math.max(this.floorPosition, this.state.map.positionOf(index + 1, this.position));
		this.maybeDrop();
		if (this.spare.failure !== null) this.spare.prepare();
	}

	holdFrom(index: LogIndex): void {
		this.heldFrom = index;
		if (!this.ended && this.floorIndex > 0) this.maybeDrop();
	}

	read(fromIndex: LogIndex, uptoIndex: LogIndex, bytesMax: number, done: (entries: readonly Entry[]) => void): void {
		if (this.ended) return;
		const { map } = this.state;
		if (fromIndex < map.firstIndex || fromIndex > map.lastIndex) {
			// In a later turn, as every answer: the disk is asked for something that always is there.
			this.scripts.submit({ kind: "size", path: VOTE_PATH }, () => done([]));
			return;
		}
		const released = (segment: LogSegment): void => this.dropper.released(segment);
		this.scripts.run(readEntries(this.ops, this.seed, this.state, fromIndex, uptoIndex, bytesMax, released), (reading) => {
			if (reading.ok) done(reading.entries);
			else this.fail(reading.problem);
		});
	}

	close(done: () => void): void {
		if (this.ended) return;
		assert(this.closing === null, "a log is closed once");
		this.closing = { done, stage: "fence" };
		const fence = { verifiedSeq: this.nextFrameSeq + this.queue.length - 1, closing: true };
		const hardState = this.riding ?? this.queue.findLast((frame) => frame.content.hardState !== null)?.content.hardState;
		this.enqueue(this.takenSeq + 1, { ...EMPTY_CONTENT, hardState: hardState ?? this.state.hardState, fence });
		this.pump();
	}

	// ---- frames

	private enqueue(seq: number, content: FrameContent): void {
		if (content.hardState !== null) this.riding = null;
		const payloadBytes = contentBytes(content);
		if (payloadBytes > FRAME_PAYLOAD_BYTES_MAX) fail("a frame must not exceed the limit", { payloadBytes, seq });
		this.queue.push({ seq, content, payloadBytes });
	}

	/** Starts the writes that may start. */
	private pump(): void {
		while (!this.rolling && this.queue.length > 0 && this.pipeline.laneFree) {
			const count = this.fitting();
			if (count > 0) this.write(count);
			else if (this.pipeline.idle) this.roll();
			else return;
		}
	}

	/** How many frames of the queue go into one write to this segment. */
	private fitting(): number {
		const room = this.segment.bytes - this.endOffset;
		let bytes = 0;
		let count = 0;
		for (const { payloadBytes } of this.queue) {
			bytes += FRAME_HEADER_BYTES + payloadBytes;
			if (bytes > room || (count > 0 && bytes > WRITE_BYTES_MAX)) break;
			count++;
		}
		return count;
	}

	private write(count: number): void {
		const frames = this.queue.splice(0, count);
		let bytes = 0;
		for (const { payloadBytes } of frames) bytes += FRAME_HEADER_BYTES + payloadBytes;
		const { lane, buffer } = this.pipeline.buffer(bytes);
		let at = 0;
		let resets = false;
		for (const { content, payloadBytes } of frames) {
			resets ||= content.snapshot !== null;
			this.place(buffer, at, content, payloadBytes);
			at += FRAME_HEADER_BYTES + payloadBytes;
		}
		if (resets) this.resetsUnderWay++;
		const { term, vote } = this.state.hardState;
		this.pipeline.start(
			{
				lane,
				segment: this.segment,
				endOffset: this.endOffset,
				bytes,
				frames: count,
				lastFrameSeq: this.nextFrameSeq - 1,
				firstSeq: (frames[0] as QueuedFrame).seq,
				voteVersion: this.mirror.want(term, vote),
				resets,
				done: false,
			},
			buffer.subarray(0, bytes),
		);
	}

	/** Encodes one frame at `at` of the buffer, for the end of the segment. The state follows as it will at a restart. */
	private place(buffer: Uint8Array, at: number, queued: FrameContent, payloadBytes: number): void {
		const content = this.completed(queued);
		const problem = this.state.apply(this.segment, this.endOffset, content);
		if (problem !== null) fail(`the log refuses its own frame: ${problem}`, { frame: this.nextFrameSeq });
		const payloadAt = at + FRAME_HEADER_BYTES;
		writeContent(buffer, payloadAt, content);
		this.prevCrc = sealFrame(this.ops, buffer, at, this.seed, {
			payloadBytes,
			payloadCrc: contentCrc(this.ops, buffer, payloadAt, payloadAt + payloadBytes, content),
			records: contentRecords(content),
			prevCrc: this.prevCrc,
			seq: this.nextFrameSeq,
			syncedSeq: this.syncedFrameSeq,
		});
		if (content.fence !== null) this.fenceFrameSeq = this.nextFrameSeq;
		this.nextFrameSeq++;
		this.endOffset += FRAME_HEADER_BYTES + payloadBytes;
	}

	/** A truncation names the term before it, which is known only when all before it is placed. Sizes stay as they were. */
	private completed(content: FrameContent): FrameContent {
		if (content.truncateFrom === 0) return content;
		const term = this.state.map.termAt(content.truncateFrom - 1);
		if (term === null) fail("a truncation must start within the log", { from: content.truncateFrom, last: this.state.map.lastIndex });
		return { ...content, truncateTerm: term };
	}

	// ---- segments

	/** Rule W5: nothing is under way; the next segment gets its checkpoint, then its name, then frames. */
	private roll(): void {
		this.rolling = true;
		const checkpoint = this.state.checkpoint();
		const prefixBytes = segmentPrefixBytes(checkpoint);
		const next = this.queue[0] as QueuedFrame;
		this.spare.take(prefixBytes + FRAME_HEADER_BYTES + next.payloadBytes, (file) => {
			if ("error" in file) {
				marks.rolledWithoutRoom++;
				this.fail(`${file.error}, and the segment in use has no room`);
				return;
			}
			const { sequence, start, bytes } = this.segment;
			const begin = {
				sequence: sequence + 1,
				firstSeq: this.nextFrameSeq,
				fileBytes: file.bytes,
				chain: this.prevCrc,
				syncedSeq: this.syncedFrameSeq,
				checkpoint,
			};
			const { data, prevCrc } = encodeSegmentStart(this.ops, this.seed, begin);
			const segment = newSegment(this.options.folder, begin, start + bytes, data.length);
			this.scripts.run(installSegment(this.options.folder, file.path, segment.path, data), (problem) => {
				if (problem === null) this.rolled(segment, prevCrc, data.length);
				else this.fail(problem);
			});
		});
	}

	private rolled(segment: LogSegment, prevCrc: number, endOffset: number): void {
		marks.segmentRolled++;
		const before = this.segment;
		this.state.map.segments.push(segment);
		this.segment = segment;
		this.prevCrc = prevCrc;
		this.endOffset = endOffset;
		this.syncedFrameSeq = this.nextFrameSeq++;
		this.rolling = false;
		this.scripts.submit({ kind: "close", path: before.path }, () => {});
		this.mirror.hint(this.syncedFrameSeq);
		this.spare.prepare();
		this.maybeDrop();
		this.pump();
	}

	/**
	 * Retention: a segment goes when it lies behind the floor, more than `keepEntries` entries behind it, and more than
	 * `keepBytesMax` of log lie between; by size alone, since the log has no clock. One without entries in force serves nobody.
	 */
	private maybeDrop(): void {
		if (this.resetsUnderWay > 0) return;
		const { map } = this.state;
		const firstBefore = map.firstIndex;
		while (map.segments.length > 1) {
			const oldest = map.segments[0] as LogSegment;
			const last = map.lastIndexOfOldest();
			const serves =
				last > this.floorIndex - this.options.keepEntries || this.floorPosition - oldest.start - oldest.bytes < this.options.keepBytesMax;
			if (last >= this.heldFrom) break;
			if (last > this.floorIndex || (last !== 0 && serves) || (last === 0 && this.floorIndex === 0)) break;
			this.dropper.drop(map.dropOldest());
		}
		if (map.firstIndex !== firstBefore) this.events.cut(map.firstIndex);
	}

	private dropped(problem: string | null): void {
		if (problem !== null) this.fail(problem);
		else if (this.spare.failure !== null) this.spare.prepare();
	}

	// ---- completions

	private moved(problem: string | null): void {
		if (problem !== null) {
			this.fail(problem);
			return;
		}
		let frames = 0;
		let bytes = 0;
		for (;;) {
			const write = this.pipeline.takeDurable(this.mirror.coveredVersion);
			if (write === null) break;
			write.segment.durableEnd = write.endOffset;
			this.syncedFrameSeq = write.lastFrameSeq;
			frames += write.frames;
			bytes += write.bytes;
			if (write.resets) this.resetsUnderWay--;
		}
		this.pump();
		if (frames === 0) return;
		this.tell();
		this.events.synced(frames, bytes, this.toldSeq);
		if (this.floorIndex > 0) this.maybeDrop();
		this.settleFences();
	}

	/** Everything before the oldest frame that is not durable is. */
	private tell(): void {
		const oldest = this.pipeline.oldest?.firstSeq ?? this.queue[0]?.seq ?? this.takenSeq + 1;
		const durable = Math.min(oldest - 1, this.takenSeq);
		if (durable <= this.toldSeq) return;
		this.toldSeq = durable;
		this.events.durable(durable);
	}

	private settleFences(): void {
		if (this.fenceDone !== null && this.fenceFrameSeq <= this.syncedFrameSeq && this.fenceFrameSeq > 0) {
			const done = this.fenceDone;
			this.fenceDone = null;
			done();
		}
		const { closing } = this;
		if (closing === null || closing.stage !== "fence" || this.queue.length > 0 || !this.pipeline.idle) return;
		closing.stage = "head";
		this.mirror.hint(this.syncedFrameSeq);
	}

	/** After the fence the vote file tells of it, what runs beside the writes ends, and the descriptors go. */
	private maybeEndClose(): void {
		const { closing } = this;
		if (this.ended || closing === null || closing.stage === "fence" || this.scripts.pending > 0) return;
		if (closing.stage === "head") {
			closing.stage = "files";
			for (const path of [this.segment.path, VOTE_PATH]) this.scripts.submit({ kind: "close", path }, () => {});
			return;
		}
		this.ended = true;
		closing.done();
	}

	private fail(problem: string): void {
		if (this.ended) return;
		this.ended = true;
		this.events.failed(`Cannot write the log: ${problem}. Mend the disk, then start again; nothing that was not durable was acknowledged.`);
	}
}
