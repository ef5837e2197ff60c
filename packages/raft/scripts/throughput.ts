/**
 * Entries a second through a leader and two followers in one process, with disks and a network that cost nothing: what the
 * core itself allows, and how many bytes it allocates for each entry on all three together (payloads not counted: they are
 * the caller's). `npm run bench:raft -- [batch] [seconds]`
 */
import { getHeapStatistics } from "node:v8";
import { Dice, silentTap } from "@flotilla/base";
import { commandFlags } from "@flotilla/base/command";
import { DEFAULT_RAFT_CONFIG } from "../src/config.ts";
import type { Message } from "../src/message.ts";
import { bootstrapPoint, RaftCore } from "../src/raft-core.ts";

const { batch, seconds } = commandFlags(
	{
		call: "npm run bench:raft --",
		about: "Entries a second through three members of the core in one process, without disks and network.",
		flags: {
			batch: { kind: "number", least: 1, fallback: 64, about: "entries proposed at once" },
			seconds: { kind: "number", least: 1, fallback: 3, about: "of each measurement" },
		},
		bare: ["batch", "seconds"],
	},
	process,
);
const IDS = [1n, 2n, 3n];
const KEPT_ENTRIES = 10_000;

const cores = IDS.map((id) => {
	const base = bootstrapPoint(IDS);
	const restored = { hardState: { term: 1, vote: 0n, commit: 1 }, base, entries: [], firstIndex: 2, applied: 1 };
	return new RaftCore({ ...DEFAULT_RAFT_CONFIG, id, incarnation: 1 }, restored, new Dice(Number(id)), silentTap);
});
const leader = cores[0] as RaftCore;
let wire: Message[] = [];
let messages = 0;

/** One turn of each member: its output is carried out, then what was sent arrives. */
function turn(): void {
	for (const core of cores) {
		const { send, append, apply } = core.drain();
		for (const message of send) wire.push(message);
		if (append !== null) {
			core.onPersisted(append.seq);
			for (const message of append.release) wire.push(message);
		}
		const last = apply[apply.length - 1];
		if (last !== undefined) core.onApplied(last.index);
	}
	const arrived = wire;
	wire = [];
	messages += arrived.length;
	for (const message of arrived) (cores[Number(message.to) - 1] as RaftCore).step(message);
}

leader.campaign();
for (let i = 0; i < 10; i++) turn();
const payloads = Array.from({ length: batch }, () => new Uint8Array(256));

const TURNS_AT_ONCE = 50;

interface Run {
	readonly entries: number;
	readonly ms: number;
	readonly turns: number;
	/** Growth of the heap over stretches in which nothing was collected, and the entries of these. */
	readonly allocatedBytes: number;
	readonly allocatedFor: number;
}

function run(forMs: number): Run {
	const from = leader.status().commit;
	const start = performance.now();
	let turns = 0;
	let compacted = from;
	let allocatedBytes = 0;
	let allocatedFor = 0;
	while (performance.now() - start < forMs) {
		const heapBefore = getHeapStatistics().used_heap_size;
		for (let i = 0; i < TURNS_AT_ONCE; i++, turns++) {
			leader.propose(payloads);
			turn();
		}
		const grown = getHeapStatistics().used_heap_size - heapBefore;
		if (grown > 0) {
			allocatedBytes += grown;
			allocatedFor += TURNS_AT_ONCE * batch;
		}
		const { applied } = leader.status();
		if (applied - compacted < KEPT_ENTRIES) continue;
		compacted = applied;
		for (const core of cores) core.onCompacted(core.status().applied - 5_000);
	}
	return { entries: leader.status().commit - from, ms: performance.now() - start, turns, allocatedBytes, allocatedFor };
}

run(500);
messages = 0;
const { entries, ms, turns, allocatedBytes, allocatedFor } = run(seconds * 1_000);
const rate = Math.round((entries / ms) * 1_000);
console.log(
	`batch ${batch}: ${rate} entries/s, ${(messages / turns).toFixed(1)} messages a turn, ${((ms * 1_000) / turns).toFixed(1)} us a turn, ` +
		`${Math.round(allocatedBytes / allocatedFor)} bytes allocated an entry`,
);
