import type { TapSink } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { LaneMessage, PeerEvents, PeerTransport } from "../ports.ts";
import { Guests } from "./guests.ts";
import { DEFAULT_PEER_LIMITS, type PeerLimits, type PeerTransportOptions } from "./options.ts";
import { PeerLink, type PeerLinkStats } from "./peer-link.ts";
import { PeerListener } from "./peer-listener.ts";
import { SlabSums } from "./send-queue.ts";

const WATCH_MS = 500;
/** While closing: how often to look whether what was queued has left. */
const CLOSE_LOOK_MS = 10;

/** Messages to other members over TCP: one link a peer, each with its lanes; see `PeerLink` for what a link promises. */
export class TcpPeerTransport implements PeerTransport {
	private readonly options: PeerTransportOptions;
	private readonly limits: PeerLimits;
	private readonly events: PeerEvents;
	private readonly tap: TapSink;
	private readonly listener: PeerListener;
	private readonly sums: SlabSums;
	private readonly links = new Map<NodeId, PeerLink>();
	/** Those of the links that this member's list does not name yet. */
	private readonly guests: Guests;
	private others: ReadonlyArray<{ readonly peerUrls: readonly string[] }> = [];
	/** Ids that were removed for good: they are told so when they dial. */
	private removed: ReadonlySet<NodeId> = new Set();
	private cancelWatch: () => void = () => {};
	private watchedAtMs = 0;
	private closing = false;

	constructor(options: PeerTransportOptions, events: PeerEvents, tap: TapSink) {
		this.options = options;
		this.limits = { ...DEFAULT_PEER_LIMITS, ...options.limits };
		this.events = events;
		this.tap = tap;
		this.sums = new SlabSums(options.bytes);
		this.listener = new PeerListener(
			options,
			this.limits,
			{
				standing: (hello) => this.standing(hello.from, hello.peerUrls),
				accepted: (peer, lane, incarnation, socket, rest) => {
					const link = this.links.get(peer);
					if (link === undefined || this.closing) socket.destroy();
					else link.accepted(lane, incarnation, socket, rest);
				},
			},
			tap,
		);
		this.guests = new Guests(
			options.clusterId,
			options.bytes,
			(id, urls) => {
				if (!this.closing && !this.removed.has(id) && !this.links.has(id)) this.open(id, urls);
			},
			options.tls ?? null,
		);
	}

	/** Binds the peer URLs and resolves with those really listened on. Links dial once the members are known. */
	async listen(): Promise<string[]> {
		const urls = await this.listener.listen();
		this.watchedAtMs = this.options.clock.monotonicMs();
		this.armWatch();
		return urls;
	}

	send(messages: readonly LaneMessage[]): void {
		for (const message of messages) this.links.get(message.to)?.offer(message, this.sums);
		for (const link of this.links.values()) link.flush();
		this.sums.clear();
	}

	setMembers(
		members: ReadonlyArray<{ readonly id: NodeId; readonly peerUrls: readonly string[] }>,
		removed: ReadonlySet<NodeId> = this.removed,
	): void {
		if (this.closing) return;
		this.removed = removed;
		const present = new Set(members.map(({ id }) => id));
		this.others = members.filter(({ id }) => id !== this.options.memberId);
		for (const id of [...present, ...removed]) this.guests.forget(id);
		for (const [id, link] of this.links) {
			if (present.has(id) || this.guests.has(id)) continue;
			this.links.delete(id);
			link.stop("removed from the cluster", true);
		}
		for (const { id, peerUrls } of members) {
			if (id === this.options.memberId) continue;
			const link = this.links.get(id);
			if (link === undefined) this.open(id, peerUrls);
			else link.setUrls(peerUrls);
		}
	}

	private open(id: NodeId, urls: readonly string[]): void {
		const link = new PeerLink(id, this.options, this.limits, this.events, this.tap);
		this.links.set(id, link);
		link.setUrls(urls);
	}

	private standing(peer: NodeId, peerUrls: readonly string[]): "member" | "removed" | "unknown" {
		const link = this.links.get(peer);
		if (link !== undefined) {
			link.alsoAt(peerUrls);
			return "member";
		}
		if (this.removed.has(peer)) return "removed";
		if (!this.closing) this.guests.stranger({ id: peer, peerUrls }, this.others);
		return "unknown";
	}

	stats(): PeerLinkStats[] {
		return [...this.links.values()].map((link) => link.stats());
	}

	/** What is queued may still leave, for a bounded time. Resolves when no connection is open and the ports are free. */
	async close(): Promise<void> {
		this.closing = true;
		this.cancelWatch();
		this.options.tls?.close();
		const portsFree = this.listener.close();
		for (const link of this.links.values()) link.stop("this member stops", true);
		for (let waitedMs = 0; waitedMs < this.limits.closeMs && this.queued(); waitedMs += CLOSE_LOOK_MS) await this.pause(CLOSE_LOOK_MS);
		for (const link of this.links.values()) link.stop("this member stops", false);
		await portsFree;
	}

	private queued(): boolean {
		return this.stats().some(({ queuedBytes }) => queuedBytes > 0);
	}

	private pause(ms: number): Promise<void> {
		return new Promise((resolve) => void this.options.scheduler.after(ms, resolve));
	}

	private armWatch(): void {
		this.cancelWatch = this.options.scheduler.after(WATCH_MS, () => {
			const nowMs = this.options.clock.monotonicMs();
			const paused = nowMs - this.watchedAtMs > 4 * WATCH_MS;
			this.watchedAtMs = nowMs;
			for (const link of this.links.values()) link.watch(paused);
			this.armWatch();
		});
	}
}
