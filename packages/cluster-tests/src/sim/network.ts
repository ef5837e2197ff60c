import { assert, type Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import {
	decodeMessage,
	encodeMessage,
	type Lane,
	type LaneMessage,
	laneOf,
	type PeerEvents,
	type PeerTransport,
} from "@flotilla/server/internal";
import type { CrashPoints } from "./crash-points.ts";
import type { SimProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Drawn once a run. Times in microseconds, chances per thousand. */
export interface NetworkModel {
	readonly delayMinUs: number;
	readonly delayMeanUs: number;
	/** `stream`: as TCP, in order within a lane, a lost packet costs a retransmission. `datagram`: anything may happen to a message. */
	readonly mode: "stream" | "datagram";
	readonly lossPerMille: number;
	readonly duplicatePerMille: number;
	/** Messages under way from one member to another at most; those beyond are dropped, and the sender is told. 0: no bound. */
	readonly queueMax: number;
}

interface Endpoint {
	readonly id: NodeId;
	readonly process: SimProcess;
	readonly events: PeerEvents;
	readonly points: CrashPoints;
	/** Whom it talks to; null before it was told. */
	contacts: ReadonlySet<NodeId> | null;
	/** Whom it turns away for good. */
	removed: ReadonlySet<NodeId>;
	/** Strangers that a member which it knows has vouched for. */
	readonly guests: Set<NodeId>;
}

/** The connection between two lives; `epoch` rises when it breaks, and what was under way goes with it. */
interface Connection {
	up: boolean;
	epoch: number;
	/** Latest arrival by direction and lane, so that a stream keeps its order. */
	readonly arrivals: Map<string, number>;
	/** Messages under way by sender. */
	readonly queued: Map<NodeId, number>;
}

/** A follower gives a broken connection this long before it holds the peer for lost (rule H2). */
const LOST_AFTER_US = 30_000;
const REDIAL_US = 50_000;
const RETRANSMIT_US = 200_000;
const LATE_DUPLICATE_US = 3_000_000;

/** Carries bytes between simulated members, through the real message codec, as badly as its model says. */
export class SimNetwork {
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private model: NetworkModel;
	private readonly endpoints = new Map<NodeId, Endpoint>();
	private readonly connections = new Map<string, Connection>();
	private readonly cuts = new Set<string>();
	private readonly cloggedUntilUs = new Map<string, number>();
	/** Messages handed over so far. */
	carried = 0;
	dropped = 0;
	/** Sees every message as it leaves its sender. */
	onLeaving: (from: NodeId, message: LaneMessage) => void = () => {};

	constructor(time: VirtualTime, dice: Dice, model: NetworkModel) {
		this.time = time;
		this.dice = dice;
		this.model = model;
	}

	/** A life joins; its connections come up one after the other. */
	attach(id: NodeId, process: SimProcess, events: PeerEvents, points: CrashPoints): PeerTransport {
		assert(!this.endpoints.has(id), "a member has one life at a time");
		const endpoint: Endpoint = { id, process, events, points, contacts: null, removed: new Set(), guests: new Set() };
		this.endpoints.set(id, endpoint);
		for (const other of this.endpoints.values()) if (other !== endpoint) this.dial(endpoint, other);
		return {
			send: (messages) => this.send(endpoint, messages),
			setMembers: (members, removed = new Set()) => this.setContacts(endpoint, new Set(members.map((member) => member.id)), removed),
			close: () => Promise.resolve(),
		};
	}

	/** As a real member does: who is not listed any more is cut off, and may dial; who is new is dialed. */
	private setContacts(endpoint: Endpoint, contacts: ReadonlySet<NodeId>, removed: ReadonlySet<NodeId>): void {
		endpoint.contacts = contacts;
		endpoint.removed = removed;
		if (this.endpoints.get(endpoint.id) !== endpoint) return;
		for (const id of [...contacts, ...removed]) endpoint.guests.delete(id);
		for (const peer of this.endpoints.values()) {
			if (peer === endpoint || knows(endpoint, peer.id)) continue;
			const connection = this.connection(endpoint.id, peer.id);
			if (connection.up) this.closeGently(endpoint, peer, connection);
		}
	}

	/** What is on the way still arrives; then the other side notices the end, and dials again. */
	private closeGently(endpoint: Endpoint, peer: Endpoint, connection: Connection): void {
		const lastUs = Math.max(this.time.nowUs, ...connection.arrivals.values());
		this.time.after(lastUs - this.time.nowUs + this.dice.range(100, 2_000), () => {
			if (this.connection(endpoint.id, peer.id) !== connection || !connection.up) return;
			this.breakConnection(connection);
			peer.process.run(() => peer.events.unreachable(endpoint.id));
			this.dial(peer, endpoint);
		});
	}

	/** False when one of them does not take the other; told at once when that is for good. */
	private admitted(a: Endpoint, b: Endpoint): boolean {
		if (b.removed.has(a.id)) a.process.run(() => a.events.removed(b.id));
		else if (a.removed.has(b.id)) b.process.run(() => b.events.removed(a.id));
		this.vouch(a, b);
		this.vouch(b, a);
		return knows(a, b.id) && knows(b, a.id);
	}

	/** As the real transport: a stranger that dials is let in when some member that can be asked lists it. */
	private vouch(endpoint: Endpoint, stranger: Endpoint): void {
		if (knows(endpoint, stranger.id) || endpoint.removed.has(stranger.id)) return;
		for (const member of this.endpoints.values()) {
			const reached =
				endpoint.contacts?.has(member.id) === true && !this.isCut(endpoint.id, member.id) && !this.isCut(member.id, endpoint.id);
			if (reached && member.contacts?.has(stranger.id) === true) endpoint.guests.add(stranger.id);
		}
	}

	/** The life is over: its kernel closes the connections, which the others notice unless the way to them is cut. */
	detach(id: NodeId): void {
		const gone = this.endpoints.get(id);
		if (gone === undefined) return;
		this.endpoints.delete(id);
		for (const peer of this.endpoints.values()) {
			const connection = this.connection(id, peer.id);
			if (!connection.up) continue;
			this.breakConnection(connection);
			if (this.isCut(id, peer.id) || this.isCut(peer.id, id)) continue;
			this.time.after(this.dice.range(100, 2_000), () => {
				peer.process.run(() => peer.events.unreachable(id));
				this.time.after(this.dice.range(100, 2_000), () => {
					if (!this.connection(id, peer.id).up) peer.process.run(() => peer.events.lost(id));
				});
			});
		}
	}

	/** Nothing passes from `from` to `to`. */
	cut(from: NodeId, to: NodeId): void {
		this.cuts.add(`${from}>${to}`);
	}

	heal(from: NodeId, to: NodeId): void {
		if (!this.cuts.delete(`${from}>${to}`)) return;
		// What was sent meanwhile is lost, so the stream that carried it cannot go on.
		if (!this.isCut(to, from)) this.reset(from, to);
	}

	healAll(): void {
		for (const pair of Array.from(this.cuts)) {
			const [from, to] = pair.split(">").map(BigInt) as [NodeId, NodeId];
			this.heal(from, to);
		}
		this.cloggedUntilUs.clear();
	}

	/** Loss, doubles and delays out of proportion to the election timeout are faults like others, and end with them. */
	calm(electionUs: number): void {
		const { delayMinUs, delayMeanUs } = this.model;
		const delays = { delayMinUs: Math.min(delayMinUs, electionUs / 50), delayMeanUs: Math.min(delayMeanUs, electionUs / 50) };
		this.model = { ...this.model, ...delays, lossPerMille: 0, duplicatePerMille: 0, queueMax: 0 };
	}

	/** The way stands still for a while, then everything bursts through. */
	clog(from: NodeId, to: NodeId, forUs: number): void {
		this.cloggedUntilUs.set(`${from}>${to}`, this.time.nowUs + forUs);
	}

	/** The connection breaks and is dialed again. */
	reset(a: NodeId, b: NodeId): void {
		const connection = this.connection(a, b);
		if (!connection.up) return;
		this.breakConnection(connection);
		const [first, second] = [this.endpoints.get(a), this.endpoints.get(b)];
		if (first === undefined || second === undefined) return;
		for (const [here, there] of [
			[first, second],
			[second, first],
		] as const) {
			here.process.run(() => here.events.unreachable(there.id));
			this.time.after(LOST_AFTER_US, () => {
				const present = this.connection(a, b);
				if (!present.up && this.endpoints.get(here.id) === here) here.process.run(() => here.events.lost(there.id));
			});
		}
		this.dial(first, second);
	}

	isCut(from: NodeId, to: NodeId): boolean {
		return this.cuts.has(`${from}>${to}`);
	}

	private dial(a: Endpoint, b: Endpoint): void {
		this.time.after(this.dice.range(200, REDIAL_US), () => {
			if (this.endpoints.get(a.id) !== a || this.endpoints.get(b.id) !== b) return;
			const connection = this.connection(a.id, b.id);
			if (connection.up) return;
			if (this.isCut(a.id, b.id) || this.isCut(b.id, a.id) || a.process.paused || b.process.paused || !this.admitted(a, b)) {
				this.dial(a, b);
				return;
			}
			connection.up = true;
			a.process.run(() => a.events.connected(b.id));
			b.process.run(() => b.events.connected(a.id));
		});
	}

	private send(from: Endpoint, messages: readonly LaneMessage[]): void {
		for (const message of messages) {
			if (this.endpoints.get(from.id) !== from || !from.points.pass("send", message.kind)) return;
			this.onLeaving(from.id, message);
			const connection = this.connection(from.id, message.to);
			const to = this.endpoints.get(message.to);
			if (to === undefined || !knows(from, to.id) || !knows(to, from.id) || (this.model.mode === "stream" && !connection.up)) {
				this.dropped++;
				continue;
			}
			this.carry(from, to, message, connection);
		}
	}

	private carry(from: Endpoint, to: Endpoint, message: LaneMessage, connection: Connection): void {
		const { envelope, slab } = encodeMessage(message);
		// The sender may go on using its buffers; the wire holds a copy.
		const wire = { envelope: envelope.slice(), slab: slab.slice() };
		const { epoch } = connection;
		const stream = this.model.mode === "stream";
		if (!stream && this.dice.chance(this.model.lossPerMille, 1_000)) {
			this.dropped++;
			return;
		}
		if (this.isQueueFull(from, to, connection)) return;
		let waits = true;
		const deliver = (): void => {
			if (waits) connection.queued.set(from.id, (connection.queued.get(from.id) ?? 0) - 1);
			waits = false;
			const target = stream ? to : this.endpoints.get(to.id);
			if (target === undefined || this.endpoints.get(to.id) !== target) return;
			if ((stream && connection.epoch !== epoch) || this.isCut(from.id, to.id)) {
				this.dropped++;
				return;
			}
			const decoded = decodeMessage(from.id, to.id, wire.envelope, wire.slab);
			assert(decoded !== null, "the codec reads what it wrote");
			this.carried++;
			target.process.run(() => {
				if (target.points.pass("receive", decoded.kind)) target.events.messages([decoded]);
			});
		};
		this.time.after(this.delayUs(from.id, to.id, laneOf(message.kind), connection), deliver);
		if (!stream && this.dice.chance(this.model.duplicatePerMille, 1_000)) this.time.after(this.dice.range(0, LATE_DUPLICATE_US), deliver);
	}

	/** As a real queue: what does not fit is dropped, and whoever sends hears that the peer cannot be reached. */
	private isQueueFull(from: Endpoint, to: Endpoint, { queued }: Connection): boolean {
		const waiting = queued.get(from.id) ?? 0;
		const full = this.model.queueMax > 0 && waiting >= this.model.queueMax;
		if (full) {
			this.dropped++;
			this.time.after(1, () => from.process.run(() => from.events.unreachable(to.id)));
		} else queued.set(from.id, waiting + 1);
		return full;
	}

	private delayUs(from: NodeId, to: NodeId, lane: Lane, connection: Connection): number {
		const { model, dice } = this;
		let delay = model.delayMinUs - Math.log((dice.uint32() + 1) / 0x1_0000_0001) * model.delayMeanUs;
		const clogged = this.cloggedUntilUs.get(`${from}>${to}`) ?? 0;
		delay = Math.max(delay, clogged - this.time.nowUs);
		if (model.mode === "datagram") return delay;
		if (dice.chance(model.lossPerMille, 1_000)) delay += RETRANSMIT_US;
		const way = `${from}>${to}/${lane}`;
		const arrival = Math.max(this.time.nowUs + delay, connection.arrivals.get(way) ?? 0);
		connection.arrivals.set(way, arrival);
		return arrival - this.time.nowUs;
	}

	private breakConnection(connection: Connection): void {
		connection.up = false;
		connection.epoch++;
		connection.arrivals.clear();
	}

	private connection(a: NodeId, b: NodeId): Connection {
		const name = a < b ? `${a}-${b}` : `${b}-${a}`;
		let connection = this.connections.get(name);
		if (connection === undefined) {
			connection = { up: false, epoch: 0, arrivals: new Map(), queued: new Map() };
			this.connections.set(name, connection);
		}
		return connection;
	}
}

function knows(endpoint: Endpoint, id: NodeId): boolean {
	return endpoint.contacts === null || endpoint.contacts.has(id) || endpoint.guests.has(id);
}
