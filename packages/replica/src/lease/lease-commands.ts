/** Apply: what the commands about leases do to the replicated state. Alike on every member, whoever leads. */
import type { TapSink } from "@flotilla/base";
import { type KeyValueStore, type Lease, STRIDE, sliced } from "@flotilla/mvcc";
import type { AlarmTable } from "../alarms.ts";
import type { AuthState } from "../auth/auth-state.ts";
import type { Caller } from "../auth/caller.ts";
import type { CallFault, CommandResult } from "../calls.ts";
import { applySliced, type SlicedApply } from "../sliced-apply.ts";
import type { ApplyOutcome } from "../state-machine.ts";
import { decodeLeaseCheckpoints, decodeLeaseEnds, decodeLeaseGrant, decodeLeaseRevoke } from "./lease-codec.ts";
import { LeaseCounts } from "./lease-counts.ts";

export type LeaseDeath = "expired" | "revoked";

/** Hears of leases that come and go: the clock of a leader. */
export interface LeaseWatcher {
	granted(lease: Lease): void;
	ended(lease: Lease, reason: LeaseDeath): void;
}

export interface LeaseState {
	readonly store: KeyValueStore;
	readonly alarms: AlarmTable;
	readonly auth: AuthState;
}

export class LeaseCommands {
	watcher: LeaseWatcher = { granted() {}, ended() {} };
	readonly counts = new LeaseCounts();
	private readonly state: LeaseState;
	private readonly tap: TapSink;
	private readonly sliceKeys: number;
	/** Keys between two places at which the end of a lease may pause. */
	private readonly stride: number;

	/** `sliceKeys`: changed in one turn. */
	constructor(state: LeaseState, sliceKeys: number, tap: TapSink) {
		this.state = state;
		this.sliceKeys = sliceKeys;
		this.stride = Math.min(STRIDE, sliceKeys);
		this.tap = tap;
	}

	/** Each entry grants one lease at most, so its index serves as the lease's birth. */
	grant(payload: Uint8Array, caller: Caller, index: number): CommandResult | CallFault {
		const { alarms, auth, store } = this.state;
		if (alarms.corrupt) return "corrupt";
		if (alarms.noSpace) return "noSpace";
		const fault = auth.guard.userFault(caller);
		if (fault !== null) return fault;
		const grant = decodeLeaseGrant(payload);
		if (grant === null) return "malformed";
		const lease = store.leases.grant(grant.id, grant.ttl, index);
		if (typeof lease === "string") return lease;
		this.watcher.granted(lease);
		this.counts.grant(lease.ttl);
		return { kind: "leaseGranted", id: lease.id, ttl: lease.ttl, revision: store.revision };
	}

	/** The caller may delete what goes with the lease. */
	revoke(payload: Uint8Array, caller: Caller, term: number, index: number): ApplyOutcome | SlicedApply {
		const { alarms, auth, store } = this.state;
		if (alarms.corrupt) return "corrupt";
		const id = decodeLeaseRevoke(payload);
		if (id === null) return "malformed";
		const lease = store.leases.get(id);
		const fault = auth.guard.keysFault(caller, lease?.attachedKeys() ?? [], "write");
		if (fault !== null) return fault;
		if (lease === undefined) return "leaseNotFound";
		return this.endAll([lease], "revoked", term, index);
	}

	/** Leases whose time was up. Each goes in a revision of its own. */
	endExpired(payload: Uint8Array, term: number, index: number): ApplyOutcome | SlicedApply {
		const { alarms, store } = this.state;
		if (alarms.corrupt) return "corrupt";
		const ends = decodeLeaseEnds(payload);
		if (ends === null) return "malformed";
		// Said by a leader of another term: it does not know what was renewed since (L5).
		if (ends.term !== term) return "leaderChanged";
		const leases = ends.leases.flatMap(({ id, birth }) => {
			const lease = store.leases.get(id);
			return lease?.birth === birth ? [lease] : [];
		});
		return this.endAll(leases, "expired", term, index);
	}

	private endAll(leases: readonly Lease[], reason: LeaseDeath, term: number, index: number): ApplyOutcome | SlicedApply {
		const { store } = this.state;
		const end = this.end.bind(this);
		const steps = function* (): Generator<void, void> {
			for (const lease of leases) yield* end(lease, reason, term, index);
		};
		return applySliced(sliced(steps(), this.stride), this.sliceKeys, () => ({ kind: "done", revision: store.revision }));
	}

	checkpoint(payload: Uint8Array, term: number): CommandResult | CallFault {
		const { store } = this.state;
		const checkpoints = decodeLeaseCheckpoints(payload);
		if (checkpoints === null) return "malformed";
		if (checkpoints.term !== term) return "leaderChanged";
		for (const { id, birth, remainingMs } of checkpoints.leases) {
			const lease = store.leases.get(id);
			if (lease?.birth === birth) store.leases.checkpoint(lease, remainingMs);
		}
		return { kind: "done", revision: store.revision };
	}

	/** Yields every so many keys. */
	private *end(lease: Lease, reason: LeaseDeath, term: number, index: number): Generator<void, void> {
		const { store } = this.state;
		const ending = store.endLeaseSliced(lease.id);
		while (!ending.step(this.stride)) yield;
		const result = ending.result();
		const keys = result.ok ? result.deleted : 0;
		this.counts.ended++;
		this.watcher.ended(lease, reason);
		this.tap.emit("leaseEnded", term, index, {
			lease: BigInt.asUintN(64, lease.id),
			reason,
			keys,
			revision: store.revision,
			ttl: lease.ttl,
		});
	}
}
