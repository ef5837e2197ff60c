import { assert, type Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import {
	DEFAULT_PEER_LIMITS,
	decodeMessage,
	encodeMessage,
	type Lane,
	type LaneMessage,
	type LossWatchOptions,
	laneOf,
	type PeerEvents,
	type PeerTransport,
	type StateDoors,
	TICK_MS,
} from "@flotilla/server/internal";
import type { CrashPoints } from "./crash-points.ts";
import { readDamaged, trusting, type Wire } from "./damaged-frame.ts";
import { breakLink, Links, type Station, type Way } from "./links.ts";
import { PeerWatch } from "./peer-watch.ts";
import type { SimProcess } from "./process.ts";
import { type MemberDoor, SimDoors } from "./state-doors.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Drawn once a run. Times in microseconds, chances per thousand. */
export interface NetworkModel {
	readonly delayMinUs: number;
	readonly delayMeanUs: number;
	/** `stream`: as TCP, in order within a lane, a lost packet costs a retransmission. `datagram`: anything may happen to a message. */
	readonly mode: "stream" | "datagram";
	readonly lossPerMille: number;
	readonly duplicatePerMille: number;
	/** A bit of a message is inverted on its way. */
	readonly corruptPerMille: number;
	/** Messages under way from one member to another at most; those beyond are dropped, and the sender is told. 0: no bound. */
	readonly queueMax: number;
}

/** One life of a member on the network. */
interface Endpoint {
	readonly id: NodeId;
	readonly station: Station<Endpoint>;
	readonly process: SimProcess;
	readonly events: PeerEvents;
	readonly points: CrashPoints;
	/** Whom it talks to; null before it was told. */
	contacts: ReadonlySet<NodeId> | null;
	/** Whom it turns away for good. */
	removed: ReadonlySet<NodeId>;
	/** Strangers that a member which it knows has vouched for. */
	readonly guests: Set<NodeId>;
	/** Whether it takes the member of that number, as far as it was asked since its contacts or guests changed. */
	readonly takes: Array<boolean | undefined>;
	/** What it makes of its connections, by peer. */
	readonly watches: Map<NodeId, PeerWatch>;
	/** What it answers to those that do not run yet. */
	readonly door: MemberDoor;
}

const REDIAL_US = 50_000;
const RETRANSMIT_US = 200_000;
const LATE_DUPLICATE_US = 3_000_000;

/** Carries bytes between simulated members, through the real message codec, as badly as its model says. */
export class SimNetwork {
	private readonly time: VirtualTime;
	private readonly dice: Dice;
	private readonly loss: LossWatchOptions;
	private model: NetworkModel;
	/** In the order of their coming, which is that in which they dial. */
	private readonly endpoints = new Map<NodeId, Endpoint>();
	private readonly links = new Links<Endpoint>();
	/** Messages handed over so far. */
	carried = 0;
	dropped = 0;
	/** Frames in which a bit was inverted: refused for that, or not. */
	readonly corrupt = { refused: 0, unnoticed: 0 };
	/** A bug for the tests of the simulator: nobody looks at checksums. */
	trustsFrames = false;
	/** How often a life was told that a peer is lost to it. */
	losses = 0;
	/** Sees every message as it leaves its sender. */
	onLeaving: (from: NodeId, message: LaneMessage) => void = () => {};
	/** Sees every message as it is handed to its receiver. */
	onArriving: (to: NodeId, message: LaneMessage) => void = () => {};

	constructor(time: VirtualTime, dice: Dice, model: NetworkModel, loss: LossWatchOptions) {
		this.time = time;
		this.dice = dice;
		this.model = model;
		this.loss = loss;
	}

	/** A life joins; its connections come up one after the other. */
	attach(id: NodeId, process: SimProcess, events: PeerEvents, points: CrashPoints, door: MemberDoor): PeerTransport {
		const station = this.links.station(id);
		assert(station.life === null, "a member has one life at a time");
		const endpoint: Endpoint = {
			...{ id, station, process, events, points, door },
			...{ contacts: null, removed: new Set(), guests: new Set(), takes: [], watches: new Map() },
		};
		station.life = endpoint;
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
		endpoint.takes.length = 0;
		if (!isPresent(endpoint)) return;
		for (const id of [...contacts, ...removed]) endpoint.guests.delete(id);
		for (const peer of this.endpoints.values()) {
			if (peer === endpoint || takes(endpoint, peer.station)) continue;
			if (this.wayBetween(endpoint, peer).link.up) this.closeGently(endpoint, peer);
		}
	}

	/** What is on the way still arrives; then the other side notices the end, and dials again. */
	private closeGently(endpoint: Endpoint, peer: Endpoint): void {
		const { link } = this.wayBetween(endpoint, peer);
		const lastUs = Math.max(this.time.nowUs, ...link.ways.flatMap(({ arrivalsUs }) => arrivalsUs));
		this.time.later(lastUs - this.time.nowUs + this.dice.range(100, 2_000), () => {
			if (!link.up) return;
			breakLink(link);
			endpoint.process.run(() => this.watchOf(endpoint, peer.id).closed("us"));
			this.tellClosed(peer, endpoint.id);
			this.dial(peer, endpoint);
		});
	}

	/** This side of a connection sees its end. */
	private tellClosed(endpoint: Endpoint, peer: NodeId): void {
		endpoint.process.run(() => {
			endpoint.events.unreachable(peer);
			this.watchOf(endpoint, peer).closed("peer");
		});
	}

	/** There is a machine and no process: a dial that gets through is refused. */
	private tellRefused(endpoint: Endpoint, peer: NodeId): void {
		if (this.endpoints.has(peer) || this.isBarred(this.way(endpoint.id, peer))) return;
		endpoint.process.run(() => this.watchOf(endpoint, peer).refused());
	}

	private watchOf(endpoint: Endpoint, peer: NodeId): PeerWatch {
		let watch = endpoint.watches.get(peer);
		if (watch === undefined) {
			watch = new PeerWatch(endpoint.process, this.loss, () => {
				this.losses++;
				endpoint.events.lost(peer);
			});
			endpoint.watches.set(peer, watch);
		}
		return watch;
	}

	/** False when one of them does not take the other; told at once when that is for good. */
	private admitted(a: Endpoint, b: Endpoint): boolean {
		if (b.removed.has(a.id)) a.process.run(() => a.events.removed(b.id));
		else if (a.removed.has(b.id)) b.process.run(() => b.events.removed(a.id));
		this.vouch(a, b);
		this.vouch(b, a);
		return takes(a, b.station) && takes(b, a.station);
	}

	/** As the real transport: a stranger that dials is let in when some member that can be asked lists it; itself when nobody can. */
	private vouch(endpoint: Endpoint, stranger: Endpoint): void {
		if (takes(endpoint, stranger.station) || endpoint.removed.has(stranger.id)) return;
		const reachable = [...this.endpoints.values()].filter(
			(member) => member !== endpoint && !this.isBarred(this.wayBetween(endpoint, member)),
		);
		const asked = reachable.filter(({ id }) => endpoint.contacts?.has(id) === true);
		const vouching = asked.length > 0 ? asked : reachable.filter((member) => member === stranger);
		if (!vouching.some(({ contacts }) => contacts?.has(stranger.id) === true)) return;
		endpoint.guests.add(stranger.id);
		endpoint.takes.length = 0;
	}

	/** As a member without its store sees the others, before it has joined them. */
	doorsFor(id: NodeId, process: SimProcess): StateDoors {
		return new SimDoors<Endpoint>(process, {
			time: this.time,
			dice: this.dice,
			corruptPerMille: () => this.model.corruptPerMille,
			delayUs: () => this.model.delayMinUs + this.dice.range(0, 2 * this.model.delayMeanUs),
			at: (url) => [...this.endpoints.values()].find((endpoint) => endpoint.door.peerUrls().includes(url)) ?? null,
			passes: ({ id: other }) => this.endpoints.has(other) && !this.isBarred(this.way(id, other)),
			standing: (endpoint) => {
				if (endpoint.removed.has(id)) return "removed";
				return takes(endpoint, this.links.station(id)) ? "member" : "unknown";
			},
		});
	}

	/** The life is over: its kernel closes the connections, which the others notice unless the way to them is cut. */
	detach(id: NodeId): void {
		const gone = this.endpoints.get(id);
		if (gone === undefined) return;
		gone.station.life = null;
		this.endpoints.delete(id);
		for (const peer of this.endpoints.values()) {
			const way = this.wayBetween(gone, peer);
			const { link } = way;
			if (!link.up) continue;
			breakLink(link);
			if (this.isBarred(way)) continue;
			this.time.later(this.dice.range(100, 2_000), () => {
				this.tellClosed(peer, id);
				this.time.later(this.dice.range(100, 2_000), () => this.tellRefused(peer, id));
			});
		}
	}

	/** Nothing passes from `from` to `to`. */
	cut(from: NodeId, to: NodeId): void {
		this.links.cut(this.way(from, to));
	}

	heal(from: NodeId, to: NodeId): void {
		this.mend(this.way(from, to));
	}

	healAll(): void {
		for (const way of this.links.cutWays) this.mend(way);
		this.links.unclog();
	}

	/** Loss, doubles and delays out of proportion to the election timeout are faults like others, and end with them. */
	calm(electionUs: number): void {
		const { delayMinUs, delayMeanUs } = this.model;
		const delays = { delayMinUs: Math.min(delayMinUs, electionUs / 50), delayMeanUs: Math.min(delayMeanUs, electionUs / 50) };
		this.model = { ...this.model, ...delays, lossPerMille: 0, duplicatePerMille: 0, corruptPerMille: 0, queueMax: 0 };
	}

	/** The way stands still for a while, then everything bursts through. */
	clog(from: NodeId, to: NodeId, forUs: number): void {
		this.way(from, to).cloggedUntilUs = this.time.nowUs + forUs;
	}

	/** How long what is sent now may have to wait behind what a way that stood still has not let through yet. */
	get backlogUs(): number {
		return Math.max(0, this.links.lastArrivalUs - this.time.nowUs);
	}

	/** The connection breaks and is dialed again. `seenBy`: who hears of it; the other goes on sending, in vain. */
	reset(a: NodeId, b: NodeId, seenBy: readonly NodeId[] = [a, b]): void {
		const { link } = this.way(a, b);
		if (!link.up) return;
		breakLink(link);
		const [first, second] = [this.endpoints.get(a), this.endpoints.get(b)];
		if (first === undefined || second === undefined) return;
		for (const [here, there] of [
			[first, second],
			[second, first],
		] as const) {
			if (seenBy.includes(here.id)) this.tellClosed(here, there.id);
		}
		this.dial(first, second);
	}

	isCut(from: NodeId, to: NodeId): boolean {
		return this.way(from, to).cut;
	}

	private mend(way: Way): void {
		if (!this.links.mend(way)) return;
		// What was sent meanwhile is lost, so the stream that carried it cannot go on.
		if (!way.back.cut) this.reset(way.from, way.to);
	}

	private dial(a: Endpoint, b: Endpoint): void {
		this.time.later(this.dice.range(200, REDIAL_US), () => {
			if (isPresent(a) && !isPresent(b)) this.tellRefused(a, b.id);
			if (isPresent(b) && !isPresent(a)) this.tellRefused(b, a.id);
			if (!isPresent(a) || !isPresent(b)) return;
			const way = this.wayBetween(a, b);
			if (way.link.up) return;
			if (this.isBarred(way) || a.process.paused || b.process.paused || !this.admitted(a, b)) {
				this.dial(a, b);
				return;
			}
			way.link.up = true;
			this.tellOpened(a, b);
			this.tellOpened(b, a);
		});
	}

	private tellOpened(endpoint: Endpoint, peer: Endpoint): void {
		endpoint.process.run(() => {
			this.watchOf(endpoint, peer.id).opened(peer.process);
			endpoint.events.connected(peer.id);
		});
	}

	private send(from: Endpoint, messages: readonly LaneMessage[]): void {
		for (const message of messages) {
			if (!isPresent(from) || !from.points.pass("send", message.kind)) return;
			this.onLeaving(from.id, message);
			const to = this.links.station(message.to);
			const way = this.links.way(from.station, to);
			const { life } = to;
			if (life === null || !takes(from, to) || !takes(life, from.station) || (this.model.mode === "stream" && !way.link.up)) {
				this.dropped++;
				continue;
			}
			this.carry(from, life, message, way);
		}
	}

	private carry(from: Endpoint, to: Endpoint, message: LaneMessage, way: Way): void {
		const { envelope, slab } = encodeMessage(message);
		// The sender may go on using its buffers; the wire holds a copy.
		const wire = { envelope: envelope.slice(), slab: slab.slice() };
		const { link } = way;
		const { epoch } = link;
		const stream = this.model.mode === "stream";
		if (!stream && this.dice.chance(this.model.lossPerMille, 1_000)) {
			this.dropped++;
			return;
		}
		if (this.isQueueFull(from, to, way)) return;
		const isDamaged = this.model.corruptPerMille > 0 && this.dice.chance(this.model.corruptPerMille, 1_000);
		let waits = true;
		const deliver = (): void => {
			if (waits) way.queued--;
			waits = false;
			const target = stream ? to : to.station.life;
			if (target === null || !isPresent(target)) return;
			if ((stream && link.epoch !== epoch) || way.cut) {
				this.dropped++;
				return;
			}
			if (isDamaged) this.handDamaged(from, target, wire, way);
			else this.hand(from, target, wire);
		};
		this.time.later(this.delayUs(way, laneOf(message.kind)), deliver);
		if (!stream && this.dice.chance(this.model.duplicatePerMille, 1_000)) this.time.later(this.dice.range(0, LATE_DUPLICATE_US), deliver);
	}

	private hand(from: Endpoint, to: Endpoint, wire: Wire): void {
		const decoded = decodeMessage(from.id, to.id, wire.envelope, wire.slab);
		assert(decoded !== null || this.trustsFrames, "the codec reads what it wrote");
		if (decoded === null) return;
		this.carried++;
		to.process.run(() => {
			if (!to.points.pass("receive", decoded.kind)) return;
			this.onArriving(to.id, decoded);
			to.events.messages([decoded]);
		});
	}

	/** One bit was inverted on its way: the receiver must find out and close, and nothing of it may be a message. */
	private handDamaged(from: Endpoint, to: Endpoint, wire: Wire, way: Way): void {
		if (this.trustsFrames) {
			this.hand(from, to, trusting(wire, this.dice));
			return;
		}
		const read = readDamaged(wire, this.dice);
		if (read === null) this.refuseFrame(from, to, way);
		else this.corrupt.unnoticed++;
	}

	private refuseFrame(from: Endpoint, to: Endpoint, { link }: Way): void {
		this.corrupt.refused++;
		if (!link.up) return;
		breakLink(link);
		to.process.run(() => {
			to.events.unreachable(from.id);
			this.watchOf(to, from.id).closed("us");
		});
		this.tellClosed(from, to.id);
		this.dial(from, to);
	}

	/** As a real queue: what does not fit is dropped, and whoever sends hears that the peer cannot be reached. */
	private isQueueFull(from: Endpoint, to: Endpoint, way: Way): boolean {
		const full = this.model.queueMax > 0 && way.queued >= this.model.queueMax;
		if (full) {
			this.dropped++;
			this.time.later(1, () => from.process.run(() => from.events.unreachable(to.id)));
		} else way.queued++;
		return full;
	}

	private delayUs({ cloggedUntilUs, arrivalsUs }: Way, lane: Lane): number {
		const { model, dice } = this;
		let delay = model.delayMinUs - Math.log((dice.uint32() + 1) / 0x1_0000_0001) * model.delayMeanUs;
		delay = Math.max(delay, cloggedUntilUs - this.time.nowUs);
		if (model.mode === "datagram") return delay;
		if (dice.chance(model.lossPerMille, 1_000)) delay += RETRANSMIT_US;
		const arrival = Math.max(this.time.nowUs + delay, arrivalsUs[lane] as number);
		arrivalsUs[lane] = arrival;
		return arrival - this.time.nowUs;
	}

	private way(from: NodeId, to: NodeId): Way {
		return this.links.way(this.links.station(from), this.links.station(to));
	}

	private wayBetween(from: Endpoint, to: Endpoint): Way {
		return this.links.way(from.station, to.station);
	}

	/** Cut in one direction at least. */
	private isBarred({ cut, back }: Way): boolean {
		return cut || back.cut;
	}
}

function isPresent(endpoint: Endpoint): boolean {
	return endpoint.station.life === endpoint;
}

function takes(endpoint: Endpoint, { id, number }: Station<Endpoint>): boolean {
	const known = endpoint.takes[number];
	if (known !== undefined) return known;
	const taken = endpoint.contacts === null || endpoint.contacts.has(id) || endpoint.guests.has(id);
	endpoint.takes[number] = taken;
	return taken;
}

/** As the product's links judge the loss of a peer. */
export function lossOptions({ electionTicks }: { readonly electionTicks: number }): LossWatchOptions {
	const { lossGraceMs } = DEFAULT_PEER_LIMITS;
	return { graceMs: lossGraceMs, graceMaxMs: Math.max(lossGraceMs, electionTicks * TICK_MS) };
}
