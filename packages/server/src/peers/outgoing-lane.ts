import type { Socket } from "node:net";
import type { NodeId } from "@flotilla/raft";
import type { LaneMessage } from "../ports.ts";
import { dialPeer } from "./dial.ts";
import { decodeAnswer, encodeHello, HandshakeReader, type HelloAnswer, type HelloRefusal, PROTOCOL_VERSION } from "./hello.ts";
import type { Lane } from "./lane.ts";
import type { PeerLimits, PeerTransportOptions } from "./options.ts";
import type { PeerAddress } from "./peer-address.ts";
import { PeerStream, type StreamEnd, type StreamTotals, UNSOUND } from "./peer-stream.ts";
import { type OfferResult, SendQueue, type SlabSums } from "./send-queue.ts";

/** A refusal that time alone hardly mends is asked again rarely. */
const HOPELESS_REDIAL_MS = 60_000;
const HOPELESS: ReadonlySet<HelloRefusal> = new Set(["wrong-cluster", "removed", "version", "lane"]);

export interface OutgoingListener {
	readonly totals: StreamTotals;
	/** The handshake was accepted by this process life of the peer. */
	opened(lane: Lane, incarnation: number): void;
	ended(lane: Lane, end: StreamEnd): void;
	/** The dial failed (`ECONNREFUSED` ...), or the peer refused by code. */
	dialFailed(lane: Lane, reason: string): void;
	refused(lane: Lane, code: HelloRefusal): void;
}

type LaneState =
	| { readonly name: "waiting"; readonly cancelTimer: () => void }
	| { readonly name: "dialing"; readonly socket: Socket; readonly cancelTimer: () => void }
	| { readonly name: "open"; readonly stream: PeerStream }
	/** Stopped; what it was given last is still leaving. */
	| { readonly name: "finishing"; readonly stream: PeerStream }
	| { readonly name: "stopped" };

/** Our own connection to a peer for one lane: dialed by us, kept up for ever, fed from a bounded queue. */
export class OutgoingLane {
	readonly lane: Lane;
	private readonly peer: NodeId;
	private readonly options: PeerTransportOptions;
	private readonly limits: PeerLimits;
	private readonly address: PeerAddress;
	private readonly listener: OutgoingListener;
	private readonly queue: SendQueue;
	private state: LaneState = { name: "stopped" };
	/** Dials in a row that led to no stream of some duration; sets the next wait. */
	private failures = 0;

	constructor(
		peer: NodeId,
		lane: Lane,
		address: PeerAddress,
		options: PeerTransportOptions,
		limits: PeerLimits,
		listener: OutgoingListener,
	) {
		this.peer = peer;
		this.lane = lane;
		this.address = address;
		this.options = options;
		this.limits = limits;
		this.listener = listener;
		this.queue = new SendQueue(options.bytes, limits);
	}

	get open(): boolean {
		return this.state.name === "open";
	}

	get queuedMessages(): number {
		return this.queue.length;
	}

	get queuedBytes(): number {
		const { state } = this;
		return this.queue.byteLength + (state.name === "open" || state.name === "finishing" ? state.stream.unsentBytes : 0);
	}

	/**
	 * Queues a message for the next `flush`. Between two dials nothing is kept: what would leave seconds later is worth less
	 * than what the core will say then. While a dial is under way it waits, so that the first messages are not lost.
	 */
	offer(message: LaneMessage, sums: SlabSums): OfferResult | "down" {
		if (this.state.name === "open") return this.queue.offer(message, sums, this.state.stream.unsentBytes);
		return this.state.name === "dialing" ? this.queue.offer(message, sums, 0) : "down";
	}

	/** Hands the queue to the socket, unless that still has something of an earlier turn. */
	flush(): void {
		if (this.state.name !== "open" || this.queue.length === 0) return;
		if (this.state.stream.unsentBytes === 0) this.state.stream.write(this.queue.take());
	}

	/** Dials now unless connected or at it: at the start, and when the peer was just seen alive. */
	dialNow(): void {
		if (this.state.name === "open" || this.state.name === "dialing" || this.state.name === "finishing") return;
		if (this.state.name === "waiting") this.state.cancelTimer();
		this.dial();
	}

	watch(paused: boolean): void {
		if (this.state.name === "open") this.state.stream.watch(paused);
	}

	/** Ends the present connection, if any, and dials anew at once. */
	restart(reason: string): void {
		if (this.state.name === "open") this.state.stream.close(reason);
		else this.dialNow();
	}

