/**
 * Streams that a seed draws, on a real etcd and on flotilla, step by step beside each other: what watchers are told, what keep-alives
 * answer, who gets a lock or an election and in which order. What depends on moments only is put aside (`accountOf`).
 * `FLOTILLA_SEED` and `FLOTILLA_CORPUS_STREAMS` explore further.
 */
import { etcdserverpb as pb } from "@flotilla/api";
import { Dice } from "@flotilla/base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RawStream } from "../src/client/raw-stream.ts";
import { BesideEtcd, type Call, isRefusal, plain } from "../src/compat/beside-etcd.ts";
import { ContestPair } from "../src/compat/contest-pair.ts";
import { ContestScript, type ContestStep, GRANTS } from "../src/compat/contest-script.ts";
import { KNOWN_DIFFERENCES } from "../src/compat/known-differences.ts";
import { Requests, shownRequest } from "../src/compat/requests.ts";
import { accountOf, endOf, type WatchAccount } from "../src/compat/watch-account.ts";
import { WatchScript, type WatchStep } from "../src/compat/watch-script.ts";
import { haveProgram } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";

const seed = process.env.FLOTILLA_SEED ?? "1";
const STREAMS = Number(process.env.FLOTILLA_CORPUS_STREAMS ?? 40);
/** etcd reads the past for its watchers every 100 ms: before a compaction all of it must have been told. */
const CATCH_UP_MS = 300;
/** What comes too often comes soon. */
const SURPLUS_MS = 150;
const STREAM_MS = 60_000;
const CONTEST_STEPS = STREAMS * 3;
/** Somebody who is given way to hears of it within so much, mostly; later it is seen at the next step. */
const CONTEST_MS = 40;
/**
 * A watcher of nothing, which is refused: an answer that always comes, and behind those to what was asked on the stream before it. Without
 * it a server may look at its revision for somebody's progress when it has taken the next change already: that is as true, and another one.
 */
const BARRIER = pb.WatchRequest.encode({
	requestUnion: { kind: "createRequest", value: pb.WatchCreateRequest.create({ key: Uint8Array.of(2), rangeEnd: Uint8Array.of(1) }) },
});
const EVERYTHING = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

const FRONTS = ["native", "grpc-js"] as const;

describe.skipIf(!haveProgram("etcd"))(`streams that a seed draws, beside etcd's (FLOTILLA_SEED=${seed}), by the front`, () => {
	const fronts = new Map(FRONTS.map((front) => [front, new StreamsBeside(front)]));
	const by = (front: (typeof FRONTS)[number]): StreamsBeside => fronts.get(front) as StreamsBeside;
	beforeAll(async () => {
		await Promise.all([...fronts.values()].map((streams) => streams.start()));
	});
	afterAll(async () => {
		await Promise.all([...fronts.values()].map((streams) => streams.dispose()));
	});

	// Much of it is waiting for what must not come: the fronts wait together.
	describe(`${STREAMS} watch streams`, () => {
		test.concurrent.each(FRONTS)("%s", (front) => by(front).watchStreams(), 60_000 + STREAMS * STREAM_MS);
	});

	describe(`${STREAMS} streams of renewals`, () => {
		test.concurrent.each(FRONTS)("%s", (front) => by(front).renewals(), 60_000 + STREAMS * STREAM_MS);
	});

	describe(`${CONTEST_STEPS} steps of contenders for locks and elections`, () => {
		test.concurrent.each(FRONTS)("%s", (front) => by(front).contests(), 60_000 + CONTEST_STEPS * 2_000);
	});
});

/** Both servers behind one of our fronts, and what was drawn for them so far. */
class StreamsBeside {
	private pair!: BesideEtcd;
	private readonly dice = new Dice(`streams/${seed}`);
	private readonly requests = new Requests(this.dice.fork("requests"));
	private readonly compactions = new Set<number>();
	private readonly front: string;

	constructor(front: string) {
		this.front = front;
	}

	async start(): Promise<void> {
		this.pair = await BesideEtcd.start([], [`--grpc-server=${this.front}`]);
	}

	async dispose(): Promise<void> {
		await this.pair?.dispose();
	}

	async watchStreams(): Promise<void> {
		const seen = { events: 0, refused: 0, canceled: 0, compacted: 0, ended: 0, progress: 0 };
		for (let at = 0; at < STREAMS; at++) {
			const account = await this.watchBeside(at);
			const lines = Object.values(account.told).flat();
			seen.events += lines.filter(Array.isArray).length;
			seen.refused += account.created.filter((each) => (each as { canceled: boolean }).canceled).length;
			seen.canceled += lines.filter((line) => isCancel(line, false)).length;
			seen.compacted += lines.filter((line) => isCancel(line, true)).length;
			if (account.ended !== null) seen.ended++;
			seen.progress += account.progress.length;
		}
		// The seed drew something of everything.
		for (const [name, count] of Object.entries(seen)) expect(count, name).toBeGreaterThan(name === "events" ? 5 * STREAMS : 0);
	}

