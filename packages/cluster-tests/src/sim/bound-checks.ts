import type { AppendWork, CoreStatus, Entry, LogIndex, NodeId, RaftLimits } from "@flotilla/raft";
import { EntryKind } from "@flotilla/raft";
import type { LaneMessage } from "@flotilla/server/internal";
import type { InvariantName } from "./invariants.ts";
import type { LogMirror } from "./log-mirror.ts";

interface Append {
	readonly lastIndex: LogIndex;
	readonly bytes: number;
}

/** What a leader feeds and holds. */
interface Feeding {
	/** By peer: appends with entries that it was sent and has not acknowledged. */
	readonly windows: Map<NodeId, Append[]>;
	/** Entries of its own term by index, with their bytes, until they are committed. */
	readonly open: Map<LogIndex, number>;
	/** Where its last work for the log began: what was taken in one turn was taken before the limit was reached. */
	turnFrom: LogIndex;
}

/** What an entry costs beyond its payload; an empty one costs nothing. */
const OVERHEAD_BYTES = 24;

/**
 * What waits in members with small limits stays within them (INV-33), from what they send and hand to their disks: appends and bytes under
 * way to a peer, uncommitted bytes of a leader, and what a follower takes while too much is not yet written.
 */
export class BoundChecks {
	private readonly limits: RaftLimits;
	private readonly breach: (name: InvariantName, text: string) => void;
	private readonly leaders = new Map<NodeId, Feeding>();

	constructor(limits: RaftLimits, breach: (name: InvariantName, text: string) => void) {
		this.limits = limits;
		this.breach = breach;
	}

	/** A new life begins with nothing under way. */
	restored(id: NodeId): void {
		this.leaders.delete(id);
	}

	/** Before `mirror` has it. */
	appended({ id, role, memory, pending }: LogMirror, { entries }: AppendWork, status: CoreStatus): void {
		const [first] = entries;
		if (first === undefined) return;
		if (status.role === "leader") {
			const feeding = this.feeding(id);
			// Neither the opening of a term nor a change of the members asks for room.
			const counted = entries.filter((entry) => entry.term === status.term && entry.kind === EntryKind.normal && entry.data.length > 0);
			if (counted.length > 0) feeding.turnFrom = first.index;
			for (const entry of counted) feeding.open.set(entry.index, bytesOf(entry));
		} else if (role === "follower" && status.role === "follower") {
			const unwritten = new Map<LogIndex, number>();
			for (const work of pending) {
				for (const entry of work.entries) if (memory.get(entry.index)?.term === entry.term) unwritten.set(entry.index, bytesOf(entry));
			}
			this.within(sum(unwritten.values()), this.limits.unstableBytesMax, id, "takes entries with so many bytes not written");
		}
	}

	/** After an output; `ledBefore`: it has led this term since the output before. */
	observe({ id, role, commit, peers }: CoreStatus, ledBefore: boolean): void {
		const feeding = this.leaders.get(id);
		if (feeding === undefined) return;
		if (role !== "leader" || !ledBefore) {
			this.leaders.delete(id);
			return;
		}
		const { windows, open, turnFrom } = feeding;
		for (const index of Array.from(open.keys())) if (index <= commit) open.delete(index);
		const before = [...open].filter(([index]) => index < turnFrom).map(([, bytes]) => bytes);
		this.within(sum(before), this.limits.uncommittedBytesMax, id, "holds so many uncommitted bytes");
		for (const [peer, window] of windows) {
			const known = peers.find((each) => each.id === peer);
			if (known?.state !== "replicate") windows.delete(peer);
			else if (window.some(({ lastIndex }) => lastIndex <= known.match))
				windows.set(
					peer,
					window.filter(({ lastIndex }) => lastIndex > known.match),
				);
		}
	}

	/** A message of `id` leaves, made in its last output. */
	leaving(id: NodeId, message: LaneMessage): void {
		const feeding = this.leaders.get(id);
		if (message.kind !== "append" || feeding === undefined) return;
		const [first] = message.entries;
		if (first === undefined) return;
		const window = feeding.windows.get(message.to) ?? [];
		feeding.windows.set(message.to, window);
		// What was sent before is given up: it begins anew.
		if (first.index <= (window.at(-1)?.lastIndex ?? 0)) window.length = 0;
		this.within(sum(window.map(({ bytes }) => bytes)), this.limits.inflightBytesMax, id, "sends more with so many bytes under way");
		window.push({ lastIndex: (message.entries.at(-1) as Entry).index, bytes: sum(message.entries.map(bytesOf)) });
		this.within(window.length, this.limits.inflightMessagesMax, id, "has so many appends under way");
	}

	private feeding(id: NodeId): Feeding {
		const known = this.leaders.get(id) ?? { windows: new Map(), open: new Map(), turnFrom: 0 };
		this.leaders.set(id, known);
		return known;
	}

	private within(held: number, max: number, id: NodeId, what: string): void {
		if (held > max) this.breach("queuesBounded", `${id.toString(16)} ${what}: ${held}, and ${max} is the limit`);
	}
}

function bytesOf({ data }: Entry): number {
	return data.length === 0 ? 0 : data.length + OVERHEAD_BYTES;
}

function sum(values: Iterable<number>): number {
	let total = 0;
	for (const value of values) total += value;
	return total;
}
