import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CompactedMark, type StoredRecord, StoreRebuild, type StoreRestore, wholly } from "@flotilla/mvcc";
import type { TableRow } from "@flotilla/replica";
import { NodeDisk } from "../disk/node-disk.ts";
import { FIRST_GENERATION, LOG_FOLDER } from "../driver/bootstrap.ts";
import type { FloorRecord } from "../driver/floor-record.ts";
import type { MemberFormat } from "../driver/format-file.ts";
import { LogRelay } from "../driver/log-relay.ts";
import { type RecoveryOutcome, runRecovery } from "../driver/recovery-runner.ts";
import { finishRestore } from "../driver/restore.ts";
import { makeFolders } from "../make-folders.ts";
import { DEFAULT_MEMBER_OPTIONS } from "../member-config.ts";
import { MEMBER_FOLDER } from "../member-folder.ts";
import { nodeBytes } from "../node-bytes.ts";
import { nodeScheduler } from "../node-ports.ts";
import type { OpenStore } from "../ports.ts";
import { LevelHouse } from "../stores/level-house.ts";
import { LogFolder } from "../wal/log-folder.ts";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import { type Bootstrap, planFirstStart } from "./bootstrap.ts";
import { parseMemberUrls } from "./member-urls.ts";
import { readSnapshot, SnapshotFault } from "./snapshot-file.ts";

export interface RestoreOptions {
	readonly dataDir: string;
	readonly name: string;
	readonly initialCluster: string;
	readonly token: string;
	readonly peerUrls: readonly string[];
	/** Above 0: the revision rises by so much, and everything up to it is compacted. */
	readonly bumpRevision: number;
	readonly skipHashCheck: boolean;
}

/**
 * Makes the data folder of one member of a new cluster. All is made beside it and moved there at the end, so a restore that
 * fails or is ended leaves no folder that a member would start from. Resolves with a line that says what was made.
 */
export async function restoreSnapshot(path: string, options: RestoreOptions): Promise<string> {
	const dataDir = resolve(options.dataDir);
	await assertUnused(dataDir, options.dataDir);
	const plan = await planMember(options);
	const making = join(dirname(dataDir), `.${basename(dataDir)}.restoring`);
	await rm(making, { recursive: true, force: true });
	makeFolders(join(making, MEMBER_FOLDER));
	try {
		const revision = await makeMember(path, join(making, MEMBER_FOLDER), plan, options);
		await syncFolder(making);
		await rmdir(dataDir).catch(() => {});
		await rename(making, dataDir);
		await syncFolder(dirname(dataDir));
		const [member, cluster] = [plan.memberId.toString(16), plan.clusterId.toString(16)];
		return `restored revision ${revision} into ${options.dataDir}: member ${member} of cluster ${cluster}`;
	} catch (error) {
		await rm(making, { recursive: true, force: true });
		throw error;
	}
}

async function assertUnused(dataDir: string, shown: string): Promise<void> {
	const names = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "ENOENT") return [];
		throw new Error(`data-dir ${JSON.stringify(shown)} not empty or could not be read: ${error.message}`);
	});
	if (names.length > 0) throw new Error(`data-dir ${JSON.stringify(shown)} not empty or could not be read`);
}

async function planMember({ name, token, initialCluster, peerUrls }: RestoreOptions): Promise<Bootstrap> {
	const urls = parseMemberUrls(peerUrls.join(","));
	if (!urls.ok) throw new Error(urls.reason);
	const resolveHost = (host: string): Promise<string | null> =>
		lookup(host).then(
			({ address }) => address,
			() => null,
		);
	const request = { name, token, state: "new" as const, initialCluster, initialClusterGiven: true, advertisedPeerUrls: urls.value };
	const plan = await planFirstStart(request, resolveHost);
	if (!plan.ok) throw new Error(plan.reason);
	return plan.value;
}

