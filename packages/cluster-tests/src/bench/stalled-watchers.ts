/**
 * Watchers whose clients stop reading, under a steady load of puts: what they cost the member, what the others notice, and that
 * each hears all in the end or is told from where history is gone. Once without them and once with them, in one run.
 */
import { type ClientHttp2Session, connect } from "node:http2";
import { KvClient } from "../client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";
import { leaderOf } from "./leader-of.ts";
import { KEYS, keyOf, Listener, ONE_KEY, stampedValue, Truth } from "./listener.ts";
import { cpuSeconds, ownMb } from "./process-usage.ts";
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
	/** Of one processor, while the load ran: the member with the watchers, all members, and this process with load and clients. */
	readonly memberCpu: number;
	readonly membersCpu: number;
	readonly clientCpu: number;
	/** Stalled watchers that heard everything afterwards, and those that were told of the compaction. */
	readonly complete: number;
	readonly compacted: number;
	/** Sentences about watchers that lack something, or did not end as they must. */
	readonly faults: readonly string[];
}

type LoadFigures = Pick<
	StalledFigures,
	"putsPerSecond" | "memoryMb" | "memoryPeakMb" | "putP99Ms" | "memberCpu" | "membersCpu" | "clientCpu"
>;

const VALUE_BYTES = 64;
const PUT_STREAMS = 64;
/** Between two looks at the memory. */
const LOOK_MS = 50;
/** History that the compaction leaves to those that are still behind. */
const KEPT_REVISIONS = 100;

export async function measureStalled(options: StalledOptions): Promise<StalledFigures> {
	const cluster = await ProcessCluster.start({ size: options.members });
	const run = new StalledRun(cluster, await leaderOf(cluster), options);
	try {
		return await run.measure();
	} finally {
		run.close();
		await cluster.dispose();
	}
}

class StalledRun {
	private readonly cluster: ProcessCluster;
	/** The watchers are its clients, and the puts go there: what they cost is then all in one place. */
	private readonly leader: ClusterMember;
	private readonly options: StalledOptions;
	private readonly client: KvClient;
	private readonly sessions: ClientHttp2Session[] = [];
	private readonly eventMs: number[] = [];

	constructor(cluster: ProcessCluster, leader: ClusterMember, options: StalledOptions) {
		this.cluster = cluster;
		this.leader = leader;
		this.options = options;
		this.client = new KvClient(leader.clientUrl.slice("http://".length));
	}

	close(): void {
		this.client.close();
		for (const session of this.sessions) session.destroy();
	}

	async measure(): Promise<StalledFigures> {
		const { stalled, connections, reading, seconds } = this.options;
		const truth = new Truth();
		const readingSession = this.connect();
		const readers = Array.from(
			{ length: reading },
			(_, at) =>
				new Listener(readingSession, false, (revision, n, stampMs) => {
					this.eventMs.push(performance.now() - stampMs);
					if (at === 0) truth.note(revision, n);
				}),
		);
		const stalledSessions = Array.from({ length: connections }, () => this.connect());
		const sleepers = Array.from({ length: stalled }, (_, at) => {
			const session = stalledSessions[at % connections] as ClientHttp2Session;
			return new Listener(session, at % 10 === 0, () => {});
		});
		for (const listener of [...readers, ...sleepers]) listener.heard = await listener.watch.created;
		for (const { watch } of sleepers) watch.stopReading();
		const load = await this.load(seconds);
		const revision = await this.revision();
		await heardAll("those that read have heard all", readers, revision);
		const eventMs = { eventP50Ms: shareOf(this.eventMs, 0.5), eventP99Ms: shareOf(this.eventMs, 0.99) };
		const compactRevision = revision - KEPT_REVISIONS;
		await this.wake(sleepers, truth, compactRevision);
		const faults = await this.judge([...readers, ...sleepers], truth, compactRevision);
		return {
			...load,
			...eventMs,
			complete: sleepers.filter(({ compactRevision: told }) => told === 0).length,
			compacted: sleepers.filter(({ compactRevision: told }) => told > 0).length,
			faults,
		};
	}

