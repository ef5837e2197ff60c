import { etcdserverpb as pb, v3lockpb } from "@flotilla/api";
import { type AnsweredLock, checkLocks } from "../history/lock-checks.ts";
import type { ClientWorld, Evidence, Judgement, PartCounts, PartKind, WorkloadPart } from "./parts.ts";

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
const LEASE_SECONDS = 2;
const RETRY_US = 100_000;
const FINDINGS_MAX = 5;
const encode = (text: string): Uint8Array => Buffer.from(text);

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

	get answers(): readonly AnsweredLock[] {
		return this.lockers.flatMap(({ answers }) => answers);
	}

	/** Keys that outlived their leases, in words. */
	get leftOver(): readonly string[] {
		return this.lockers.flatMap(({ leftOver }) => leftOver);
	}

	start(): void {
		for (const locker of this.lockers) locker.start();
	}

	stop(): void {
		for (const locker of this.lockers) locker.stopping = true;
	}

	get idle(): boolean {
		return this.lockers.every(({ idle }) => idle);
	}

	get counts(): PartCounts {
		const counts = { operations: 0, acknowledged: 0, refused: 0, unknown: 0 };
		for (const { tally } of this.lockers) for (const name of Object.keys(counts) as Array<keyof PartCounts>) counts[name] += tally[name];
		return counts;
	}

	*accountsFor(changes: Evidence["changes"]): Iterable<number> {
		for (const [revision, group] of changes) if (group.every(({ key }) => key.startsWith(LOCKED))) yield revision;
	}

	judge({ changes }: Evidence): Judgement {
		const findings = [...this.leftOver, ...checkLocks(LOCKED, changes, this.answers)];
		return { findings: findings.slice(0, FINDINGS_MAX).map((text) => `lock: ${text}`), undecided: null };
	}
}

type Step = { readonly wait: number } | { readonly path: string; readonly request: Uint8Array };
type Life = Generator<Step, void, Uint8Array | null>;

class Locker {
	readonly answers: AnsweredLock[] = [];
	/** Keys that outlived their lease. */
	readonly leftOver: string[] = [];
	readonly tally = { operations: 0, acknowledged: 0, refused: 0, unknown: 0 } satisfies PartCounts;
	idle = true;
	stopping = false;
	private readonly plan: Omit<LockPlan, "lockers">;
	private readonly world: ClientWorld;
	private nextId: bigint;

	constructor(number: number, plan: Omit<LockPlan, "lockers">, world: ClientWorld) {
		this.plan = plan;
		this.world = world;
		this.nextId = BigInt(number + 1) * 0x1000_0000n;
	}

	start(): void {
		this.idle = false;
		this.run(this.life(), null);
	}

	private *life(): Life {
		const { dice } = this.world;
		while (!this.stopping) {
			const id = this.nextId++;
			const granted = yield {
				path: "/etcdserverpb.Lease/LeaseGrant",
				request: pb.LeaseGrantRequest.encode({ ID: id, TTL: LEASE_SECONDS }),
			};
			if (granted === null) {
				yield { wait: RETRY_US };
				continue;
			}
			const answer = yield { path: "/v3lockpb.Lock/Lock", request: v3lockpb.LockRequest.encode({ name: encode(NAME), lease: id }) };
			if (answer !== null) {
				const { header, key } = v3lockpb.LockResponse.decode(answer);
				this.answers.push({ key: Buffer.from(key).toString(), revision: header?.revision ?? 0 });
				yield { wait: dice.range(1_000, this.plan.holdMs * 1_000) };
				if (dice.range(1, 100) <= this.plan.unlockPercent)
					yield { path: "/v3lockpb.Lock/Unlock", request: v3lockpb.UnlockRequest.encode({ key }) };
			}
			yield* this.awaitEnd(id);
		}
	}

	/** The next turn takes another lease; this one ends by itself, and then nothing of it is left. */
	private *awaitEnd(id: bigint): Life {
		for (;;) {
			const look = yield { path: "/etcdserverpb.Lease/LeaseTimeToLive", request: pb.LeaseTimeToLiveRequest.encode({ ID: id }) };
			if (look !== null && pb.LeaseTimeToLiveResponse.decode(look).grantedTTL === 0) break;
			yield { wait: RETRY_US };
		}
		const key = `${LOCKED}${id.toString(16)}`;
		const read = yield { path: "/etcdserverpb.KV/Range", request: pb.RangeRequest.encode({ key: encode(key) }) };
		if (read !== null && pb.RangeResponse.decode(read).count > 0) this.leftOver.push(`${key} is left over of a lease that has ended`);
	}

	private run(life: Life, heard: Uint8Array | null): void {
		const { done, value } = life.next(heard);
		if (done === true || value === undefined) this.idle = true;
		else this.take(value, (next) => this.run(life, next));
	}

	private take(step: Step, heard: (bytes: Uint8Array | null) => void): void {
		const { dice, time } = this.world;
		const members = this.world.members();
		if ("wait" in step || members.length === 0) {
			time.after("wait" in step ? step.wait : RETRY_US, () => heard(null));
			return;
		}
		const { timeoutMs } = this.plan;
		this.tally.operations++;
		let open = true;
		let cancel = (): void => {};
		const settle = (how: "acknowledged" | "refused" | "unknown", bytes: Uint8Array | null): void => {
			if (!open) return;
			open = false;
			this.tally[how]++;
			time.after(1, () => {
				cancel();
				heard(bytes);
			});
		};
		time.after(timeoutMs * 1_000, () => settle("unknown", null));
		cancel = dice.pick(members).call(step.path, step.request, timeoutMs, {
			respond: (bytes) => settle("acknowledged", bytes.slice()),
			fail: () => settle("refused", null),
			gone: () => settle("unknown", null),
		});
	}
}
