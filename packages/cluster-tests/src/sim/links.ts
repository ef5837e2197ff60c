/**
 * Who is on the simulated network, and what lies between any two. Members have small numbers here, since their ids are bigints:
 * looked up by those, or by texts of them, a message cost more than its way through the members.
 */
import type { NodeId } from "@flotilla/raft";
import { Lane } from "@flotilla/server/internal";

/** A member's place on the network; its lives come and go. */
export interface Station<Life> {
	readonly id: NodeId;
	readonly number: number;
	life: Life | null;
}

/** What goes from one member to another. */
export interface Way {
	readonly from: NodeId;
	readonly to: NodeId;
	readonly link: Link;
	/** The other direction. */
	readonly back: Way;
	/** Nothing passes. */
	cut: boolean;
	cloggedUntilUs: number;
	/** Latest arrival by lane, so that a stream keeps its order. */
	readonly arrivalsUs: number[];
	/** Messages under way. */
	queued: number;
}

/** The connection between two lives; `epoch` rises when it breaks, and what was under way goes with it. */
export interface Link {
	up: boolean;
	epoch: number;
	readonly ways: readonly [Way, Way];
}

export class Links<Life> {
	private readonly stations: Station<Life>[] = [];
	/** By the numbers of both. */
	private readonly ways: Way[][] = [];
	/** In the order in which they were cut, which is that of their healing. */
	private readonly cuts = new Set<Way>();

	station(id: NodeId): Station<Life> {
		for (const station of this.stations) if (station.id === id) return station;
		const station = { id, number: this.stations.length, life: null };
		this.stations.push(station);
		this.ways.push([]);
		return station;
	}

	way(from: Station<Life>, to: Station<Life>): Way {
		const row = this.ways[from.number] as Way[];
		const known = row[to.number];
		if (known !== undefined) return known;
		const [way, back] = linked(from.id, to.id);
		row[to.number] = way;
		(this.ways[to.number] as Way[])[from.number] = back;
		return way;
	}

	cut(way: Way): void {
		way.cut = true;
		this.cuts.add(way);
	}

	/** Whether it had been cut. */
	mend(way: Way): boolean {
		way.cut = false;
		return this.cuts.delete(way);
	}

	get cutWays(): Way[] {
		return [...this.cuts];
	}

	/** When the last of what is under way in some stream arrives; whatever is sent there comes behind it. */
	get lastArrivalUs(): number {
		let last = 0;
		for (const row of this.ways) for (const way of row) if (way !== undefined) last = Math.max(last, ...way.arrivalsUs);
		return last;
	}

	unclog(): void {
		for (const row of this.ways) for (const way of row) if (way !== undefined) way.cloggedUntilUs = 0;
	}
}

export function breakLink(link: Link): void {
	link.up = false;
	link.epoch++;
	for (const { arrivalsUs } of link.ways) arrivalsUs.fill(0);
}

function linked(from: NodeId, to: NodeId): readonly [Way, Way] {
	const half = (start: NodeId, end: NodeId) => ({
		...{ from: start, to: end, cut: false, cloggedUntilUs: 0, queued: 0 },
		arrivalsUs: Object.values(Lane).map(() => 0),
	});
	const way = half(from, to) as Way & { link: Link; back: Way };
	const back = half(to, from) as Way & { link: Link; back: Way };
	const link: Link = { up: false, epoch: 0, ways: [way, back] };
	Object.assign(way, { link, back });
	Object.assign(back, { link, back: way });
	return link.ways;
}
