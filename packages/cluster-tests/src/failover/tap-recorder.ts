/** The event taps of all members of a cluster, on one clock. */
import { join } from "node:path";
import type { TapEventName } from "@flotilla/base";
import { readTap, TAP_SOCKET, type TapLine } from "@flotilla/server/internal";
import type { ClusterMember } from "../process/cluster.ts";

export interface Seen {
	/** Milliseconds since 1970 with fractions, as `nowMs` counts them. */
	readonly atMs: number;
	readonly member: string;
	readonly event: TapLine;
}

/** The wall clock with fractions of a millisecond. */
export const nowMs = (): number => performance.timeOrigin + performance.now();

/** Past events asked for: their anchors show where a member's clock stands between two milliseconds. */
const RECENT = 500;

/**
 * Members stamp events with a monotonic clock of their own, and now and then with the wall clock in whole milliseconds,
 * rounded down. The largest difference of the two that was seen is nearest to the truth.
 */
class OneTap {
	private readonly member: string;
	private readonly events: TapLine[] = [];
	private offsetMs = Number.NEGATIVE_INFINITY;
	private readonly stop: () => void;

	constructor(member: ClusterMember, names: readonly TapEventName[]) {
		this.member = member.name;
		this.stop = readTap(
			join(member.dataDir, TAP_SOCKET),
			{ names, recent: RECENT },
			{
				event: (event) => {
					this.events.push(event);
					this.offsetMs = Math.max(this.offsetMs, event.wallMs - event.monotonicNs / 1e6);
				},
				closed: () => {},
			},
		);
	}

	seen(): Seen[] {
		return this.events.map((event) => ({ atMs: event.monotonicNs / 1e6 + this.offsetMs, member: this.member, event }));
	}

	close(): void {
		this.stop();
	}
}

export class TapRecorder {
	private readonly taps: readonly OneTap[];

	constructor(members: readonly ClusterMember[], names: readonly TapEventName[]) {
		this.taps = members.map((member) => new OneTap(member, names));
	}

	/** Ends the reading; what came since, in order. */
	take(fromMs: number): Seen[] {
		for (const tap of this.taps) tap.close();
		return this.seen().filter(({ atMs }) => atMs >= fromMs);
	}

	/** What came until now, in order. */
	seen(): Seen[] {
		return this.taps.flatMap((tap) => tap.seen()).sort((a, b) => a.atMs - b.atMs);
	}
}
