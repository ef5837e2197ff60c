import { CommandKind, LeaseCall, type ReplicaMachine, type WriteCall } from "@flotilla/replica";

/** Bugs of leases, each against one promise. */
export const LEASE_MUTANTS = ["renewsWithoutLeader", "clockRunsFast", "revokesNothing", "keepsOneKey", "forgetsEnds"] as const;
export type LeaseMutant = (typeof LEASE_MUTANTS)[number];

export function isLeaseMutant(name: string | null): name is LeaseMutant {
	return LEASE_MUTANTS.some((each) => each === name);
}

/** What takes the place of a member's own behaviour. */
export function spoilLeases(machine: ReplicaMachine, mutant: LeaseMutant): Partial<ReplicaMachine> {
	switch (mutant) {
		case "renewsWithoutLeader":
			// A member says yes by itself, from the table that it has.
			return {
				askLease: (call: LeaseCall) => {
					const ttl = machine.store.leases.get(call.lease)?.ttl ?? 0;
					if (call.op === "renew") call.done({ ok: true, grantedTtl: ttl, remainingMs: ttl * 1_000 });
					else machine.askLease(call);
				},
			};
		case "clockRunsFast":
			return {
				tick: () => {
					machine.tick();
					machine.tick();
				},
			};
		case "revokesNothing":
			return {
				write: (call: WriteCall) => {
					const { revision } = machine.store;
					if (call.kind !== CommandKind.leaseRevoke) machine.write(call);
					else call.done({ ok: true, index: 0, term: 0, command: { kind: "done", revision } });
				},
			};
		case "keepsOneKey":
			// Of the keys that hang on a lease the last one is forgotten when it ends: everywhere alike.
			return {
				drain: () => {
					for (const id of machine.store.leases.ids()) {
						const lease = machine.store.leases.get(id);
						const [first, second] = lease?.keys() ?? [];
						if (first !== undefined && second !== undefined) lease?.detach(second);
					}
					return machine.drain();
				},
			};
		case "forgetsEnds":
			// Whoever is asked has never heard that a lease can be gone.
			return {
				askLease: ({ op, lease, timeoutTicks, done }: LeaseCall) =>
					machine.askLease(
						new LeaseCall(op, lease, timeoutTicks, (outcome) =>
							done(outcome.ok && outcome.grantedTtl === 0 ? { ok: true, grantedTtl: 1, remainingMs: 0 } : outcome),
						),
					),
			};
	}
}
