import { MARK_NAMES, type MarkName } from "@flotilla/base";
import type { SeedReport } from "./campaign.ts";
import { staysAt } from "./plan.ts";
import type { RunCounts } from "./run.ts";
import { Speed } from "./speed.ts";

type Summed = { [Name in keyof RunCounts]: RunCounts[Name] extends number ? Name : never }[keyof RunCounts];

const SUMMED = [
	"operations",
	"acknowledged",
	"refused",
	"unknown",
	"elections",
	"crashes",
	"floors",
	"snapshots",
	"added",
	"learnersAdded",
	"promoted",
	"removed",
	"updated",
	"refusedStarts",
	"refusedFrames",
] as const satisfies readonly Summed[];

/** Every fault that cuts members off from each other. */
const PARTITIONS: readonly string[] = ["partition", "bridge", "deaf", "mute", "flapping link"];

/**
 * What a thousand runs must have done at least, or they say little (faults.md 12): a quarter of what they do. What one run must do is
 * in its plan.
 */
const LEAST_OF_1000: Partial<Record<Summed, number>> = {
	unknown: 50_000,
	elections: 1_500,
	crashes: 4_500,
	snapshots: 250,
	added: 150,
	learnersAdded: 80,
	promoted: 15,
	removed: 250,
	updated: 90,
	refusedStarts: 75,
	refusedFrames: 900,
};

/** A test that goes to a branch and asserts its mark: the file below `packages`, and its title. */
export interface ReachedBy {
	readonly why: string;
	readonly file: string;
	readonly title: string;
}

/** Branches that whole members under this workload do not reach. */
export const REACHED_ELSEWHERE: Partial<Record<MarkName, ReachedBy>> = {
	compactionsJoined: {
		why: "needs 64 compactions that wait",
		file: "mvcc/test/compactions.test.ts",
		title: "of more compactions than may wait the last ones are cleaned up as one",
	},
	compactionPinned: {
		why: "reads are over before a pass begins",
		file: "mvcc/test/compactions.test.ts",
		title: "a clean-up waits for a hash that is under way and reads what it would remove",
	},
	clusterForced: {
		why: "only an operator's flag makes a new cluster of one member",
		file: "server/src/driver/force-cluster.test.ts",
		title: "does it once: with the flag left on, what has joined since is not thrown out; a start without it allows it again",
	},
};

/** Too rare to be demanded of a campaign: none or few of some hundred runs came there. They are named when they are missed. */
export const NOT_DEMANDED: Partial<Record<MarkName, ReachedBy>> = {
	snapshotFastForward: {
		why: "the entries must arrive between the capture of the state and its end",
		file: "raft/test/snapshots.test.ts",
		title: "SC-077 a snapshot of an entry that the log holds keeps the log: only the commit moves",
	},
	returnedEntryHeld: {
		why: "three writes must be under way while two other leaders come, and the second brings back what the first overwrote",
		file: "raft/test/replication.test.ts",
		title: "SC-025 an entry that is overwritten and comes back is stable when its last write is (A, B, A)",
	},
	jointLeftByNextLeader: {
		why: "the leader must go in the moment between entering a joint configuration and leaving it, and few runs enter any",
		file: "raft/test/membership.test.ts",
		title: "SC-058 two members at once go through a joint configuration that leaves by itself, once, even if its leader changes",
	},
	fetchedTooLate: {
		why: "the log must be cut between a question to it and its answer",
		file: "raft/test/snapshots.test.ts",
		title: "entries that were asked of the WAL and are cut there before they are read: a snapshot takes their place",
	},
	rolledWithoutRoom: {
		why: "the spare segment is made long before",
		file: "server/test/wal/operations.test.ts",
		title: "SC-093 ends the member when no room is left at all; with room it starts again with everything",
	},
	firstStartRepeated: {
		why: "a first start takes milliseconds, and the first leader is elected in peace",
		file: "server/src/driver/boot.test.ts",
		title: "that was interrupted may be started with other flags: nothing was promised yet",
	},
};

/** Fewer runs may miss a branch by chance; so many that miss one show that the simulation no longer goes there. */
export const MARKS_RUNS_MIN = 500;

