/** Everything about changes of the members that a replica does: its clients' calls, the leader's desk, and when all is settled. */
import type { Consensus, LogIndex, MembershipRequest, NodeId } from "@flotilla/raft";
import type { CallFault } from "./calls.ts";
import type { Connections } from "./connections.ts";
import type { Leadership } from "./leadership.ts";
import { readContext } from "./member-codec.ts";
import type { MemberInfo } from "./members.ts";
import type { MembershipCall } from "./membership.ts";
import { MembershipCalls } from "./membership-calls.ts";
import { MembershipDesk } from "./membership-desk.ts";
import type { ConfigSettled, MembershipAsk, MembershipRefused } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import { type MembershipRules, strictRefusal } from "./reconfig-rules.ts";
import { Settlement } from "./settlement.ts";
import type { ApplyOutcome, StateMachine } from "./state-machine.ts";

export interface MembershipOptions extends MembershipRules {
	readonly incarnation: number;
	/** A peer counts when it has been connected for so long. */
	readonly steadyTicks: number;
	/** At or above the last configuration entry that was applied before this start. */
	readonly confIndex: LogIndex;
}

export interface MembershipParts {
	readonly leadership: Leadership;
	readonly state: StateMachine;
	readonly connections: Connections;
	readonly outbox: Outbox;
	nextSequence(): number;
}

export class MembershipRoom {
	private readonly options: MembershipOptions;
	private readonly parts: MembershipParts;
	private readonly calls: MembershipCalls;
	private readonly desk: MembershipDesk;
	private readonly settlement: Settlement;

	constructor(options: MembershipOptions, parts: MembershipParts) {
		const { leadership, outbox, state } = parts;
		this.options = options;
		this.parts = parts;
		this.calls = new MembershipCalls(options.incarnation, leadership, outbox, () => parts.nextSequence());
		this.desk = new MembershipDesk(options, leadership, state, (message) => this.passOn(message));
		this.settlement = new Settlement(leadership, state, outbox, options.confIndex);
	}

	/** Whom the transport is to know: the members, and those on their way out. */
	get contacts(): readonly MemberInfo[] {
		return this.settlement.contacts;
	}

	/** Whom it is to turn away for good. */
	get removed(): ReadonlySet<NodeId> {
		return this.settlement.removed;
	}

	get selfRemoved(): boolean {
		return this.settlement.selfRemoved;
	}

	/** Null, or why the client is refused at once; otherwise the call is taken. */
	add(call: MembershipCall, tick: number): CallFault | null {
		if (this.options.strictReconfigCheck) {
			const fault = strictRefusal(call.change, this.parts.state.members.members, this.reachability(tick));
			if (fault !== null) return fault;
		}
		if (this.calls.full) return "tooManyRequests";
		this.calls.add(call, tick);
		return null;
	}

	cancel(call: MembershipCall): void {
		this.calls.cancel(call);
	}

	receive(message: MembershipAsk | MembershipRefused | ConfigSettled): void {
		if (message.kind === "membershipAsk") this.desk.take(message);
		else if (message.kind === "membershipRefused") this.calls.onRefused(message);
		else this.settlement.advance(message.index, false);
	}

	/** Asks the leader for what is due, or does what was asked of this one. */
	submit(core: Consensus, tick: number, appliedIndex: LogIndex): void {
		const ask = this.calls.next(tick);
		if (ask !== null && this.parts.leadership.leading) this.desk.take(ask);
		else if (ask !== null) this.parts.outbox.send(ask);
		this.desk.run(core, appliedIndex);
	}

	/** At the end of a turn. */
	settle(core: Consensus, tick: number): void {
		this.settlement.run(core, tick);
		this.calls.settle(this.settlement.index);
	}

	onDone(index: LogIndex): void {
		this.settlement.advance(index, true);
	}

	onLeadership(): void {
		this.desk.onLeadership();
	}

	peerConnected(peer: NodeId): void {
		if (this.parts.leadership.leading) this.settlement.repeat();
		if (peer === this.parts.leadership.leader) this.calls.onLaneRestored();
	}

	onTermApplied(term: number): void {
		this.calls.onTermApplied(term);
	}

	/** Before the change reaches the member table. */
	onConfiguration(index: LogIndex, { changes, context }: MembershipRequest): void {
		const removed = changes.filter(({ op }) => op === "remove").map(({ node }) => node);
		this.settlement.onConfiguration(index, removed);
		const { incarnation, sequence } = readContext(context);
		if (incarnation === this.options.incarnation && sequence > 0) this.calls.onConfigured(sequence, index);
	}

	/** An update of this process life that no write waits for. */
	onUpdated(sequence: number, outcome: ApplyOutcome): void {
		this.calls.onUpdated(sequence, typeof outcome === "string" ? outcome : null);
	}

	/** Another member says that this one was removed for good. */
	turnedAway(): void {
		this.settlement.turnedAway();
	}

	/** Another member's state was taken over: what lies below it was skipped. */
	onInstalled(index: LogIndex): void {
		this.settlement.onInstalled(index);
		this.calls.onSkipped();
	}

	expire(tick: number, judge: (sinceTick: number) => CallFault): number {
		return this.calls.expire(tick, judge);
	}

	beginStop(): void {
		this.calls.beginStop();
	}

	private passOn(message: MembershipRefused): void {
		if (message.to === this.parts.leadership.self) this.calls.onRefused(message);
		else this.parts.outbox.send(message);
	}

	private reachability(tick: number): { steady(id: NodeId): boolean; reached(id: NodeId): boolean } {
		const { connections, leadership } = this.parts;
		return {
			steady: (id) => id === leadership.self || connections.connectedTicks(id, tick) >= this.options.steadyTicks,
			reached: (id) => id === leadership.self || connections.isConnected(id),
		};
	}
}
