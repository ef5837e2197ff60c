/**
 * Where the time of a write goes, from the leader's event tap: for each batch that the log was given, the events that follow
 * it. One batch is what one turn of the leader's loop took; stages of one batch overlap where the work does.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { TapEventName } from "@flotilla/base";
import type { TapLine } from "@flotilla/server/internal";
import { TapFeed } from "./tap-feed.ts";

const EVENTS = [
	"logAppended",
	"walSynced",
	"peerDurable",
	"commitAdvanced",
	"applied",
	"answered",
	"becameLeader",
] as const satisfies readonly TapEventName[];
const SAMPLE_MS = 1_000;

export interface Stage {
	readonly name: "queue" | "append" | "fsync" | "replicate" | "commit" | "apply" | "respond" | "whole";
	readonly meaning: string;
	readonly p50Us: number;
	readonly p99Us: number;
}

export interface Stages {
	readonly batches: number;
	readonly entriesABatch: number;
	readonly stages: readonly Stage[];
}

const MEANINGS: Readonly<Record<Stage["name"], string>> = {
	queue: "from the first call's arrival to the turn that takes it",
	append: "encoded and handed to the log's writer",
	fsync: "until the leader's own log has it durably",
	replicate: "until the first of the others has it durably, and has said so",
	commit: "from then until a quorum has: it waits for the leader's own log, or for more of the others",
	apply: "from commit until the state holds it",
	respond: "from apply until the answers are handed to the front",
	whole: "from the first call's arrival to the answers",
};

/** While a load runs; null when no member told of whole batches (no load, or none of them leads). */
export async function sampleStages(dataDirs: readonly string[]): Promise<Stages | null> {
	const feeds = dataDirs.map((dataDir) => new TapFeed(dataDir, EVENTS));
	await pause(SAMPLE_MS);
	for (const feed of feeds) feed.close();
	const all = feeds.map(({ events }) => stagesOf(events)).filter((stages) => stages !== null);
	// Only the leader answers clients that write; followers take part in the same batches without.
	return all.sort((a, b) => b.batches - a.batches)[0] ?? null;
}

interface Batch {
	readonly appendedNs: number;
	readonly index: number;
	readonly entries: number;
	readonly queuedUs: number;
	readonly appendUs: number;
	syncedNs: number;
	replicatedNs: number;
	committedNs: number;
	appliedNs: number;
}

/** Null without a batch that was followed to its end. */
export function stagesOf(events: readonly TapLine[]): Stages | null {
	const times = new Map<Stage["name"], number[]>((Object.keys(MEANINGS) as Stage["name"][]).map((name) => [name, []]));
	const add = (name: Stage["name"], us: number): void => void times.get(name)?.push(us);
	let open: Batch[] = [];
	let batches = 0;
	let entries = 0;
	for (const { name, index, monotonicNs, fields } of events) {
		if (name === "logAppended") {
			// What other members forwarded has waited elsewhere.
			if (Number(fields.queuedMs) > 0) open.push(newBatch(index, monotonicNs, fields));
		} else if (name === "walSynced") mark(open, index, (batch) => (batch.syncedNs ||= monotonicNs));
		else if (name === "peerDurable") mark(open, index, (batch) => (batch.replicatedNs ||= monotonicNs));
		else if (name === "commitAdvanced") mark(open, index, (batch) => (batch.committedNs ||= monotonicNs));
		else if (name === "applied") mark(open, index, (batch) => (batch.appliedNs ||= monotonicNs));
		else if (name === "answered") {
			const done = open.filter(({ appliedNs, committedNs }) => appliedNs > 0 && committedNs > 0);
			open = open.filter((batch) => !done.includes(batch));
			for (const batch of done) {
				// The leader may commit by others' disks before its own: then its own write is not waited for.
				add("queue", batch.queuedUs);
				add("append", batch.appendUs);
				if (batch.syncedNs > 0) add("fsync", (batch.syncedNs - batch.appendedNs) / 1_000);
				// Nobody else is asked where one member is the quorum: then its own log decides.
				if (batch.replicatedNs > 0) add("replicate", (batch.replicatedNs - batch.appendedNs) / 1_000);
				add("commit", (batch.committedNs - (batch.replicatedNs || batch.syncedNs || batch.appendedNs)) / 1_000);
				add("apply", (batch.appliedNs - batch.committedNs) / 1_000);
				add("respond", (monotonicNs - batch.appliedNs) / 1_000);
				add("whole", (monotonicNs - batch.appendedNs) / 1_000 + batch.queuedUs + batch.appendUs);
				batches++;
				entries += batch.entries;
			}
		}
	}
	if (batches === 0) return null;
	const stages = [...times].map(([name, us]) => ({ name, meaning: MEANINGS[name], p50Us: nearest(us, 0.5), p99Us: nearest(us, 0.99) }));
	return { batches, entriesABatch: entries / batches, stages };
}

function newBatch(index: number, appendedNs: number, fields: TapLine["fields"]): Batch {
	return {
		appendedNs,
		index,
		entries: Number(fields.entries),
		queuedUs: Number(fields.queuedMs) * 1_000,
		appendUs: Number(fields.appendMs) * 1_000,
		syncedNs: 0,
		replicatedNs: 0,
		committedNs: 0,
		appliedNs: 0,
	};
}

function mark(open: readonly Batch[], index: number, set: (batch: Batch) => void): void {
	for (const batch of open) if (batch.index <= index) set(batch);
}

function nearest(values: readonly number[], share: number): number {
	if (values.length === 0) return 0;
	const ascending = [...values].sort((a, b) => a - b);
	return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] as number;
}
