/**
 * What clients do in a run comes in parts: each draws its requests, records what it was told, and judges that at the end.
 * A part is three things in a file of its own (see `kv-part.ts`); `part-kinds.ts` lists them all.
 */
import type { Dice } from "@flotilla/base";
import type { Change } from "../history/operation.ts";
import type { SimMember } from "./member.ts";
import type { Answer, ClientStream, StreamListener } from "./member-calls.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A member as a client sees it, simulated or real. */
export interface ClientMember {
	/** Returns what the client's cancellation does. */
	call(path: string, request: Uint8Array, timeoutMs: number, answer: Answer): () => void;
	openStream(path: string, listener: StreamListener): ClientStream;
}

/** All that a client needs of the world: those that keep to it work against real processes as well. */
export interface ClientWorld {
	readonly time: { after(us: number, work: () => void): unknown };
	readonly dice: Dice;
	/** Whom a client may call: members that run, start, lag or were cut off, but none that were removed. */
	members(): readonly ClientMember[];
	/** No two moments are equal: what is recorded later has the greater time, in microseconds. */
	moment(): number;
}

export interface PartWorld extends ClientWorld {
	readonly time: VirtualTime;
	members(): readonly SimMember[];
}

/** What the members themselves say happened, gathered when all is at rest. */
export interface Evidence {
	/** The changes of every revision from 2 to the final one, from the records that members wrote. */
	readonly changes: ReadonlyMap<number, readonly Change[]>;
	readonly finalRevision: number;
	/** Revisions that some part accounts for without a request for these changes (`WorkloadPart.accountsFor`). */
	readonly accounted: ReadonlySet<number>;
}

/** How many attempts there were and how they ended. */
export interface PartCounts {
	readonly operations: number;
	readonly acknowledged: number;
	readonly refused: number;
	readonly unknown: number;
}

export interface Judgement {
	/** What was broken, in words that begin with the name of the check and a colon. */
	readonly findings: readonly string[];
	/** Why it cannot be told, if it cannot. */
	readonly undecided: string | null;
}

export interface WorkloadPart {
	start(): void;
	/** No new requests; what is open ends by its answer or its time-out. */
	stop(): void;
	/** Nothing is open. */
	readonly idle: boolean;
	readonly counts: PartCounts;
	/** Revisions whose changes nobody asked for and that are right all the same: what a lease took along when it ended. */
	accountsFor(changes: Evidence["changes"]): Iterable<number>;
	judge(evidence: Evidence): Judgement;
}

/** `Plan` is plain data, drawn before the run begins and printed with a failure. */
export interface PartKind<Plan> {
	draw(dice: Dice): Plan;
	make(plan: Plan, world: PartWorld): WorkloadPart;
	/** Plans that ask for a little less each, for the search for the smallest one that still fails. */
	smaller(plan: Plan): Iterable<Plan>;
}
