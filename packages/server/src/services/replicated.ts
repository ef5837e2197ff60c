/** Writes and read barriers of one call: made, called off when the client goes away, answered once. */
import {
	type CallFault,
	type CommandKind,
	type CommandResult,
	MembershipCall,
	type MembershipChange,
	ReadCall,
	WriteCall,
} from "@flotilla/replica";
import type { CallContext, Status } from "../front/seam.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";

interface Answerable extends CallContext {
	fail(status: Status): void;
}

/**
 * Proposes `payload` and hands its result to `applied`, in the turn in which this member applied it, or its fault to
 * `refused`, which by itself fails the call.
 */
export function propose(
	deps: ServiceDeps,
	call: Answerable,
	kind: CommandKind,
	payload: Uint8Array,
	applied: (command: CommandResult) => void,
	refused: (fault: CallFault) => void = (fault) => call.fail(statusOf(fault)),
): void {
	const write = new WriteCall(kind, payload, "", 0, ticksLeft(deps, call), (outcome) => {
		if (outcome.ok) applied(outcome.command);
		else refused(outcome.fault);
	});
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

/** Runs `read` when this member's state holds all that was acknowledged before the call came. */
export function afterBarrier(deps: ServiceDeps, call: Answerable, read: () => void): void {
	const barrier = new ReadCall(ticksLeft(deps, call), (outcome) => {
		if (outcome.ok) read();
		else call.fail(statusOf(outcome.fault));
	});
	call.onCancel(() => deps.member.cancel(barrier));
	deps.member.read(barrier);
}

/** The client's patience; 0 leaves it to the member's own. */
function ticksLeft({ member }: ServiceDeps, { remainingMs }: CallContext): number {
	return Number.isFinite(remainingMs) ? Math.max(1, Math.ceil(remainingMs / member.tickMs)) : 0;
}
