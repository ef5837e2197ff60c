import type { CoreOutput, CoreStatus, Entry, LogIndex, NodeId, RaftLimits, Role } from "../../src/index.ts";
import { EntryKind } from "../../src/index.ts";
import type { SimMember } from "./member.ts";
import { Violation } from "./violation.ts";

interface Append {
	readonly lastIndex: LogIndex;
	readonly bytes: number;
}

interface Before {
	readonly role: Role;
	readonly commit: LogIndex;
	readonly firstIndex: LogIndex;
	readonly lastIndex: LogIndex;
}

/** What an entry costs beyond its payload; an empty one costs nothing. */
const OVERHEAD_BYTES = 24;

/**
 * Whatever waits at a member stays within its limits (INV-33), counted from what it takes, hands out and is told; its own counters
 * are not looked at. A queue that holds less here than there can only hide a breach, never make one up.
 */
export class Bounds {
	private readonly limits: RaftLimits;
	/** Proposed together at most: a batch is taken when the limit was not reached before it. */
	private readonly batchMax: number;
	private readonly before = new Map<NodeId, Before>();
	/** Appends with entries that a peer has not acknowledged, by leader and peer. */
	private readonly windows = new Map<string, Append[]>();
	/** Reads that a leader took from others and has not answered, by leader. */
	private readonly foreignReads = new Map<NodeId, Set<string>>();

	constructor(limits: RaftLimits, batchMax: number) {
		this.limits = limits;
		this.batchMax = batchMax;
	}

	afterCrash(id: NodeId): void {
		this.before.delete(id);
		this.foreignReads.delete(id);
		for (const key of this.windows.keys()) if (key.startsWith(`${id}>`)) this.windows.delete(key);
	}

	/** A read of another member was taken. */
	onForeignRead(id: NodeId, token: string): void {
		const reads = this.foreignReads.get(id) ?? new Set();
		this.foreignReads.set(id, reads.add(token));
	}

	/** After every input of a member. */
	afterInput(member: SimMember, status: CoreStatus): void {
		this.pruneWindows(status);
		if (status.role !== "leader") this.foreignReads.delete(member.id);
		const before = this.before.get(member.id);
		const { role, commit, firstIndex, lastIndex } = status;
		this.before.set(member.id, { role, commit, firstIndex, lastIndex });
		const isFed = before?.role === "follower" && role === "follower" && lastIndex > before.lastIndex && firstIndex === before.firstIndex;
		if (isFed) this.checkFollower(member, before);
	}

	/** When a member's turn is over; `ownReads`: those of its own that wait. */
	afterDrain(member: SimMember, status: CoreStatus, output: CoreOutput, ownReads: number): void {
		this.checkApply(member, output);
		for (const message of output.send) {
			if (message.kind === "append" && message.entries.length > 0) this.sent(member.id, message.to, message.entries);
			if (message.kind === "readIndexResp") {
				const { incarnation, counter } = message.token;
				this.foreignReads.get(member.id)?.delete(`${message.to}/${incarnation}/${counter}`);
			}
		}
		this.pruneWindows(status);
		const reads = ownReads + (this.foreignReads.get(member.id)?.size ?? 0);
		this.assertWithin(reads, this.limits.queuedReadsMax, `${member.id} queues reads`);
		if (status.role !== "leader") return;
		this.checkUncommitted(member, status);
		for (const peer of status.peers) this.checkWindow(member.id, peer.id);
	}

	/** Above its own limits a follower lets appends fall. */
	private checkFollower({ id, disk, outstanding, machine }: SimMember, before: Before): void {
		const { issued } = disk;
		const unstable = new Map<LogIndex, Entry>();
		for (const { entries } of outstanding) {
			for (const entry of entries) if (issued.termAt(entry.index) === entry.term) unstable.set(entry.index, entry);
		}
		this.assertWithin(sizeOf([...unstable.values()]), this.limits.unstableBytesMax, `${id} takes entries with unstable bytes`);
		const applied = machine.state.index;
		const unapplied = issued.entries.filter(({ index }) => index > applied && index <= before.commit);
		this.assertWithin(sizeOf(unapplied), this.limits.unappliedBytesMax, `${id} takes entries with unapplied bytes`);
	}

	/** One entry is always handed out, also when it is beyond the limit. */
	private checkApply({ id, applyQueue, restoring }: SimMember, { apply }: CoreOutput): void {
		if (apply.length === 0 || restoring !== null) return;
		const all = [...applyQueue, ...apply];
		this.assertWithin(sizeOf(all.slice(0, -1)), this.limits.applyBytesMax, `${id} hands out for apply`);
	}

	private checkUncommitted({ id, disk }: SimMember, { term, commit }: CoreStatus): void {
		const open = disk.issued.entries.filter(
			({ index, term: of, kind, data }) => index > commit && of === term && kind === EntryKind.normal && data.length > 0,
		);
		this.assertWithin(sizeOf(open.slice(0, -this.batchMax)), this.limits.uncommittedBytesMax, `leader ${id} holds uncommitted bytes`);
	}

	private checkWindow(id: NodeId, peer: NodeId): void {
		const window = this.windows.get(`${id}>${peer}`) ?? [];
		this.assertWithin(window.length, this.limits.inflightMessagesMax, `leader ${id} has appends under way to ${peer}`);
		const bytes = window.slice(0, -1).reduce((sum, append) => sum + append.bytes, 0);
		this.assertWithin(bytes, this.limits.inflightBytesMax, `leader ${id} has bytes under way to ${peer}`);
	}

	private sent(id: NodeId, peer: NodeId, entries: readonly Entry[]): void {
		const key = `${id}>${peer}`;
		const window = this.windows.get(key) ?? [];
		window.push({ lastIndex: (entries.at(-1) as Entry).index, bytes: sizeOf(entries) });
		this.windows.set(key, window);
	}

	/** A window is that of a peer that is streamed to, and of what it has not acknowledged. */
	private pruneWindows({ id, role, peers }: CoreStatus): void {
		for (const [key, window] of this.windows) {
			if (!key.startsWith(`${id}>`)) continue;
			const peer = role === "leader" ? peers.find((each) => key === `${id}>${each.id}`) : undefined;
			if (peer?.state !== "replicate") this.windows.delete(key);
			else if (window.some(({ lastIndex }) => lastIndex <= peer.match)) {
				this.windows.set(
					key,
					window.filter(({ lastIndex }) => lastIndex > peer.match),
				);
			}
		}
	}

	private assertWithin(held: number, max: number, what: string): void {
		if (held > max) throw new Violation(`${what}: ${held}, and ${max} is the limit`);
	}
}

function sizeOf(entries: readonly Entry[]): number {
	return entries.reduce((bytes, { data }) => bytes + (data.length === 0 ? 0 : data.length + OVERHEAD_BYTES), 0);
}
