import { Dice } from "@flotilla/base";
import type { EventGroup } from "@flotilla/mvcc";
import { type ReadCall, type ReplicaMachine, WriteCall } from "@flotilla/replica";
import type { FileCompletion, FileDisk, FileOp, MemberPort, StoreHouse } from "@flotilla/server/internal";
import { CALM_MUTANTS, type CalmMutant, isCalmMutant, spoilVotes } from "./calm-mutants.ts";
import { CONTEST_MUTANTS, type ContestMutant, isContestMutant, spoilContests } from "./contest-mutants.ts";
import { isLeaseMutant, LEASE_MUTANTS, type LeaseMutant, spoilLeases } from "./lease-mutants.ts";
import { isMembershipMutant, MEMBERSHIP_MUTANTS, type MembershipMutant, spoilSettlement } from "./membership-mutants.ts";
import { override } from "./override.ts";
import { blankAddresses, isRejoinMutant, REJOIN_MUTANTS, type RejoinMutant } from "./rejoin-mutants.ts";
import { isSliceMutant, SLICE_MUTANTS, type SliceMutant, spoilReads, spoilSlices } from "./slice-mutants.ts";
import {
	isStorageMutant,
	STORAGE_MUTANTS,
	type StorageMutant,
	skipBarriers,
	skipFolderSyncs,
	skipRepairs,
	spoilInstalls,
} from "./storage-mutants.ts";
import { isWatchMutant, spoilEvents, spoilWatches, WATCH_MUTANTS, type WatchMutant } from "./watch-mutants.ts";

/**
 * Bugs planted between driver and replica: each breaks one promise, and a simulator that does not find it is not worth its
 * time. Named for what they do.
 */
export const MUTANTS = [
	"acknowledgesBeforeDurable",
	"readsWithoutBarrier",
	"proposesTwice",
	"losesAppliedTail",
	"goesOnAfterFailedWrite",
	"takesDamagedFrames",
	"truncatesMidLog",
	"drawsElsewhere",
	"ignoresLimits",
	"trustsHeartbeats",
] as const;
/** Those of watching, of leases, of locks and elections, of lost connections, of slices, of what is stored, of members and of lost stores have lists of their own. */
export type Mutant =
	| (typeof MUTANTS)[number]
	| WatchMutant
	| LeaseMutant
	| ContestMutant
	| CalmMutant
	| SliceMutant
	| StorageMutant
	| MembershipMutant
	| RejoinMutant;
export const ALL_MUTANTS: readonly Mutant[] = [
	...MUTANTS,
	...WATCH_MUTANTS,
	...LEASE_MUTANTS,
	...CONTEST_MUTANTS,
	...CALM_MUTANTS,
	...SLICE_MUTANTS,
	...STORAGE_MUTANTS,
	...MEMBERSHIP_MUTANTS,
	...REJOIN_MUTANTS,
];

