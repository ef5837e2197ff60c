/** What each change of leader cost, and what the members did meanwhile. */
import { type Attempt, changed } from "../history/operation.ts";
import type { RunRecord, StruckFault } from "./run.ts";
import type { TimelineEvent } from "./tap-watch.ts";

export type FailoverStep = Omit<TimelineEvent, "term">;

export const STAGES = ["last heartbeat", "leader missed", "pre-vote", "vote", "leads", "first commit", "first write"] as const;

/** When the change had come so far; members that tell nothing have only the last one. */
export interface FailoverStage {
	readonly stage: (typeof STAGES)[number];
	readonly atMs: number;
}

export interface Failover {
	readonly term: number;
	readonly from: string;
	readonly to: string;
	/** The fault that struck the former leader, or that no fault did. */
	readonly cause: string;
	/**
	 * The time without an acknowledged write in which the new leader was elected, from the last one before to the first after. Where no
	 * member told when that was: the longest such time around the change, which on a busy machine may be another one.
	 */
	readonly lastWriteMs: number;
	readonly nextWriteMs: number;
	readonly costMs: number;
	/** Calls that were open when writes stopped, and those that ended without an answer. */
	readonly waited: number;
	readonly failed: number;
	/** In the order of `STAGES`, without those that nobody told of. */
	readonly stages: readonly FailoverStage[];
	readonly steps: readonly FailoverStep[];
}

/** A leader is seen late by at most this. */
const SEEN_LATE_MS = 300;
const CAUSE_MS = 15_000;
const MILD = "reset";
/** A fault that ended so long before is none of those under which the next leader was elected. */
const UNDER_WAY_MS = 3_000;
/** What members say so long before the last write and after the first one belongs to the change: heartbeats come every 100 ms. */
const AROUND_MS = 150;

/** Times count from the start of the run. */
export function failoversOf(record: RunRecord): Failover[] {
	const { attempts, tenures, faults, timeline, startedMs, endedMs } = record;
	const writes = attempts
		.flatMap(({ outcome }) => (outcome.kind === "ok" && changed(outcome.answer) ? [outcome.returned] : []))
		.sort((a, b) => a - b);
	const failovers: Failover[] = [];
	for (const [at, tenure] of tenures.entries()) {
		const before = tenures[at - 1];
		if (before === undefined) continue;
		const cause = causeOf(faults, before.member, tenure.fromMs);
		const fromMs = Math.max(cause?.fromMs ?? before.untilMs, before.fromMs);
		const told = (event: TimelineEvent["event"]): number | undefined =>
			timeline.find((one) => one.event === event && one.term === tenure.term && one.member === tenure.member)?.atMs;
		const wonMs = told("becameLeader");
		const gap =
			wonMs === undefined
				? longestGap(writes, fromMs, Math.min(tenure.fromMs + SEEN_LATE_MS, endedMs))
				: longestGap(writes, wonMs, told("commitAdvanced") ?? wonMs);
		if (gap === null) continue;
		const [lastMs, nextMs] = gap;
		const open = attempts.filter((attempt) => attempt.invoked < nextMs && endOf(attempt) > lastMs);
		// Elections that follow one another before anything is written again are one change, and cost once.
		const same = failovers.at(-1)?.nextWriteMs === nextMs - startedMs ? failovers.pop() : undefined;
		const steps = [
			...(same === undefined ? [] : same.steps.filter(({ atMs }) => atMs < Math.min(fromMs, lastMs) - AROUND_MS - startedMs)),
			...timeline
				.filter(({ atMs }) => atMs >= Math.min(fromMs, lastMs) - AROUND_MS && atMs <= nextMs + AROUND_MS)
				.map(({ term: _term, atMs, ...step }) => ({ ...step, atMs: atMs - startedMs })),
		];
		failovers.push({
			...{ term: tenure.term, from: same?.from ?? before.member, to: tenure.member, cause: same?.cause ?? cause?.fault ?? "no fault" },
			...{ lastWriteMs: lastMs - startedMs, nextWriteMs: nextMs - startedMs, costMs: nextMs - lastMs },
			...{ waited: open.length, failed: open.filter(({ outcome }) => outcome.kind !== "ok").length },
			stages: stagesOf(steps, tenure.member, nextMs - startedMs),
			steps,
		});
	}
	return failovers;
}

/** As the member tells it that was elected: the last time that it came so far before it led. */
function stagesOf(steps: readonly FailoverStep[], leader: string, nextWriteMs: number): FailoverStage[] {
	const its = (...events: readonly FailoverStep["event"][]): FailoverStep[] =>
		steps.filter(({ event, member }) => member === leader && events.includes(event));
	const leadsMs = its("becameLeader").at(-1)?.atMs;
	const before = (...events: readonly FailoverStep["event"][]): number | undefined =>
		its(...events).findLast(({ atMs }) => atMs <= (leadsMs ?? nextWriteMs))?.atMs;
	const times: Readonly<Record<FailoverStage["stage"], number | undefined>> = {
		"last heartbeat": before("heartbeatHeard"),
		"leader missed": before("leaderLost", "goodbyeHeard"),
		"pre-vote": before("becamePreCandidate"),
		vote: before("becameCandidate"),
		leads: leadsMs,
		"first commit": its("commitAdvanced").at(-1)?.atMs,
		"first write": nextWriteMs,
	};
	return STAGES.flatMap((stage) => {
		const atMs = times[stage];
		return atMs === undefined ? [] : [{ stage, atMs }];
	});
}

function endOf({ invoked, outcome }: Attempt): number {
	return outcome.kind === "unknown" ? (outcome.gaveUp ?? invoked) : outcome.returned;
}

function causeOf(faults: readonly StruckFault[], leader: string, untilMs: number): StruckFault | undefined {
	const those = faults.filter(({ members, fromMs }) => members.includes(leader) && fromMs < untilMs && fromMs > untilMs - CAUSE_MS);
	// Broken connections are mended at once: where something worse was at work they are not what it was.
	const worse = those.findLast(({ fault, untilMs: endMs }) => fault !== MILD && endMs > untilMs - UNDER_WAY_MS);
	return worse ?? those.at(-1);
}

/** The widest distance of two neighbours that touches the window. */
function longestGap(times: readonly number[], fromMs: number, untilMs: number): readonly [number, number] | null {
	let widest: readonly [number, number] | null = null;
	for (let at = 1; at < times.length; at++) {
		const [before, after] = [times[at - 1] as number, times[at] as number];
		if (after < fromMs) continue;
		if (before > untilMs) break;
		if (widest === null || after - before > widest[1] - widest[0]) widest = [before, after];
	}
	return widest;
}
