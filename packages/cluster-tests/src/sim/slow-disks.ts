import { CalmHouse } from "./calm-house.ts";

/** How the followers of a leader that was killed found another one, every disk being slow. */
export interface SlowElection {
	/** Until another member leads, in virtual milliseconds. */
	readonly leaderMs: number;
	/** Terms that it took. */
	readonly terms: number;
	/** Breaches of safety. */
	readonly findings: readonly string[];
}

const SLOW_FOR_US = 6_000_000;
const PATIENCE_MS = 5_000;

/** Every operation of every disk takes so much longer; under load, or after a long time in which nobody wrote. */
export function leaderDiesOnSlowDisks(seed: string, slowMs: number, load: "writes" | "idle"): SlowElection {
	const house = new CalmHouse(seed);
	const leader = load === "idle" ? house.leader() : house.load();
	for (const { disk } of house.fleet.all) disk.slow(slowMs);
	house.pass(SLOW_FOR_US);
	const before = house.term;
	if (!leader.leads) throw new Error(`seed ${seed}: the leader changed before it died`);
	leader.crash("process");
	let leaderMs = 0;
	while (leaderMs < PATIENCE_MS && !house.fleet.all.some((member) => member.leads)) {
		house.pass(1_000);
		leaderMs++;
	}
	const terms = house.term - before;
	for (const { disk } of house.fleet.all) disk.mend();
	leader.start();
	return { leaderMs, terms, findings: house.findings() };
}
