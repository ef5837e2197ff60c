import { assert, marks } from "@flotilla/base";
import { decodeRecordKey, type StoredRecord } from "@flotilla/mvcc";
import type { LogIndex, NodeId, SnapshotRequest } from "@flotilla/raft";
import type { FloorImage, ReplicaStatus, TableRow } from "@flotilla/replica";
import type { Clock, Scheduler, SnapshotAck, SnapshotPart, StoreCompletion } from "../ports.ts";
import { floorOf, type StoreIdentity } from "./floor.ts";
import type { LiveStore } from "./live-store.ts";
import { encodeHead, encodeRecords, encodeRows, rowsEnd } from "./snapshot-codec.ts";

export interface SnapshotSenderOwner {
	readonly identity: StoreIdentity;
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	/** Of one part, about. */
	readonly partBytes: number;
	/** Between the reading of one part and that of the next, at least. */
	readonly partPauseMs: number;
	/** Names of transfers count up from here; another process life begins elsewhere. */
	readonly firstTransfer: number;
	status(): ReplicaStatus;
	/** The state as it is now, or null while it cannot be said (rule S3). */
	capture(): FloorImage | null;
	store(): LiveStore;
	send(part: SnapshotPart): void;
	/** For the core: exactly once for each request, or more often where nobody waits any more. */
	report(peer: NodeId, ok: boolean, index: LogIndex): void;
	/** The log keeps entries from here on. */
	hold(index: LogIndex): void;
	told(
		name: "snapshotBegun" | "snapshotPartSent" | "snapshotSent" | "snapshotFailed",
		index: LogIndex,
		fields: Readonly<Record<string, string | number | bigint>>,
	): void;
}

interface Build {
	readonly peer: NodeId;
	readonly transfer: number;
	readonly term: number;
	readonly image: FloorImage;
	readonly store: LiveStore;
	readonly startedMs: number;
	stage: "batches" | "opening" | "sending" | "closing";
	/** Sent and not known to be written at the other side, oldest first. */
	window: SnapshotPart[];
	nextSequence: number;
	/** Table rows that were sent. */
	rowsSent: number;
	reading: boolean;
	/** The next part is not to be read before this. */
	restUntilMs: number;
	resting: boolean;
	allRead: boolean;
	bytes: number;
	/** When the receiver was heard last, and when what is in the window goes out again. */
	heardMs: number;
	resendMs: number;
	resendWaitMs: number;
}

/** Parts under way: what one transfer holds in memory, at both sides. */
const WINDOW_PARTS = 4;
const RESEND_MIN_MS = 1_000;
const RESEND_MAX_MS = 16_000;
/** A receiver that is silent for so long is gone. */
const SILENCE_MAX_MS = 30_000;
/** So is one for which another one has to wait: its turn comes again. */
const SILENCE_CROWDED_MS = 8_000;
/** What LevelDB keeps for a view grows with its age (rule N7). */
const AGE_MAX_MS = 3_600_000;
/** After a failure the core hears of it so much later, and asks again at once. */
const RETRY_MS = 1_000;
/** The peer has so long to fetch what was written meanwhile from the log. */
const HOLD_AFTER_MS = 10_000;

/**
 * Sends the state to members that the log can no longer bring up to date (rules N1, N2, N7): captured in one turn, read from
 * a view of the live store, in numbered parts of which a few are under way. The receiver says how far it has written;
 * what it does not acknowledge goes out again, so a connection that breaks costs what was under way and no more. One
 * transfer at a time; other requests wait. No promise, no closure a part: it is told what returned.
 */
export class SnapshotSender {
	private readonly owner: SnapshotSenderOwner;
	private readonly wanted = new Map<NodeId, LogIndex>();
	private build: Build | null = null;
	private made = 0;
	private cancelHold: () => void = () => {};

	constructor(owner: SnapshotSenderOwner) {
		this.owner = owner;
	}

	/** A peer for which a transfer runs already waits for that one; of one that is over nothing will be reported any more. */
	want({ peer, minIndex }: SnapshotRequest): void {
		if (this.build?.peer !== peer || this.build.stage === "closing") this.wanted.set(peer, minIndex);
	}

