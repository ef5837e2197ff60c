import { checkByRevision } from "../history/by-revision.ts";
import type { Attempt } from "../history/operation.ts";
import { smallestContradiction } from "../history/smallest.ts";
import { drawTimeline } from "../history/timeline.ts";
import { SimClient } from "./client.ts";
import type { Evidence, Judgement, PartCounts, PartKind, PartWorld, WorkloadPart } from "./parts.ts";
import { type Weights, Workload } from "./workload.ts";

/** Attempts are recorded in virtual microseconds. */
const UNITS_PER_MS = 1_000;

export interface KvPlan {
	readonly clients: number;
	readonly keys: number;
	readonly timeoutMs: number;
	readonly weights: Weights;
}

/** Puts, ranges, deletes, transactions and compactions over a handful of keys; judged by revisions. */
export const kvPart: PartKind<KvPlan> = {
	draw: (dice) => {
		const weight = (max: number): number => (dice.chance(2, 3) ? dice.range(1, max) : 0);
		return {
			clients: dice.range(2, 6),
			keys: dice.range(3, 10),
			timeoutMs: dice.pick([300, 1_000, 5_000]),
			weights: { put: dice.range(2, 10), get: dice.range(1, 10), range: weight(6), delete: weight(4), txn: weight(8), compact: weight(1) },
		};
	},
	make: (plan, world) => new KvPart(plan, world),
	*smaller(plan) {
		for (const kind of Object.keys(plan.weights) as Array<keyof Weights>) {
			if (plan.weights[kind] > 0 && kind !== "put") yield { ...plan, weights: { ...plan.weights, [kind]: 0 } };
		}
		if (plan.clients > 1) yield { ...plan, clients: plan.clients - 1 };
	},
};

class KvPart implements WorkloadPart {
	private readonly attempts: Attempt[] = [];
	private readonly clients: readonly SimClient[];

	constructor({ clients, keys, timeoutMs, weights }: KvPlan, world: PartWorld) {
		const workload = new Workload(world.dice.fork("workload"), weights, keys);
		this.clients = Array.from(
			{ length: clients },
			(_, id) =>
				new SimClient({ id, timeoutMs, workload, attempts: this.attempts, world: { ...world, dice: world.dice.fork(`client ${id}`) } }),
		);
	}

	start(): void {
		for (const client of this.clients) client.start();
	}

	stop(): void {
		for (const client of this.clients) client.stop();
	}

	get idle(): boolean {
		return this.clients.every((client) => client.idle);
	}

	get counts(): PartCounts {
		const outcomes = { ok: 0, refused: 0, unknown: 0 };
		for (const { outcome } of this.attempts) outcomes[outcome.kind]++;
		return { operations: this.attempts.length, acknowledged: outcomes.ok, refused: outcomes.refused, unknown: outcomes.unknown };
	}

	accountsFor(): Iterable<number> {
		return [];
	}

	judge({ changes, finalRevision, accounted }: Evidence): Judgement {
		const verdict = checkByRevision(this.attempts, changes, finalRevision, accounted);
		if (verdict.kind === "unknown") return { findings: [], undecided: verdict.reason };
		if (verdict.kind === "ok") return { findings: [], undecided: null };
		const { check, text } = verdict.violation;
		const contradiction = smallestContradiction(this.attempts, changes, finalRevision, verdict.violation);
		const drawing = drawTimeline(contradiction, changes, UNITS_PER_MS);
		return { findings: [[`history, ${check}: ${text}`, ...drawing].join("\n")], undecided: null };
	}
}
