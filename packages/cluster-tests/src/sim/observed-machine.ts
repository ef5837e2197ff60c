import type { LogIndex, NodeId } from "@flotilla/raft";
import type { ReplicaMachine, ReplicaOutput, ReplicaStatus } from "@flotilla/replica";
import type { Invariants } from "./invariants.ts";
import type { TraceHash } from "./trace-hash.ts";

/** Stands between a driver and its replica and tells the invariants what passes; changes nothing. */
export function observedMachine(
	id: NodeId,
	machine: ReplicaMachine,
	invariants: Invariants,
	trace: TraceHash,
	/** A process that died in the middle of a turn runs it to its end here; nothing of that counts. */
	alive: () => boolean,
): ReplicaMachine {
	const observe = (status: ReplicaStatus): void => {
		const digest = machine.store.compactionPending ? null : machine.stateDigest();
		invariants.observe(id, status.core, status.appliedIndex, digest);
	};
	const drain = (): ReplicaOutput => {
		const output = machine.drain();
		if (!alive()) return output;
		const status = machine.status();
		for (const work of output.appends) {
			invariants.appended(id, work, status.core);
			trace.number(work.seq);
			for (const entry of work.entries) trace.bytes(entry.data);
		}
		trace.number(output.send.length);
		trace.number(output.completions.length);
		observe(status);
		return output;
	};
	return new Proxy(machine, {
		get(target, name) {
			if (name === "drain") return drain;
			const value: unknown = Reflect.get(target, name, target);
			return typeof value === "function" ? value.bind(target) : value;
		},
	});
}

/** What a healed member must have in common with the others. */
export interface Progress {
	readonly leader: NodeId;
	readonly applied: LogIndex;
	readonly last: LogIndex;
}
