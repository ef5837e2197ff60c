/**
 * A member's side of questions about leases: calls of one turn go to the leader in one ask, each lease in it once; answers that
 * get lost, or a leader that does, make them go out again. Renewing twice does no harm.
 *
 *   open --ask sent--> asked --answer--> completed, a look when its index is applied here
 *    ^                   |
 *    +-- other leader ---+
 */
import { NumberTable } from "@flotilla/base";
import type { LeaseId } from "@flotilla/mvcc";
import { NO_NODE } from "@flotilla/raft";
import type { CallFault } from "../calls.ts";
import type { Leadership } from "../leadership.ts";
import type { Outbox } from "../outbox.ts";
import type { LeaseCall, LeaseOutcome } from "./lease-calls.ts";
import type { LeaseAnswers, LeaseQuestions } from "./lease-judge.ts";

/** Leases in one ask. */
export const ASK_LEASES_MAX = 1_024;
/** Asks that are out; later calls gather until one returns. */
const ASKS_MAX = 32;

export interface LeaseDeskOptions {
	readonly incarnation: number;
	readonly pendingCallsMax: number;
	readonly timeoutTicks: number;
	/** Unanswered asks are repeated after so long. */
	readonly retryTicks: number;
}

interface Asked {
	readonly counter: number;
	readonly tick: number;
	readonly renews: ReadonlyArray<LeaseCall[]>;
	readonly looks: ReadonlyArray<LeaseCall[]>;
}

interface Held {
	readonly calls: readonly LeaseCall[];
	readonly outcome: LeaseOutcome;
	readonly index: number;
}

type Open = Map<LeaseId, LeaseCall[]>;

export class LeaseDesk {
	private readonly options: LeaseDeskOptions;
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	/** No ask was made for these yet. A call never joins an ask that has left: its renewal would be dated before it came. */
	private renews: Open = new Map();
	private looks: Open = new Map();
	private readonly asked = new NumberTable<Asked>();
	private held: Held[] = [];
	private pending = 0;
	private counter = 0;

	constructor(options: LeaseDeskOptions, leadership: Leadership, outbox: Outbox) {
		this.options = options;
		this.leadership = leadership;
		this.outbox = outbox;
	}

	get full(): boolean {
		return this.pending >= this.options.pendingCallsMax;
	}

	add(call: LeaseCall, tick: number): void {
		const patience = this.options.timeoutTicks;
		call.deadlineTick = tick + (call.timeoutTicks > 0 ? Math.min(call.timeoutTicks, patience) : patience);
		call.completed = false;
		this.pending++;
		this.gather(call);
	}

	cancel(call: LeaseCall): void {
		if (call.completed) return;
		call.completed = true;
		this.pending--;
	}

	/** The next ask for the leader, if one is due. */
	next(tick: number): LeaseQuestions | null {
		if (this.renews.size + this.looks.size === 0 || this.asked.size >= ASKS_MAX) return null;
		if (this.leadership.leader === NO_NODE) return null;
		const renews = this.take("renews", ASK_LEASES_MAX);
		const looks = this.take("looks", ASK_LEASES_MAX - renews.length);
		if (renews.length + looks.length === 0) return null;
		const counter = ++this.counter;
		const groupsOf = (taken: ReadonlyArray<readonly [LeaseId, LeaseCall[]]>) => taken.map(([, calls]) => calls);
		this.asked.set(counter, { counter, tick, renews: groupsOf(renews), looks: groupsOf(looks) });
		return {
			from: this.leadership.self,
			incarnation: this.options.incarnation,
			counter,
			renews: renews.map(([id]) => id),
			looks: looks.map(([id]) => id),
		};
	}

	/** What the leader says; of an ask that was given up meanwhile it means nothing. Looks wait for `release`. */
	answered(counter: number, { renewed, looked, index }: LeaseAnswers): void {
		const asked = this.asked.get(counter);
		if (asked === undefined || renewed.length !== asked.renews.length || looked.length !== 2 * asked.looks.length) return;
		this.asked.delete(counter);
		for (const [i, calls] of asked.renews.entries()) {
			const grantedTtl = renewed[i] as number;
			this.complete(calls, { ok: true, grantedTtl, remainingMs: grantedTtl * 1_000 });
		}
		for (const [i, calls] of asked.looks.entries()) {
			const outcome: LeaseOutcome = { ok: true, grantedTtl: looked[2 * i] as number, remainingMs: looked[2 * i + 1] as number };
			this.held.push({ calls, outcome, index });
		}
	}

