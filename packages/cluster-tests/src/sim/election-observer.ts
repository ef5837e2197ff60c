import { v3electionpb as pb } from "@flotilla/api";
import type { Observation, ObserverRecord } from "../history/election-checks.ts";
import { ELECTION } from "./candidate.ts";
import type { ClientStream } from "./member-calls.ts";
import type { PartWorld } from "./parts.ts";

const RECONNECT_US = 50_000;
const STEP_US_MAX = 500_000;
const PATH = "/v3electionpb.Election/Observe";

interface Stream {
	readonly name: string;
	readonly seen: Observation[];
	handle: ClientStream | null;
	ended: boolean;
}

/** Follows who leads, at one member after the other, and does not read at times. */
export class ElectionObserver {
	private readonly name: string;
	private readonly world: PartWorld;
	private readonly stallPercent: number;
	private readonly streams: Stream[] = [];
	private stalling = false;
	private stopped = false;

	constructor(name: string, stallPercent: number, world: PartWorld) {
		this.name = name;
		this.world = world;
		this.stallPercent = stallPercent;
	}

	start(): void {
		this.connect();
		this.stepLater();
	}

	/** It goes on reading. */
	stop(): void {
		this.stopped = true;
		this.readOn();
	}

	get idle(): boolean {
		return this.streams.at(-1)?.ended === false && !this.stalling;
	}

	get records(): ObserverRecord[] {
		return this.streams.map(({ ended, name, seen }) => ({ name, seen, open: !ended, compacted: this.newestCompaction() }));
	}

	private stepLater(): void {
		this.world.time.after(this.world.dice.range(1_000, STEP_US_MAX), () => this.step());
	}

	private step(): void {
		if (this.stopped) return;
		const { dice } = this.world;
		const stream = this.streams.at(-1);
		if (this.stalling) this.readOn();
		else if (stream !== undefined && dice.range(1, 100) <= this.stallPercent) {
			this.stalling = true;
		} else if (stream !== undefined && dice.chance(1, 20)) {
			stream.handle?.cancel();
			this.lost(stream);
		}
		this.stepLater();
	}

	private readOn(): void {
		if (!this.stalling) return;
		this.stalling = false;
		this.streams.at(-1)?.handle?.drain();
	}

	private connect(): void {
		const serving = this.world.members().filter((member) => member.serving);
		if (serving.length === 0) {
			this.world.time.after(RECONNECT_US, () => this.connect());
			return;
		}
		const stream: Stream = { name: `${this.name}.${this.streams.length}`, seen: [], handle: null, ended: false };
		this.streams.push(stream);
		this.stalling = false;
		const lost = (): void => this.lost(stream);
		const message = (bytes: Uint8Array): boolean => {
			if (!stream.ended) stream.seen.push(observationOf(bytes, this.newestCompaction()));
			return !this.stalling;
		};
		stream.handle = this.world.dice.pick(serving).openStream(PATH, { message, ended: lost, gone: lost });
		stream.handle.send(pb.LeaderRequest.encode({ name: Buffer.from(ELECTION) }));
	}

	/** Of any member: the one that spoke may be gone by now. */
	private newestCompaction(): number {
		return Math.max(0, ...this.world.members().map(({ compactRevision }) => compactRevision));
	}

	private lost(stream: Stream): void {
		if (stream.ended) return;
		stream.ended = true;
		this.world.time.after(RECONNECT_US, () => this.connect());
	}
}

function observationOf(bytes: Uint8Array, compacted: number): Observation {
	const { header, kv } = pb.LeaderResponse.decode(bytes);
	if (kv === null) throw new Error("an observer is told a pair");
	return {
		...{ key: Buffer.from(kv.key).toString(), value: Buffer.from(kv.value).toString() },
		...{ create: kv.createRevision, mod: kv.modRevision, revision: header?.revision ?? 0 },
		compacted,
	};
}
