/**
 * Looks at the data folder of a member that does not run: a copy of it is started, as far as a start goes without a network, so
 * what is said of the folder is what a start would find. The folder itself is only read.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { StoreRebuild } from "@flotilla/mvcc";
import { NodeDisk } from "../../disk/node-disk.ts";
import { bootMember } from "../../driver/boot.ts";
import { LOG_FOLDER } from "../../driver/bootstrap.ts";
import { clusterAtEnd } from "../../driver/force-cluster.ts";
import { decodeFormat, FORMAT_FILE, type MemberFormat } from "../../driver/format-file.ts";
import { LogRelay } from "../../driver/log-relay.ts";
import { type Recovered, recover } from "../../driver/recover.ts";
import { type RecoveryOutcome, runRecovery } from "../../driver/recovery-runner.ts";
import { fileOfEtcd } from "../../etcd-folder.ts";
import { DEFAULT_MEMBER_OPTIONS, type MemberConfig } from "../../member-config.ts";
import { MEMBER_FOLDER, TAP_SOCKET } from "../../member-folder.ts";
import { nodeBytes } from "../../node-bytes.ts";
import { nodeClock, nodeDice, nodeScheduler } from "../../node-ports.ts";
import type { PeerTransport } from "../../ports.ts";
import { LevelHouse } from "../../stores/level-house.ts";
import { EventTap } from "../../tap/event-tap.ts";
import { LogFolder } from "../../wal/log-folder.ts";
import { damagedVoteSlots, decodeIdentity, decodeVoteFile, IDENTITY_PATH, VOTE_PATH } from "../../wal/meta-files.ts";
import { FolderMoves, withCopy } from "./folder-copy.ts";
import { lockHolder } from "./lock-holder.ts";
import type { FolderState, Rehearsal, SeenFolder } from "./observations.ts";

const NOWHERE: PeerTransport = { send() {}, setMembers() {}, close: () => Promise.resolve() };
/** Replaying a whole log takes its time; standing still does not. */
const STANDSTILL_MS = 30_000;

/** `scratch`: where the copy goes. */
export async function examineFolder(dataDir: string, scratch: string): Promise<SeenFolder> {
	const identity = await identify(dataDir);
	if ("reason" in identity) return { kind: "unreadable", dataDir, reason: identity.reason };
	const { clusterId, memberId } = identity;
	const owner = { dataDir, clusterId: clusterId.toString(16), memberId: memberId.toString(16) };
	const running = (evidence: string): SeenFolder => ({ kind: "running", dataDir, memberId: owner.memberId, evidence });
	if (await answers(join(dataDir, TAP_SOCKET))) return running("it answers on its event tap");
	const holder = await lockHolder(join(dataDir, MEMBER_FOLDER));
	if (holder !== null) return running(`process ${holder} holds the lock of its store`);
	return withCopy(dataDir, scratch, async (folder): Promise<SeenFolder> => {
		// A start would write it anew.
		const damagedVoteSlot = await hasDamagedSlot(folder);
		const outcome = await recoverCopy(folder, identity);
		return outcome.ok
			? { kind: "dead", dataDir, state: { ...describe(outcome.value), damagedVoteSlot } }
			: { kind: "refused", ...owner, reason: outcome.refusal.text };
	}).catch((error: unknown) => {
		// One that has no tap to answer on.
		if (error instanceof FolderMoves) return running(error.message);
		throw error;
	});
}

/** The rescue, done on a copy. */
export function rehearse(dataDir: string, scratch: string): Promise<Rehearsal> {
	return withCopy(dataDir, scratch, async (folder): Promise<Rehearsal> => {
		const identity = await identify(folder);
		if ("reason" in identity) return { ok: false, dataDir, reason: identity.reason };
		return { dataDir, ...(await forceCopy(folder, identity)) };
	}).catch((error: unknown): Rehearsal => {
		if (error instanceof FolderMoves) return { ok: false, dataDir, reason: `A member runs from it: ${error.message}.` };
		throw error;
	});
}