	release(appliedIndex: number): void {
		if (this.held.length === 0) return;
		this.held = this.held.filter(({ calls, outcome, index }) => {
			if (index > appliedIndex) return true;
			this.complete(calls, outcome);
			return false;
		});
	}

	/** The leader that was asked is another one now, or may not have got it. */
	askAgain(): void {
		this.takeBack(() => true);
	}

	fail(counter: number, fault: CallFault): void {
		const asked = this.asked.get(counter);
		if (asked === undefined) return;
		this.asked.delete(counter);
		for (const calls of [...asked.renews, ...asked.looks]) this.complete(calls, { ok: false, fault });
	}

	/** Once in a while: ends what is overdue, forgets what nobody waits for, and asks again for what got no answer. */
	expire(tick: number): number {
		const fault = this.leadership.leader === NO_NODE ? "noLeader" : "timeout";
		const before = this.pending;
		this.failWhere((call) => call.deadlineTick <= tick, fault);
		const overdue = before - this.pending;
		this.takeBack((asked) => tick - asked.tick >= this.options.retryTicks);
		for (const open of [this.renews, this.looks]) dropCompleted(open);
		this.held = this.held.filter(({ calls }) => calls.some(isOpen));
		return overdue;
	}

	beginStop(): void {
		this.failWhere(() => true, "stopped");
	}

	private failWhere(due: (call: LeaseCall) => boolean, fault: CallFault): void {
		const failAll = (calls: readonly LeaseCall[]) => this.complete(calls.filter(due), { ok: false, fault });
		for (const open of [this.renews, this.looks]) for (const calls of open.values()) failAll(calls);
		for (const asked of this.asked.all()) for (const calls of [...asked.renews, ...asked.looks]) failAll(calls);
		for (const { calls } of this.held) failAll(calls);
	}

	/** What fits is taken with its map: one that is emptied and filled for ever is to the collector what a long-lived thing is. */
	private take(which: "renews" | "looks", countMax: number): Array<readonly [LeaseId, LeaseCall[]]> {
		const open = this[which];
		if (open.size === 0) return [];
		const taken: Array<readonly [LeaseId, LeaseCall[]]> = [];
		if (open.size <= countMax) {
			this[which] = new Map();
			for (const entry of open) if (entry[1].some(isOpen)) taken.push(entry);
			return taken;
		}
		for (const entry of open) {
			if (taken.length >= countMax) break;
			open.delete(entry[0]);
			if (entry[1].some(isOpen)) taken.push(entry);
		}
		return taken;
	}

	private takeBack(which: (asked: Asked) => boolean): void {
		for (const asked of this.asked.all()) {
			if (!which(asked)) continue;
			this.asked.delete(asked.counter);
			for (const calls of [...asked.renews, ...asked.looks]) for (const call of calls) if (isOpen(call)) this.gather(call);
		}
	}

	private gather(call: LeaseCall): void {
		const open = call.op === "renew" ? this.renews : this.looks;
		const calls = open.get(call.lease);
		if (calls === undefined) open.set(call.lease, [call]);
		else calls.push(call);
	}

	private complete(calls: readonly LeaseCall[], outcome: LeaseOutcome): void {
		for (const call of calls) {
			if (call.completed) continue;
			call.completed = true;
			this.pending--;
			this.outbox.output.completions.push({ call, outcome });
		}
	}
}

function dropCompleted(open: Open): void {
	for (const [id, calls] of open) {
		const waiting = calls.filter(isOpen);
		if (waiting.length === 0) open.delete(id);
		else if (waiting.length < calls.length) open.set(id, waiting);
	}
}

function isOpen(call: LeaseCall): boolean {
	return !call.completed;
}
