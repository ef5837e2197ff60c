/**
 * Output in the making. Two objects take turns: the one handed out stays untouched until the next is, so inputs that come
 * while the driver still carries out the last output (a client that writes again from `done`) go to the other.
 */
import { empty } from "@flotilla/base";
import type { CallFault, ReadCall, ReadOutcome, WriteCall, WriteOutcome } from "./calls.ts";
import type { PeerMessage } from "./messages.ts";
import type { ReplicaOutput } from "./replica-interface.ts";

const GRANTED: ReadOutcome = { ok: true };

export class Outbox {
	/** The one being filled. */
	output: ReplicaOutput = emptyOutput();
	private other: ReplicaOutput = emptyOutput();

	/** The filled output, valid until the next call. */
	take(): ReplicaOutput {
		const filled = this.output;
		this.output = clear(this.other);
		this.other = filled;
		return filled;
	}

	send(message: PeerMessage): void {
		this.output.send.push(message);
	}

	completeWrite(call: WriteCall, outcome: WriteOutcome): void {
		call.state = "completed";
		this.output.completions.push({ call, outcome });
	}

	failWrite(call: WriteCall, fault: CallFault): void {
		this.completeWrite(call, { ok: false, fault });
	}

	grantRead(call: ReadCall): void {
		call.completed = true;
		this.output.completions.push({ call, outcome: GRANTED });
	}

	failRead(call: ReadCall, fault: CallFault): void {
		call.completed = true;
		this.output.completions.push({ call, outcome: { ok: false, fault } });
	}
}

function emptyOutput(): ReplicaOutput {
	return {
		send: [],
		appends: [],
		batches: [],
		completions: [],
		fetch: [],
		snapshots: [],
		events: [],
		membersChanged: false,
		removed: false,
		moreWork: false,
	};
}

function clear(output: ReplicaOutput): ReplicaOutput {
	empty(output.send);
	empty(output.appends);
	empty(output.batches);
	empty(output.completions);
	empty(output.fetch);
	empty(output.snapshots);
	empty(output.events);
	output.membersChanged = false;
	output.removed = false;
	output.moreWork = false;
	return output;
}