	async renewals(): Promise<void> {
		const ids = [1n, 2n, 3n, 4n, 5n, 6n, 0n, -1n, 99n, (1n << 63n) - 1n];
		const count = { known: 0, unknown: 0, ended: 0 };
		for (let at = 0; at < STREAMS; at++) {
			const streams = this.pair.clients.map((client) => client.stream("/etcdserverpb.Lease/LeaseKeepAlive"));
			const both = (message: Uint8Array): void => {
				for (const stream of streams) stream.send(Buffer.from(message));
			};
			try {
				for (let asked = 1; asked <= 12; asked++) {
					if (this.dice.chance(1, 3)) await this.tellBoth(drawn(this.requests, /Lease\/Lease(Grant|Revoke)$/));
					both(pb.LeaseKeepAliveRequest.encode({ ID: this.dice.pick(ids) }));
					const [mine, theirs] = await Promise.all(streams.map(async (stream) => renewalsOf(await stream.upTo(asked))));
					expect(mine).toEqual(theirs);
					count[((mine as unknown[]).at(-1) as { TTL: number }).TTL > 0 ? "known" : "unknown"]++;
				}
				// The client's end, and bytes that are no message.
				if (this.dice.chance(2, 3)) for (const stream of streams) stream.halfClose();
				else both(Uint8Array.of(0xff));
				const [mine, theirs] = (await Promise.all(streams.map((stream) => stream.end()))).map(endOf);
				expect(mine).toEqual(theirs);
				if (mine?.code !== 0) count.ended++;
			} finally {
				for (const stream of streams) stream.cancel();
			}
		}
		for (const [name, times] of Object.entries(count)) expect(times, name).toBeGreaterThan(0);
	}

	async contests(): Promise<void> {
		await this.tellBoth({ path: "/etcdserverpb.KV/DeleteRange", request: pb.DeleteRangeRequest.encode({ ...EVERYTHING, prevKv: false }) });
		for (const call of GRANTS) await this.tellBoth(call);
		const contest = new ContestPair(this.pair);
		const script = new ContestScript(this.dice.fork("contest"));
		const done: unknown[] = [];
		try {
			for (let at = 0; at < CONTEST_STEPS; at++) {
				const step = script.next(await contest.held());
				done.push(shownContest(step));
				if (step.kind === "contend") contest.contend(step);
				else if (step.kind === "observe") contest.observe(step.request);
				else if (step.kind === "giveUp") contest.giveUp(step.choice);
				else await this.tellBoth(step.call);
				// A second look: what comes late on both sides must have come before the next step.
				for (const _ of [1, 2]) {
					await eventually(
						`the same after step ${at}`,
						async () => {
							const [left, right] = await Promise.all([contest.seen(0), contest.seen(1)]);
							if (JSON.stringify(left) !== JSON.stringify(right)) throw new Error(JSON.stringify({ done: done.slice(-8), left, right }));
						},
						STREAM_MS / 2,
					);
					await pause(CONTEST_MS);
				}
			}
			const outcomes = contest.contenders.map(({ outcomes: [mine] }) => mine);
			expect(outcomes.filter(isRefusal).length).toBeGreaterThan(0);
			expect(outcomes.filter((outcome) => typeof outcome === "object" && !isRefusal(outcome)).length).toBeGreaterThan(CONTEST_STEPS / 20);
		} finally {
			contest.end();
		}
	}

	private async tellBoth(call: Call): Promise<void> {
		const [mine, theirs] = await this.pair.tell(call);
		const shown = plain(shownRequest(call));
		if (!KNOWN_DIFFERENCES.some((known) => known.applies({ path: call.path, shown, mine, theirs })))
			expect(mine, `${call.path} ${JSON.stringify(shown)}`).toEqual(theirs);
		const { header } = mine as { header?: unknown };
		if (typeof header === "number" && header > 0) this.requests.revision = header;
	}