async function identify(dataDir: string): Promise<MemberFormat | { readonly reason: string }> {
	const path = join(dataDir, MEMBER_FOLDER, FORMAT_FILE);
	const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => error);
	if (bytes instanceof Error) return { reason: bytes.code === "ENOENT" ? await describeLack(dataDir) : bytes.message };
	const decoding = decodeFormat(bytes);
	if (!decoding.ok)
		return { reason: `the file ${MEMBER_FOLDER}/${FORMAT_FILE} is ${decoding.code}: found ${decoding.found}, need ${decoding.wanted}` };
	return decoding.format;
}

/** Of the file that says whose the folder is. */
async function describeLack(dataDir: string): Promise<string> {
	const etcds = await fileOfEtcd(dataDir);
	if (etcds !== null) return `it is a data folder of etcd (it has ${etcds}): flotilla migrate copies from the etcd that runs on it`;
	const lack = `it has no file ${MEMBER_FOLDER}/${FORMAT_FILE}`;
	const held = await readdir(join(dataDir, MEMBER_FOLDER)).catch(() => []);
	if (held.length > 0)
		return `${lack}, which says whose it is, though it holds ${held.sort((one, other) => (one < other ? -1 : 1)).join(", ")}: a start refuses it until the file is put back`;
	const exists = await stat(dataDir).then(
		() => true,
		() => false,
	);
	return exists ? `${lack}, so it is no member's data folder` : "there is no such folder";
}

function answers(socketPath: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(socketPath);
		socket.once("connect", () => resolve(true));
		socket.once("error", () => resolve(false));
		socket.once("close", () => resolve(false));
		setTimeout(() => socket.destroy(), 200);
	});
}

async function recoverCopy(folder: string, format: MemberFormat): Promise<RecoveryOutcome<Recovered>> {
	const disk = new NodeDisk(join(folder, MEMBER_FOLDER));
	const stores = new LevelHouse(join(folder, MEMBER_FOLDER));
	let failed: (reason: Error) => void = () => {};
	const relay = new LogRelay(disk, (reason) => failed(new Error(reason)));
	const {
		walSegmentBytes: segmentBytes,
		walDepth: depth,
		walKeepEntries: keepEntries,
		walKeepBytes: keepBytesMax,
	} = DEFAULT_MEMBER_OPTIONS;
	const logs = new LogFolder({ folder: LOG_FOLDER, segmentBytes, depth, keepEntries, keepBytesMax }, { bytes: nodeBytes, events: relay });
	const { clusterId, memberId, initialMembers, joined } = format;
	const steps = recover({
		...{ clusterId, memberId, initialMembers, life: 0, walId: 1n, forceNewCluster: false, mayFetch: false },
		initialClusterState: joined === true ? "existing" : "new",
		restore: (mark, storage) => new StoreRebuild(mark, { keepEvents: false, valueCacheBytes: 0 }, storage, nodeBytes),
	});
	const outcome = await new Promise<RecoveryOutcome<Recovered>>((done, refuse) => {
		failed = refuse;
		runRecovery(steps, { scheduler: nodeScheduler, disk, stores, logs }, done);
	});
	if (outcome.ok) {
		const { wal, disk: store } = outcome.value;
		await new Promise<void>((done) => wal.close(done));
		await new Promise<void>((done) => store.close(done));
	}
	await disk.close();
	return outcome;
}

/** Files that cannot be read at all are told by the start. */
async function hasDamagedSlot(folder: string): Promise<boolean> {
	const read = (path: string): Promise<Uint8Array> => readFile(join(folder, MEMBER_FOLDER, path)).catch(() => new Uint8Array(0));
	const [identity, vote] = [decodeIdentity(nodeBytes, await read(IDENTITY_PATH)), await read(VOTE_PATH)];
	if ("code" in identity || "code" in decodeVoteFile(nodeBytes, identity.walId, vote)) return false;
	return damagedVoteSlots(nodeBytes, identity.walId, vote) > 0;
}

