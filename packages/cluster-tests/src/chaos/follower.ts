/** A complete watch of one member: every change from revision 1 on, as that member tells it. Several of them are the oracle. */
import { Client, type ClientDuplexStream } from "@grpc/grpc-js";
import { channelTo } from "../client/channel.ts";
import { decodeMessage, encodeMessage } from "../client/protocol.ts";
import type { Change } from "../history/operation.ts";
import type { StageMember } from "./stage.ts";

interface WireEvent {
	readonly type: "PUT" | "DELETE";
	readonly kv: { readonly key: Buffer; readonly value: Buffer; readonly mod_revision: string; readonly create_revision: string };
	readonly prev_kv: { readonly value: Buffer; readonly mod_revision: string } | null;
}

interface WireResponse {
	readonly header: { readonly revision: string };
	readonly created: boolean;
	readonly canceled: boolean;
	readonly compact_revision: string;
	readonly cancel_reason: string;
	readonly events: readonly WireEvent[];
}

const RETRY_MS = 200;
const EVERYTHING = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

export class Follower {
	readonly member: StageMember;
	/** What the member told of each revision, in the order in which it told it. */
	readonly revisions = new Map<number, readonly Change[]>();
	/** Promises of a watch that were broken, in words. */
	readonly findings: string[] = [];
	/** The next revision to come; all below were told. Nothing changed at the first one. */
	next = 2;
	events = 0;
	/** What compaction took from this watch: first revision, and the first one behind. */
	readonly skips: Array<readonly [from: number, until: number]> = [];
	/** What it told of each key last: value and revision. */
	private readonly known = new Map<string, { readonly value: string; readonly mod: string }>();
	resumes = 0;
	private client: Client | null = null;
	private stream: ClientDuplexStream<Buffer, Buffer> | null = null;
	private timer: NodeJS.Timeout | null = null;
	private stopped = false;

	constructor(member: StageMember) {
		this.member = member;
	}

	start(): void {
		this.stopped = false;
		this.open();
	}

	stop(): void {
		this.stopped = true;
		if (this.timer !== null) clearTimeout(this.timer);
		this.drop();
	}

	/** Begins anew where it stands: the member of this place is another one from now on. */
	restart(): void {
		this.drop();
		if (!this.stopped) this.retry();
	}

	private open(): void {
		const { target, credentials } = channelTo(this.member.address);
		this.client = new Client(target, credentials, {
			"grpc.max_receive_message_length": 2 ** 31 - 1,
			"grpc.initial_reconnect_backoff_ms": 50,
			"grpc.max_reconnect_backoff_ms": 300,
			"grpc.enable_retries": 0,
			"grpc.use_local_subchannel_pool": 1,
		});
		const asIs = (bytes: Buffer): Buffer => bytes;
		const stream = this.client.makeBidiStreamRequest("/etcdserverpb.Watch/Watch", asIs, asIs);
		this.stream = stream;
		stream.on("data", (bytes: Buffer) => {
			if (this.stream === stream) this.take(decodeMessage<WireResponse>("etcdserverpb.WatchResponse", bytes));
		});
		const ended = (): void => {
			if (this.stream !== stream) return;
			this.drop();
			this.retry();
		};
		stream.on("error", ended);
		stream.on("end", ended);
		stream.write(
			encodeMessage("etcdserverpb.WatchRequest", {
				create_request: { ...EVERYTHING, start_revision: this.next, prev_kv: true, progress_notify: true },
			}),
		);
	}

	private drop(): void {
		const { stream, client } = this;
		this.stream = null;
		this.client = null;
		stream?.cancel();
		client?.close();
	}

	private retry(): void {
		if (this.stopped || this.timer !== null) return;
		this.resumes++;
		this.timer = setTimeout(() => {
			this.timer = null;
			if (!this.stopped) this.open();
		}, RETRY_MS);
	}

	private take(response: WireResponse): void {
		if (response.canceled) {
			const compacted = Number(response.compact_revision);
			if (compacted > this.next) {
				this.skips.push([this.next, compacted]);
				this.known.clear();
				this.next = compacted;
			} else if (compacted > 0) this.find(`cancelled as compacted at ${compacted}, and ${this.next} comes next`);
			this.drop();
			this.retry();
			return;
		}
		const told = Number(response.header.revision);
		for (const group of groupsOf(response.events)) this.takeRevision(group.revision, group.events, told);
		// A bookmark: everything up to it was told (nothing of it is to come).
		if (!response.created && response.events.length === 0 && told >= this.next) this.bookmark(told);
	}

	private takeRevision(revision: number, events: readonly WireEvent[], told: number): void {
		this.events += events.length;
		if (revision > told) this.find(`an event of revision ${revision} under a header of ${told}`);
		if (revision < this.next) this.find(`revision ${revision} came again or late, ${this.next} was to come`);
		else if (revision > this.next) this.find(`revision ${revision} came, ${this.next} was to come`);
		if (new Set(events.map(({ kv }) => kv.key.toString("latin1"))).size < events.length)
			this.find(`revision ${revision} changes a key twice`);
		for (const event of events) this.remember(event);
		const changes = events.map(({ type, kv }): Change => {
			return { key: kv.key.toString("latin1"), value: type === "PUT" ? kv.value.toString("latin1") : null };
		});
		if (!this.revisions.has(revision)) this.revisions.set(revision, changes);
		this.next = Math.max(this.next, revision + 1);
	}

	/** The pair before a change is the one that this watch told last, if it tells one. */
	private remember({ type, kv, prev_kv: before }: WireEvent): void {
		const key = kv.key.toString("latin1");
		const last = this.known.get(key);
		if (before !== null && last !== undefined && (before.value.toString("latin1") !== last.value || before.mod_revision !== last.mod)) {
			this.find(`at revision ${kv.mod_revision} the pair before ${key} is one of revision ${before.mod_revision}, ${last.mod} was told`);
		}
		if (type === "PUT") this.known.set(key, { value: kv.value.toString("latin1"), mod: kv.mod_revision });
		else this.known.delete(key);
	}

	private bookmark(revision: number): void {
		// Every revision above 1 holds a change: a bookmark above what came says that something was left out.
		if (revision >= this.next && revision > 1) this.find(`a bookmark of ${revision} came before revision ${this.next}`);
	}

	private find(what: string): void {
		if (this.findings.length < 100) this.findings.push(`watch of ${this.member.life}: ${what}`);
	}
}

/** The events of one response by revision: a revision is never split over two responses, or the next one would come late. */
function groupsOf(events: readonly WireEvent[]): Array<{ readonly revision: number; readonly events: readonly WireEvent[] }> {
	const groups: Array<{ readonly revision: number; readonly events: WireEvent[] }> = [];
	for (const event of events) {
		const revision = Number(event.kv.mod_revision);
		const last = groups.at(-1);
		if (last?.revision === revision) last.events.push(event);
		else groups.push({ revision, events: [event] });
	}
	return groups;
}
