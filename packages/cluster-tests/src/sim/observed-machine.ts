import type { LogIndex, NodeId } from "@flotilla/raft";
import { MembershipCall, type ReplicaMachine, type ReplicaOutput } from "@flotilla/replica";
import type { Invariants } from "./invariants.ts";
import type { TraceHash } from "./trace-hash.ts";

/**
 * Tells the invariants what passes between a driver and its replica; changes nothing. Only `drain` and `tick` are replaced, on the replica
 * itself: whatever stands before all of its methods costs more than many a turn.
 */
export function observeMachine(
	id: NodeId,
	machine: ReplicaMachine,
	invariants: Invariants,
	trace: TraceHash,
	/** A process that died in the middle of a turn runs it to its end here; nothing of that counts. */
	alive: () => boolean,
): void {
	const plainTick = machine.tick.bind(machine);
	machine.tick = () => {
		if (alive()) invariants.ticked(id);
		plainTick();
	};
	const plainDrain = machine.drain.bind(machine);
	machine.drain = (): ReplicaOutput => {
		const output = plainDrain();
		if (!alive()) return output;
		const status = machine.status();
		const { core } = status;
		for (const work of output.appends) {
			invariants.appended(id, work, core);
			trace.number(work.seq);
			for (const entry of work.entries) trace.bytes(entry.data);
		}
		trace.number(output.send.length);
		trace.number(output.completions.length);
		const digest = machine.store.compactionPending ? null : machine.stateDigest();
		invariants.observe(id, core, status.appliedIndex, digest);
		for (const { call, outcome } of output.completions) {
			if (!(call instanceof MembershipCall) || !outcome.ok || call.change.kind === "update") continue;
			invariants.settledFor(id, call.change.kind === "add" ? call.change.member.id : call.change.id);
		}
		if (output.removed) invariants.settledFor(id, id);
		return output;
	};
}

/** What a healed member must have in common with the others. */
export interface Progress {
	readonly leader: NodeId;
	readonly applied: LogIndex;
	readonly last: LogIndex;
}
