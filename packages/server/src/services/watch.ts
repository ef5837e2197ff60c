/** The Watch service (etcd API, chapter 3): requests of a stream to its watchers, and what they hear to responses. */
import { etcdserverpb, FAULTS, type FaultCode, WATCH_CANCEL_REASONS } from "@flotilla/api";
import { createHotCodec, type WatchResult } from "@flotilla/api/hot";
import type { EventBatch, Watcher, WatchMessage, WatchRefusal, WatchStream } from "@flotilla/mvcc";
import type { Caller } from "@flotilla/replica";
import { Grpc, type MethodHandler, type StreamCall } from "../front/seam.ts";
import { headerOf, statusText } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { FragmentsUnderWay, UnsentFragments } from "./fragments-under-way.ts";
import type { OpenStreams } from "./open-streams.ts";
import { WatchEncoder } from "./watch-encoder.ts";
import { fragments } from "./watch-fragments.ts";
import { WatchRights, WatchRightsSweep } from "./watch-rights.ts";

/** Answers to its own requests that a client may leave unread on one stream. */
const ANSWERS_WAITING_MAX = 16_384;
const UNREAD = { code: Grpc.resourceExhausted, message: "etcdserver: too many unread answers of this watch stream" } as const;
const NO_WATCHER = -1n;
const ZERO_KEY = new Uint8Array(1);
const { WatchCreateRequest_FilterType: Filter } = etcdserverpb;
type CreateRequest = etcdserverpb.WatchCreateRequest;

export function watchService(deps: ServiceDeps, streams: OpenStreams): ReadonlyArray<readonly [string, MethodHandler]> {
	const service = {
		deps,
		encoder: new WatchEncoder(createHotCodec(deps.bytes)),
		progress: new ProgressClock(deps),
		rights: new WatchRightsSweep(deps),
		unsent: new UnsentFragments(),
	};
	return [streams.bidi("/etcdserverpb.Watch/Watch", (call) => void new WatchCall(call, service))];
}

interface Service {
	readonly deps: ServiceDeps;
	readonly encoder: WatchEncoder;
	readonly progress: ProgressClock;
	readonly rights: WatchRightsSweep;
	readonly unsent: UnsentFragments;
}

/** One stream of a client. */
class WatchCall {
	private readonly call: StreamCall;
	private readonly service: Service;
	private readonly stream: WatchStream;
	private readonly rights: WatchRights;
	private closed = false;
	private stopClock: (() => void) | null = null;
	/** Until its end the stream counts as blocked, so that nothing comes between its fragments. */
	private underWay: FragmentsUnderWay | null = null;

	constructor(call: StreamCall, service: Service) {
		this.call = call;
		this.service = service;
		this.stream = service.deps.member.watches.openStream({ take: (message) => this.take(message) });
		this.rights = new WatchRights(service.deps, this.stream);
		service.rights.add(this.rights);
		call.onMessage((message) => this.receive(message));
		call.onDrain(() => {
			if (!this.closed && this.goOn()) this.stream.drained();
		});
		call.onCancel(() => this.close());
		// The client's half may close: its watchers go on (etcd API 3.10).
	}

	private receive(message: Uint8Array): void {
		const { requestUnion } = etcdserverpb.WatchRequest.decode(message);
		if (requestUnion === null) return;
		if (requestUnion.kind === "createRequest") this.create(requestUnion.value);
		else if (requestUnion.kind === "cancelRequest") this.stream.cancel(requestUnion.value.watchId);
		else this.stream.progress();
		if (this.stream.answersWaiting <= ANSWERS_WAITING_MAX) return;
		this.call.end(UNREAD);
		this.close();
	}

	private create(request: CreateRequest): void {
		if (request.startRevision < 0) {
			this.stream.refuse({ text: FAULTS.compacted.text });
			return;
		}
		const { member, callers } = this.service.deps;
		if (!member.auth.enabled) {
			this.open(request);
			return;
		}
		let settled = false;
		let held = false;
		const settle = (work: () => void): void => {
			settled = true;
			if (this.closed) return;
			work();
			if (held) this.call.readOn();
		};
		callers.identify(
			this.call,
			({ caller }) => settle(() => this.judge(request, caller)),
			(fault) => settle(() => this.refuse(fault)),
		);
		// Mostly it is settled by now. Otherwise the next requests wait with their client: their order counts.
		if (settled) return;
		held = true;
		this.call.holdBack();
	}

