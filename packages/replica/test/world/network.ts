import type { Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { PeerMessage } from "../../src/index.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface Endpoint {
	readonly id: NodeId;
	deliver(messages: readonly PeerMessage[]): void;
	connected(peer: NodeId): void;
	unreachable(peer: NodeId): void;
	lost(peer: NodeId): void;
	/** Whether it knows that peer as removed from the cluster. */
	turnsAway(peer: NodeId): boolean;
	/** It was turned away as removed. */
	turnedAway(): void;
}

const DELAY_US_MIN = 50;
const DELAY_US_MAX = 800;
const REDIAL_US = 20_000;
/** The loss of a connection is noticed by its closing. */
const NOTICE_US = 2_000;

/**
 * Two streams each way between any two members, each first in first out; a stream that breaks loses what is on it, and
 * both ends are told. A cut is a break that lasts.
 */
export class Network {
	/** Decides the fate of single messages: true drops one although the stream stays. */
	drop: (message: PeerMessage) => boolean = () => false;
	/** Sees every message that is sent. */
	onSend: (message: PeerMessage) => void = () => {};
	delivered = 0;
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly endpoints = new Map<NodeId, Endpoint>();
	/** Incarnation of each link; messages of an older one are lost. */
	private readonly epochs = new Map<string, number>();
	private readonly cuts = new Set<string>();
	private readonly busyUntilUs = new Map<string, number>();

	constructor(time: VirtualTime, dice: Dice) {
		this.time = time;
		this.dice = dice;
	}

	attach(endpoint: Endpoint): void {
		this.endpoints.set(endpoint.id, endpoint);
		for (const peer of this.endpoints.keys()) if (peer !== endpoint.id) this.redial(endpoint.id, peer);
	}

	/** The process is gone: its connections close at once. */
	detach(id: NodeId): void {
		this.endpoints.delete(id);
		for (const peer of this.endpoints.keys()) this.breakLink(id, peer, true);
	}

	send(messages: readonly PeerMessage[]): void {
		for (const message of messages) this.sendOne(message);
	}

	/** Both directions break, and come back by themselves. */
	reset(a: NodeId, b: NodeId): void {
		this.breakLink(a, b, false);
		this.redial(a, b);
	}

	cut(a: NodeId, b: NodeId): void {
		if (this.cuts.has(linkOf(a, b))) return;
		this.cuts.add(linkOf(a, b));
		this.breakLink(a, b, false);
	}

	heal(): void {
		const cuts = [...this.cuts];
		this.cuts.clear();
		for (const cut of cuts) {
			const [a, b] = cut.split("-").map(BigInt) as [NodeId, NodeId];
			this.redial(a, b);
		}
	}

	private sendOne(message: PeerMessage): void {
		const { from, to } = message;
		this.onSend(message);
		const link = linkOf(from, to);
		if (this.cuts.has(link) || !this.endpoints.has(to) || this.drop(message)) return;
		const epoch = this.epochs.get(link) ?? 0;
		const lane = `${from}>${to}/${isLogLane(message) ? "log" : "control"}`;
		const arrivesUs = Math.max(this.time.nowUs + this.dice.range(DELAY_US_MIN, DELAY_US_MAX), this.busyUntilUs.get(lane) ?? 0);
		this.busyUntilUs.set(lane, arrivesUs);
		this.time.after(arrivesUs - this.time.nowUs, () => {
			if ((this.epochs.get(link) ?? 0) !== epoch) return;
			this.delivered++;
			this.endpoints.get(to)?.deliver([message]);
		});
	}

	private breakLink(a: NodeId, b: NodeId, processEnded: boolean): void {
		const link = linkOf(a, b);
		this.epochs.set(link, (this.epochs.get(link) ?? 0) + 1);
		for (const [self, peer] of [
			[a, b],
			[b, a],
		] as const) {
			const endpoint = this.endpoints.get(self);
			if (endpoint === undefined) continue;
			this.time.after(this.dice.range(100, NOTICE_US), () => {
				if (this.endpoints.get(self) !== endpoint) return;
				endpoint.unreachable(peer);
				// A redial is refused where no process listens (rule H2).
				if (processEnded && !this.endpoints.has(peer)) endpoint.lost(peer);
			});
		}
	}

	private redial(a: NodeId, b: NodeId): void {
		const link = linkOf(a, b);
		const ends = [this.endpoints.get(a), this.endpoints.get(b)];
		this.time.after(this.dice.range(NOTICE_US, REDIAL_US), () => {
			const [first, second] = [this.endpoints.get(a), this.endpoints.get(b)];
			if (this.cuts.has(link) || first === undefined || second === undefined || first !== ends[0] || second !== ends[1]) return;
			if (first.turnsAway(b)) second.turnedAway();
			else if (second.turnsAway(a)) first.turnedAway();
			else {
				first.connected(b);
				second.connected(a);
			}
		});
	}
}

function isLogLane({ kind }: PeerMessage): boolean {
	return kind === "append" || kind === "appendResp" || kind === "forward" || kind === "forwardRefused";
}

function linkOf(a: NodeId, b: NodeId): string {
	return a < b ? `${a}-${b}` : `${b}-${a}`;
}
