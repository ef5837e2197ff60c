/**
 * What the members themselves tell of elections, from their event taps: who noticed what, and when. Of the heartbeats the last
 * one before somebody missed them, and of the commits the first of each leader.
 */
import { join } from "node:path";
import type { TapEventName } from "@flotilla/base";
import { readTap, TAP_SOCKET, type TapLine } from "@flotilla/server/internal";
import { inWords, type TIMELINE_EVENTS } from "../failover/timeline.ts";
import type { StageMember } from "./stage.ts";

export interface TimelineEvent {
	readonly atMs: number;
	readonly member: string;
	readonly term: number;
	readonly event: TapEventName;
	/** For people. */
	readonly what: string;
}

const NAMES = [
	...["heartbeatHeard", "leaderLost", "becamePreCandidate", "preVoteGranted", "becameCandidate", "voteGranted", "becameLeader"],
	...["leaderChanged", "writesReleased", "transferStarted", "goodbyeHeard", "stopping"],
] as const satisfies ReadonlyArray<(typeof TIMELINE_EVENTS)[number]>;
/** With these a member says that it misses its leader, or that another one does. */
const MISSED: ReadonlySet<TapEventName> = new Set(["leaderLost", "preVoteGranted", "voteGranted", "goodbyeHeard"]);
const RETRY_MS = 100;
const EVENTS_MAX = 100_000;
/** Commits that a new leader may have made before it is asked for its first. */
const COMMITS_ASKED = 2_000;

export class TapWatch {
	private readonly told: TimelineEvent[] = [];
	private readonly members: readonly StageMember[];
	private readonly stops = new Map<StageMember, () => void>();
	private readonly heartbeats = new Map<StageMember, TapLine>();
	private readonly commitTaps = new Set<() => void>();
	private stopped = false;
	/** Members stamp events with the wall clock, which one machine has once. */
	private readonly offsetMs = performance.now() - Date.now();

	constructor(members: readonly StageMember[]) {
		this.members = members;
	}

	/** In their order. */
	get events(): readonly TimelineEvent[] {
		return this.told.toSorted((a, b) => a.atMs - b.atMs);
	}

	start(): void {
		for (const member of this.members) this.follow(member);
	}

	restart(member: StageMember): void {
		this.stops.get(member)?.();
	}

	stop(): void {
		this.stopped = true;
		for (const stop of [...this.stops.values(), ...this.commitTaps]) stop();
	}

	private follow(member: StageMember): void {
		const stop = readTap(
			join(member.dataDir, TAP_SOCKET),
			{ names: [...NAMES, "ready"], recent: 0 },
			{
				event: (event) => this.heard(member, event),
				closed: () => {
					if (!this.stopped) setTimeout(() => this.stopped || this.follow(member), RETRY_MS).unref();
				},
			},
		);
		this.stops.set(member, stop);
	}

	private heard(member: StageMember, event: TapLine): void {
		if (event.name === "heartbeatHeard") {
			this.heartbeats.set(member, event);
			return;
		}
		const last = this.heartbeats.get(member);
		if (MISSED.has(event.name) && last !== undefined) {
			this.heartbeats.delete(member);
			this.tell(member, last);
		}
		this.tell(member, event);
		if (event.name === "becameLeader") this.askFirstCommit(member, event.term);
	}

	private tell(member: StageMember, event: TapLine): void {
		if (this.told.length >= EVENTS_MAX) return;
		const nameOf = (id: string): string => this.members.find((one) => one.id === id)?.name ?? id;
		const what = event.name === "ready" ? "serves" : inWords(event, nameOf);
		this.told.push({ atMs: event.wallMs + this.offsetMs, member: member.name, term: event.term, event: event.name, what });
	}

	/** Commits are too many to be followed all the time. */
	private askFirstCommit(member: StageMember, term: number): void {
		let found = false;
		const stop = readTap(
			join(member.dataDir, TAP_SOCKET),
			{ names: ["commitAdvanced"], recent: COMMITS_ASKED },
			{
				event: (event) => {
					if (found || event.term < term) return;
					found = true;
					if (event.term === term) this.tell(member, event);
					stop();
				},
				closed: () => this.commitTaps.delete(stop),
			},
		);
		this.commitTaps.add(stop);
	}
}
