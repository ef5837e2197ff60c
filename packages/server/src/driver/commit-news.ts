import type { Message } from "@flotilla/raft";
import type { PeerMessage } from "@flotilla/replica";
import type { Clock, Scheduler } from "../ports.ts";

type NodeId = PeerMessage["to"];
type Append = Extract<Message, { kind: "append" }>;

/** News of a commit waits at most so long for an append that takes it along. */
const RIDE_MS = 1;
/** What a member asks its leader for on behalf of a client. */
const ASKS: ReadonlySet<string> = new Set<PeerMessage["kind"]>(["forward", "readIndex", "membershipAsk", "leaseAsk"]);
/** Who forwarded something to this leader within this time may have a client that waits for the commit: it is told at once. */
const ASKED_MS = 50;

/**
 * Holds back appends without entries, which only tell a follower that its leader has committed more. With few clients the next
 * append is about to leave anyway: the news, the follower's turn for it and its answer were a third of what such a put cost, and
 * stood between the commit and the client's answer. Nothing is promised about when a follower hears of a commit, so this is
 * no more than a slow line (raft.md 2.4); a later append carries a commit that is as high or higher.
 */
export class CommitNews {
	private readonly clock: Clock;
	private readonly scheduler: Scheduler;
	private readonly send: (late: readonly Append[]) => void;
	/** At most one a peer. */
	private readonly held = new Map<NodeId, Append>();
	private readonly askedMs = new Map<NodeId, number>();
	private callOff: (() => void) | null = null;

	/** `send` gets what waited in vain for a ride. */
	constructor(clock: Clock, scheduler: Scheduler, send: (late: readonly Append[]) => void) {
		this.clock = clock;
		this.scheduler = scheduler;
		this.send = send;
	}

	/** A message came: its sender may be asking for something. */
	heard(message: { readonly kind: string; readonly from: NodeId }): void {
		if (ASKS.has(message.kind)) this.askedMs.set(message.from, this.clock.monotonicMs());
	}

	/** What of these messages leaves now, in their order. */
	sift(messages: readonly PeerMessage[]): readonly PeerMessage[] {
		let now: PeerMessage[] | null = null;
		for (let i = 0; i < messages.length; i++) {
			const message = messages[i] as PeerMessage;
			if (message.kind === "append") {
				if (message.entries.length === 0 && !this.waits(message.to)) {
					this.hold(message);
					now ??= messages.slice(0, i);
					continue;
				}
				this.held.delete(message.to);
			}
			now?.push(message);
		}
		return now ?? messages;
	}

	/** What is held leaves now: connections are about to be closed. */
	release(): void {
		this.callOff?.();
		this.callOff = null;
		const late = [...this.held.values()];
		this.held.clear();
		if (late.length > 0) this.send(late);
	}

	/** Nothing more leaves. */
	stop(): void {
		this.held.clear();
		this.callOff?.();
		this.callOff = null;
	}

	private waits(peer: NodeId): boolean {
		const askedMs = this.askedMs.get(peer);
		if (askedMs === undefined) return false;
		if (this.clock.monotonicMs() - askedMs < ASKED_MS) return true;
		this.askedMs.delete(peer);
		return false;
	}

	private hold(message: Append): void {
		this.held.set(message.to, message);
		this.callOff ??= this.scheduler.after(RIDE_MS, () => this.release());
	}
}
