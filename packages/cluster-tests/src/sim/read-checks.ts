import type { ConfState, NodeId, ReadToken, Term } from "@flotilla/raft";
import type { LaneMessage } from "@flotilla/server/internal";
import { describeConf, isQuorum } from "./conf-twin.ts";
import type { InvariantName } from "./invariants.ts";

/** What one leader did in one term, by the order of what was received and made there. */
interface Leadership {
	/** By read position: when a heartbeat first carried it. */
	readonly opened: Map<number, number>;
	/** By member: when the newest position that it has echoed was first carried. */
	readonly proven: Map<NodeId, number>;
}

/**
 * Reads that a leader grants to others, from the messages alone (INV-37, rules R1 to R3): behind each grant a quorum has echoed a
 * heartbeat that was made after the question came. The core's counters are not looked at.
 */
export class ReadChecks {
	private readonly breach: (name: InvariantName, text: string) => void;
	private readonly leaderships = new Map<string, Leadership>();
	/** By who was asked, by whom, and token: when the question came first. */
	private readonly asked = new Map<string, number>();
	private order = 0;
	/** Grants that were judged. */
	judged = 0;

	constructor(breach: (name: InvariantName, text: string) => void) {
		this.breach = breach;
	}

	/** A message is handed to `id`. */
	arriving(id: NodeId, message: LaneMessage): void {
		if (message.kind === "heartbeatResp") {
			const led = this.leadership(id, message.term);
			const opened = led.opened.get(message.readPosition);
			if (opened !== undefined) led.proven.set(message.from, Math.max(opened, led.proven.get(message.from) ?? 0));
		} else if (message.kind === "readIndex") {
			const name = askOf(id, message.from, message.token);
			if (!this.asked.has(name)) this.asked.set(name, ++this.order);
		}
	}

	/** `id` sends this; one of `confs` was in force when it was made. */
	leaving(id: NodeId, message: LaneMessage, confs: readonly ConfState[]): void {
		if (message.kind === "heartbeat") {
			const { opened } = this.leadership(id, message.term);
			if (!opened.has(message.readPosition)) opened.set(message.readPosition, ++this.order);
		} else if (message.kind === "readIndexResp" && message.index > 0) {
			const { proven } = this.leadership(id, message.term);
			const asked = this.asked.get(askOf(id, message.to, message.token));
			this.judged++;
			const proves = (voter: NodeId): boolean => voter === id || (asked !== undefined && (proven.get(voter) ?? 0) > asked);
			if (confs.some((conf) => isQuorum(conf, proves))) return;
			const why =
				asked === undefined ? "that nobody asked for" : `and no quorum of ${confs.map(describeConf).join(" or ")} has echoed since`;
			this.breach("readProven", `${hex(id)} grants ${hex(message.to)} a read in term ${message.term}, ${why}`);
		}
	}

	private leadership(id: NodeId, term: Term): Leadership {
		const name = `${id}/${term}`;
		let led = this.leaderships.get(name);
		if (led === undefined) {
			led = { opened: new Map(), proven: new Map() };
			this.leaderships.set(name, led);
		}
		return led;
	}
}

function askOf(asked: NodeId, by: NodeId, { incarnation, counter }: ReadToken): string {
	return `${asked}/${by}/${incarnation}/${counter}`;
}

function hex(id: NodeId): string {
	return id.toString(16);
}
