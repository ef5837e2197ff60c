/**
 * Writes under way, each on a lane of its own (rule W2). Lanes finish in any order; what counts is the prefix: a write is
 * durable when it and all before it have returned (rule W3).
 */
import { assert } from "@flotilla/base";
import type { FileCompletion } from "../disk/file-ops.ts";
import type { FileRequest } from "../disk/file-script.ts";
import type { LogSegment } from "./log-map.ts";

export interface LogWrite {
	readonly lane: number;
	readonly segment: LogSegment;
	readonly endOffset: number;
	readonly bytes: number;
	readonly frames: number;
	readonly lastFrameSeq: number;
	/** Seq of the first work in it. */
	readonly firstSeq: number;
	/** The vote file must have got so far, too. */
	readonly voteVersion: number;
	/** It takes entries out of force: older segments stay until it is durable. */
	readonly resets: boolean;
	done: boolean;
}

/** A lane keeps its buffer up to this size; larger ones are made for one write. */
const LANE_BUFFER_BYTES_MAX = 4 << 20;
const LANE_BUFFER_BYTES_MIN = 64 << 10;

export class WritePipeline {
	private readonly submit: (request: FileRequest, done: (completion: FileCompletion) => void) => void;
	private readonly moved: (problem: string | null) => void;
	/** In the order of the log; at most as many as there are lanes. */
	private readonly underWay: LogWrite[] = [];
	private readonly free: number[];
	private readonly buffers: Uint8Array[];

	/** `moved` is called after each write that returned, or with what went wrong. */
	constructor(
		depth: number,
		submit: (request: FileRequest, done: (completion: FileCompletion) => void) => void,
		moved: (problem: string | null) => void,
	) {
		assert(depth >= 1, "a log needs a lane to write on");
		this.submit = submit;
		this.moved = moved;
		this.free = Array.from({ length: depth }, (_, lane) => depth - 1 - lane);
		this.buffers = Array.from({ length: depth }, () => new Uint8Array(0));
	}

	get idle(): boolean {
		return this.underWay.length === 0;
	}

	get laneFree(): boolean {
		return this.free.length > 0;
	}

	get oldest(): LogWrite | undefined {
		return this.underWay[0];
	}

	/** The lane that the next `start` takes, and a buffer of at least `bytes` to fill for it. */
	buffer(bytes: number): { readonly lane: number; readonly buffer: Uint8Array } {
		const lane = this.free[this.free.length - 1];
		assert(lane !== undefined, "a write needs a free lane");
		const kept = this.buffers[lane] as Uint8Array;
		if (kept.length >= bytes) return { lane, buffer: kept };
		let size = Math.max(LANE_BUFFER_BYTES_MIN, kept.length);
		while (size < bytes) size *= 2;
		const buffer = new Uint8Array(size > LANE_BUFFER_BYTES_MAX ? bytes : size);
		if (size <= LANE_BUFFER_BYTES_MAX) this.buffers[lane] = buffer;
		return { lane, buffer };
	}

	start(write: LogWrite, data: Uint8Array): void {
		assert(write.lane === this.free.pop(), "a write takes the lane that its buffer belongs to");
		this.underWay.push(write);
		const { lane, segment, endOffset } = write;
		const offset = endOffset - data.length;
		this.submit({ kind: "write", path: segment.path, lane, offset, data }, (completion) => {
			if (completion.error !== null || completion.bytes !== data.length) {
				const found = completion.error ?? `${completion.bytes} of ${data.length} bytes written`;
				this.moved(`writing ${segment.path} at offset ${offset} failed: ${found}`);
				return;
			}
			write.done = true;
			this.free.push(lane);
			this.moved(null);
		});
	}

	/** The oldest write, if it is done and the vote file has followed. */
	takeDurable(voteVersion: number): LogWrite | null {
		const oldest = this.underWay[0];
		if (oldest === undefined || !oldest.done || oldest.voteVersion > voteVersion) return null;
		this.underWay.shift();
		return oldest;
	}
}
