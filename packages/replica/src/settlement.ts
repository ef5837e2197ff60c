/**
 * Changes of the configuration that a quorum knows durably (rule C3). Until then a change is not answered, those whom it
 * removed stay connected, and none of them leaves: with a member less, the others might fall back to the configuration
 * before it, and lack a quorum there. The leader knows; it says so to all others, and again once in a while.
 */
import type { Consensus, NodeId } from "@flotilla/raft";
import type { Leadership } from "./leadership.ts";
import type { MemberInfo } from "./members.ts";
import type { Outbox } from "./outbox.ts";
import type { StateMachine } from "./state-machine.ts";

/** Pace at which the leader repeats itself. */
const REPEAT_TICKS = 100;

export class Settlement {
	/** Changes up to here are settled. */
	index = 0;
	/** Members of the past that are told so when they come, for good. */
	removed: ReadonlySet<NodeId> = new Set();
	private readonly leadership: Leadership;
	private readonly state: StateMachine;
	private readonly outbox: Outbox;
	/** At or above the last configuration entry that was applied. */
	private confIndex: number;
	/** Removed by a change that is not settled. */
	private departing: readonly MemberInfo[] = [];
	private announceTick = 0;
	private refreshed = false;
	private away = false;

	constructor(leadership: Leadership, state: StateMachine, outbox: Outbox, confIndex: number) {
		this.leadership = leadership;
		this.state = state;
		this.outbox = outbox;
		this.confIndex = confIndex;
	}

	/** Whom this member talks to. */
	get contacts(): readonly MemberInfo[] {
		return this.departing.length === 0 ? this.state.members.members : [...this.state.members.members, ...this.departing];
	}

	/** This member was removed, and may go. */
	get selfRemoved(): boolean {
		if (this.away) return true;
		return this.index >= this.confIndex && !this.leadership.leading && this.state.members.removed.has(this.leadership.self);
	}

	/** A configuration entry is about to be applied; `removed`: whom it removes. */
	onConfiguration(index: number, removed: readonly NodeId[]): void {
		this.confIndex = index;
		this.refreshed = false;
		const leaving = removed.map((id) => this.state.members.get(id)).filter((member) => member !== undefined);
		if (leaving.length > 0) this.departing = [...this.departing, ...leaving];
	}

	/** The state of a snapshot: the configuration in it is of this index at the most. */
	onInstalled(index: number): void {
		this.confIndex = index;
		this.departing = [];
		this.refreshed = false;
	}

	/** Somebody knows it; says so to the others when it is this member that found out. */
	advance(index: number, found: boolean): void {
		if (index <= this.index) return;
		this.index = index;
		if (found) this.announceTick = 0;
	}

	/** Members say so only of changes that are settled. This one may never have heard of its removal, and never will. */
	turnedAway(): void {
		this.away = true;
		this.index = Math.max(this.index, this.state.members.removed.has(this.leadership.self) ? this.confIndex : 0);
	}

	/** To be said again soon: somebody came back who may have missed it. */
	repeat(): void {
		this.announceTick = 0;
	}

	/** Once a turn, when everything that can be applied in it was. */
	run(core: Consensus, tick: number): void {
		const { leading } = this.leadership;
		// Those let go in this turn are still to hear of it.
		const { contacts } = this;
		const unsettled = this.index < this.confIndex;
		if (leading && (unsettled || tick >= this.announceTick)) this.advance(core.settledCommit, unsettled);
		if (!this.refreshed && this.index >= this.confIndex) this.refresh();
		if (tick < this.announceTick || !(leading || this.announceTick === 0)) return;
		this.announceTick = tick + REPEAT_TICKS;
		this.announce(contacts);
	}

	private announce(contacts: readonly MemberInfo[]): void {
		const { self, term } = this.leadership;
		if (this.index === 0) return;
		for (const { id } of contacts) {
			if (id !== self) this.outbox.send({ kind: "configSettled", from: self, to: id, term, index: this.index });
		}
	}

	private refresh(): void {
		this.refreshed = true;
		const { removed } = this.state.members;
		if (this.departing.length === 0 && removed.size === this.removed.size) return;
		this.departing = [];
		this.removed = new Set(removed);
		this.state.addressesChanged = true;
	}
}
