/**
 * The leader's side of renewals and of questions about the time left (decisions 5.1, L3, L4, L7). All of a turn share one round
 * of heartbeats, which reads of the same turn share too: only when a quorum has confirmed, after they arrived, that this member
 * leads, and when it has applied all that was committed by then, are they looked at.
 *
 *   open --token taken--> round --granted, applied--> answered, or parked until an entry of the leader's own is applied
 */
import type { LeaseId, LeaseTable } from "@flotilla/mvcc";
import type { Consensus, NodeId, ReadFailure, ReadGrant } from "@flotilla/raft";
import type { LeaseClock } from "./lease-clock.ts";
import type { LeaseCounts } from "./lease-counts.ts";
import type { LeaseTimer } from "./lease-timers.ts";

/** Leases asked about, waiting at the leader; an ask beyond it is dropped, and its member asks again. */
const ITEMS_MAX = 1 << 17;
const ROUNDS_MAX = 64;

export interface LeaseQuestions {
	readonly from: NodeId;
	/** Of the asking process life; `counter` is used once in it. */
	readonly incarnation: number;
	readonly counter: number;
	readonly renews: readonly LeaseId[];
	readonly looks: readonly LeaseId[];
}

export interface LeaseAnswers {
	/** Seconds granted to each of `renews`; 0: there is no such lease. */
	readonly renewed: readonly number[];
	/** For each of `looks` two: seconds granted (0: no such lease), milliseconds left. */
	readonly looked: readonly number[];
	/** What a member must have applied to know of these leases what the leader knew. */
	readonly index: number;
}

export interface LeaseJudgeParts {
	readonly clock: LeaseClock;
	readonly table: () => LeaseTable;
	readonly counts: LeaseCounts;
	readonly answer: (questions: LeaseQuestions, answers: LeaseAnswers) => void;
	/** The round was granted, and what it waits for is not applied for a long time. */
	readonly late: (questions: LeaseQuestions) => void;
}

class Case {
	readonly questions: LeaseQuestions;
	readonly arrivalTick: number;
	readonly renewed: number[];
	/** Renewals without an answer. */
	waiting: number;
	looked: readonly number[] = [];

	constructor(questions: LeaseQuestions, arrivalTick: number) {
		this.questions = questions;
		this.arrivalTick = arrivalTick;
		this.renewed = new Array(questions.renews.length).fill(0);
		this.waiting = questions.renews.length;
	}

	get items(): number {
		return this.questions.renews.length + this.questions.looks.length;
	}
}

interface Round {
	readonly tick: number;
	readonly token: number;
	readonly cases: Case[];
	/** -1 until it is granted. */
	index: number;
	grantedTick: number;
}

interface Parked {
	readonly of: Case;
	readonly place: number;
	readonly untilIndex: number;
}

export class LeaseJudge {
	private readonly lateTicks: number;
	private readonly parts: LeaseJudgeParts;
	private now = 0;
	private open: Case[] = [];
	private rounds: Round[] = [];
	private parked: Parked[] = [];
	private items = 0;
	private resets: LeaseTimer[] = [];

	constructor(lateTicks: number, parts: LeaseJudgeParts) {
		this.lateTicks = lateTicks;
		this.parts = parts;
	}

	/** From an ask of this member or another one, at a leader. */
	receive(questions: LeaseQuestions): void {
		const arrived = new Case(questions, this.now);
		if (this.items + arrived.items > ITEMS_MAX) return;
		this.items += arrived.items;
		this.open.push(arrived);
	}

	tick(now: number): void {
		this.now = now;
		const [first] = this.rounds;
		if (first === undefined || first.index < 0 || now - first.grantedTick < this.lateTicks) return;
		for (const { questions } of first.cases) this.parts.late(questions);
	}

	stop(): void {
		this.open = [];
		this.rounds = [];
		this.parked = [];
		this.resets = [];
		this.items = 0;
	}

	/** Opens a round for what waits, and for the leases whose time is up. True when it did. */
	ask(core: Consensus): boolean {
		const { clock } = this.parts;
		if (!clock.running || this.rounds.length >= ROUNDS_MAX) return false;
		if (this.open.length === 0 && !clock.wantsRound) return false;
		const result = core.readIndex();
		if (!result.ok) return false;
		clock.roundAsked();
		this.rounds.push({ tick: this.now, token: result.token.counter, cases: this.open, index: -1, grantedTick: 0 });
		this.open = [];
		return true;
	}

	onGrant({ token, index }: ReadGrant): void {
		const round = this.rounds.find((each) => each.token === token.counter);
		if (round === undefined) return;
		round.index = index;
		round.grantedTick = this.now;
	}

	onFailure({ token }: ReadFailure): void {
		const at = this.rounds.findIndex((each) => each.token === token.counter);
		if (at < 0) return;
		const [round] = this.rounds.splice(at, 1) as [Round];
		this.open = [...round.cases, ...this.open];
	}

	/** Answers what the applied index allows. True when something was proposed for it. */
	release(appliedIndex: number): boolean {
		const parked = this.parked;
		this.parked = [];
		for (const each of parked) {
			if (each.untilIndex > appliedIndex) this.parked.push(each);
			else this.renew(each.of, each.place, appliedIndex);
		}
		let done = 0;
		for (const round of this.rounds) {
			if (round.index < 0 || round.index > appliedIndex) break;
			for (const each of round.cases) this.hear(each, appliedIndex);
			this.parts.clock.cleared(round.tick);
			done++;
		}
		if (done > 0) this.rounds = this.rounds.slice(done);
		if (this.resets.length === 0) return false;
		const { resets } = this;
		this.resets = [];
		return this.parts.clock.resetMarks([...new Set(resets)]);
	}

	private hear(heard: Case, appliedIndex: number): void {
		const { renews, looks } = heard.questions;
		heard.looked = looks.flatMap((id) => this.look(id));
		if (renews.length === 0) this.answer(heard, appliedIndex);
		for (let place = 0; place < renews.length; place++) this.renew(heard, place, appliedIndex);
	}

	private look(id: LeaseId): [grantedTtl: number, remainingMs: number] {
		const { clock, table } = this.parts;
		const lease = table().get(id);
		return lease === undefined ? [0, 0] : [lease.ttl, clock.remainingMs(clock.timerOf(lease))];
	}

	private renew(heard: Case, place: number, appliedIndex: number): void {
		const { clock, table } = this.parts;
		const lease = table().get(heard.questions.renews[place] as LeaseId);
		if (lease !== undefined) {
			const timer = clock.timerOf(lease);
			// Its end is on the way: whether it comes to pass is known when that is applied (L7).
			if (timer.endIndex > appliedIndex) {
				this.parked.push({ of: heard, place, untilIndex: timer.endIndex });
				return;
			}
			clock.extend(timer, heard.arrivalTick);
			// A leader that comes after this one must not go on from a checkpoint made before the renewal (L4).
			if (timer.markMs !== 0 || timer.markIndex > appliedIndex) {
				if (timer.markMs !== 0) this.resets.push(timer);
				this.parked.push({ of: heard, place, untilIndex: timer.markMs !== 0 ? 0 : timer.markIndex });
				return;
			}
			heard.renewed[place] = lease.ttl;
			this.parts.counts.renewed++;
		}
		heard.waiting--;
		if (heard.waiting === 0) this.answer(heard, appliedIndex);
	}

	private answer(heard: Case, index: number): void {
		this.items -= heard.items;
		this.parts.answer(heard.questions, { renewed: heard.renewed, looked: heard.looked, index });
	}
}
