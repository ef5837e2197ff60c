/**
 * Keeps the target in step: a watch over all keys of the source, whose events are carried out in their order. What has come
 * already shares a transaction where it fits, so the way to the target is gone once for many revisions of a source that writes fast.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { etcdserverpb as pb } from "@flotilla/api";
import type { CallError } from "../outside-client.ts";
import type { LeaseMirror } from "./lease-mirror.ts";
import { SideError } from "./refusals.ts";
import { ALL_KEYS, RPC } from "./rpc.ts";
import { PATIENCE_MS, type Side } from "./side.ts";
import { Waiting } from "./waiting.ts";
import { writeChanges } from "./write-changes.ts";

const PROGRESS_MS = 500;
const PAUSE_MS = 300;
/** A member that does not even say that it watches is left for the next one. */
const CREATED_MS = 10_000;

type Responses = AsyncIterable<pb.WatchResponse> & { readonly readableLength: number };

export class Follower {
	/** Everything up to here is carried out, as far as the source says. */
	revision: number;
	/** Of the last event that was carried out. */
	applied: number;
	/** Events carried out. */
	events = 0;
	/** Revisions whose events were more than one transaction holds. */
	split = 0;
	private readonly source: Side;
	private readonly target: Side;
	private readonly leases: LeaseMirror;
	private until = Number.POSITIVE_INFINITY;
	private stream: { cancel(): void } | null = null;
	/** When somebody was last known to let it watch. */
	private heardMs = 0;

	/** `revision`: what was copied. */
	constructor(source: Side, target: Side, leases: LeaseMirror, revision: number) {
		this.source = source;
		this.target = target;
		this.leases = leases;
		this.revision = revision;
		this.applied = revision;
		leases.reached = revision;
	}

	/**
	 * Asks for everything after the last event again. When it is asked for its progress, etcd before 3.4.25 may name a revision
	 * whose events it has yet to tell; so it is asked at the end only, and the comparison is made again.
	 */
	rewind(): void {
		this.revision = this.applied;
	}

	/**
	 * Nothing above it will be carried out; `run` ends when all up to it is. A source in which nothing happens would not say a word:
	 * asked for its progress it is silent until it has reached the revision from which it is watched.
	 */
	endAt(revision: number): void {
		this.until = revision;
		if (this.revision >= revision) this.stream?.cancel();
	}

	/** Until `endAt`. Goes on at another member when one is lost; throws what does not pass by itself, at either side. */
	async run(): Promise<void> {
		this.heardMs = performance.now();
		while (this.revision < this.until) {
			const reason = await this.watch();
			if (this.revision >= this.until) return;
			if (performance.now() - this.heardMs > PATIENCE_MS) {
				throw new SideError("source", RPC.watch.path, 0, `${reason} (tried for ${PATIENCE_MS / 1_000} s)`);
			}
			await pause(PAUSE_MS);
		}
	}

	/** Nothing more is carried out, however far it is. `run`: what that resolved to. */
	async stop(run: Promise<void>): Promise<void> {
		this.endAt(Number.NEGATIVE_INFINITY);
		await run.catch(() => {});
	}

	/** Resolves with the reason why it ended, where another member may do better. */
	private async watch(): Promise<string> {
		const connection = this.source.connected();
		const startedMs = performance.now();
		let silent = true;
		let givenUp = false;
		let reason = "";
		const timers: NodeJS.Timeout[] = [];
		try {
			const client = await connection;
			if (this.revision >= this.until) return "";
			const stream = client.stream(RPC.watch.path, RPC.watch, { needsLeader: true });
			this.stream = stream;
			// The stream's own end is the end of the loop below.
			stream.on("error", () => {});
			stream.write({ requestUnion: { kind: "createRequest", value: this.createRequest() } });
			timers.push(
				setTimeout(() => {
					givenUp = silent;
					if (givenUp) stream.cancel();
				}, CREATED_MS),
				setInterval(() => {
					if (this.until < Number.POSITIVE_INFINITY) stream.write({ requestUnion: { kind: "progressRequest", value: {} } });
				}, PROGRESS_MS),
			);
			try {
				reason = await this.carryOut(stream, (response) => {
					this.source.recognise(client.endpoint, response);
					silent = false;
				});
			} finally {
				stream.cancel();
			}
			if (this.revision >= this.until) return reason;
		} catch (error) {
			if (!isCallError(error)) throw error;
			if (this.revision >= this.until) return "";
			reason = givenUp ? `no answer for ${CREATED_MS / 1_000} s` : error.details;
			if (!this.source.passes(error.code, reason)) throw new SideError("source", RPC.watch.path, error.code, reason);
		} finally {
			for (const timer of timers) clearInterval(timer);
			if (!silent && performance.now() - startedMs > CREATED_MS) this.heardMs = performance.now();
		}
		this.source.drop(connection);
		return reason;
	}

	private createRequest(): pb.WatchCreateRequest {
		return {
			...{ ...ALL_KEYS, startRevision: this.revision + 1, progressNotify: true, fragment: true },
			...{ filters: [], prevKv: false, watchId: 0n },
		};
	}

	/** Until all is carried out or the stream ends; resolves with the reason for that. `heard`: told of each answer. */
	private async carryOut(stream: Responses, heard: (response: pb.WatchResponse) => void): Promise<string> {
		const waiting = new Waiting();
		for await (const response of stream) {
			heard(response);
			const { events, compactRevision, canceled, cancelReason, fragment, created, header } = response;
			// In the words in which a read would be refused.
			if (compactRevision > 0) throw new SideError("source", RPC.watch.path, 0, "etcdserver: mvcc: required revision has been compacted");
			if (canceled) {
				if (this.source.passes(0, cancelReason)) return cancelReason;
				throw new SideError("source", RPC.watch.path, 0, cancelReason === "" ? "the watch was canceled" : cancelReason);
			}
			for (const event of events) {
				const revision = event.kv?.modRevision ?? 0;
				if (revision > this.until) {
					waiting.close();
					await this.apply(waiting);
					this.moveTo(this.until);
					return "";
				}
				// A client that starts again may be told of a revision twice.
				if (revision <= this.revision) continue;
				waiting.add(revision, event);
				if (waiting.isFull) await this.apply(waiting);
			}
			if (!fragment) waiting.close();
			if (stream.readableLength === 0 || waiting.isFull) await this.apply(waiting);
			if (events.length === 0 && !created && waiting.isEmpty) this.moveTo(header?.revision ?? 0);
			if (this.revision >= this.until) return "";
		}
		return "the stream ended";
	}

	private async apply(waiting: Waiting): Promise<void> {
		const { lists, events, upto } = waiting.take();
		if (lists.length === 0) return;
		await writeChanges(this.target, this.leases, lists);
		this.events += events;
		this.split += waiting.split;
		waiting.split = 0;
		this.applied = Math.max(this.applied, upto);
		this.heardMs = performance.now();
		this.moveTo(this.applied);
	}

	private moveTo(revision: number): void {
		this.revision = Math.max(this.revision, revision);
		this.leases.reached = this.revision;
	}
}

function isCallError(error: unknown): error is CallError {
	return error instanceof Error && "metadata" in error;
}