/** Adds up what the runs of a campaign did. */
export class Tally {
	runs = 0;
	failed = 0;
	/** Runs whose history nobody could judge. */
	undecided = 0;
	virtualMs = 0;
	private readonly three = new Speed();
	private readonly others = new Speed();
	private readonly sums = new Map<Summed, number>();
	private readonly faults = new Map<string, number>();
	private readonly marks = new Map<MarkName, number>();
	private readonly deaths = new Map<string, number>();

	add({ result, differs, cpuMs, realMs }: SeedReport): void {
		this.runs++;
		if (result.verdict === "violated" || differs) this.failed++;
		if (result.verdict === "unknown") this.undecided++;
		this.virtualMs += result.virtualMs;
		(staysAt(result.plan, 3) ? this.three : this.others).add(result.virtualMs, cpuMs, realMs);
		for (const name of SUMMED) this.sums.set(name, this.sum(name) + result.counts[name]);
		for (const { fault } of result.faults) raise(this.faults, fault, 1);
		for (const name of MARK_NAMES) this.marks.set(name, (this.marks.get(name) ?? 0) + result.marks[name]);
		for (const [point, count] of result.counts.deathsAt) raise(this.deaths, point, count);
	}

	/** Every run was judged, and none broke anything. */
	get clean(): boolean {
		return this.runs > 0 && this.failed === 0 && this.undecided === 0;
	}

	sum(name: Summed): number {
		return this.sums.get(name) ?? 0;
	}

	faultCount(name: string): number {
		return this.faults.get(name) ?? 0;
	}

	/** Branches that no run has reached, though one should have. */
	get missed(): MarkName[] {
		return MARK_NAMES.filter((name) => (this.marks.get(name) ?? 0) === 0 && REACHED_ELSEWHERE[name] === undefined);
	}

	/** Of those, what so many runs must reach. */
	get missedThoughDemanded(): MarkName[] {
		return this.missed.filter((name) => NOT_DEMANDED[name] === undefined);
	}

	/** What happened too seldom for so many runs, with how often it did. */
	get tooSeldom(): string[] {
		return (Object.entries(LEAST_OF_1000) as Array<[Summed, number]>)
			.map(([name, least]) => ({ name, least: Math.floor((least * this.runs) / 1_000), count: this.sum(name) }))
			.filter(({ least, count }) => count < least)
			.map(({ name, least, count }) => `${name} (${count} of ${least})`);
	}

	/** So many runs went to too few places to say anything by finding nothing. */
	get blind(): boolean {
		return this.runs >= MARKS_RUNS_MIN && (this.missedThoughDemanded.length > 0 || this.tooSeldom.length > 0);
	}

	lines(): string[] {
		const partitions = PARTITIONS.reduce((total, name) => total + this.faultCount(name), 0);
		const changes = this.sum("added") + this.sum("promoted") + this.sum("removed") + this.sum("updated");
		return [
			`${this.runs - this.failed - this.undecided} of ${this.runs} runs ok, ${this.undecided} undecided, ${this.failed} failed`,
			`${Math.round(this.virtualMs / 1_000)} simulated seconds, ${this.sum("operations")} client operations (${this.sum("acknowledged")} acknowledged, ${this.sum("refused")} refused, ${this.sum("unknown")} unknown)`,
			`${this.sum("elections")} elections, ${this.sum("crashes")} crashes, ${partitions} partitions, ${this.sum("snapshots")} snapshots, ${this.sum("floors")} floors`,
			`${changes} membership changes: ${this.sum("added")} added (${this.sum("learnersAdded")} as learners), ${this.sum("promoted")} promoted, ${this.sum("removed")} removed, ${this.sum("updated")} updated; ${this.sum("refusedStarts")} starts and ${this.sum("refusedFrames")} frames refused for damage`,
			`faults: ${listed(this.faults)}`,
			`deaths between two operations, by the operation: ${listed(this.deaths)}`,
			`marks: ${listed(this.marks)}`,
			`marks never reached: ${this.missed.join(", ") || "none"}`,
			`happened too seldom: ${this.tooSeldom.join(", ") || "nothing"}`,
			`speed, three members: ${this.three.describe()} of one thread`,
			`speed, all others: ${this.others.describe()} of one thread`,
		];
	}
}

function raise(counts: Map<string, number>, name: string, by: number): void {
	counts.set(name, (counts.get(name) ?? 0) + by);
}

function listed(counts: ReadonlyMap<string, number>): string {
	const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
	return sorted.map(([name, count]) => `${count} ${name}`).join(", ") || "none";
}
