/** How a simulated member that has lost its store asks the others, over the same network that cuts and spoils their messages. */
import type { Dice } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { ClusterView, Seeker, StateDoors, StateExport, StateOpening, StatePart } from "@flotilla/server/internal";
import type { SimProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a running member answers at its peer port to those that do not run yet. */
export interface MemberDoor {
	/** Where it listens. */
	peerUrls(): readonly string[];
	view(): ClusterView;
	give(): StateExport | null;
}

/** A life of a member as far as it can be asked. */
export interface Asked {
	readonly id: NodeId;
	readonly process: SimProcess;
	readonly door: MemberDoor;
}

export interface DoorNetwork<A extends Asked> {
	readonly time: VirtualTime;
	readonly dice: Dice;
	corruptPerMille(): number;
	delayUs(): number;
	/** Who listens there now. */
	at(url: string): A | null;
	/** It still runs, and the way to it is open in both directions. */
	passes(asked: A): boolean;
	/** What it takes the seeker for. */
	standing(asked: A): "member" | "removed" | "unknown";
}

/** How long somebody waits for an answer that does not come. */
const SILENCE_US = 2_000_000;

export class SimDoors<A extends Asked> implements StateDoors {
	private readonly process: SimProcess;
	private readonly network: DoorNetwork<A>;

	constructor(process: SimProcess, network: DoorNetwork<A>) {
		this.process = process;
		this.network = network;
	}

	find(seeker: Seeker, urls: readonly string[], done: Parameters<StateDoors["find"]>[2]): void {
		const found = new Map<NodeId, { readonly id: NodeId; readonly peerUrls: readonly string[] }>();
		const answered = new Set(urls.map((url) => this.reach(url)).filter((asked) => asked !== null));
		for (const { door } of answered) {
			const { clusterId, members } = door.view();
			if (clusterId !== seeker.clusterId || members.every(({ id }) => id !== seeker.memberId)) continue;
			for (const member of members) found.set(member.id, member);
		}
		const waitUs = answered.size === 0 ? SILENCE_US : 2 * this.network.delayUs();
		this.network.time.later(waitUs, () => this.process.run(() => done([...found.values()])));
	}

	ask(_seeker: Seeker, giver: { readonly id: NodeId; readonly peerUrls: readonly string[] }, done: (opening: StateOpening) => void): void {
		const { network, process } = this;
		let settled = false;
		const settle = (opening: StateOpening): void => {
			// Whoever died meanwhile, or waited for long enough, has no connection any more.
			if (opening.ok && (settled || !process.alive)) opening.state.close();
			if (settled) return;
			settled = true;
			process.run(() => done(opening));
		};
		const answer = (opening: StateOpening): void => network.time.later(network.delayUs(), () => settle(opening));
		network.time.later(SILENCE_US, () => settle({ ok: false, removed: false, reason: "no answer" }));
		const asked = giver.peerUrls.map((url) => this.reach(url)).find((each) => each !== null) ?? null;
		if (asked === null) return;
		network.time.later(network.delayUs(), () => {
			if (network.passes(asked)) asked.process.run(() => answer(this.openingAt(asked, giver.id)));
		});
	}

	private openingAt(asked: A, wanted: NodeId): StateOpening {
		const standing = asked.id === wanted ? this.network.standing(asked) : "another member";
		if (standing !== "member") return { ok: false, removed: standing === "removed", reason: standing };
		const state = asked.door.give();
		if (state === null) return { ok: false, removed: false, reason: "busy" };
		return { ok: true, state: new Passage(state, asked, this.process, this.network) };
	}

	private reach(url: string): A | null {
		const asked = this.network.at(url);
		return asked !== null && this.network.passes(asked) && !asked.process.paused ? asked : null;
	}
}

/** A state on its way from one process to another. */
class Passage<A extends Asked> implements StateExport {
	private readonly source: StateExport;
	private readonly from: A;
	private readonly to: SimProcess;
	private readonly network: DoorNetwork<A>;
	private closed = false;

	constructor(source: StateExport, from: A, to: SimProcess, network: DoorNetwork<A>) {
		this.source = source;
		this.from = from;
		this.to = to;
		this.network = network;
		this.hangUpWithReader();
	}

	next(done: (part: StatePart) => void): void {
		const { network, from, to } = this;
		let answered = false;
		const answer = (part: StatePart, afterUs: number): void =>
			network.time.later(afterUs, () => {
				if (answered || this.closed) return;
				answered = true;
				to.run(() => done(part));
			});
		answer({ kind: "failed", reason: "it is silent" }, 2 * SILENCE_US);
		network.time.later(network.delayUs(), () => {
			if (this.closed || !network.passes(from)) return;
			from.process.run(() => {
				this.source.next((part) => {
					if (network.passes(from)) answer(this.spoilt(part), network.delayUs());
				});
			});
		});
	}

	close(): void {
		if (this.closed) return;
		this.closed = true;
		this.network.time.later(this.network.delayUs(), () => this.from.process.run(() => this.source.close()));
	}

	/** One bit was inverted on its way: the sections' checksums tell. */
	private spoilt(part: StatePart): StatePart {
		const { dice } = this.network;
		const perMille = this.network.corruptPerMille();
		if (part.kind === "failed" || part.bytes.length === 0 || perMille === 0 || !dice.chance(perMille, 1_000)) return part;
		const bytes = part.bytes.slice();
		const at = dice.range(0, bytes.length - 1);
		bytes[at] = (bytes[at] as number) ^ (1 << dice.range(0, 7));
		return { ...part, bytes };
	}

	/** The reader's kernel closes the connection when its process dies. */
	private hangUpWithReader(): void {
		if (this.closed) return;
		if (this.to.alive) this.network.time.later(SILENCE_US / 4, () => this.hangUpWithReader());
		else this.close();
	}
}
