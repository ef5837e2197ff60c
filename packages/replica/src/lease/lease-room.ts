/** Everything of leases that is more than a table: calls of this member, and, while it leads, the clock and the answers to all. */
import { type LeaseId, type Sliced, sliced } from "@flotilla/mvcc";
import type { Consensus, ReadFailure, ReadGrant } from "@flotilla/raft";
import type { CommandKind } from "../calls.ts";
import type { Leadership } from "../leadership.ts";
import type { LeaseAsk, LeaseTold } from "../messages.ts";
import type { Outbox } from "../outbox.ts";
import type { StateMachine } from "../state-machine.ts";
import type { LeaseCall } from "./lease-calls.ts";
import { LeaseClock } from "./lease-clock.ts";
import { LeaseDesk, type LeaseDeskOptions } from "./lease-desk.ts";
import { LeaseIds } from "./lease-ids.ts";
import { type LeaseAnswers, LeaseJudge, type LeaseQuestions } from "./lease-judge.ts";
import { listLeases } from "./lease-list.ts";

/** What a granted round waits for should be applied within this (etcd API, time-outs of lease calls). */
const APPLY_MS = 1_000;

export interface LeaseRoomOptions extends LeaseDeskOptions {
	readonly tickMs: number;
}

export interface LeaseRoomParts {
	readonly state: StateMachine;
	readonly leadership: Leadership;
	readonly outbox: Outbox;
	/** Appends a command of this leader; its index, or 0. */
	readonly propose: (kind: CommandKind, payload: Uint8Array) => number;
}

export class LeaseRoom {
	private readonly parts: LeaseRoomParts;
	private readonly clock: LeaseClock;
	private readonly judge: LeaseJudge;
	private readonly desk: LeaseDesk;
	private readonly ids: LeaseIds;
	private readonly incarnation: number;
	private now = 0;

	constructor(options: LeaseRoomOptions, parts: LeaseRoomParts) {
		const { leadership, outbox, propose, state } = parts;
		this.parts = parts;
		this.incarnation = options.incarnation;
		this.ids = new LeaseIds(leadership.self, options.incarnation);
		this.desk = new LeaseDesk(options, leadership, outbox);
		const table = () => state.leases;
		this.clock = new LeaseClock(options.tickMs, { table, propose, counts: state.leaseCounts });
		this.judge = new LeaseJudge(Math.ceil(APPLY_MS / options.tickMs), {
			clock: this.clock,
			counts: state.leaseCounts,
			table,
			answer: (questions, answers) => this.answer(questions, answers),
			late: ({ from, counter }) => {
				if (from === leadership.self) this.desk.fail(counter, "timeoutWaitAppliedIndex");
			},
		});
		state.watchLeases(this.clock);
	}

	/** Timers are still being made for the leases that were there when this member became leader. */
	get busy(): boolean {
		return this.clock.filling;
	}

	get full(): boolean {
		return this.desk.full;
	}

	drawId(): LeaseId {
		return this.ids.draw(this.parts.state.leases);
	}

	/** All that this member knows of; at the leader those first that end first. */
	list(): Sliced<readonly LeaseId[]> {
		return sliced(listLeases(this.parts.state.leases, this.clock.running ? (lease) => this.clock.deadlineOf(lease) : null));
	}

	tick(now: number): void {
		this.now = now;
		this.clock.tick(now);
		this.judge.tick(now);
	}

	add(call: LeaseCall): void {
		this.desk.add(call, this.now);
	}

	cancel(call: LeaseCall): void {
		this.desk.cancel(call);
	}

	receive(message: LeaseAsk | LeaseTold): void {
		if (message.kind === "leaseAsk") {
			// An ask for another term's leader is repeated by its member when it has heard of this one.
			if (this.parts.leadership.leading && message.term === this.parts.leadership.term) this.judge.receive(message);
		} else if (message.incarnation === this.incarnation) {
			this.desk.answered(message.counter, message);
		}
	}

	/** Role, term or leader may have changed. */
	onLeadership(leaderChanged: boolean): void {
		const { leading, term } = this.parts.leadership;
		if (!leading || this.clock.term !== term) {
			this.clock.stop();
			this.judge.stop();
		}
		if (leaderChanged) this.desk.askAgain();
	}

	/** The stream to the leader was made anew: what was on it may be lost. */
	onReconnected(): void {
		this.desk.askAgain();
	}

	/** The first entry of `term` is about to be applied. */
	onTermApplied(term: number): void {
		const { leadership } = this.parts;
		if (leadership.leading && leadership.term === term) this.clock.start(term);
	}

	onGrant(grant: ReadGrant): void {
		this.judge.onGrant(grant);
	}

	onFailure(failure: ReadFailure): void {
		this.judge.onFailure(failure);
	}

	/** Hands on what came in, and proposes what is due. After all inputs of the turn, and before the core is drained (L6). */
	submit(core: Consensus, appliedIndex: number): void {
		if (this.clock.running) this.judge.release(appliedIndex);
		this.clock.run(appliedIndex);
		for (let ask = this.desk.next(this.now); ask !== null; ask = this.desk.next(this.now)) this.dispatch(ask);
		this.judge.ask(core);
	}

	/**
	 * Answers what can be answered now; at the end of a turn, and not in the middle of an entry: whoever is told of a lease looks at its
	 * keys in that moment. True when the core should be drained again soon.
	 */
	release(appliedIndex: number): boolean {
		const proposed = this.clock.running && this.judge.release(appliedIndex);
		this.desk.release(appliedIndex);
		return proposed;
	}

	/** Ends the calls whose time is over, and says how many. */
	expire(): number {
		return this.desk.expire(this.now);
	}

	beginStop(): void {
		this.desk.beginStop();
	}

	private dispatch(ask: LeaseQuestions): void {
		const { leadership, outbox } = this.parts;
		if (leadership.leading) this.judge.receive(ask);
		else outbox.send({ kind: "leaseAsk", ...ask, to: leadership.leader, term: leadership.term });
	}

	private answer({ from, incarnation, counter }: LeaseQuestions, answers: LeaseAnswers): void {
		const { leadership, outbox } = this.parts;
		if (from === leadership.self) this.desk.answered(counter, answers);
		else outbox.send({ kind: "leaseTold", from: leadership.self, to: from, term: leadership.term, incarnation, counter, ...answers });
	}
}
