/** Contenders at a real etcd and at flotilla, in step: who waits, who was answered with what, and what the observers heard. */
import { etcdserverpb as pb, v3electionpb } from "@flotilla/api";
import type { RawStream } from "../client/raw-stream.ts";
import { type BesideEtcd, type Call, isRefusal, outcomeOf, plain } from "./beside-etcd.ts";
import type { ContestStep, Held } from "./contest-script.ts";

const WAITS = "waits";
const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

interface Contender {
	readonly path: string;
	readonly name: string;
	readonly stop: AbortController;
	/** Ours, then theirs. */
	readonly outcomes: unknown[];
}

export class ContestPair {
	readonly contenders: Contender[] = [];
	private readonly pair: BesideEtcd;
	private readonly observers: RawStream[][] = [];

	constructor(pair: BesideEtcd) {
		this.pair = pair;
	}

	/** False: the same contender waits already, and which of the two is answered first is not defined. */
	contend({ call, contender: name }: ContestStep & { kind: "contend" }): boolean {
		if (this.waiting().some((each) => each.name === name)) return false;
		const contender: Contender = { path: call.path, name, stop: new AbortController(), outcomes: [WAITS, WAITS] };
		this.contenders.push(contender);
		for (const [at, client] of this.pair.clients.entries()) {
			void outcomeOf(client, call, { signal: contender.stop.signal }).then((outcome) => {
				contender.outcomes[at] = outcome;
			});
		}
		return true;
	}

	observe(request: Uint8Array): void {
		const streams = this.pair.clients.map((client) => client.stream("/v3electionpb.Election/Observe"));
		for (const stream of streams) {
			stream.send(Buffer.from(request));
			stream.halfClose();
		}
		this.observers.push(streams);
	}

	giveUp(choice: number): void {
		const waiting = this.waiting();
		waiting[choice % Math.max(1, waiting.length)]?.stop.abort();
	}

	/** Everything that can be seen of one of the two. */
	async seen(side: number): Promise<unknown> {
		const kvs = await this.pairsOf(side);
		return {
			contenders: this.contenders.map(({ path, name, outcomes }) => [path, name, this.comparable(outcomes, side)]),
			observers: this.observers.map((streams) => heard(streams[side] as RawStream)),
			kvs: plain(kvs),
		};
	}

	async held(): Promise<Held> {
		return new Map((await this.pairsOf(0)).map(({ key, createRevision }) => [Buffer.from(key).toString("latin1"), createRevision]));
	}

	end(): void {
		for (const { stop } of this.waiting()) stop.abort();
		for (const stream of this.observers.flat()) stream.cancel();
	}

	private waiting(): readonly Contender[] {
		return this.contenders.filter(({ outcomes }) => outcomes.includes(WAITS));
	}

	/** etcd 3.4 tells a lock whose key went while it waited that it is held; 3.6 and flotilla refuse it. */
	private comparable(outcomes: readonly unknown[], side: number): unknown {
		const [mine, theirs] = outcomes;
		const lost = isRefusal(mine) && mine.text === "mutex: session is expired" && theirs !== WAITS && !isRefusal(theirs);
		return lost ? "lost" : outcomes[side];
	}

	private async pairsOf(side: number): Promise<readonly pb.RangeResponse["kvs"][number][]> {
		const call: Call = { path: "/etcdserverpb.KV/Range", request: pb.RangeRequest.encode(pb.RangeRequest.create(ALL)) };
		return pb.RangeResponse.decode(
			await (this.pair.clients[side] as BesideEtcd["clients"][number]).raw(call.path, Buffer.from(call.request)),
		).kvs;
	}
}

function heard({ messages, ended }: RawStream): unknown {
	const told = messages.map((message) => {
		const { kv, header } = v3electionpb.LeaderResponse.decode(message);
		return plain([kv, header?.revision]);
	});
	return { told, ended: ended === null ? null : { code: ended.code, text: ended.text } };
}
