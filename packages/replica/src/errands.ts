/**
 * What a member brings into the log on its own account: its announcement, the cluster version, alarms that it found cause
 * for. Apply never does such a thing itself, since its cause may be local (a flag, a quota); it is proposed, again and
 * again until the replicated state shows it. All of these have the same effect once or many times.
 */
import type { NodeId } from "@flotilla/raft";
import { AlarmAction, encodeAlarmCommand } from "./alarms.ts";
import { CommandKind } from "./calls.ts";
import type { Leadership } from "./leadership.ts";
import { encodeMember } from "./member-codec.ts";
import { AlarmType } from "./members.ts";
import type { StateMachine } from "./state-machine.ts";
import { encodeUtf8 } from "./utf8.ts";

/** The version whose entries and messages this code writes. */
export const CLUSTER_VERSION = "3.6.0";
/** A member that never comes up must not leave the version of a new cluster undecided for ever. */
const VERSION_PATIENCE_TICKS = 1_000;
const RETRY_TICKS = 50;

/** Proposes, or hands to the leader; false when there is nobody to take it now. */
export type Submit = (kind: CommandKind, payload: Uint8Array) => boolean;

export interface ErrandOptions {
	readonly self: NodeId;
	/** Logical bytes; 0 or less: none. */
	readonly quotaBytes: number;
}

/** When the errand was last tried, so that it is not tried again while its entry is on the way. */
class Attempt {
	private tick = -RETRY_TICKS;
	private term = 0;

	due(tick: number, term: number): boolean {
		return term !== this.term || tick >= this.tick + RETRY_TICKS;
	}

	made(tick: number, term: number): void {
		this.tick = tick;
		this.term = term;
	}

	reset(): void {
		this.term = 0;
	}
}

export class Errands {
	private readonly options: ErrandOptions;
	private readonly state: StateMachine;
	private readonly leadership: Leadership;
	private readonly submit: Submit;
	private announcement: Uint8Array | null = null;
	/** The alarm is due: this member refused a write, or saw one applied, that reached the quota. */
	private spaceExhausted = false;
	private readonly publishing = new Attempt();
	private readonly versioning = new Attempt();
	private readonly raisingSpace = new Attempt();
	private readonly raisingCorrupt = new Attempt();

	constructor(options: ErrandOptions, state: StateMachine, leadership: Leadership, submit: Submit) {
		this.options = options;
		this.state = state;
		this.leadership = leadership;
		this.submit = submit;
	}

	publish(name: string, clientUrls: readonly string[]): void {
		this.announcement = encodeMember({ id: this.options.self, name, peerUrls: [], clientUrls, learner: false });
		this.publishing.reset();
	}

	published(): void {
		this.announcement = null;
	}

	/** The stream to the leader was made anew: what was on it may be lost. */
	onReconnected(): void {
		this.publishing.reset();
		this.raisingSpace.reset();
	}

	/** Writes were applied that grew the key space: at the quota the alarm is due, though they have succeeded. */
	onGrown(): void {
		if (this.options.quotaBytes > 0 && this.state.store.logicalBytes >= this.options.quotaBytes) this.spaceExhausted = true;
	}

	/** A write was refused at the door, since it would have reached the quota (etcd API, NOSPACE). */
	onSpaceRefused(): void {
		this.spaceExhausted = true;
	}

	/** `differing`: members whose state differs from this leader's (rule S7). */
	run(tick: number, differing: ReadonlySet<NodeId>): void {
		if (this.announcement !== null) this.attempt(this.publishing, tick, CommandKind.publish, this.announcement);
		if (this.spaceExhausted) this.raiseSpaceAlarm(tick);
		if (!this.leadership.leading) return;
		if (this.state.clusterVersion === "") this.decideVersion(tick);
		if (differing.size > 0) this.raiseCorruptAlarms(tick, differing);
	}

	private raiseSpaceAlarm(tick: number): void {
		const { self } = this.options;
		if (this.state.alarms.has(self, AlarmType.noSpace)) {
			this.spaceExhausted = false;
			return;
		}
		const payload = encodeAlarmCommand({ action: AlarmAction.activate, member: self, alarm: AlarmType.noSpace });
		this.attempt(this.raisingSpace, tick, CommandKind.alarm, payload);
	}

	private decideVersion(tick: number): void {
		const waited = tick - this.leadership.electedTick;
		if (!this.state.members.allPublished && waited < VERSION_PATIENCE_TICKS) return;
		this.attempt(this.versioning, tick, CommandKind.clusterVersion, encodeUtf8(CLUSTER_VERSION));
	}

	private raiseCorruptAlarms(tick: number, differing: ReadonlySet<NodeId>): void {
		if (!this.raisingCorrupt.due(tick, this.leadership.term)) return;
		for (const member of differing) {
			if (this.state.alarms.has(member, AlarmType.corrupt)) continue;
			const payload = encodeAlarmCommand({ action: AlarmAction.activate, member, alarm: AlarmType.corrupt });
			if (this.submit(CommandKind.alarm, payload)) this.raisingCorrupt.made(tick, this.leadership.term);
		}
	}

	private attempt(attempt: Attempt, tick: number, kind: CommandKind, payload: Uint8Array): void {
		const { term } = this.leadership;
		if (attempt.due(tick, term) && this.submit(kind, payload)) attempt.made(tick, term);
	}
}