	/** No floor may begin: what it lets go might be part of the state that was captured (rule N2). */
	get capturing(): boolean {
		return this.build?.stage === "batches" || this.build?.stage === "opening";
	}

	/** Once a turn. */
	turn(): void {
		if (this.build === null && this.wanted.size > 0) this.begin();
		const { build } = this;
		if (build === null || build.stage === "closing") return;
		const { role, term } = this.owner.status().core;
		if (role !== "leader" || term !== build.term) this.fail(build, "this member does not lead any more");
		else if (build.stage === "batches" && build.store.storedSeq >= build.image.batchSeq) this.open(build);
		else this.watch(build);
	}

	acknowledged(ack: SnapshotAck): void {
		const { build } = this;
		if (build === null || ack.transfer !== build.transfer || ack.from !== build.peer || build.stage !== "sending") return;
		if (ack.outcome === "done") {
			this.succeed(build);
			return;
		}
		if (ack.outcome === "refused") {
			marks.snapshotGivenUp++;
			this.fail(build, "the receiver refused it");
			return;
		}
		const nowMs = this.owner.clock.monotonicMs();
		build.heardMs = nowMs;
		const before = build.window.length;
		// Said of what was sent again: no late answer to a part that had overtaken the first one.
		if (ack.next === 0 && (build.window[0]?.sequence ?? 0) > 0 && build.resendWaitMs > RESEND_MIN_MS) {
			this.fail(build, "the receiver was started anew");
			return;
		}
		build.window = build.window.filter(({ sequence }) => sequence >= ack.next);
		if (build.window.length === before) return;
		build.resendWaitMs = RESEND_MIN_MS;
		build.resendMs = nowMs + RESEND_MIN_MS;
		this.fill(build);
	}

	private begin(): void {
		const { owner } = this;
		const { core, appliedIndex } = owner.status();
		if (core.role !== "leader") {
			this.wanted.clear();
			return;
		}
		for (const [peer, minIndex] of this.wanted) {
			if (appliedIndex < minIndex) continue;
			const image = owner.capture();
			if (image === null) return;
			this.wanted.delete(peer);
			const nowMs = owner.clock.monotonicMs();
			this.cancelHold();
			owner.hold(image.appliedIndex + 1);
			this.build = {
				peer,
				transfer: owner.firstTransfer + this.made++,
				term: core.term,
				image,
				store: owner.store(),
				startedMs: nowMs,
				stage: "batches",
				window: [],
				nextSequence: 0,
				rowsSent: 0,
				reading: false,
				restUntilMs: nowMs,
				resting: false,
				allRead: false,
				bytes: 0,
				heardMs: nowMs,
				resendMs: nowMs + RESEND_MIN_MS,
				resendWaitMs: RESEND_MIN_MS,
			};
			return;
		}
	}

	private open(build: Build): void {
		build.stage = "opening";
		build.store.view({ kind: "openView", view: "transfer" }, ({ error }) => {
			if (build.stage !== "opening") return;
			build.stage = "sending";
			if (error !== null) {
				this.fail(build, error);
				return;
			}
			const { image, peer } = build;
			this.owner.told("snapshotBegun", image.appliedIndex, { peer, records: image.mark.count });
			const rows = this.takeRows(build);
			const rowsBehind = image.tables.length - rows.length;
			this.push(build, encodeHead({ floor: floorOf(this.owner.identity, image), rows, rowsBehind }), false);
			this.fill(build);
		});
	}

	/** Reads on while the window has room. */
	private fill(build: Build): void {
		if (build.reading || build.resting || build.allRead || build.stage !== "sending" || build.window.length >= WINDOW_PARTS) return;
		const { clock, scheduler, partPauseMs } = this.owner;
		const waitMs = build.restUntilMs - clock.monotonicMs();
		if (waitMs > 0) {
			build.resting = true;
			scheduler.after(waitMs, () => {
				build.resting = false;
				this.fill(build);
			});
			return;
		}
		build.restUntilMs = clock.monotonicMs() + partPauseMs;
		if (build.rowsSent < build.image.tables.length) {
			this.push(build, encodeRows(this.takeRows(build)), false);
			this.fill(build);
			return;
		}
		build.reading = true;
		build.store.view({ kind: "readView", view: "transfer", bytesMax: this.owner.partBytes }, (completion) => this.read(build, completion));
	}

