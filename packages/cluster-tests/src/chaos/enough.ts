/** What must have happened in a run for its verdict to mean something. */
import { type Attempt, isSerializable } from "../history/operation.ts";
import type { Scenario } from "./scenario.ts";

/** Calls below which a run proves nothing, a client and a second; a run that goes on for longer need not have more. */
const CALLS_MIN = 2;
const SECONDS_MAX = 30;

export interface Happened {
	readonly scenario: Scenario;
	/** How long faults went on; of a run that goes on beyond the scenario's time, that time. */
	readonly seconds: number;
	readonly attempts: readonly Attempt[];
	/** Those that were tried; without members they struck nobody. */
	readonly faults: ReadonlyArray<{ readonly fault: string; readonly members: readonly string[] }>;
	/** Leases that clients asked for. */
	readonly leases: number;
}

/** What is lacking, in words; empty when enough happened. */
export function lacking({ scenario, seconds, attempts, faults, leases }: Happened): readonly string[] {
	const findings: string[] = [];
	const acknowledged = attempts.filter(({ outcome, operation }) => outcome.kind === "ok" && !isSerializable(operation)).length;
	const least = CALLS_MIN * scenario.clients * Math.ceil(Math.min(seconds, SECONDS_MAX));
	if (acknowledged < least) findings.push(`${acknowledged} calls were answered, ${least} are the least`);
	if (scenario.holders > 0 && leases === 0) findings.push("no lease was granted");
	const struck = new Set(faults.flatMap(({ fault, members }) => (members.length > 0 ? [fault] : [])));
	if (scenario.faults.length > 0 && struck.size === 0) return [...findings, "no fault was struck"];
	const due = scenario.faults.filter(({ at, every }) => (at?.maxMs ?? every?.maxMs ?? 0) < seconds * 1_000);
	for (const fault of new Set(due.map((line) => line.fault))) if (!struck.has(fault)) findings.push(`${fault} was due and struck nobody`);
	return findings;
}
