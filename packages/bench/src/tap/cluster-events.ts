/** What happened in the cluster while it was measured: leaders, connections, floors, states sent. For the same axis as the figures. */
import type { TapEventName } from "@flotilla/base";
import type { TapLine } from "@flotilla/server/internal";
import { TapFeed } from "./tap-feed.ts";

const WORDS: Partial<Readonly<Record<TapEventName, (line: TapLine) => string>>> = {
	becameLeader: ({ term }) => `leads term ${term}`,
	leaderLost: ({ fields }) => `lost its leader (${String(fields.reason)})`,
	transferStarted: () => "hands over leadership",
	peerDisconnected: ({ fields }) => `lost a connection (${String(fields.reason)})`,
	floorWritten: ({ index }) => `wrote a floor at index ${index}`,
	walSegmentCut: () => "began a log segment",
	walSlow: ({ fields }) => `slow write of the log, ${Math.round(Number(fields.tookMs ?? fields.limitMs))} ms`,
	compacted: ({ fields }) => `compacted up to revision ${String(fields.revision)}`,
	snapshotBegun: () => "sends its state to a member",
	snapshotSent: () => "has sent its state",
	snapshotFailed: ({ fields }) => `a state sent ended early (${String(fields.reason)})`,
	alarmRaised: () => "raised an alarm",
	stopping: () => "stops",
	ready: () => "is ready",
};

export interface ClusterEvent {
	readonly atMs: number;
	/** Id in hexadecimal digits. */
	readonly member: string;
	readonly text: string;
}

export class ClusterEvents {
	private readonly feeds: readonly TapFeed[];

	constructor(dataDirs: readonly string[]) {
		const names = Object.keys(WORDS) as TapEventName[];
		this.feeds = dataDirs.map((dataDir) => new TapFeed(dataDir, names));
	}

	take(): ClusterEvent[] {
		for (const feed of this.feeds) feed.close();
		const events = this.feeds.flatMap((feed) => feed.events);
		return events
			.map((line) => ({ atMs: line.wallMs, member: line.member, text: WORDS[line.name]?.(line) ?? line.name }))
			.sort((a, b) => a.atMs - b.atMs);
	}
}
