/** Election.Observe: the leader of a name and each of its proclamations, then its successor, and so on (etcd API 8.3). */
import { mvccpb, v3electionpb } from "@flotilla/api";
import { allEvents, type WatchMessage } from "@flotilla/mvcc";
import type { StreamCall } from "../../front/seam.ts";
import { headerOf, innerStatus } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { firstPair, OLDEST, rangeOfName } from "./contest.ts";
import { InnerClient, type OpenWatch } from "./inner-client.ts";

const NO_BYTES = new Uint8Array(0);
const { PUT } = mvccpb.Event_EventType;

export function observe(call: StreamCall, deps: ServiceDeps): void {
	let begun = false;
	call.onMessage((message) => {
		if (begun) return;
		begun = true;
		const { name } = v3electionpb.LeaderRequest.decode(message);
		new Observer(call, deps, name).look();
	});
}

class Observer {
	private readonly call: StreamCall;
	private readonly deps: ServiceDeps;
	private readonly client: InnerClient;
	private readonly name: Uint8Array;
	private watch: OpenWatch | null = null;
	private writable = true;
	private over = false;
	/** Of the users and roles that its caller was judged by last; 0 while authentication is off. */
	private judgedAt = 0;

	constructor(call: StreamCall, deps: ServiceDeps, name: Uint8Array) {
		this.call = call;
		this.deps = deps;
		this.name = name;
		this.client = new InnerClient(deps, call, (status) => {
			this.close();
			call.end(status);
		});
		call.onCancel(() => this.close());
		call.onDrain(() => {
			this.writable = true;
			this.watch?.drained();
		});
	}

	/** Whoever leads now; nobody: whoever comes first. */
	look(): void {
		const range = rangeOfName(this.name);
		this.client.get({ ...range, ...OLDEST }, (result) => {
			if (this.over) return;
			this.judgedAt = this.authNow;
			const leader = firstPair(result);
			if (leader === null) this.awaitFirst(range, result.revision);
			else this.follow(leader, result.revision);
		});
	}

	private awaitFirst(range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }, seenRevision: number): void {
		this.replaceWatch({ ...range, startRevision: seenRevision + 1 }, (event) => {
			if (event.type !== PUT || event.kv === null) return true;
			this.follow(event.kv, event.kv.modRevision);
			return false;
		});
	}

	private follow(leader: mvccpb.KeyValue, revision: number): void {
		this.send(leader, revision);
		this.replaceWatch({ key: leader.key, rangeEnd: NO_BYTES, startRevision: revision + 1 }, (event) => {
			if (event.type !== PUT || event.kv === null) {
				this.look();
				return false;
			}
			this.send(event.kv, event.kv.modRevision);
			return true;
		});
	}

	/** `heard` is asked event by event until it wants no more from this watch. */
	private replaceWatch(
		range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; readonly startRevision: number },
		heard: (event: mvccpb.Event) => boolean,
	): void {
		this.watch?.close();
		let wanted = true;
		let resumeAt = range.startRevision;
		const take = (message: WatchMessage): boolean => {
			if (!wanted || this.over) return true;
			if (message.kind === "refused") {
				this.close();
				this.call.end(innerStatus("tooManyRequests"));
			} else if (message.kind === "compacted" || message.kind === "canceled") {
				// What it would have heard is gone, or too much to be told.
				wanted = false;
				this.look();
			} else if (message.kind === "events" && this.judgedAt !== this.authNow) {
				wanted = false;
				this.judgeAnew(() => this.replaceWatch({ ...range, startRevision: resumeAt }, heard));
			} else if (message.kind === "events") {
				for (const event of allEvents(message.batch)) {
					const decoded = mvccpb.Event.decode(event);
					wanted = wanted && heard(decoded);
					if (!wanted) break;
					resumeAt = (decoded.kv?.modRevision ?? resumeAt) + 1;
				}
			}
			return this.writable;
		};
		const watch = this.client.watch(range, take);
		// What it heard at once may have ended it, or put another one in its place.
		if (wanted && !this.over) this.watch = watch;
		else watch.close();
	}

	/** Users or roles changed: may its caller still read? If so it goes on where it was, and misses nothing (rule A8). */
	private judgeAnew(goOn: () => void): void {
		this.client.get({ ...rangeOfName(this.name), ...OLDEST }, () => {
			if (this.over) return;
			this.judgedAt = this.authNow;
			goOn();
		});
	}

	private get authNow(): number {
		const { enabled, revision } = this.deps.member.auth;
		return enabled ? revision : 0;
	}

	private send(kv: mvccpb.KeyValue, revision: number): void {
		this.writable = this.call.send(v3electionpb.LeaderResponse.encode({ header: headerOf(this.deps.member, revision), kv }));
	}

	private close(): void {
		this.over = true;
		this.watch?.close();
		this.watch = null;
	}
}
