import { v3lockpb } from "@flotilla/api";
import { answeredOf, checkLocks, type LockTurn, ownerOfTurn } from "../history/lock-checks.ts";
import { checkOwned, type LeaseSpan } from "../history/owned-keys.ts";
import { RevisionTimes } from "../history/revision-times.ts";
import { Contestant } from "./contestant.ts";
import type { ClientWorld, Evidence, Judgement, PartCounts, PartKind, WorkloadPart } from "./parts.ts";
import { type Life, sumTallies } from "./scripted-client.ts";

export interface LockPlan {
	readonly lockers: number;
	readonly timeoutMs: number;
	/** How long a holder keeps the lock at most. */
	readonly holdMs: number;
	/** How often a holder gives the lock back, and does not leave that to its lease. */
	readonly unlockPercent: number;
}

const NAME = "b";
/** Of all keys of locks, and of no others. */
export const LOCKED = `${NAME}/`;
const FINDINGS_MAX = 5;

/** Clients that queue for one lock, hold it, give it back or lose it; judged by revisions. */
export const lockPart: PartKind<LockPlan> = {
	draw: (dice) => ({
		lockers: dice.chance(1, 2) ? 0 : dice.range(2, 4),
		timeoutMs: dice.pick([1_000, 4_000]),
		holdMs: dice.pick([20, 200, 1_000]),
		unlockPercent: dice.pick([50, 90, 100]),
	}),
	make: (plan, world) => new LockPart(plan, world),
	*smaller(plan) {
		if (plan.lockers > 0) yield { ...plan, lockers: plan.lockers - 1 };
	},
};

export class LockPart implements WorkloadPart {
	private readonly lockers: readonly Locker[];

	constructor({ lockers, ...plan }: LockPlan, world: ClientWorld) {
		this.lockers = Array.from({ length: lockers }, (_, at) => new Locker(at, plan, { ...world, dice: world.dice.fork(`locker ${at}`) }));
	}

	get turns(): readonly LockTurn[] {
		return this.lockers.flatMap(({ turns }) => turns);
	}

	/** Keys that outlived their leases, in words. */
	get leftOver(): readonly string[] {
		return this.lockers.flatMap(({ leftOver }) => leftOver);
	}

	start(): void {
		for (const locker of this.lockers) locker.start();
	}

	stop(): void {
		for (const locker of this.lockers) locker.stop();
	}

	get idle(): boolean {
		return this.lockers.every(({ idle }) => idle);
	}

	get counts(): PartCounts {
		return sumTallies(this.lockers);
	}

	/** Each of them is held against what the lockers asked for. */
	*accountsFor(changes: Evidence["changes"]): Iterable<number> {
		for (const [revision, group] of changes) if (group.every(({ key }) => key.startsWith(LOCKED))) yield revision;
	}

	judge({ changes, finalRevision }: Evidence): Judgement {
		const { turns } = this;
		const owned = checkOwned(LOCKED, turns.map(ownerOfTurn), changes, finalRevision, new RevisionTimes([]));
		const findings = [
			...this.leftOver,
			...checkLocks(LOCKED, changes, answeredOf(turns)),
			...[...owned].map(({ check, text }) => `${check}: ${text}`),
		];
		return { findings: findings.slice(0, FINDINGS_MAX).map((text) => `lock: ${text}`), undecided: null };
	}
}

class Locker extends Contestant {
	readonly turns: LockTurn[] = [];
	private readonly plan: Omit<LockPlan, "lockers">;

	constructor(number: number, plan: Omit<LockPlan, "lockers">, world: ClientWorld) {
		super(LOCKED, BigInt(number + 1) * 0x1000_0000n, world, plan.timeoutMs);
		this.plan = plan;
	}

	protected override *takeTurn(lease: bigint, granted: LeaseSpan): Life {
		const { dice } = this.world;
		const invoked = this.world.moment();
		// Whoever gets no answer has waited no longer from some moment on: the member takes the key away when it notices.
		const tried: LockTurn = { key: this.keyOf(lease), granted, invoked, revision: null, leftFrom: invoked };
		const place = this.turns.push(tried) - 1;
		const answer = yield* this.ask("/v3lockpb.Lock/Lock", v3lockpb.LockRequest.encode({ name: Buffer.from(NAME), lease }));
		if (answer === null) return;
		const { header, key: bytes } = v3lockpb.LockResponse.decode(answer);
		const held = { ...tried, key: Buffer.from(bytes).toString(), revision: header?.revision ?? 0, leftFrom: null };
		this.turns[place] = held;
		yield* this.wait(dice.range(1_000, this.plan.holdMs * 1_000));
		if (dice.range(1, 100) > this.plan.unlockPercent) return;
		this.turns[place] = { ...held, leftFrom: this.world.moment() };
		yield* this.ask("/v3lockpb.Lock/Unlock", v3lockpb.UnlockRequest.encode({ key: bytes }));
	}
}