	private takeRows(build: Build): readonly TableRow[] {
		const { tables } = build.image;
		const from = build.rowsSent;
		build.rowsSent = rowsEnd(tables, from, this.owner.partBytes);
		return tables.slice(from, build.rowsSent);
	}

	private read(build: Build, { error, records }: StoreCompletion): void {
		build.reading = false;
		if (build.stage !== "sending") return;
		if (error !== null || records === null) {
			this.fail(build, error ?? "nothing was read");
			return;
		}
		const { revision } = build.image.mark;
		const wanted = records.filter((record) => revisionOf(record) <= revision);
		build.allRead = records.length === 0 || wanted.length < records.length;
		this.push(build, encodeRecords(wanted), build.allRead);
		this.fill(build);
	}

	private push(build: Build, data: Uint8Array, last: boolean): void {
		const { peer: to, transfer, term } = build;
		const from = this.owner.identity.memberId;
		const part: SnapshotPart = { kind: "snapshotPart", from, to, term, transfer, sequence: build.nextSequence++, last, data };
		assert(build.window.length < WINDOW_PARTS, "the window of a transfer has room");
		build.window.push(part);
		build.bytes += data.length;
		this.owner.told("snapshotPartSent", build.image.appliedIndex, { peer: to, sequence: part.sequence, bytes: data.length });
		this.owner.send(part);
	}

	private watch(build: Build): void {
		const nowMs = this.owner.clock.monotonicMs();
		if (nowMs - build.startedMs > AGE_MAX_MS) {
			this.fail(build, "it took too long");
			return;
		}
		if (build.stage !== "sending") return;
		if (nowMs - build.heardMs > (this.wanted.size > 0 ? SILENCE_CROWDED_MS : SILENCE_MAX_MS)) {
			this.fail(build, "the receiver is silent");
			return;
		}
		if (nowMs < build.resendMs) return;
		marks.snapshotResent++;
		build.resendWaitMs = Math.min(2 * build.resendWaitMs, RESEND_MAX_MS);
		build.resendMs = nowMs + build.resendWaitMs;
		// What comes after it may have arrived, and waits there.
		const [oldest] = build.window;
		if (oldest !== undefined) this.owner.send(oldest);
	}

	private succeed(build: Build): void {
		const { peer, image, bytes, startedMs } = build;
		const { owner } = this;
		const tookMs = Math.round(owner.clock.monotonicMs() - startedMs);
		owner.told("snapshotSent", image.appliedIndex, { peer, bytes, records: image.mark.count, tookMs });
		owner.report(peer, true, image.appliedIndex);
		// Without this a busy leader would have cut the very next entries already, and had to send a state for ever.
		this.cancelHold = owner.scheduler.after(HOLD_AFTER_MS, () => owner.hold(Number.POSITIVE_INFINITY));
		this.close(build);
	}

	private fail(build: Build, reason: string): void {
		const { peer, image } = build;
		const { owner } = this;
		owner.told("snapshotFailed", image.appliedIndex, { peer, reason });
		owner.scheduler.after(RETRY_MS, () => owner.report(peer, false, 0));
		owner.hold(Number.POSITIVE_INFINITY);
		this.close(build);
	}

	private close(build: Build): void {
		const viewed = build.stage !== "batches";
		build.stage = "closing";
		build.window = [];
		const closed = (): void => {
			this.build = null;
		};
		if (viewed) build.store.view({ kind: "closeView", view: "transfer" }, closed);
		else closed();
	}
}

function revisionOf({ key }: StoredRecord): number {
	return decodeRecordKey(key)?.main ?? 0;
}