export function mutate(machine: ReplicaMachine, mutant: Mutant | null): ReplicaMachine {
	if (isCalmMutant(mutant)) return override(machine, spoilVotes(machine, mutant));
	if (isLeaseMutant(mutant)) return override(machine, spoilLeases(machine, mutant));
	if (isSliceMutant(mutant)) return override(machine, spoilSlices(machine, mutant));
	if (isMembershipMutant(mutant)) return spoilSettlement(machine, mutant);
	if (isStorageMutant(mutant)) return override(machine, spoilInstalls(machine, mutant));
	if (isWatchMutant(mutant)) {
		return override(machine, {
			drain: () => {
				const output = machine.drain();
				return { ...output, events: spoilEvents(output.events, mutant) as EventGroup[] };
			},
		});
	}
	if (isContestMutant(mutant) || isRejoinMutant(mutant)) return machine;
	switch (mutant) {
		case null:
		case "goesOnAfterFailedWrite":
		case "takesDamagedFrames":
		case "truncatesMidLog":
		case "drawsElsewhere":
		case "ignoresLimits":
			return machine;
		case "acknowledgesBeforeDurable":
			// The core is told that its write is durable while the disk still works on it.
			return override(machine, {
				drain: () => {
					const output = machine.drain();
					const last = output.appends.at(-1);
					if (last === undefined) return output;
					const copy = { ...output, send: [...output.send], appends: [...output.appends], completions: [...output.completions] };
					machine.onPersisted(last.seq);
					return copy;
				},
				onPersisted: () => {},
			});
		case "trustsHeartbeats":
			return override(machine, trustHeartbeats(machine));
		case "readsWithoutBarrier":
			// Answered from what this member has, as a serializable read would be.
			return override(machine, { read: (call: ReadCall) => call.done({ ok: true }) });
		case "proposesTwice":
			return override(machine, {
				write: (call: WriteCall) => {
					machine.write(call);
					machine.write(new WriteCall(call.kind, call.payload, call.user, call.authRevision, call.timeoutTicks, () => {}));
				},
			});
		case "losesAppliedTail":
			// A batch of records never reaches the store, and nobody is told.
			return override(machine, {
				drain: () => {
					const output = machine.drain();
					return { ...output, batches: output.batches.map((batch) => ({ ...batch, puts: batch.puts.slice(0, -1) })) };
				},
			});
	}
}

/** Rule C5 left out: whatever a heartbeat names is taken for committed, as far as the log goes, whichever entry stands there. */
function trustHeartbeats(machine: ReplicaMachine): Partial<ReplicaMachine> {
	const { log } = (machine as unknown as { core: { r: { log: { lastIndex: number; termAt(index: number): number } } } }).core.r;
	return {
		receive: (message) => {
			if (message.kind !== "heartbeat") return machine.receive(message);
			const commit = Math.min(message.commit, log.lastIndex);
			return machine.receive({ ...message, commit, commitTerm: Math.max(0, log.termAt(commit)) });
		},
	};
}

/** Outlives every run, as the state of Math.random does. */
const ELSEWHERE = new Dice("elsewhere");

/** A random draw outside the stream: of all that a member draws only its election timeouts come from elsewhere. */
export function spoilDice(dice: Dice, mutant: Mutant | null): Dice {
	if (mutant !== "drawsElsewhere") return dice;
	return override(dice, { fork: (name) => (name === "elections" ? ELSEWHERE : spoilDice(dice.fork(name), mutant)) });
}

export function spoilHouse(house: StoreHouse, mutant: Mutant | null): StoreHouse {
	if (mutant === "skipsBarriers") return skipBarriers(house);
	return mutant === "forgetsFolder" ? skipFolderSyncs(house) : house;
}

/** Bugs of the services stand between them and their member. */
export function spoilPort(member: MemberPort, mutant: Mutant | null): MemberPort {
	if (isWatchMutant(mutant)) return spoilWatches(member, mutant);
	if (mutant === "readsEndRevision") return spoilReads(member);
	return isContestMutant(mutant) ? spoilContests(member, mutant) : member;
}

/** Of this bug it is the disk that knows: what failed to be written is said to be written, and the member leads on (raft.md 9.9). */
export function spoilDisk(disk: FileDisk, mutant: Mutant | null): FileDisk {
	if (mutant === "trustsPageCache") return skipRepairs(disk);
	if (mutant === "notesNoAddresses") return blankAddresses(disk);
	if (mutant !== "goesOnAfterFailedWrite") return disk;
	const lengths = new Map<number, number>();
	return {
		submit: (op: FileOp) => {
			if (op.kind === "write") lengths.set(op.id, op.data.length);
			disk.submit(op);
		},
		get onCompletion() {
			return disk.onCompletion;
		},
		set onCompletion(listener: (completion: FileCompletion) => void) {
			disk.onCompletion = (completion) => {
				const bytes = lengths.get(completion.id);
				lengths.delete(completion.id);
				listener(bytes === undefined ? completion : { ...completion, error: null, bytes });
			};
		},
	};
}
