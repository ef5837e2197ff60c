import { checkElection } from "../history/election-checks.ts";
import { Candidate, type CandidatePlan, ELECTION_PREFIX } from "./candidate.ts";
import { ElectionObserver } from "./election-observer.ts";
import type { Evidence, Judgement, PartCounts, PartKind, PartWorld, WorkloadPart } from "./parts.ts";
import { sumTallies } from "./scripted-client.ts";

export interface ElectionPlan extends CandidatePlan {
	readonly candidates: number;
	readonly observers: number;
	/** How often an observer stops reading for a while, of a hundred steps. */
	readonly stallPercent: number;
}

const FINDINGS_MAX = 5;

/** Candidates who stand, proclaim, resign or lose their lease, and observers; judged by revisions. */
export const electionPart: PartKind<ElectionPlan> = {
	draw: (dice) => ({
		candidates: dice.chance(1, 2) ? 0 : dice.range(2, 4),
		observers: dice.range(0, 2),
		stallPercent: dice.pick([0, 10, 40]),
		timeoutMs: dice.pick([1_000, 4_000]),
		quietMs: dice.pick([20, 200, 1_000]),
		proclamations: dice.range(1, 6),
		resignPercent: dice.pick([50, 90, 100]),
	}),
	make: (plan, world) => new ElectionPart(plan, world),
	*smaller(plan) {
		if (plan.candidates > 0) yield { ...plan, candidates: plan.candidates - 1 };
		if (plan.observers > 0) yield { ...plan, observers: plan.observers - 1 };
		if (plan.stallPercent > 0) yield { ...plan, stallPercent: 0 };
	},
};

class ElectionPart implements WorkloadPart {
	private readonly candidates: readonly Candidate[];
	private readonly observers: readonly ElectionObserver[];

	constructor({ candidates, observers, stallPercent, ...plan }: ElectionPlan, world: PartWorld) {
		const worldOf = (name: string): PartWorld => ({ ...world, dice: world.dice.fork(name) });
		this.candidates = Array.from({ length: candidates }, (_, at) => new Candidate(at, plan, worldOf(`candidate ${at}`)));
		// Where nobody stands there is nothing to see.
		this.observers = Array.from(
			{ length: candidates === 0 ? 0 : observers },
			(_, at) => new ElectionObserver(`observer ${at}`, stallPercent, worldOf(`observer ${at}`)),
		);
	}

	start(): void {
		for (const client of [...this.candidates, ...this.observers]) client.start();
	}

	stop(): void {
		for (const client of [...this.candidates, ...this.observers]) client.stop();
	}

	get idle(): boolean {
		return [...this.candidates, ...this.observers].every(({ idle }) => idle);
	}

	get counts(): PartCounts {
		return sumTallies(this.candidates);
	}

	*accountsFor(changes: Evidence["changes"]): Iterable<number> {
		for (const [revision, group] of changes) if (group.every(({ key }) => key.startsWith(ELECTION_PREFIX))) yield revision;
	}

	judge({ changes }: Evidence): Judgement {
		const breaches = checkElection(
			ELECTION_PREFIX,
			changes,
			this.candidates.flatMap(({ records }) => records),
			this.observers.flatMap(({ records }) => records),
		);
		const leftOver = this.candidates.flatMap((candidate) => candidate.leftOver.map((text) => ({ check: "candidate", text })));
		const findings = [...leftOver, ...breaches].slice(0, FINDINGS_MAX).map(({ check, text }) => `election, ${check}: ${text}`);
		return { findings, undecided: null };
	}
}
