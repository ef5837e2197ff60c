/** What must have happened in a run for its verdict to mean something. */
import { type Attempt, isSerializable } from "../history/operation.ts";
import type { Scenario } from "./scenario.ts";

/** Calls below which a run proves nothing, a client and a second. */
const CALLS_MIN = 2;

export interface Happened {
	readonly scenario: Scenario;
	readonly attempts: readonly Attempt[];
	/** Members of each fault. */
	readonly faults: ReadonlyArray<{ readonly members: readonly string[] }>;
	/** Leases that clients asked for. */
	readonly leases: number;
}

/** What is lacking, in words; empty when enough happened. */
export function lacking({ scenario, attempts, faults, leases }: Happened): readonly string[] {
	const findings: string[] = [];
	const acknowledged = attempts.filter(({ outcome, operation }) => outcome.kind === "ok" && !isSerializable(operation)).length;
	const least = CALLS_MIN * scenario.clients * scenario.seconds;
	if (acknowledged < least) findings.push(`${acknowledged} calls were answered, ${least} are the least`);
	if (scenario.holders > 0 && leases === 0) findings.push("no lease was granted");
	const due = scenario.faults.some(
		({ at, every }) => Math.min(at?.minMs ?? Number.POSITIVE_INFINITY, every?.maxMs ?? Number.POSITIVE_INFINITY) < scenario.seconds * 1_000,
	);
	if (due && !faults.some(({ members }) => members.length > 0)) findings.push("no fault was struck");
	return findings;
}
