/** Writes that were proposed or forwarded and have no outcome yet, by sequence, in the order in which they were launched. */
import { NumberTable } from "@flotilla/base";
import type { WriteCall } from "./calls.ts";

export class InFlight {
	/** Bytes of their payloads. */
	bytes = 0;
	private readonly calls = new NumberTable<WriteCall>();

	get size(): number {
		return this.calls.size;
	}

	get(sequence: number): WriteCall | undefined {
		return this.calls.get(sequence);
	}

	launch(batch: readonly WriteCall[], term: number, state: "proposed" | "forwarded"): void {
		for (const call of batch) {
			call.state = state;
			call.proposedTerm = term;
			this.calls.set(call.sequence, call);
			this.bytes += call.payload.length;
		}
	}

	/** Its outcome is known, or nobody waits for it any more. */
	land(call: WriteCall): void {
		if (this.calls.delete(call.sequence)) this.bytes -= call.payload.length;
	}

	/** Sent to the leader of this term. */
	forwardedIn(term: number): WriteCall[] {
		return this.filter((call) => call.state === "forwarded" && call.proposedTerm === term);
	}

	launchedBefore(term: number): WriteCall[] {
		return this.filter((call) => call.proposedTerm < term);
	}

	overdue(tick: number): WriteCall[] {
		return this.filter((call) => call.deadlineTick <= tick);
	}

	private filter(holds: (call: WriteCall) => boolean): WriteCall[] {
		// A sequence is drawn at the launch.
		return this.calls
			.all()
			.filter(holds)
			.sort((a, b) => a.sequence - b.sequence);
	}
}