	/** For good. `graceful`: what is queued leaves first. */
	stop(reason: string, graceful: boolean): void {
		const state = this.state;
		if (state.name === "open" && graceful) {
			if (this.queue.length > 0) state.stream.write(this.queue.take());
			state.stream.finish(reason);
			this.state = { name: "finishing", stream: state.stream };
			return;
		}
		if (state.name === "open" || state.name === "finishing") state.stream.close(reason);
		else if (state.name === "dialing") state.socket.destroy();
		if (state.name === "waiting" || state.name === "dialing") state.cancelTimer();
		this.queue.clear();
		this.state = { name: "stopped" };
	}

	private dial(): void {
		const target = this.address.next();
		if (target === null) {
			this.wait(this.limits.redialMaxMs);
			return;
		}
		const reader = new HandshakeReader(this.options.bytes);
		let failure = "closed during the handshake";
		const socket = dialPeer(target, this.options.tls ?? null, (ready) =>
			ready.write(
				encodeHello(this.options.bytes, {
					versionMin: PROTOCOL_VERSION,
					versionMax: PROTOCOL_VERSION,
					clusterId: this.options.clusterId,
					from: this.options.memberId,
					to: this.peer,
					incarnation: this.options.incarnation,
					lane: this.lane,
					peerUrls: ownUrls(this.options),
				}),
			),
		);
		socket.on("data", (chunk: Uint8Array) => {
			const progress = reader.feed(chunk);
			if (progress.state === "more") return;
			const answer = progress.state === "done" ? decodeAnswer(progress.message) : null;
			if (answer === null || progress.state !== "done") {
				failure = "no peer answers there";
				socket.destroy();
			} else this.answered(socket, answer, progress.rest);
		});
		socket.on("error", (error: NodeJS.ErrnoException) => {
			failure = error.code ?? error.message;
		});
		socket.on("close", () => this.dialEnded(failure));
		const cancelTimer = this.options.scheduler.after(this.limits.handshakeMs, () => {
			failure = "no answer";
			socket.destroy();
		});
		this.state = { name: "dialing", socket, cancelTimer };
	}

	private answered(socket: Socket, answer: HelloAnswer, rest: Uint8Array): void {
		if (this.state.name !== "dialing") return;
		this.state.cancelTimer();
		// By name: the socket listens to its own `end`.
		for (const event of ["data", "error", "close"]) socket.removeAllListeners(event);
		if (answer.code !== "accepted") {
			socket.on("error", () => {});
			socket.destroy();
			this.failures++;
			this.wait(HOPELESS.has(answer.code) ? HOPELESS_REDIAL_MS : this.backoffMs());
			this.listener.refused(this.lane, answer.code);
			return;
		}
		const stream = new PeerStream(socket, rest, this.options, this.limits, {
			totals: this.listener.totals,
			// The accepting side sends heartbeats only.
			frames: () => UNSOUND,
			ended: (end) => this.streamEnded(stream, end),
			drained: () => this.flush(),
		});
		this.state = { name: "open", stream };
		this.listener.opened(this.lane, answer.incarnation);
		this.flush();
	}

	private streamEnded(stream: PeerStream, end: StreamEnd): void {
		if (this.state.name !== "open" || this.state.stream !== stream) return;
		this.queue.clear();
		const livedMs = this.options.clock.monotonicMs() - stream.openedAtMs;
		if (livedMs >= this.limits.stableMs) this.failures = 0;
		this.state = { name: "stopped" };
		// The first retry is at once: it tells a restarted or dead peer from a broken connection.
		if (this.failures === 0) this.dial();
		else this.wait(this.backoffMs());
		this.failures++;
		this.listener.ended(this.lane, end);
	}

	private dialEnded(reason: string): void {
		if (this.state.name !== "dialing") return;
		this.state.cancelTimer();
		this.queue.clear();
		this.failures++;
		this.wait(this.backoffMs());
		this.listener.dialFailed(this.lane, reason);
	}

	private wait(delayMs: number): void {
		this.state = { name: "waiting", cancelTimer: this.options.scheduler.after(delayMs, () => this.dial()) };
	}

	/** Doubles from the least to the greatest wait, each drawn from its upper half: members that fell together rise apart. */
	private backoffMs(): number {
		const fullMs = Math.min(this.limits.redialMaxMs, this.limits.redialMinMs * 2 ** Math.min(this.failures - 1, 16));
		return this.options.dice.range(Math.ceil(fullMs / 2), Math.ceil(fullMs));
	}
}

/** As the members' list has them: that of a member that does not know itself yet says nothing. */
function ownUrls({ memberId, members }: PeerTransportOptions): readonly string[] {
	return members?.().find(({ id }) => id === memberId)?.peerUrls ?? [];
}