/** Returns the revision of the store that was made. */
async function makeMember(path: string, folder: string, plan: Bootstrap, options: RestoreOptions): Promise<number> {
	const stores = new LevelHouse(folder);
	const store = await openStore(stores);
	const disk = new NodeDisk(folder);
	let storeOpen = true;
	try {
		const { floor, rows, compacted } = await fill(path, store, options);
		const mark = options.bumpRevision === 0 ? floor.mark : compacted.at(floor.mark.revision + options.bumpRevision);
		const format: MemberFormat = {
			...{ clusterId: plan.clusterId, memberId: plan.memberId, initialMembers: plan.initialCluster },
			...{ state: "ready", generation: FIRST_GENERATION, joined: false, lives: [] },
		};
		storeOpen = false;
		await finish(disk, stores, store, format, { index: floor.appliedIndex, term: floor.term, mark, rows });
		return mark.revision;
	} finally {
		if (storeOpen) await new Promise<void>((done) => store.close(done));
		await disk.close();
	}
}

function openStore(stores: LevelHouse): Promise<OpenStore> {
	return new Promise((done, refuse) =>
		stores.open(FIRST_GENERATION, true, (opening) => (opening.ok ? done(opening.store) : refuse(new Error(opening.text)))),
	);
}

interface Filled {
	readonly floor: FloorRecord;
	readonly rows: readonly TableRow[];
	readonly compacted: CompactedMark;
}

/** Copies the records, and has them add up to what the file says of them. */
async function fill(path: string, store: OpenStore, { bumpRevision, skipHashCheck }: RestoreOptions): Promise<Filled> {
	let floor: FloorRecord | null = null;
	let rows: readonly TableRow[] = [];
	let rebuild: StoreRestore | null = null;
	const compacted = new CompactedMark(nodeBytes, Number.MAX_SAFE_INTEGER);
	let seq = 0;
	for await (const section of readSnapshot(path, { skipHashCheck })) {
		if (section.kind === "head") {
			({ floor } = section);
			rebuild = new StoreRebuild(floor.mark, { keepEvents: false, valueCacheBytes: 0 }, store, nodeBytes);
		} else if (section.kind === "rows") ({ rows } = section);
		else {
			for (const { key, value } of section.records) {
				const problem = rebuild?.record(key, value) ?? (bumpRevision > 0 ? compacted.record(key, value) : null);
				if (problem !== null) throw new SnapshotFault(`snapshot ${path}: ${problem}`);
			}
			await write(store, ++seq, section.records);
		}
	}
	if (floor === null || rebuild === null) throw new SnapshotFault(`snapshot ${path}: has no head`);
	const restored = wholly(rebuild.finish());
	if (!restored.ok) throw new SnapshotFault(`snapshot ${path}: ${restored.reason}`);
	return { floor, rows, compacted };
}

function write(store: OpenStore, seq: number, puts: readonly StoredRecord[]): Promise<void> {
	return new Promise((done, refuse) => {
		store.onCompletion = ({ error }) => (error === null ? done() : refuse(new Error(`cannot write the store: ${error}`)));
		const bytes = puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
		store.submit({ id: seq, kind: "batch", batch: { seq, puts, deletes: [], bytes } });
	});
}

async function finish(
	disk: NodeDisk,
	stores: LevelHouse,
	store: OpenStore,
	format: MemberFormat,
	state: Parameters<typeof finishRestore>[2],
): Promise<void> {
	const { walSegmentBytes, walDepth, walKeepEntries, walKeepBytes } = DEFAULT_MEMBER_OPTIONS;
	let failed: (reason: Error) => void = () => {};
	const relay = new LogRelay(disk, (reason) => failed(new Error(reason)));
	const logs = new LogFolder(
		{ folder: LOG_FOLDER, segmentBytes: walSegmentBytes, depth: walDepth, keepEntries: walKeepEntries, keepBytesMax: walKeepBytes },
		{ bytes: nodeBytes, events: relay },
	);
	const steps = finishRestore(store, format, state, randomBytes(8).readBigUInt64LE());
	const outcome = await new Promise<RecoveryOutcome<WriteAheadLog>>((done, refuse) => {
		failed = refuse;
		runRecovery(steps, { scheduler: nodeScheduler, disk, stores, logs }, done);
	});
	if (!outcome.ok) throw new Error(outcome.refusal.text);
	await new Promise<void>((done, refuse) => {
		failed = refuse;
		outcome.value.close(done);
	});
}

async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
