import type { Socket } from "node:net";
import type { TapSink } from "@flotilla/base";
import { type NodeId, termCeiling } from "@flotilla/raft";
import type { LaneMessage, PeerEvents } from "../ports.ts";
import type { Frame } from "./frame.ts";
import type { HelloRefusal } from "./hello.ts";
import { Lane, laneOf, RAFT_LANES } from "./lane.ts";
import { LossWatch } from "./loss-watch.ts";
import { decodeMessage } from "./message-codec.ts";
import type { PeerLimits, PeerTransportOptions } from "./options.ts";
import { OutgoingLane } from "./outgoing-lane.ts";
import { PeerAddress } from "./peer-address.ts";
import { PeerStream, type StreamEnd, type StreamTotals, UNSOUND } from "./peer-stream.ts";
import type { SlabSums } from "./send-queue.ts";

/** For metrics and checks of connectedness; times are monotonic milliseconds. */
export interface PeerLinkStats {
	readonly peer: NodeId;
	/** Both raft lanes to the peer are up. */
	readonly connected: boolean;
	/** Since when; -1 when not connected. */
	readonly connectedSinceMs: number;
	readonly queuedMessages: number;
	readonly queuedBytes: number;
	readonly sentMessages: number;
	readonly droppedMessages: number;
	readonly receivedMessages: number;
	readonly connects: number;
	/** How often it was connected and then was not. */
	readonly disconnects: number;
	/** Connections that were closed because of what the peer sent on them. */
	readonly receiveFaults: number;
	readonly sentBytes: number;
	readonly receivedBytes: number;
}

