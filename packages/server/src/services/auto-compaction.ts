/** Compaction by the clock (etcd API 10.4): every member looks at its revisions, the leader alone compacts. */
import { etcdserverpb } from "@flotilla/api";
import { CommandKind, MEMBER_ITSELF, WriteCall } from "@flotilla/replica";
import type { Clock, Scheduler } from "../ports.ts";
import { statusOf } from "./answers.ts";
import type { MemberPort } from "./member-port.ts";

export type AutoCompaction =
	| { readonly mode: "off" }
	/** Everything older than `retentionMs` goes. */
	| { readonly mode: "periodic"; readonly retentionMs: number; readonly shownAs: string }
	/** Everything but the newest `retention` revisions goes. */
	| { readonly mode: "revision"; readonly retention: number };

export interface AutoCompactionWorld {
	readonly member: Pick<MemberPort, "memberId" | "status" | "store" | "write">;
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	readonly log: (level: "info" | "warn", msg: string, fields: Readonly<Record<string, unknown>>) => void;
}

const HOUR_MS = 3_600_000;
/** Of the interval of compactions between two looks. */
const LOOKS = 10;
const REVISION_LOOK_MS = 5 * 60_000;
/** Whatever is asked for, the clock is looked at no more often. */
const LOOK_MS_MIN = 10;

/** Returns the way to stop it. */
export function startAutoCompaction(options: AutoCompaction, world: AutoCompactionWorld): () => void {
	if (options.mode === "off") return () => {};
	const compactor = options.mode === "periodic" ? new PeriodicCompactor(options, world) : new RevisionCompactor(options.retention, world);
	return every(compactor.lookMs, () => compactor.look(), world.scheduler);
}

/** The next look is an interval after the end of the one before. */
function every(ms: number, look: () => void, scheduler: Scheduler): () => void {
	let cancel = (): void => {};
	const wait = (): void => {
		cancel = scheduler.after(ms, () => {
			look();
			wait();
		});
	};
	wait();
	return () => cancel();
}

abstract class Compactor {
	readonly lookMs: number;
	protected readonly world: AutoCompactionWorld;
	private running = false;

	constructor(lookMs: number, world: AutoCompactionWorld) {
		this.lookMs = Math.max(LOOK_MS_MIN, lookMs);
		this.world = world;
	}

	abstract look(): void;
	protected abstract succeeded(revision: number): void;
	/** What the log lines say besides the revision. */
	protected abstract fields(): Readonly<Record<string, unknown>>;
	protected abstract readonly name: string;

	protected get leads(): boolean {
		const { member } = this.world;
		return member.status().leader === member.memberId;
	}

	protected compact(revision: number): void {
		if (this.running) return;
		this.running = true;
		const { member, clock, log } = this.world;
		const fields = { revision, ...this.fields() };
		log("info", `starting auto ${this.name} compaction`, fields);
		const startedMs = clock.monotonicMs();
		const payload = etcdserverpb.CompactionRequest.encode({ revision, physical: false });
		member.write(
			new WriteCall(CommandKind.compact, payload, MEMBER_ITSELF.user, MEMBER_ITSELF.authRevision, 0, (outcome) => {
				this.running = false;
				// Somebody else may have compacted as far.
				if (outcome.ok || outcome.fault === "compacted") {
					log("info", `completed auto ${this.name} compaction`, { ...fields, took: `${Math.round(clock.monotonicMs() - startedMs)}ms` });
					this.succeeded(revision);
				} else {
					const error = statusOf(outcome.fault).message;
					log("warn", `failed auto ${this.name} compaction`, { ...fields, "retry-interval": `${this.lookMs}ms`, error });
				}
			}),
		);
	}
}

/** Keeps a sample of the revision for each look of the time to keep: the oldest one is what may go. */
class PeriodicCompactor extends Compactor {
	protected readonly name = "periodic";
	private readonly intervalMs: number;
	private readonly shownAs: string;
	private readonly samplesMax: number;
	private samples: number[];
	private lastSuccessMs: number;
	/** The first compaction waits until there is something old enough. */
	private waitMs: number;
	private lastRevision = 0;

	constructor({ retentionMs, shownAs }: AutoCompaction & { mode: "periodic" }, world: AutoCompactionWorld) {
		const intervalMs = Math.min(retentionMs, HOUR_MS);
		super(intervalMs / LOOKS, world);
		this.intervalMs = intervalMs;
		this.shownAs = shownAs;
		this.samplesMax = Math.floor(retentionMs / (intervalMs / LOOKS)) + 1;
		this.waitMs = retentionMs;
		this.lastSuccessMs = world.clock.monotonicMs();
		this.samples = [world.member.store.revision];
	}

	look(): void {
		this.samples.push(this.world.member.store.revision);
		if (this.samples.length > this.samplesMax) this.samples.shift();
		const candidate = this.samples[0] as number;
		const due = this.world.clock.monotonicMs() - this.lastSuccessMs >= this.waitMs;
		if (this.leads && due && candidate !== this.lastRevision) {
			this.waitMs = this.intervalMs;
			this.compact(candidate);
		}
	}

	protected succeeded(revision: number): void {
		this.lastRevision = revision;
		this.lastSuccessMs = this.world.clock.monotonicMs();
	}

	protected fields(): Readonly<Record<string, unknown>> {
		return { "compact-period": this.shownAs };
	}
}

class RevisionCompactor extends Compactor {
	protected readonly name = "revision";
	private readonly retention: number;
	private lastRevision = 0;

	constructor(retention: number, world: AutoCompactionWorld) {
		super(REVISION_LOOK_MS, world);
		this.retention = retention;
	}

	look(): void {
		const target = this.world.member.store.revision - this.retention;
		if (this.leads && target > 0 && target !== this.lastRevision) this.compact(target);
	}

	protected succeeded(revision: number): void {
		this.lastRevision = revision;
	}

	protected fields(): Readonly<Record<string, unknown>> {
		return { "revision-compaction-retention": this.retention };
	}
}
