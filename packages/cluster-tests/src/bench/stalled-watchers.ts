/**
 * Watchers whose clients stop reading, under a steady load of puts: what they cost the member, what the others notice, and that
 * each hears all in the end or is told from where history is gone. Once without them and once with them, in one run.
 */
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { KvClient } from "../client/kv-client.ts";
import { RawWatch } from "../client/raw-watch.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";
import { PutLoad, percentile } from "./put-load.ts";

export interface StalledOptions {
	/** Watchers that do not read; one of ten watches one key of a hundred, the others all of them. */
	readonly stalled: number;
	readonly connections: number;
	/** Watchers of everything that read. */
	readonly reading: number;
	readonly putsPerSecond: number;
	readonly seconds: number;
	readonly members: number;
}

export interface StalledFigures {
	readonly putsPerSecond: number;
	/** Resident memory of the member at the end of the load, in MB. */
	readonly memoryMb: number;
	readonly memoryPeakMb: number;
	/** From the sending of a put to its event at a reading watcher. */
	readonly eventP50Ms: number;
	readonly eventP99Ms: number;
	readonly putP99Ms: number;
	/** Stalled watchers that heard everything afterwards, and those that were told of the compaction. */
	readonly complete: number;
	readonly compacted: number;
	/** Sentences about watchers that lack something, or did not end as they must. */
	readonly faults: readonly string[];
}

const KEYS = 100;
const VALUE_BYTES = 64;
const PUT_STREAMS = 64;
const ONE_KEY = "w/00";
/** History that the compaction leaves to those that are still behind. */
const KEPT_REVISIONS = 100;

export async function measureStalled(options: StalledOptions): Promise<StalledFigures> {
	const cluster = await ProcessCluster.start({ size: options.members });
	const run = new StalledRun(cluster, options);
	try {
		return await run.measure();
	} finally {
		run.close();
		await cluster.dispose();
	}
}

class Listener {
	readonly watch: RawWatch;
	/** Of one key; otherwise it hears every revision. */
	readonly narrow: boolean;
	/** Revision of the last event, or of the created response. */
	heard = 0;
	events = 0;
	compactRevision = 0;
	gap = "";

	constructor(session: ClientHttp2Session, narrow: boolean, timed: (stampMs: number) => void) {
		this.narrow = narrow;
		this.watch = new RawWatch(session, {
			prefix: narrow ? ONE_KEY : "w/",
			onEvent: (revision, value) => {
				if (narrow ? revision <= this.heard : revision !== this.heard + 1) this.gap = `revision ${revision} after ${this.heard}`;
				this.heard = revision;
				this.events++;
				timed(new DataView(value.buffer, value.byteOffset).getFloat64(0));
			},
			onCanceled: (compactRevision) => {
				this.compactRevision = compactRevision;
			},
		});
	}
}

class StalledRun {
	private readonly cluster: ProcessCluster;
	private readonly options: StalledOptions;
	private readonly client: KvClient;
	private readonly sessions: ClientHttp2Session[] = [];
	private readonly eventMs: number[] = [];

	constructor(cluster: ProcessCluster, options: StalledOptions) {
		this.cluster = cluster;
		this.options = options;
		this.client = new KvClient(cluster.endpoints[0] as string);
	}

	close(): void {
		this.client.close();
		for (const session of this.sessions) session.destroy();
	}

	async measure(): Promise<StalledFigures> {
		const { stalled, connections, reading, seconds } = this.options;
		const timed = (stampMs: number): void => void this.eventMs.push(performance.now() - stampMs);
		const readingSession = this.connect();
		const readers = Array.from({ length: reading }, () => new Listener(readingSession, false, timed));
		const stalledSessions = Array.from({ length: connections }, () => this.connect());
		const sleepers = Array.from({ length: stalled }, (_, at) => {
			const session = stalledSessions[at % connections] as ClientHttp2Session;
			return new Listener(session, at % 10 === 0, () => {});
		});
		for (const listener of [...readers, ...sleepers]) listener.heard = await listener.watch.created;
		for (const { watch } of sleepers) watch.stopReading();
		const load = await this.load(seconds);
		const { header, kvs } = await this.client.range(ONE_KEY);
		const revision = Number(header.revision);
		await eventually("those that read have heard all", async () => {
			for (const { heard } of readers) if (heard !== revision) throw new Error(`heard up to ${heard} of ${revision}`);
		});
		const faults = [...readers, ...sleepers].flatMap(({ gap }) => (gap === "" ? [] : [gap]));
		await this.wake(sleepers, revision, Number(kvs[0]?.version), faults);
		return {
			...load,
			eventP50Ms: shareOf(this.eventMs, 0.5),
			eventP99Ms: shareOf(this.eventMs, 0.99),
			complete: sleepers.filter(({ compactRevision }) => compactRevision === 0).length,
			compacted: sleepers.filter(({ compactRevision }) => compactRevision > 0).length,
			faults,
		};
	}

