/** What the members themselves tell of elections, from their event taps: who noticed what, and when. */
import { join } from "node:path";
import type { TapEventName } from "@flotilla/base";
import { readTap, TAP_SOCKET } from "@flotilla/server/internal";
import type { StageMember } from "./stage.ts";

export interface TimelineEvent {
	readonly atMs: number;
	readonly member: string;
	readonly event: TapEventName;
	readonly term: number;
}

const NAMES: readonly TapEventName[] = [
	"leaderLost",
	"becamePreCandidate",
	"becameCandidate",
	"becameLeader",
	"leaderChanged",
	"transferStarted",
	"stopping",
	"ready",
];
const RETRY_MS = 100;
const EVENTS_MAX = 100_000;

export class TapWatch {
	readonly events: TimelineEvent[] = [];
	private readonly members: readonly StageMember[];
	private readonly stops = new Map<StageMember, () => void>();
	private stopped = false;
	/** Members stamp events with the wall clock, which one machine has once. */
	private readonly offsetMs = performance.now() - Date.now();

	constructor(members: readonly StageMember[]) {
		this.members = members;
	}

	start(): void {
		for (const member of this.members) this.follow(member);
	}

	restart(member: StageMember): void {
		this.stops.get(member)?.();
	}

	stop(): void {
		this.stopped = true;
		for (const stop of this.stops.values()) stop();
	}

	private follow(member: StageMember): void {
		const stop = readTap(
			join(member.dataDir, TAP_SOCKET),
			{ names: NAMES, recent: 0 },
			{
				event: ({ name, term, wallMs }) => {
					if (this.events.length < EVENTS_MAX) this.events.push({ atMs: wallMs + this.offsetMs, member: member.name, event: name, term });
				},
				closed: () => {
					if (!this.stopped) setTimeout(() => this.stopped || this.follow(member), RETRY_MS).unref();
				},
			},
		);
		this.stops.set(member, stop);
	}
}