	/** Its right to the range is asked for as etcd asks: before the range itself is looked at. */
	private judge(request: CreateRequest, caller: Caller): void {
		const { key, rangeEnd } = request;
		const fault = this.service.deps.member.auth.rangeFault(caller, { key: key.length === 0 ? ZERO_KEY : key, rangeEnd });
		if (fault !== null) this.refuse(fault);
		else {
			const id = this.open(request);
			if (id !== null) this.rights.note(id, caller.user);
		}
	}

	private refuse(fault: FaultCode): void {
		this.stream.refuse({ text: statusText(fault) });
	}

	private open({ key, rangeEnd, startRevision, watchId, prevKv, filters, fragment, progressNotify }: CreateRequest): bigint | null {
		if (progressNotify) this.stopClock ??= this.service.progress.start(this.stream);
		return this.stream.create({
			// The range outlives the message that it came with.
			key: key.length === 0 ? ZERO_KEY : key.slice(),
			rangeEnd: rangeEnd.slice(),
			startRevision,
			watchId,
			prevKv,
			noPut: filters.includes(Filter.NOPUT),
			noDelete: filters.includes(Filter.NODELETE),
			fragment,
			progressNotify,
		});
	}

	private take(message: WatchMessage): boolean {
		switch (message.kind) {
			case "events":
				// Its client is told in a turn of its own that it ends.
				if (!this.rights.allow(message.watcher)) return true;
				return this.takeEvents(message.watcher, message.revision, message.batch);
			case "created":
				return this.send(message.revision, { watchId: message.id, created: true });
			case "canceled":
				this.rights.forget(message.id);
				return this.send(message.revision, { watchId: message.id, canceled: true, cancelReason: message.reason });
			case "compacted":
				// Without a revision in its header, and without a reason (etcd API 3.3).
				return this.send(0, { watchId: message.watcher.id, canceled: true, compactRevision: message.compactRevision });
			case "progress":
				return this.send(message.revision, { watchId: message.id });
			case "refused":
				return this.send(message.revision, { watchId: NO_WATCHER, created: true, canceled: true, cancelReason: reasonOf(message.reason) });
		}
	}

	private takeEvents({ id, request }: Watcher, revision: number, batch: EventBatch): boolean {
		const { deps, encoder } = this.service;
		const header = headerOf(deps.member, revision);
		const parts = request.fragment ? fragments(batch, deps.options.watchFragmentBytes) : [];
		if (parts.length <= 1) return encoder.sendBatch(this.call, header, id, batch);
		const { unsent } = this.service;
		if (!unsent.hasRoomFor(batch.bytes)) {
			this.call.end(UNREAD);
			this.close();
			return false;
		}
		this.underWay = new FragmentsUnderWay(unsent, batch.bytes, parts, (part) => encoder.sendFragment(this.call, header, id, part));
		return this.goOn();
	}

	/** False while the client has to read first. */
	private goOn(): boolean {
		if (this.underWay?.goOn() === false) return false;
		this.underWay = null;
		return true;
	}

	private send(revision: number, result: Partial<WatchResult>): boolean {
		const { deps, encoder } = this.service;
		return this.call.send(encoder.answer(headerOf(deps.member, revision), result));
	}

	private close(): void {
		this.closed = true;
		this.underWay?.end();
		this.underWay = null;
		this.stopClock?.();
		this.service.rights.delete(this.rights);
		this.stream.close();
	}
}

function reasonOf(refusal: WatchRefusal): string {
	if ("text" in refusal) return refusal.text;
	return refusal.code === "tooManyWatchers" ? FAULTS.tooManyRequests.text : WATCH_CANCEL_REASONS[refusal.code];
}

/** The clocks of streams with watchers that want to hear that nothing happens. */
class ProgressClock {
	private readonly deps: ServiceDeps;
	private started = 0;

	constructor(deps: ServiceDeps) {
		this.deps = deps;
	}

	/** Returns a function that stops it. Periods differ by up to a tenth, so that streams do not all speak at once. */
	start(stream: WatchStream): () => void {
		const { watchProgressTicks } = this.deps.options;
		const extra = Math.floor((watchProgressTicks / 10) * ((this.started++ * GOLDEN) % 1));
		let stop = (): void => {};
		const wait = (): void => {
			stop = this.deps.afterTicks(watchProgressTicks + extra, () => {
				stream.tellProgress();
				wait();
			});
		};
		wait();
		return () => stop();
	}
}

/** Multiples of it spread evenly over the unit interval. */
const GOLDEN = 0.618_033_988_749_895;
