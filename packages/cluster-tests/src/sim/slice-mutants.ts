import type { KeyValueStore } from "@flotilla/mvcc";
import type { FloorImage, ReplicaMachine } from "@flotilla/replica";
import type { MemberPort } from "@flotilla/server/internal";
import { override } from "./override.ts";

/** Bugs of commands that are applied in slices: what happens between two of them must not know of the first. */
export const SLICE_MUTANTS = ["showsHalfRevision", "readsEndRevision", "floorsHalfRevision"] as const;
export type SliceMutant = (typeof SLICE_MUTANTS)[number];

export function isSliceMutant(name: string | null): name is SliceMutant {
	return SLICE_MUTANTS.some((each) => each === name);
}

/** What takes the place of a member's own behaviour. */
export function spoilSlices(machine: ReplicaMachine, mutant: SliceMutant): Partial<ReplicaMachine> {
	switch (mutant) {
		case "showsHalfRevision":
			// Whoever reads in the middle is shown the newest that the index knows.
			return {
				drain: () => {
					const output = machine.drain();
					pretendWhole(machine.store);
					return output;
				},
			};
		case "readsEndRevision":
			return {};
		case "floorsHalfRevision":
			// The entry counts as applied when its first slice is: who restarts from that floor never sees the rest.
			return { captureFloor: () => floorInTheMiddle(machine) };
	}
}

/** A transaction that only reads is carried out like one that writes: it ends what another one has begun. (So it was.) */
export function spoilReads(member: MemberPort): MemberPort {
	return override(member, {
		// Another one after a snapshot.
		get store() {
			const { store } = member;
			return override(store, {
				readTxn: (request) => {
					pretendWhole(store);
					const result = store.txn(request);
					Reflect.deleteProperty(store, "changing");
					return { heldBytes: 0, step: () => true, result: () => result, abandon: () => {} };
				},
			});
		},
	});
}

function pretendWhole(store: KeyValueStore): void {
	Object.defineProperty(store, "changing", { value: false, configurable: true });
}

function floorInTheMiddle(machine: ReplicaMachine): FloorImage | null {
	const { store } = machine;
	if (!store.changing) return machine.captureFloor();
	const applier: unknown = Reflect.get(machine, "applier");
	if (typeof applier !== "object" || applier === null) throw new Error("a replica has an applier");
	const unfinished: unknown = Reflect.get(applier, "unfinished");
	Reflect.set(applier, "unfinished", null);
	pretendWhole(store);
	const image = machine.captureFloor();
	Reflect.deleteProperty(store, "changing");
	Reflect.set(applier, "unfinished", unfinished);
	if (image === null) return null;
	return { ...image, appliedIndex: image.appliedIndex + 1, mark: { ...image.mark, revision: image.mark.revision + 1 } };
}