	/** First those of one key, which are to hear all of it; then history is compacted, and the others are told so. */
	private async wake(sleepers: readonly Listener[], truth: Truth, compactRevision: number): Promise<void> {
		const narrow = sleepers.filter((listener) => listener.narrow);
		const wide = sleepers.filter((listener) => !listener.narrow);
		for (const { watch } of narrow) watch.read();
		await heardAll("the watchers of one key have heard all", narrow, truth.lastNarrow);
		if (wide.length === 0) return;
		await this.client.compact(compactRevision);
		for (const { watch } of wide) watch.read();
		await heardAll("all others have heard all or of the compaction", wide, truth.revision);
	}

	/** Every watcher by itself: what it heard is what others heard, none lacks the last put, and who was told to end had reason to. */
	private async judge(listeners: readonly Listener[], truth: Truth, compactRevision: number): Promise<string[]> {
		const before = new Map(listeners.map((listener) => [listener, listener.events]));
		await this.client.put(ONE_KEY, stampedValue(KEYS, VALUE_BYTES));
		const living = listeners.filter(({ compactRevision: told }) => told === 0);
		await heardAll("all that were not ended have heard one more put", living, await this.revision());
		// An event too many would come behind it.
		await pause(200);
		return listeners.flatMap((listener) => {
			const { heard, compactRevision: told, events } = listener;
			const faults = listener.fault(truth) ?? [];
			if (told === 0) return events - (before.get(listener) as number) === 1 ? faults : ["the last put was not heard once"];
			return told === compactRevision && heard + 1 < compactRevision ? faults : [`told of ${told} after ${heard}`];
		});
	}

	private async revision(): Promise<number> {
		return Number((await this.client.range(ONE_KEY)).header.revision);
	}

	private async load(seconds: number): Promise<LoadFigures> {
		const { putsPerSecond } = this.options;
		const load = new PutLoad({
			url: this.leader.clientUrl,
			streams: PUT_STREAMS,
			makeKey: keyOf,
			makeValue: (n) => stampedValue(n, VALUE_BYTES),
		});
		const putMs: number[] = [];
		let peakMb = 0;
		const others = this.cluster.members.filter((member) => member !== this.leader);
		const pids = [this.leader, ...others].map(({ process: { pid } }) => pid);
		const cpuBefore = [process.pid, ...pids].map(cpuSeconds);
		const startedMs = performance.now();
		let sent = 0;
		let lookedMs = 0;
		for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs = performance.now() - startedMs) {
			const due = Math.floor((elapsedMs / 1_000) * putsPerSecond);
			if (due > sent) {
				putMs.push(...(await load.run(sent, due)));
				sent = due;
			} else await pause(1);
			if (performance.now() - lookedMs < LOOK_MS) continue;
			lookedMs = performance.now();
			peakMb = Math.max(peakMb, this.memoryMb());
		}
		const tookMs = performance.now() - startedMs;
		const [client = 0, member = 0, ...followers] = [process.pid, ...pids].map((pid, at) => cpuSeconds(pid) - (cpuBefore[at] as number));
		const ofOne = (spent: number): number => Math.round((spent / tookMs) * 100_000) / 100;
		load.close();
		return {
			memberCpu: ofOne(member),
			membersCpu: ofOne(followers.reduce((sum, spent) => sum + spent, member)),
			clientCpu: ofOne(client),
			putsPerSecond: Math.round((sent * 1_000) / tookMs),
			memoryMb: this.memoryMb(),
			memoryPeakMb: peakMb,
			putP99Ms: shareOf(putMs, 0.99),
		};
	}

	private connect(): ClientHttp2Session {
		const session = connect(this.leader.clientUrl);
		session.on("error", () => {});
		session.setMaxListeners(0);
		this.sessions.push(session);
		return session;
	}

	private memoryMb(): number {
		return Math.round(ownMb(this.leader.process.pid));
	}
}

/** `upto`: the revision of the last event that concerns them. */
function heardAll(what: string, listeners: readonly Listener[], upto: number): Promise<void> {
	const lacks = ({ heard, compactRevision }: Listener): boolean => heard < upto && compactRevision === 0;
	return eventually(
		what,
		async () => {
			const open = listeners.filter(lacks);
			if (open.length > 0) throw new Error(`${open.length} do not, one is at ${open[0]?.heard} of ${upto}`);
		},
		120_000,
	);
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