function describe({ clusterId, memberId, restoredLog, rows, floor, report }: Recovered): Omit<FolderState, "damagedVoteSlot"> {
	const { base, entries, hardState } = restoredLog;
	const { confState, known } = clusterAtEnd(restoredLog, rows);
	const last = entries.at(-1) ?? base;
	const terms: Array<readonly [number, number]> = [[base.index, base.term]];
	for (const { index, term } of entries) if (term !== terms.at(-1)?.[1]) terms.push([index, term]);
	const hex = (id: bigint): string => id.toString(16);
	return {
		...{ clusterId: hex(clusterId), memberId: hex(memberId), commit: hardState.commit, floorIndex: floor.appliedIndex },
		...{ cleanStop: report.cleanStop, tornBytes: report.tornBytes, rebuiltBecause: report.rebuiltBecause },
		addressesFault: report.addressesFault,
		...{ lastIndex: last.index, lastTerm: last.term, terms },
		voters: confState.voters.map(hex),
		learners: confState.learners.map(hex),
		names: Object.fromEntries([...known.values()].map(({ id, name }) => [hex(id), name])),
	};
}

type Forced = Omit<Extract<Rehearsal, { ok: true }>, "dataDir"> | Omit<Extract<Rehearsal, { ok: false }>, "dataDir">;

async function forceCopy(folder: string, format: MemberFormat): Promise<Forced> {
	const disk = new NodeDisk(join(folder, MEMBER_FOLDER));
	const tap = new EventTap({ member: format.memberId }, nodeClock);
	const told = { removed: "", uncertain: 0 };
	tap.subscribe(["clusterForced"], ({ fields }) => Object.assign(told, fields));
	let died: (reason: string) => void = () => {};
	const death = new Promise<Forced>((resolve) => {
		died = (reason) => resolve({ ok: false, reason });
	});
	const world = {
		...{ clock: nodeClock, scheduler: nodeScheduler, tap, disk, stores: new LevelHouse(join(folder, MEMBER_FOLDER)) },
		...{ bytes: nodeBytes, dice: nodeDice(), die: (reason: string) => died(reason), removed: () => died("it says that it was removed") },
	};
	const work = new Promise<Forced>((resolve) => {
		bootMember(configOf(folder, format), world, (outcome) => {
			if (!outcome.ok) return resolve({ ok: false, reason: outcome.refusal.text });
			const { booted } = outcome;
			const { driver } = booted;
			const end = (forced: Forced): void => {
				driver.end();
				booted.close(() => void disk.close().then(() => resolve(forced)));
			};
			let [seen, sinceMs] = [-1, nodeClock.monotonicMs()];
			const unwatch = driver.afterTurns(() => {
				const { published, appliedIndex } = driver.status();
				const nowMs = nodeClock.monotonicMs();
				if (appliedIndex !== seen) [seen, sinceMs] = [appliedIndex, nowMs];
				if (!published && nowMs - sinceMs < STANDSTILL_MS) return;
				unwatch();
				const { store, auth } = driver;
				const { revision, keyCount: keys } = store;
				const [users, roles] = [auth.userNames.length, auth.roleNames.length];
				const removed = told.removed === "" ? [] : told.removed.split(",");
				const held = { revision, keys, leases: store.leases.count, users, roles, authEnabled: auth.enabled };
				nodeScheduler.soon(() =>
					end(
						published
							? { ok: true, ...held, removed, uncertain: told.uncertain }
							: { ok: false, reason: `it stands still at entry ${appliedIndex}` },
					),
				);
			});
			driver.start(NOWHERE);
			driver.publish("doctor", []);
		});
	});
	return Promise.race([work, death]);
}

function configOf(folder: string, { memberId, clusterId, initialMembers }: MemberFormat): MemberConfig {
	return {
		...DEFAULT_MEMBER_OPTIONS,
		...{ name: "doctor", dataDir: folder, memberId, clusterId, initialCluster: initialMembers, forceNewCluster: true },
		...{ listenClientUrls: [], advertiseClientUrls: [], listenPeerUrls: [], initialAdvertisePeerUrls: [] },
	};
}
