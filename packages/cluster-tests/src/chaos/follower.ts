/** A complete watch of one member: every change from revision 1 on, as that member tells it. Several of them are the oracle. */
import { Client, type ClientDuplexStream } from "@grpc/grpc-js";
import { channelTo } from "../client/channel.ts";
import type { StreamRecord, WatchAnswer, WatchAsk } from "../history/watch-record.ts";
import { decodeWatchResponse, encodeCreate, WATCH_PATH } from "../history/watch-wire.ts";
import type { StageMember } from "./stage.ts";

/** What a member told, stream by stream: each goes on behind what the ones before have heard. */
export interface WatchRecord {
	readonly member: { readonly name: string };
	readonly streams: readonly StreamRecord[];
	readonly events: number;
}

const RETRY_MS = 200;
const EVERYTHING: WatchAsk = {
	...{ key: "\0", end: "\0", start: 0, id: "0" },
	...{ prevKv: true, noPut: false, noDelete: false, fragment: false, progressNotify: true },
};

export class Follower {
	readonly member: StageMember;
	/** The next revision to come; all below were told, or compacted. Nothing changed at the first one. */
	next = 2;
	private events = 0;
	/** Those on which something was told; the checks look for what is wrong with it. */
	private readonly streams: StreamRecord[] = [];
	private client: Client | null = null;
	private stream: ClientDuplexStream<Buffer, Buffer> | null = null;
	private record: StreamRecord | null = null;
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

	/** What was told until now: a stream that is open stays so in it. */
	told(): WatchRecord {
		const { events, member, streams } = this;
		return { member: { name: member.name }, events, streams: streams.map((stream) => ({ ...stream, entries: [...stream.entries] })) };
	}

	private open(): void {
		const { target, credentials, options } = channelTo(this.member.address);
		this.client = new Client(target, credentials, {
			...options,
			"grpc.max_receive_message_length": 2 ** 31 - 1,
			"grpc.initial_reconnect_backoff_ms": 50,
			"grpc.max_reconnect_backoff_ms": 300,
			"grpc.enable_retries": 0,
			"grpc.use_local_subchannel_pool": 1,
		});
		const asIs = (bytes: Buffer): Buffer => bytes;
		const stream = this.client.makeBidiStreamRequest(WATCH_PATH, asIs, asIs);
		const ask = { ...EVERYTHING, start: this.next };
		const name = `watch of ${this.member.name}, stream ${this.streams.length + 1}`;
		this.stream = stream;
		this.record = { name, member: this.member.life, entries: [{ kind: "create", at: performance.now(), ask }], endedAt: null };
		stream.on("data", (bytes: Buffer) => {
			if (this.stream === stream) this.take(decodeWatchResponse(bytes));
		});
		const ended = (): void => {
			if (this.stream !== stream) return;
			this.drop();
			this.retry();
		};
		stream.on("error", ended);
		stream.on("end", ended);
		stream.write(Buffer.from(encodeCreate(ask)));
	}

	private drop(): void {
		const { stream, client, record } = this;
		this.stream = null;
		this.client = null;
		this.record = null;
		if (record !== null) record.endedAt = performance.now();
		stream?.cancel();
		client?.close();
	}

	private retry(): void {
		if (this.stopped || this.timer !== null) return;
		this.timer = setTimeout(() => {
			this.timer = null;
			if (!this.stopped) this.open();
		}, RETRY_MS);
	}

	private take(answer: WatchAnswer): void {
		const { record } = this;
		if (record === null) return;
		// A member that was not there told nothing: of such streams there are many.
		if (record.entries.length === 1) this.streams.push(record);
		record.entries.push({ kind: "answer", at: performance.now(), answer });
		this.events += answer.events.length;
		this.next = Math.max(this.next, answer.compactRevision, (answer.events.at(-1)?.mod ?? 0) + 1);
		if (!answer.canceled) return;
		this.drop();
		this.retry();
	}
}
