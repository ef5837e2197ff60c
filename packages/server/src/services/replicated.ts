/** Writes and read barriers of one call: made, called off when the client goes away, answered once. */
import type { FaultCode } from "@flotilla/api";
import type { LeaseId } from "@flotilla/mvcc";
import {
	type Caller,
	type CommandKind,
	type CommandResult,
	LeaseCall,
	type LeaseOutcome,
	MembershipCall,
	type MembershipChange,
	NOBODY,
	ReadCall,
	type ReadOutcome,
	WriteCall,
	type WriteOutcome,
} from "@flotilla/replica";
import type { CallContext, Status, StreamCall } from "../front/seam.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";

interface Answerable extends CallContext {
	/** Kept until it is answered. */
	readonly request?: Uint8Array;
	fail(status: Status): void;
}

export interface Proposal {
	readonly kind: CommandKind;
	readonly payload: Uint8Array;
	readonly caller: Caller;
}

/**
 * Proposes `payload` on behalf of whoever calls and hands its result to `applied`, in the turn in which this member applied it,
 * or its fault to `refused`, which by itself fails the call.
 */
export function propose(
	deps: ServiceDeps,
	call: Answerable,
	kind: CommandKind,
	payload: Uint8Array,
	applied: (command: CommandResult) => void,
	refused?: (fault: FaultCode) => void,
): void {
	const settle = (outcome: WriteOutcome): void => {
		if (outcome.ok) applied(outcome.command);
		else if (refused === undefined) call.fail(statusOf(outcome.fault));
		else refused(outcome.fault);
	};
	// While nobody is asked who calls, no more functions than these are made for a write: they come by the ten thousand.
	if (!deps.member.auth.enabled) submitAs(deps, call, kind, payload, NOBODY, settle);
	else proposeAsCaller(deps, call, kind, payload, settle, refused ?? ((fault) => call.fail(statusOf(fault))));
}

function proposeAsCaller(
	deps: ServiceDeps,
	call: Answerable,
	kind: CommandKind,
	payload: Uint8Array,
	settle: (outcome: WriteOutcome) => void,
	refused: (fault: FaultCode) => void,
): void {
	const attempt = (left: number): void =>
		deps.callers.identify(
			call,
			({ caller, fresh }) =>
				submitAs(deps, call, kind, payload, caller, (outcome) => {
					// Users or roles changed between the door and apply, and nothing was done: such a caller is judged once more.
					if (!outcome.ok && outcome.fault === "authOldRevision" && fresh && left > 0) attempt(left - 1);
					else settle(outcome);
				}),
			refused,
		);
	attempt(1);
}

/** The same for a caller who is known; `settle` hears of it in the turn in which this member applied it. */
export function submit(
	deps: ServiceDeps,
	call: Answerable,
	{ kind, payload, caller }: Proposal,
	settle: (outcome: WriteOutcome) => void,
): void {
	submitAs(deps, call, kind, payload, caller, settle);
}

function submitAs(
	deps: ServiceDeps,
	call: Answerable,
	kind: CommandKind,
	payload: Uint8Array,
	caller: Caller,
	settle: (outcome: WriteOutcome) => void,
): void {
	const write = new WriteCall(kind, payload, caller.user, caller.authRevision, ticksLeft(deps, call), settle);
	call.onCancel(() => deps.member.cancel(write));
	deps.member.write(write);
}

/**
 * Asks for a change of the members and runs `changed` when it is made: the member's table then shows it. Waits for a quorum as
 * long as the client does.
 */
export function changeMembership(deps: ServiceDeps, call: Answerable, change: MembershipChange, changed: () => void): void {
	const asked = new MembershipCall(change, ticksLeft(deps, call), (outcome) => {
		if (outcome.ok) changed();
		else call.fail(statusOf(outcome.fault));
	});
	call.onCancel(() => deps.member.cancel(asked));
	deps.member.changeMembership(asked);
}

export type LeaseTime = Extract<LeaseOutcome, { readonly ok: true }>;

/** Has the leader renew a lease, or say what is left of it; one that does not exist has a granted time of 0. */
export function askLease(
	deps: ServiceDeps,
	call: Answerable,
	op: LeaseCall["op"],
	lease: LeaseId,
	answered: (time: LeaseTime) => void,
): void {
	const asked = new LeaseCall(op, lease, ticksLeft(deps, call), (outcome) => {
		if (outcome.ok) answered(outcome);
		else call.fail(statusOf(outcome.fault));
	});
	call.onCancel(() => deps.member.cancel(asked));
	deps.member.askLease(asked);
}

/** Runs `read` when this member's state holds all that was acknowledged before the call came. */
export function afterBarrier(deps: ServiceDeps, call: Answerable | StreamCall, read: () => void): void {
	const answered = (outcome: ReadOutcome): void => {
		if (outcome.ok) read();
		else if ("fail" in call) call.fail(statusOf(outcome.fault));
		else call.end(statusOf(outcome.fault));
	};
	const barrier = new ReadCall(ticksLeft(deps, call), answered, "fail" in call ? (call.request?.length ?? 0) : 0);
	call.onCancel(() => deps.member.cancel(barrier));
	deps.member.read(barrier);
}

/** The client's patience; 0 leaves it to the member's own. */
function ticksLeft({ member }: ServiceDeps, { remainingMs }: CallContext): number {
	return Number.isFinite(remainingMs) ? Math.max(1, Math.ceil(remainingMs / member.tickMs)) : 0;
}
