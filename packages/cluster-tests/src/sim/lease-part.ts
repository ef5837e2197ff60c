import { checkLease, type LeaseHistory, ownerOf } from "../history/lease-checks.ts";
import { checkOwned } from "../history/owned-keys.ts";
import { RevisionTimes } from "../history/revision-times.ts";
import { LEASED, LeaseHolder, type LeasePlan } from "./lease-holder.ts";
import type { ClientWorld, Evidence, Judgement, PartCounts, PartKind, WorkloadPart } from "./parts.ts";
import { sumTallies } from "./scripted-client.ts";

const FINDINGS_MAX = 5;

/** Clients that hold a lease each, renew it anywhere, let it go or lose it, and look what became of it and of its keys. */
export const leasePart: PartKind<LeasePlan> = {
	draw: (dice) => ({
		holders: dice.chance(1, 4) ? 0 : dice.range(1, 3),
		ttlSeconds: dice.range(0, 3),
		keysMax: dice.range(0, 3),
		timeoutMs: dice.pick([300, 1_000, 5_000]),
		revokePercent: dice.chance(2, 3) ? dice.range(1, 30) : 0,
		sleepPercent: dice.pick([30, 60, 150]),
	}),
	make: (plan, world) => new LeasePart(plan, world),
	*smaller(plan) {
		if (plan.holders > 0) yield { ...plan, holders: plan.holders - 1 };
		if (plan.keysMax > 0) yield { ...plan, keysMax: plan.keysMax - 1 };
		if (plan.revokePercent > 0) yield { ...plan, revokePercent: 0 };
	},
};

export class LeasePart implements WorkloadPart {
	private readonly holders: readonly LeaseHolder[];

	constructor({ holders, ...plan }: LeasePlan, world: ClientWorld) {
		this.holders = Array.from(
			{ length: holders },
			(_, at) => new LeaseHolder(at, plan, { ...world, dice: world.dice.fork(`holder ${at}`) }),
		);
	}

	get leases(): ReadonlyMap<bigint, LeaseHistory> {
		return new Map(this.holders.flatMap(({ leases }) => [...leases]));
	}

	start(): void {
		for (const holder of this.holders) holder.start();
	}

	/** Holders stop renewing and wait until their leases have ended: that they do is what the healing must bring. */
	stop(): void {
		for (const holder of this.holders) holder.stop();
	}

	get idle(): boolean {
		return this.holders.every(({ idle }) => idle);
	}

	get counts(): PartCounts {
		return sumTallies(this.holders);
	}

	/** Each of them is held against what the holders asked for. */
	*accountsFor(changes: Evidence["changes"]): Iterable<number> {
		for (const [revision, group] of changes) if (group.every(({ key }) => key.startsWith(LEASED))) yield revision;
	}

	judge({ changes, finalRevision }: Evidence): Judgement {
		const { leases } = this;
		const answers = [...leases.values()].flatMap(({ records }) =>
			records.flatMap((record) => (record.kind === "attached" ? [record] : [])),
		);
		const owners = [...leases].map(([id, lease]) => ownerOf(id, lease));
		const findings = [
			...[...leases].flatMap(([id, { records }]) => checkLease(id, records)),
			...checkOwned(LEASED, owners, changes, finalRevision, new RevisionTimes(answers)),
		];
		return { findings: findings.slice(0, FINDINGS_MAX).map(({ check, text }) => `lease, ${check}: ${text}`), undecided: null };
	}
}
