/** Keeps the target in step: a watch over all keys of the source, whose events are carried out revision by revision. */
import { setTimeout as pause } from "node:timers/promises";
import type { mvccpb, etcdserverpb as pb } from "@flotilla/api";
import { putOp, writeOps } from "./copy-keys.ts";
import type { LeaseMirror } from "./lease-mirror.ts";
import { ALL_KEYS, RPC, type Side } from "./side.ts";

/** Operations of one transaction at the target; more events of one revision are split. etcd's limit is 128. */
const OPS_MAX = 128;
const OPS_BYTES = 1 << 20;
const PROGRESS_MS = 500;
const PAUSE_MS = 300;
const DELETED = 1;

export class Compacted extends Error {
	override readonly name = "Compacted";
}

export class Follower {
	/** Everything up to here is carried out, as far as the source says. */
	revision: number;
	/** Of the last event that was carried out. */
	private applied: number;
	/** Events carried out. */
	events = 0;
	/** Revisions whose events were more than one transaction holds. */
	split = 0;
	private readonly source: Side;
	private readonly target: Side;
	private readonly leases: LeaseMirror;
	private until = Number.POSITIVE_INFINITY;

	/** `revision`: what was copied. */
	constructor(source: Side, target: Side, leases: LeaseMirror, revision: number) {
		this.source = source;
		this.target = target;
		this.leases = leases;
		this.revision = revision;
		this.applied = revision;
	}

	/**
	 * Asks for everything after the last event again. When it is asked for its progress, etcd before 3.4.25 may name a revision
	 * whose events it has yet to tell; so it is asked at the end only, and the comparison is made again.
	 */
	rewind(): void {
		this.revision = this.applied;
	}

	/** Nothing above it will be carried out; `run` ends when all up to it is. */
	endAt(revision: number): void {
		this.until = revision;
	}

	/** Until `endAt`. Goes on at another member when one is lost; throws `Compacted`, and what the target refuses. */
	async run(): Promise<void> {
		while (this.revision < this.until) {
			if (!(await this.watch())) {
				this.source.drop();
				await pause(PAUSE_MS);
			}
		}
	}

	/** False when the stream ended too early. */
	private async watch(): Promise<boolean> {
		const stream = await this.source.connected().then(
			(client) => client.stream(RPC.watch.path, RPC.watch),
			() => null,
		);
		if (stream === null) return false;
		const createRequest = {
			...{ ...ALL_KEYS, startRevision: this.revision + 1, progressNotify: true, fragment: true },
			...{ filters: [], prevKv: false, watchId: 0n },
		};
		stream.write({ requestUnion: { kind: "createRequest", value: createRequest } });
		const asking = setInterval(() => {
			if (this.until < Number.POSITIVE_INFINITY) stream.write({ requestUnion: { kind: "progressRequest", value: {} } });
		}, PROGRESS_MS);
		// The stream's own end is the end of the loop below.
		stream.on("error", () => {});
		try {
			return await this.carryOut(stream);
		} finally {
			clearInterval(asking);
			stream.cancel();
		}
	}

	private async carryOut(stream: AsyncIterable<pb.WatchResponse>): Promise<boolean> {
		let waiting: mvccpb.Event[] = [];
		const settle = async (): Promise<void> => {
			const events = waiting;
			waiting = [];
			if (events.length > 0) await this.apply(events);
		};
		try {
			for await (const response of stream) {
				if (response.compactRevision > 0) {
					throw new Compacted(
						`the source was compacted at ${response.compactRevision}, and revision ${this.revision + 1} was not read yet`,
					);
				}
				if (response.canceled) return false;
				for (const event of response.events) {
					const revision = event.kv?.modRevision ?? 0;
					if (waiting[0] !== undefined && waiting[0].kv?.modRevision !== revision) await settle();
					if (revision > this.until) {
						this.revision = Math.max(this.revision, this.until);
						return true;
					}
					// A client that starts again may be told of a revision twice.
					if (revision > this.revision) waiting.push(event);
				}
				if (!response.fragment) await settle();
				if (response.events.length === 0 && !response.created) this.revision = Math.max(this.revision, response.header?.revision ?? 0);
				if (this.revision >= this.until) return true;
			}
		} catch (error) {
			// A broken stream has a code and no side; what is thrown on purpose ends the run.
			if (error instanceof Error && "metadata" in error) return false;
			throw error;
		}
		return false;
	}

	private async apply(events: readonly mvccpb.Event[]): Promise<void> {
		const groups = grouped(events);
		if (groups.length > 1) this.split++;
		for (const group of groups) {
			await writeOps(this.target, this.leases, async () => {
				const ops: pb.RequestOp[] = [];
				for (const { type, kv } of group) {
					if (kv === null) continue;
					ops.push(type === DELETED ? deleteOp(kv.key) : putOp(kv.key, kv.value, await this.leases.ensure(kv.lease)));
				}
				return ops;
			});
		}
		this.events += events.length;
		this.applied = events[0]?.kv?.modRevision ?? this.applied;
		this.revision = Math.max(this.revision, this.applied);
	}
}

function grouped(events: readonly mvccpb.Event[]): ReadonlyArray<readonly mvccpb.Event[]> {
	const groups: mvccpb.Event[][] = [[]];
	let bytes = 0;
	for (const event of events) {
		const size = (event.kv?.key.length ?? 0) + (event.kv?.value.length ?? 0);
		let last = groups.at(-1) as mvccpb.Event[];
		if (last.length >= OPS_MAX || (last.length > 0 && bytes + size > OPS_BYTES)) {
			last = [];
			groups.push(last);
			bytes = 0;
		}
		last.push(event);
		bytes += size;
	}
	return groups;
}

function deleteOp(key: Uint8Array): pb.RequestOp {
	return { request: { kind: "requestDeleteRange", value: { key, rangeEnd: new Uint8Array(0), prevKv: false } } };
}