	private async watchBeside(at: number): Promise<WatchAccount> {
		const streams = this.pair.clients.map((client) => client.stream("/etcdserverpb.Watch/Watch"));
		const script = new WatchScript(this.dice.fork(`watch ${at}`), this.requests);
		const done: unknown[] = [];
		try {
			const accounts = (): WatchAccount[] => streams.map(({ messages, ended }) => accountOf(messages, ended));
			const settled = (): Promise<WatchAccount> =>
				eventually(
					`stream ${at} is told the same`,
					async () => {
						const [mine, theirs] = accounts() as [WatchAccount, WatchAccount];
						const [left, right] = [mine, theirs].map((account) => comparable(account, this.compactions));
						if (JSON.stringify(left) !== JSON.stringify(right)) throw new Error(JSON.stringify({ done, left, right }));
						expect(mine.created.length + (mine.ended === null ? 0 : Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(wanted);
						return mine;
					},
					STREAM_MS / 2,
				);
			let wanted = 0;
			let ended = false;
			for (let step = script.next(); step !== null && !ended; step = script.next()) {
				done.push(shownStep(step));
				const kind = step.kind === "request" ? requestKind(step) : undefined;
				if (kind !== undefined && ANSWERED.has(kind)) wanted++;
				await this.take(step, streams);
				if (kind === "progressRequest") for (const stream of streams) stream.send(Buffer.from(BARRIER));
				ended = (await settled()).ended !== null;
			}
			await pause(SURPLUS_MS);
			const account = await settled();
			const [mine, theirs] = accounts().map(({ progress }) => progress) as [readonly number[], readonly number[]];
			expect(isPartOf(mine, theirs), JSON.stringify({ done, mine, theirs })).toBe(true);
			return account;
		} finally {
			for (const stream of streams) stream.cancel();
		}
	}

	private async take(step: WatchStep, streams: readonly RawStream[]): Promise<void> {
		switch (step.kind) {
			case "request":
				for (const stream of streams) stream.send(Buffer.from(step.bytes));
				break;
			case "halfClose":
				for (const stream of streams) stream.halfClose();
				break;
			case "call":
				await this.tellBoth(step.call);
				break;
			case "compact":
				await pause(CATCH_UP_MS);
				this.compactions.add(this.requests.revision - 1);
				await this.tellBoth({
					path: "/etcdserverpb.KV/Compact",
					request: pb.CompactionRequest.encode({ revision: this.requests.revision - 1, physical: true }),
				});
		}
	}
}

function drawn(requests: Requests, wanted: RegExp): Call {
	for (;;) {
		const call = requests.next();
		if (wanted.test(call.path)) return call;
	}
}

function renewalsOf(messages: readonly Uint8Array[]): unknown[] {
	return messages.map((message) => {
		const { header, ID, TTL } = pb.LeaseKeepAliveResponse.decode(message);
		return { revision: header?.revision, ID: plain(ID), TTL };
	});
}

function shownContest(step: ContestStep): unknown {
	if (step.kind === "giveUp") return step.kind;
	if (step.kind === "observe") return [step.kind, step.office];
	return [step.call.path, plain(shownRequest(step.call))];
}

/** What is answered as a watcher that is created: one that is, and the barrier behind what may not be answered. */
const ANSWERED: ReadonlySet<string> = new Set(["createRequest", "progressRequest"]);

function requestKind({ shown }: WatchStep & { kind: "request" }): string | undefined {
	return typeof shown === "object" ? shown.requestUnion?.kind : undefined;
}

function isCancel(line: unknown, byCompaction: boolean): boolean {
	const { compactRevision } = line as { compactRevision?: number };
	return compactRevision !== undefined && compactRevision > 0 === byCompaction;
}

/**
 * etcd 3.4 answers whoever asks for progress, 3.6 and flotilla only where all watchers have heard everything. A deletion at the very
 * revision that is compacted is kept by 3.6 and flotilla, for who watches from there on (rule V5); 3.4.23 forgets it.
 */
function comparable({ created, told, ended }: WatchAccount, compactions: ReadonlySet<number>): unknown {
	const forgotten = (line: unknown): boolean =>
		Array.isArray(line) && line[0] === "DELETE" && compactions.has((line[1] as { modRevision: number }).modRevision);
	const remembered = Object.entries(told).map(([id, lines]) => [id, lines.filter((line) => !forgotten(line))] as const);
	return { created, told: remembered.filter(([, lines]) => lines.length > 0), ended };
}

/** So ours are some of theirs, in their order. */
function isPartOf(mine: readonly number[], theirs: readonly number[]): boolean {
	let at = 0;
	for (const revision of theirs) if (revision === mine[at]) at++;
	return at === mine.length;
}

function shownStep(step: WatchStep): unknown {
	if (step.kind === "request") return plain(step.shown);
	return step.kind === "call" ? [step.call.path, plain(shownRequest(step.call))] : step.kind;
}
