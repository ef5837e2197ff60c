/**
 * Seeds that once found a bug, of the product or of the simulator itself. Every test run replays them. A seed is the same run only
 * while plan and workload are drawn as they were, so each bug has a test of its own as well (docs/found-bugs.md): these seeds
 * hold the circumstances, not the proof. As many as cost a few seconds; the oldest go first.
 */
import type { PlanLimits } from "./plan.ts";

export interface RegressionSeed {
	readonly seed: string;
	/** As `--seconds` and `--operations` of the command that replays it. */
	readonly limits: PlanLimits;
	readonly was: string;
}

const DEFAULT_LIMITS: PlanLimits = { faultyMs: 20_000, operationsMin: 300 };

export const REGRESSION_SEEDS: readonly RegressionSeed[] = [
	{
		seed: "2000286",
		limits: DEFAULT_LIMITS,
		was: "a leader sent a damaged record to a new member again and again",
	},
	{
		seed: "74000023",
		limits: DEFAULT_LIMITS,
		was: "the simulator: who was left without the leader led itself, and the rest was asked to agree on another",
	},
	{
		seed: "721003082",
		limits: DEFAULT_LIMITS,
		was: "the simulator: the rest was at rest under a leader that was left deaf, and began a term when that one gave up",
	},
	{
		seed: "721003369",
		limits: DEFAULT_LIMITS,
		was: "the simulator: a learner whose damage was found only when everything was mended was asked to serve",
	},
	{
		seed: "721004187",
		limits: DEFAULT_LIMITS,
		was: "news of a commit was held back while the connections that it was for were closed: a new member never heard of itself",
	},
	{
		seed: "722406989",
		limits: DEFAULT_LIMITS,
		was: "two of three could not elect: one did not know the other, and who knew both was gone",
	},
	{
		seed: "724230505",
		limits: DEFAULT_LIMITS,
		was: "the simulator: a supervisor started the member that was left dead, and it led on",
	},
	{
		seed: "727226168",
		limits: DEFAULT_LIMITS,
		was: "the simulator: a disk was lost before the only other full member knew that a third voter had come",
	},
	{
		seed: "728990233",
		limits: DEFAULT_LIMITS,
		was: "the checker: a write of unknown outcome was taken for a deletion that another one made, and missed at its own revision",
	},
	{
		seed: "734412096",
		limits: DEFAULT_LIMITS,
		was: "the simulator: a way that had been clogged still let nothing through when the rest was asked to be calm",
	},
	{
		seed: "734412126",
		limits: DEFAULT_LIMITS,
		was: "a leader that handed over proposed to leave a joint configuration meanwhile",
	},
	{
		seed: "776166685",
		limits: DEFAULT_LIMITS,
		was: "the simulator: who learned late that it had been elected was asked for an entry that a later leader had committed since",
	},
	{
		seed: "776167211",
		limits: DEFAULT_LIMITS,
		was: "a heartbeat let an old copy of a folder commit entries of its own, since only their number was looked at",
	},
];
