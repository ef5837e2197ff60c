import { assert } from "@flotilla/base";
import type { AppendWork } from "@flotilla/raft";
import type { PeerMessage } from "@flotilla/replica";
import type { SyncTimes } from "./sync-times.ts";

interface Pending {
	readonly seq: number;
	readonly handedOverMs: number;
	readonly mustSync: boolean;
	/** Of its entries; 0 without any. */
	readonly lastIndex: number;
	readonly release: readonly PeerMessage[];
}

/**
 * Frames handed to the log that are not durable yet, with the messages that wait for them (rules W3, W6). Bounded by what
 * the core leaves unstable.
 */
export class PendingAppends {
	private readonly frames: Pending[] = [];

	add(work: AppendWork, nowMs: number): void {
		const last = this.frames.at(-1);
		if (last !== undefined) assert(work.seq === last.seq + 1, "appends come in sequence");
		this.frames.push({
			seq: work.seq,
			handedOverMs: nowMs,
			mustSync: work.mustSync,
			lastIndex: work.entries.at(-1)?.index ?? 0,
			release: work.release,
		});
	}

	/** Takes all frames up to `seq` off, collects what they held back, in order, and notes how long those took that were synced for it. */
	takeUpto(seq: number, release: PeerMessage[], nowMs: number, times: SyncTimes): void {
		let count = 0;
		for (const frame of this.frames) {
			if (frame.seq > seq) break;
			for (const message of frame.release) release.push(message);
			if (frame.mustSync) times.note(nowMs - frame.handedOverMs);
			count++;
		}
		this.frames.splice(0, count);
	}

	/** The last entry in frames up to `seq`; 0 without any. */
	lastIndexUpto(seq: number): number {
		let last = 0;
		for (const frame of this.frames) {
			if (frame.seq > seq) break;
			if (frame.lastIndex > 0) last = frame.lastIndex;
		}
		return last;
	}

	get empty(): boolean {
		return this.frames.length === 0;
	}

	/** How long the oldest frame that must be synced has waited; 0 when none does. */
	oldestAgeMs(nowMs: number): number {
		for (const frame of this.frames) if (frame.mustSync) return nowMs - frame.handedOverMs;
		return 0;
	}
}
