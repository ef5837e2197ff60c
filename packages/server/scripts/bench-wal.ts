/**
 * Appends a second, durable, by entries in a frame and frames outstanding, on a real folder:
 *
 *   node --conditions=@flotilla/source packages/server/scripts/bench-wal.ts [folder] [seconds for each row]
 *
 * Then the log is read back for a peer, and recovered. Makes a folder of its own inside the given one and removes it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Entry } from "@flotilla/raft";
import { NodeDisk } from "../src/disk/node-disk.ts";
import { nodeBytes } from "../src/node-bytes.ts";
import { LogFolder, type LogOpening } from "../src/wal/log-folder.ts";
import type { SegmentedLog } from "../src/wal/segmented-log.ts";

const parent = process.argv[2] ?? tmpdir();
const seconds = Number(process.argv[3] ?? 2);
const DATA_BYTES = 256;
const OPTIONS = { folder: "wal", segmentBytes: 64 << 20, depth: 2, keepEntries: 5_000, keepBytesMax: 256 << 20 };
const ID = { clusterId: 1n, memberId: 2n, walId: 3n };
const CONF = { voters: [2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

interface OpenLog {
	readonly wal: SegmentedLog;
	readonly disk: NodeDisk;
	onDurable: (seq: number) => void;
	seq: number;
	index: number;
}

async function open(root: string, make: boolean): Promise<OpenLog> {
	const disk = new NodeDisk(root);
	let log: OpenLog | null = null;
	const folder = new LogFolder(OPTIONS, {
		bytes: nodeBytes,
		events: {
			durable: (seq) => log?.onDurable(seq),
			failed: (reason) => {
				throw new Error(reason);
			},
			cut: () => {},
			emit: (op) => disk.submit(op),
			synced: () => {},
		},
	});
	disk.onCompletion = (completion) => folder.complete(completion);
	const opening = await new Promise<LogOpening>((resolve) => {
		const base = { index: 1, term: 1, confState: CONF, generation: "" };
		if (make) folder.create(ID, { term: 1, vote: 0n, commit: 1 }, base, resolve);
		else folder.recover(resolve);
	});
	if (!opening.ok) throw new Error(opening.refusal.text);
	log = { wal: opening.wal, disk, onDurable: () => {}, seq: 0, index: opening.recovered.lastIndex };
	return log;
}

function close({ wal, disk }: OpenLog): Promise<void> {
	return new Promise<void>((resolve) => wal.close(() => void disk.close().then(resolve)));
}

function appendFrame(log: OpenLog, entries: number): void {
	const batch: Entry[] = [];
	for (let i = 0; i < entries; i++) batch.push(new Entry(++log.index, 1, 0, new Uint8Array(DATA_BYTES).fill(log.index)));
	const hardState = { term: 1, vote: 0n, commit: log.index - entries };
	log.wal.append({ seq: ++log.seq, hardState, truncateFrom: 0, entries: batch, snapshot: null, mustSync: true, release: [] });
	log.wal.flush();
}

/** Keeps `outstanding` frames on their way for a while. */
async function row(log: OpenLog, entries: number, outstanding: number): Promise<string> {
	const handedOverMs = new Map<number, number>();
	const tookMs: number[] = [];
	const beginMs = performance.now();
	const firstSeq = log.seq;
	await new Promise<void>((resolve) => {
		let told = log.seq;
		const submit = (): void => {
			handedOverMs.set(log.seq + 1, performance.now());
			appendFrame(log, entries);
		};
		log.onDurable = (seq) => {
			const nowMs = performance.now();
			for (; told < seq; told++) {
				tookMs.push(nowMs - (handedOverMs.get(told + 1) ?? nowMs));
				handedOverMs.delete(told + 1);
			}
			// In a turn of its own, as a member would.
			setImmediate(() => {
				if (performance.now() - beginMs < seconds * 1_000) while (handedOverMs.size < outstanding) submit();
				else if (handedOverMs.size === 0) resolve();
			});
		};
		while (handedOverMs.size < outstanding) submit();
	});
	const elapsedSeconds = (performance.now() - beginMs) / 1_000;
	const appended = (log.seq - firstSeq) * entries;
	tookMs.sort((a, b) => a - b);
	const at = (share: number): string => (tookMs[Math.floor((tookMs.length - 1) * share)] ?? 0).toFixed(2);
	log.wal.cutBehind(log.index - 1);
	const cells = [
		String(entries).padStart(7),
		String(outstanding).padStart(11),
		String(Math.round(appended / elapsedSeconds)).padStart(10),
		((appended * DATA_BYTES) / elapsedSeconds / 1e6).toFixed(1).padStart(8),
		at(0.5).padStart(8),
		at(0.99).padStart(8),
		at(1).padStart(8),
	];
	return cells.join(" ");
}

async function readBack(log: OpenLog): Promise<string> {
	const beginMs = performance.now();
	let entries = 0;
	for (let next = log.wal.firstIndex; next <= log.index; ) {
		const read = await new Promise<readonly Entry[]>((resolve) => log.wal.read(next, log.index, 1 << 20, resolve));
		entries += read.length;
		next += read.length;
		if (read.length === 0) break;
	}
	const elapsedSeconds = (performance.now() - beginMs) / 1_000;
	return `read back ${entries} entries, ${((entries * DATA_BYTES) / elapsedSeconds / 1e6).toFixed(0)} MB/s`;
}

const root = mkdtempSync(join(parent, "flotilla-bench-wal-"));
try {
	const log = await open(root, true);
	console.log(`entries of ${DATA_BYTES} bytes, ${OPTIONS.depth} writes under way, ${root}`);
	console.log("a frame outstanding  appends/s     MB/s   p50 ms   p99 ms   max ms");
	for (const entries of [1, 32, 256]) for (const outstanding of [1, 2, 8]) console.log(await row(log, entries, outstanding));
	console.log(await readBack(log));
	const bytes = (log.index - log.wal.firstIndex) * DATA_BYTES;
	await close(log);
	const beginMs = performance.now();
	const again = await open(root, false);
	console.log(`recovered ${(bytes / 1e6).toFixed(0)} MB of data in ${(performance.now() - beginMs).toFixed(0)} ms`);
	await close(again);
} finally {
	rmSync(root, { recursive: true });
}