	/** First those of one key, which are to hear all of it; then history is compacted, and the others are told so. */
	private async wake(sleepers: readonly Listener[], revision: number, putsOfOneKey: number, faults: string[]): Promise<void> {
		const narrow = sleepers.filter((listener) => listener.narrow);
		const wide = sleepers.filter((listener) => !listener.narrow);
		for (const { watch } of narrow) watch.read();
		await eventually(
			"the watchers of one key have heard all",
			async () => {
				const behind = narrow.filter(({ events }) => events !== putsOfOneKey);
				if (behind.length > 0) throw new Error(`${behind.length} are behind, one has ${behind[0]?.events} of ${putsOfOneKey} events`);
			},
			120_000,
		);
		if (wide.length === 0) return;
		const compactRevision = revision - KEPT_REVISIONS;
		await this.client.compact(compactRevision);
		for (const { watch } of wide) watch.read();
		await eventually(
			"all others have heard all or of the compaction",
			async () => {
				const open = wide.filter(({ heard, compactRevision: told }) => heard < revision && told === 0);
				if (open.length > 0) throw new Error(`${open.length} hear nothing, one after ${open[0]?.heard}`);
			},
			120_000,
		);
		for (const { heard, compactRevision: told, gap } of sleepers) {
			if (gap !== "") faults.push(gap);
			if (told !== 0 && (told !== compactRevision || heard + 1 >= compactRevision)) faults.push(`told of ${told} after ${heard}`);
		}
	}

	private async load(seconds: number): Promise<Pick<StalledFigures, "putsPerSecond" | "memoryMb" | "memoryPeakMb" | "putP99Ms">> {
		const { putsPerSecond } = this.options;
		const load = new PutLoad({
			url: this.cluster.member(0).clientUrl,
			streams: PUT_STREAMS,
			makeKey: (n) => Buffer.from(`w/${String(n % KEYS).padStart(2, "0")}`),
			makeValue: () => {
				const value = Buffer.alloc(VALUE_BYTES);
				value.writeDoubleBE(performance.now(), 0);
				return value;
			},
		});
		const putMs: number[] = [];
		let peakMb = 0;
		const startedMs = performance.now();
		let sent = 0;
		for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs = performance.now() - startedMs) {
			const due = Math.floor((elapsedMs / 1_000) * putsPerSecond);
			if (due > sent) {
				putMs.push(...(await load.run(sent, due)));
				sent = due;
			} else await pause(1);
			peakMb = Math.max(peakMb, this.memoryMb());
		}
		const tookMs = performance.now() - startedMs;
		load.close();
		return {
			putsPerSecond: Math.round((sent * 1_000) / tookMs),
			memoryMb: this.memoryMb(),
			memoryPeakMb: peakMb,
			putP99Ms: shareOf(putMs, 0.99),
		};
	}

	private connect(): ClientHttp2Session {
		const session = connect(this.cluster.member(0).clientUrl);
		session.on("error", () => {});
		session.setMaxListeners(0);
		this.sessions.push(session);
		return session;
	}

	private memoryMb(): number {
		const { pid } = this.cluster.member(0).process;
		const status = readFileSync(`/proc/${pid}/status`, "utf8");
		return Math.round(Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1_024);
	}
}

function shareOf(values: readonly number[], share: number): number {
	return (
		Math.round(
			percentile(
				[...values].sort((a, b) => a - b),
				share,
			) * 10,
		) / 10
	);
}
