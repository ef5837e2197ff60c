/** What a client's question about a lease is to the replica: answered by the leader's clock, wherever it was asked. */
import type { LeaseId } from "@flotilla/mvcc";
import type { CallFault } from "../calls.ts";

export type LeaseOutcome =
	| {
			readonly ok: true;
			/** Seconds as granted; 0: there is no such lease. */
			readonly grantedTtl: number;
			/** What is left of it; of a renewed one all. */
			readonly remainingMs: number;
	  }
	| { readonly ok: false; readonly fault: CallFault };

/** Begins a lease's time anew, or asks how much is left. */
export class LeaseCall {
	readonly op: "renew" | "look";
	readonly lease: LeaseId;
	/** Ticks of patience; 0: the replica's default. */
	readonly timeoutTicks: number;
	/** Called by the driver after the turn. This member has applied all that the leader had when it answered a look. */
	readonly done: (outcome: LeaseOutcome) => void;
	/** Owned by the replica. */
	deadlineTick = 0;
	completed = false;
	/** Owned by whoever runs the replica: taken and not answered. Nobody answers one that is not open. */
	open = false;

	constructor(op: "renew" | "look", lease: LeaseId, timeoutTicks: number, done: (outcome: LeaseOutcome) => void) {
		this.op = op;
		this.lease = lease;
		this.timeoutTicks = timeoutTicks;
		this.done = done;
	}
}