/** A peer that is not there: others tell of that. Everything else is for the operator to mend: certificates, names. */
const ORDINARY_DIALS: ReadonlySet<string> = new Set([
	...["ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "EPIPE"],
	...["no answer", "closed during the handshake"],
]);
const DIAL_CHARACTERS_MAX = 200;
/** Addresses that a peer may name besides those in the list of members. */
const TOLD_MAX = 16;
/** A connection for snapshots that was not used for so long is closed. */
const SNAPSHOTS_IDLE_MS = 60_000;

/** Everything between this member and one other: our lanes to it, its lanes to us, and what their ends say. */
export class PeerLink {
	readonly peer: NodeId;
	private readonly options: PeerTransportOptions;
	private readonly limits: PeerLimits;
	private readonly events: PeerEvents;
	private readonly tap: TapSink;
	private readonly address = new PeerAddress();
	private known: readonly string[] = [];
	private told: readonly string[] = [];
	private readonly outgoing = new Map<Lane, OutgoingLane>();
	private readonly incoming = new Map<Lane, PeerStream>();
	private readonly loss: LossWatch;
	private cancelGrace: () => void = () => {};
	/** The peer's present process life; -1 before the first handshake. */
	private incarnation = -1;
	private connectedSinceMs = -1;
	/** Trouble was reported and is not over: it is reported once. */
	private inTrouble = false;
	/** Why the peer cannot be dialed, as it was told last. */
	private dialTold: string | null = null;
	private stopped = false;
	private sent = 0;
	private dropped = 0;
	private received = 0;
	private connects = 0;
	private disconnects = 0;
	private receiveFaults = 0;
	private snapshotsUsedMs = 0;
	private readonly totals: StreamTotals = { sentBytes: 0, receivedBytes: 0 };

	constructor(peer: NodeId, options: PeerTransportOptions, limits: PeerLimits, events: PeerEvents, tap: TapSink) {
		this.peer = peer;
		this.options = options;
		this.limits = limits;
		this.events = events;
		this.tap = tap;
		this.loss = new LossWatch({ graceMs: limits.lossGraceMs, graceMaxMs: Math.max(limits.lossGraceMs, options.electionTimeoutMs) });
		for (const lane of RAFT_LANES) this.outgoing.set(lane, this.makeLane(lane));
	}

	/**
	 * As the list of members has them. Dials where no connection stands. One that stands stays: new addresses may be wrong, or be in use only
	 * after a restart of the peer.
	 */
	setUrls(urls: readonly string[]): void {
		this.known = urls;
		this.readdress();
	}

	/** As the peer itself says when it dials: it may have moved while this member was down, and nobody else can tell. */
	alsoAt(urls: readonly string[]): void {
		this.told = urls.slice(0, TOLD_MAX);
		this.readdress();
	}

	private readdress(): void {
		if (!this.address.set([...new Set([...this.known, ...this.told])])) return;
		for (const lane of this.outgoing.values()) lane.dialNow();
	}

	/** Queues for the next `flush`. False when the message was dropped. */
	offer(message: LaneMessage, sums: SlabSums): boolean {
		const name = laneOf(message.kind);
		const lane = name === Lane.snapshots ? this.snapshotLane() : this.outgoing.get(name);
		const result = lane === undefined ? "down" : lane.offer(message, sums);
		if (result === "queued") {
			this.sent++;
			return true;
		}
		this.dropped++;
		if (result !== "down" && name !== Lane.snapshots && !this.inTrouble) {
			this.tap.emit("peerQueueFull", 0, 0, { remotePeerId: this.peer, lane: laneOf(message.kind), reason: result });
		}
		// "too long" is trouble of one message, not of the peer; probing would only send it again.
		if (result !== "too long") this.trouble();
		return false;
	}

	flush(): void {
		for (const lane of this.outgoing.values()) lane.flush();
	}

	watch(paused: boolean): void {
		for (const lane of this.outgoing.values()) lane.watch(paused);
		for (const stream of this.incoming.values()) stream.watch(paused);
		if (this.nowMs() - this.snapshotsUsedMs > SNAPSHOTS_IDLE_MS) this.endSnapshotLane();
		this.maybeCalm();
	}

	/** The peer dialed us and its hello was accepted; the answer is on its way. */
	accepted(lane: Lane, incarnation: number, socket: Socket, rest: Uint8Array): void {
		this.meet(incarnation, null);
		this.incoming.get(lane)?.close("replaced by a newer connection");
		const stream = new PeerStream(socket, new Uint8Array(0), this.options, this.limits, {
			totals: this.totals,
			frames: (frames) => this.deliver(frames),
			ended: (end) => this.incomingEnded(lane, stream, end),
			drained: () => {},
		});
		this.incoming.set(lane, stream);
		if (isRaftLane(lane)) {
			this.loss.opened(`in${lane}`, this.nowMs());
			this.cancelGrace();
		}
		// It lives and can be reached, at least in this direction: no use in waiting with our own lanes.
		for (const own of this.outgoing.values()) own.dialNow();
		if (rest.length > 0) socket.unshift(rest);
		this.maybeCalm();
	}

	/** For good: the peer is no member any more, or we stop. */
	stop(reason: string, graceful: boolean): void {
		this.stopped = true;
		this.cancelGrace();
		for (const lane of this.outgoing.values()) lane.stop(reason, graceful);
		for (const stream of this.incoming.values()) stream.close(reason);
	}

	stats(): PeerLinkStats {
		let queuedMessages = 0;
		let queuedBytes = 0;
		for (const lane of this.outgoing.values()) {
			queuedMessages += lane.queuedMessages;
			queuedBytes += lane.queuedBytes;
		}
		return {
			peer: this.peer,
			connected: this.connectedSinceMs >= 0,
			connectedSinceMs: this.connectedSinceMs,
			queuedMessages,
			queuedBytes,
			sentMessages: this.sent,
			droppedMessages: this.dropped,
			receivedMessages: this.received,
			connects: this.connects,
			disconnects: this.disconnects,
			receiveFaults: this.receiveFaults,
			sentBytes: this.totals.sentBytes,
			receivedBytes: this.totals.receivedBytes,
		};
	}

	/** Dialed when something is to be sent, ended when nothing was for a while; its fate says nothing about the peer. */
	private snapshotLane(): OutgoingLane {
		this.snapshotsUsedMs = this.nowMs();
		let lane = this.outgoing.get(Lane.snapshots);
		if (lane === undefined) {
			lane = this.makeLane(Lane.snapshots);
			this.outgoing.set(Lane.snapshots, lane);
			lane.dialNow();
		}
		return lane;
	}

	private endSnapshotLane(): void {
		this.outgoing.get(Lane.snapshots)?.stop("idle", false);
		this.outgoing.delete(Lane.snapshots);
	}

	private makeLane(lane: Lane): OutgoingLane {
		return new OutgoingLane(this.peer, lane, this.address, this.options, this.limits, {
			totals: this.totals,
			opened: (opened, incarnation) => this.outgoingOpened(opened, incarnation),
			ended: (ended, end) => this.outgoingEnded(ended, end),
			dialFailed: (failed, reason) => {
				this.tellDial(reason);
				if (isRaftLane(failed) && reason === "ECONNREFUSED" && this.loss.redialRefused()) this.lost();
			},
			refused: (refused, code) => this.outgoingRefused(refused, code),
		});
	}

	/** A peer whose certificate is not good is dialed again and again: it is told once, until it is another reason or the peer was met. */
	private tellDial(reason: string): void {
		if (ORDINARY_DIALS.has(reason) || reason === this.dialTold) return;
		this.dialTold = reason;
		this.tap.emit("peerDialFailed", 0, 0, { remotePeerId: this.peer, reason: reason.slice(0, DIAL_CHARACTERS_MAX) });
	}

	private outgoingOpened(lane: Lane, incarnation: number): void {
		this.dialTold = null;
		this.meet(incarnation, lane);
		if (!isRaftLane(lane)) return;
		this.loss.opened(`out${lane}`, this.nowMs());
		this.cancelGrace();
		for (const each of RAFT_LANES) if (!this.outgoing.get(each)?.open) return;
		this.connectedSinceMs = this.nowMs();
		this.connects++;
		this.inTrouble = false;
		this.tap.emit("peerConnected", 0, 0, { remotePeerId: this.peer });
		this.events.connected(this.peer);
	}

	private outgoingEnded(lane: Lane, end: StreamEnd): void {
		if (this.stopped || !isRaftLane(lane)) return;
		this.disconnected(`out${lane}`, end);
	}

	private incomingEnded(lane: Lane, stream: PeerStream, end: StreamEnd): void {
		// A stream that was replaced says nothing about the lane.
		if (this.incoming.get(lane) !== stream) return;
		this.incoming.delete(lane);
		if (!this.stopped && isRaftLane(lane)) this.disconnected(`in${lane}`, end);
	}

	private disconnected(lane: `${"out" | "in"}${Lane}`, end: StreamEnd): void {
		if (this.connectedSinceMs >= 0) {
			this.tap.emit("peerDisconnected", 0, 0, { remotePeerId: this.peer, lane, by: end.by, reason: end.reason });
		}
		if (lane.startsWith("out")) this.notConnected();
		this.trouble();
		if (this.loss.closed(lane, end.by, this.nowMs())) this.lost();
		else this.armGrace();
	}

	private outgoingRefused(lane: Lane, code: HelloRefusal): void {
		this.tap.emit("peerRefused", 0, 0, { remotePeerId: this.peer, lane, reason: code });
		if (code === "removed") this.events.removed(this.peer);
	}

	/** Another process life of the peer: what belonged to the former one is closed and over, but for the lane that found it. */
	private meet(incarnation: number, foundBy: Lane | null): void {
		if (incarnation === this.incarnation) return;
		const former = this.incarnation;
		this.incarnation = incarnation;
		if (former < 0) return;
		if (this.loss.replaced()) this.lost();
		for (const [lane, stream] of this.incoming) {
			this.incoming.delete(lane);
			stream.close("the peer was started anew");
		}
		for (const own of this.outgoing.values()) if (own.open && own.lane !== foundBy) own.restart("the peer was started anew");
		this.notConnected();
		this.trouble();
	}

	private notConnected(): void {
		if (this.connectedSinceMs >= 0) this.disconnects++;
		this.connectedSinceMs = -1;
	}

	/** Null, or why the stream that they came by closes. */
	private deliver(frames: readonly Frame[]): string | null {
		const messages: LaneMessage[] = [];
		let fault: string | null = null;
		for (const { envelope, slab, slabCrc } of frames) {
			const message = decodeMessage(this.peer, this.options.memberId, envelope, slab, slabCrc);
			if (message !== null) messages.push(message);
			fault = message === null ? UNSOUND : this.termFault(message);
			if (fault !== null) break;
		}
		this.received += messages.length;
		if (messages.length > 0) this.events.messages(messages);
		if (fault !== null) this.receiveFaults++;
		return fault;
	}

	/** Rule T1. The core hears such a message all the same, and takes no more of it than that there is a higher term. */
	private termFault({ kind, term }: LaneMessage): string | null {
		// Looked up only where it decides: the status of a core costs more than a message.
		if (term <= termCeiling(0)) return null;
		const termMax = termCeiling(this.options.term?.() ?? 0);
		if (term <= termMax) return null;
		this.tap.emit("peerRefused", 0, 0, { remotePeerId: this.peer, reason: "term", message: kind, term, termMax });
		return `term ${term}`;
	}

	private trouble(): void {
		if (this.inTrouble) return;
		this.inTrouble = true;
		this.events.unreachable(this.peer);
	}

	/** Trouble is over: what was dropped meanwhile may be sent again, and is asked for by this. */
	private maybeCalm(): void {
		if (!this.inTrouble || this.connectedSinceMs < 0 || !this.queuesCalm()) return;
		this.inTrouble = false;
		this.events.connected(this.peer);
	}

	/** An overflow is over when the queues are at most half full: otherwise every other message would be a report. */
	private queuesCalm(): boolean {
		for (const lane of this.outgoing.values()) {
			if (!isRaftLane(lane.lane)) continue;
			if (lane.queuedMessages * 2 > this.limits.queueMessagesMax || lane.queuedBytes * 2 > this.limits.queueBytesMax) return false;
		}
		return true;
	}

	private armGrace(): void {
		this.cancelGrace();
		const deadlineMs = this.loss.deadlineMs;
		if (deadlineMs === Number.POSITIVE_INFINITY) return;
		this.cancelGrace = this.options.scheduler.after(Math.max(0, deadlineMs - this.nowMs()), () => {
			if (this.loss.graceOver(this.nowMs())) this.lost();
			else this.armGrace();
		});
	}

	private lost(): void {
		this.cancelGrace();
		this.tap.emit("peerDisconnected", 0, 0, { remotePeerId: this.peer, reason: "lost" });
		this.events.lost(this.peer);
	}

	private nowMs(): number {
		return this.options.clock.monotonicMs();
	}
}

function isRaftLane(lane: Lane): boolean {
	return RAFT_LANES.includes(lane);
}
