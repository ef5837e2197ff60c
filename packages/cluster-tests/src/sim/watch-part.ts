import type { WatchLimits } from "@flotilla/mvcc";
import { checkWatches } from "../history/watch-checks.ts";
import { WatchTruth } from "../history/watch-truth.ts";
import type { Evidence, Judgement, PartCounts, PartKind, PartWorld, WorkloadPart } from "./parts.ts";
import { WatchClient, type WatchClientPlan } from "./watch-client.ts";

export interface WatchPlan extends WatchClientPlan {
	readonly clients: number;
	/** Of the members: small ones, so that queues overflow and slices end early. */
	readonly limits: WatchLimits;
	readonly progressMs: number;
}

/** Watchers on everything and on some keys, which stall, resume and change members; judged promise by promise. */
export const watchPart: PartKind<WatchPlan> = {
	draw: (dice) => {
		const percent = (max: number): number => (dice.chance(2, 3) ? dice.range(1, max) : 0);
		return {
			clients: dice.chance(1, 4) ? 0 : dice.range(1, 4),
			limits: {
				streamBytesMax: dice.pick([200, 2_000, 1 << 20]),
				totalBytesMax: dice.pick([1_000, 1 << 20]),
				watcherBytesMax: 1 << 20,
				sliceRecords: dice.range(1, 20),
				sliceBytes: dice.pick([50, 1 << 20]),
				largeRecords: dice.pick([1, 2, 4_096]),
				gatheredBytesMax: 1 << 20,
			},
			progressMs: dice.pick([100, 1_000, 600_000]),
			keys: dice.range(3, 10),
			stallPercent: percent(40),
			cancelPercent: percent(20),
			progressPercent: percent(40),
			reconnectPercent: percent(10),
		};
	},
	make: (plan, world) => new WatchPart(plan, world),
	*smaller(plan) {
		if (plan.clients > 0) yield { ...plan, clients: plan.clients - 1 };
		for (const name of ["stallPercent", "cancelPercent", "progressPercent", "reconnectPercent"] as const) {
			if (plan[name] > 0) yield { ...plan, [name]: 0 };
		}
	},
};

/** How long all must have been quiet before it is said that nothing more comes. */
const QUIET_US = 1_000_000;
const FINDINGS_MAX = 5;

class WatchPart implements WorkloadPart {
	private readonly world: PartWorld;
	private readonly clients: readonly WatchClient[];
	private lastSum = -1;
	private quietSinceUs = 0;

	constructor({ clients, limits: _limits, progressMs: _progressMs, ...plan }: WatchPlan, world: PartWorld) {
		this.world = world;
		this.clients = Array.from(
			{ length: clients },
			(_, at) => new WatchClient(`watch${at}`, plan, { ...world, dice: world.dice.fork(`client ${at}`) }),
		);
	}

	start(): void {
		for (const client of this.clients) client.start();
	}

	stop(): void {
		for (const client of this.clients) client.stop();
	}

	/** Every watcher is open, and for a while no member has moved: what was to be told has been told. */
	get idle(): boolean {
		if (!this.clients.every(({ settled }) => settled)) return false;
		const { time } = this.world;
		let sum = 0;
		for (const { revision, lives } of this.world.members()) sum += revision + lives;
		for (const { records } of this.clients) sum += records.length;
		if (sum !== this.lastSum) {
			this.lastSum = sum;
			this.quietSinceUs = time.nowUs;
		}
		return time.nowUs - this.quietSinceUs >= QUIET_US;
	}

	/** Of requests; a watcher's end by a compaction counts as refused. */
	get counts(): PartCounts {
		const entries = this.clients.flatMap(({ records }) => records.flatMap((record) => record.entries));
		const answers = entries.flatMap((entry) => (entry.kind === "answer" ? [entry.answer] : []));
		const created = answers.filter((answer) => answer.created && !answer.canceled).length;
		return {
			operations: entries.length - answers.length,
			acknowledged: created,
			refused: answers.filter(({ canceled, created, compactRevision }) => (canceled && created) || compactRevision > 0).length,
			unknown: 0,
		};
	}

	accountsFor(): Iterable<number> {
		return [];
	}

	judge({ changes, finalRevision }: Evidence): Judgement {
		const records = this.clients.flatMap((client) => client.records);
		const compacted = Math.max(0, ...this.world.members().map(({ compactRevision }) => compactRevision));
		const findings = checkWatches(records, new WatchTruth(changes, finalRevision, compacted));
		return { findings: findings.slice(0, FINDINGS_MAX).map(({ check, text }) => `watch, ${check}: ${text}`), undecided: null };
	}
}
