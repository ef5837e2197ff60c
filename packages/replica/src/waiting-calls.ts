/**
 * Writes that are not proposed, oldest first; taken in batches. Calls that were canceled or timed out stay in their place
 * until they come up, or until too many of them have gathered.
 */
import type { WriteCall } from "./calls.ts";

/** One slab and one proposal of the core: small against the core's limit of uncommitted bytes, which is all or nothing. */
const BATCH_BYTES_MAX = 1 << 20;
const BATCH_CALLS_MAX = 4_096;
/** Payload bytes of calls that are completed in their place, and counted nowhere else any more. */
const GONE_BYTES_MAX = 8 << 20;
const NO_CALLS: WriteCall[] = [];

export class WaitingCalls {
	/** None of those that were taken: where some always wait, the array is never empty, and would keep all that ever came. */
	private calls: WriteCall[] = [];
	private readonly goneMax: number;
	private gone = 0;
	private goneBytes = 0;

	constructor(goneMax: number) {
		this.goneMax = goneMax;
	}

	get empty(): boolean {
		return this.calls.length === 0;
	}

	/** Those that were completed in their place included. */
	get length(): number {
		return this.calls.length;
	}

	push(call: WriteCall): void {
		call.state = "waiting";
		this.calls.push(call);
	}

	/** Calls that may be proposed again come before those that never were, in their old order. */
	putBack(calls: readonly WriteCall[]): void {
		for (const call of calls) call.state = "waiting";
		this.calls = [...calls, ...this.calls];
	}

	/** One of the calls was completed in its place. */
	noteGone(call: WriteCall): void {
		this.gone++;
		this.goneBytes += call.payload.length;
		if (this.gone > this.goneMax || this.goneBytes > GONE_BYTES_MAX) this.dropGone();
	}

	/** The next calls: at least one if there is any, up to the limits of a batch. */
	takeBatch(): WriteCall[] {
		if (this.gone > 0) this.dropGone();
		if (this.empty) return NO_CALLS;
		const { calls } = this;
		const upto = batchEnd(calls, 0);
		this.calls = calls.slice(upto);
		return upto === calls.length ? calls : calls.slice(0, upto);
	}

	/** Runs `each` for those that wait; they may be completed by it, and are to be noted as gone then. */
	visit(each: (call: WriteCall) => void): void {
		for (const call of this.calls) if (call.state === "waiting") each(call);
	}

	private dropGone(): void {
		const live: WriteCall[] = [];
		this.visit((call) => {
			live.push(call);
		});
		this.calls = live;
		this.gone = 0;
		this.goneBytes = 0;
	}
}

/** End (excluded) of the batch that starts at `from`. */
export function batchEnd(calls: readonly WriteCall[], from: number): number {
	let bytes = 0;
	let upto = from;
	while (upto < calls.length && upto - from < BATCH_CALLS_MAX) {
		bytes += (calls[upto] as WriteCall).payload.length;
		if (bytes > BATCH_BYTES_MAX && upto > from) break;
		upto++;
	}
	return upto;
}
