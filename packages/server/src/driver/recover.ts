import { marks } from "@flotilla/base";
import { type KeyValueStore, wholly } from "@flotilla/mvcc";
import type { NodeId, RestoredLog } from "@flotilla/raft";
import type { TableRow } from "@flotilla/replica";
import type { OpenStore } from "../ports.ts";
import type { RecoveredLog, WalRefusal, WriteAheadLog } from "../wal/wal-interface.ts";
import { ADDRESS_FILE, addressesIn, firstAddresses, keepAddresses, type NotedAddresses, readAddresses } from "./addresses.ts";
import * as bootstrap from "./bootstrap.ts";
import type { NewStore } from "./fetch-state.ts";
import type { FloorRecord } from "./floor-record.ts";
import { type ForcedCluster, forceNewCluster, nothingToForce } from "./force-cluster.ts";
import { decodeFormat, FORMAT_FILE, type MemberFormat } from "./format-file.ts";
import { livesWith } from "./former-lives.ts";
import { beginningOf, checkLog, checkLogOwner, readTail } from "./log-checks.ts";
import { closeAll, makeStore, type OpenedStores, openStores, removeOthers, type StoreProblem } from "./open-stores.ts";
import { ask, ioRefusal, list, RefusedStart, readWhole, refuse, type Steps } from "./recovery-steps.ts";
import { DATA_DIR_DONE, MEMBER_REMOVED, REPLACE_MEMBER, refusal, type StartRefusal, type StartRefusalCode } from "./refusal.ts";
import { type FetchReport, knowsOthers, type LogSeen, type RejoinRules, rejoin } from "./rejoin.ts";
import { type RestoreStore, readStore, type StoreReading, type StoreState } from "./store-scan.ts";

export interface RecoverOptions {
	readonly clusterId: bigint;
	readonly memberId: NodeId;
	readonly initialMembers: MemberFormat["initialMembers"];
	readonly initialClusterState: "new" | "existing";
	/** This member is to go on alone. */
	readonly forceNewCluster: boolean;
	/** Random 53 bits of this process life. */
	readonly life: number;
	/** Random 64 bits, for a log that has to be made. */
	readonly walId: bigint;
	/** Rebuilds the key space from its records; `mark` is what it must add up to. */
	readonly restore: RestoreStore;
	/** Other members can be asked for their state. */
	readonly mayFetch: boolean;
	readonly rejoinRules?: RejoinRules;
}

/** Everything a replica and its driver are built from. */
export interface Recovered {
	readonly clusterId: bigint;
	readonly memberId: NodeId;
	readonly wal: WriteAheadLog;
	readonly restoredLog: RestoredLog;
	readonly disk: OpenStore;
	readonly keyValues: KeyValueStore;
	/** Without the floor's own row. */
	readonly rows: readonly TableRow[];
	readonly floor: FloorRecord;
	/** What the file of addresses says. */
	readonly addresses: NotedAddresses;
	/** In which this folder ran, this one among them; null: nobody counted. */
	readonly lives: readonly number[] | null;
	/** All others were removed by this start. */
	readonly forced: ForcedCluster | null;
	/** How it went, for the log and the tap. */
	readonly report: RecoveryReport;
}

export interface RecoveryReport {
	/** The member was made by this start. */
	readonly made: boolean;
	readonly cleanStop: boolean;
	readonly tornBytes: number;
	readonly records: number;
	readonly floorIndex: number;
	readonly lastIndex: number;
	/** The store did not match its floor and was made again from the log; why. */
	readonly rebuiltBecause: string | null;
	/** The store was lost and the state of another member has taken its place. */
	readonly fetched: FetchReport | null;
	/** Why the file of addresses was not believed. */
	readonly addressesFault: string | null;
}

interface Log {
	readonly wal: WriteAheadLog;
	readonly recovered: RecoveredLog;
}

/**
 * A member's start: takes the lock, reads identity, store and log, checks that they belong together and add up (rules S5,
 * S6, W7), or makes a new member. Ends with everything that a replica needs, or throws `RefusedStart`. Recovering twice,
 * or again after a crash at any step, gives the same.
 */
export function* recover(options: RecoverOptions): Steps<Recovered> {
	const bytes = yield* readWhole(FORMAT_FILE);
	const format = bytes === null ? null : readFormat(bytes, options);
	const { generations, error } = yield* ask({ on: "listStores" });
	if (error !== undefined) throw ioRefusal("listing the stores", "the member's folder", error);
	if (format?.state === "removed") throw refuseRemoved();
	if (format?.state === "lost") throw refuseLost();
	if (options.forceNewCluster && format?.state !== "ready")
		throw nothingToForce(format === null ? "no such file" : `state ${format.state}`);
	if (format === null) yield* assertUntouched(generations);
	if (format?.state === "making") marks.firstStartRepeated++;
	if (format === null || format.state === "making") return yield* make(options, bytes);
	const addresses = yield* readAddresses(format);
	const opened = yield* openStores(format.generation, generations);
	const held = [opened.current, ...opened.others.values()].filter((store) => store !== null);
	try {
		// Where no store could be opened, a new one's lock is the member's.
		const fresh = held.length === 0 ? yield* makeFresh(nextGeneration(generations, format.generation)) : null;
		if (fresh !== null) held.push(fresh.disk);
		const recovered = yield* reopen(options, { format, addresses, opened, fresh, held });
		const forced = yield* force(options, format.forced === true, recovered);
		return { ...forced, lives: yield* noteLife(options, forced.rows) };
	} catch (error) {
		yield* closeAll(held);
		throw error;
	}
}

function* makeFresh(generation: string): Steps<NewStore> {
	return { generation, disk: yield* makeStore(generation) };
}

function readFormat(bytes: Uint8Array, options: RecoverOptions): MemberFormat {
	const decoding = decodeFormat(bytes);
	if (!decoding.ok) {
		const newer = decoding.code === "newer";
		throw refuse(newer ? "newer" : "identityDamaged", {
			what: newer ? "the data folder was written by a later version" : "the format file is damaged",
			where: FORMAT_FILE,
			found: decoding.found,
			wanted: decoding.wanted,
			next: newer ? "Start the later version" : `Restore the file from a copy, or: ${REPLACE_MEMBER}`,
		});
	}
	const { format } = decoding;
	for (const [name, found, wanted] of [
		["cluster", format.clusterId, options.clusterId],
		["member", format.memberId, options.memberId],
	] as const) {
		if (found === wanted || format.state === "making") continue;
		throw refuse("foreign", {
			what: `the data folder belongs to another ${name}`,
			where: FORMAT_FILE,
			found: `${name} ${found.toString(16)}`,
			wanted: `${name} ${wanted.toString(16)} by the flags`,
			next: "Start with the flags this folder was made with, or name another --data-dir",
		});
	}
	return format;
}

/** The mark in the format file says that the flag was given at each start since: nothing that joined may be thrown out by it. */
function* force(options: RecoverOptions, forcedBefore: boolean, recovered: Recovered): Steps<Recovered> {
	const { clusterId, memberId, forceNewCluster: forcing } = options;
	if (!forcing && !forcedBefore) return recovered;
	const { restoredLog, rows, wal } = recovered;
	const forced = forcing ? yield* forceNewCluster(restoredLog, rows, wal, { clusterId, memberId, forcedBefore }) : null;
	if (forcing !== forcedBefore) yield* changeFormat({ forced: forcing });
	return forced === null ? recovered : { ...recovered, restoredLog: forced.log, forced: forced.forced };
}

/** Whoever is to go on alone does so from any copy. */
function* noteLife({ life, forceNewCluster }: RecoverOptions, rows: readonly TableRow[]): Steps<readonly number[] | null> {
	const bytes = yield* readWhole(FORMAT_FILE);
	const decoding = bytes === null ? null : decodeFormat(bytes);
	if (decoding?.ok !== true || decoding.format.lives === undefined) return null;
	const { lives: _, ...rest } = decoding.format;
	const lives = forceNewCluster ? undefined : livesWith(life, decoding.format, rows);
	yield* bootstrap.writeFormat(lives === undefined ? rest : { ...rest, lives });
	return lives ?? null;
}

/** An id that was removed is never used again: with what this folder promised under it, it must not come back. */
function refuseRemoved(): RefusedStart {
	marks.removedStartRefused++;
	return refuse("removed", {
		what: MEMBER_REMOVED,
		where: FORMAT_FILE,
		found: "state removed",
		wanted: "state ready",
		next: DATA_DIR_DONE,
	});
}

function refuseLost(): RefusedStart {
	return refuse("folderLost", {
		what: "this member has already been bootstrapped, and its former data folder was lost",
		where: FORMAT_FILE,
		found: "state lost",
		wanted: "state ready",
		next: `Restore the former data folder from a copy, or: ${REPLACE_MEMBER}`,
	});
}

/** Notes in the data folder that it must not be used any more, and why: no later start gets beyond that. */
export function* noteEnd(state: "removed" | "lost"): Steps<void> {
	yield* changeFormat({ state });
}

function* changeFormat(change: Pick<MemberFormat, "state"> | Required<Pick<MemberFormat, "forced">>): Steps<void> {
	const bytes = yield* readWhole(FORMAT_FILE);
	const decoding = bytes === null ? null : decodeFormat(bytes);
	if (decoding?.ok === true) yield* bootstrap.writeFormat({ ...decoding.format, ...change });
}

/** Without a format file the folder must be empty, or hold no more than the store whose lock a first start took. */
function* assertUntouched(generations: readonly string[]): Steps<void> {
	const names = (yield* list("")).filter((name) => !name.startsWith("store.") && name !== `${FORMAT_FILE}.tmp`);
	const others = names.filter((name) => name !== bootstrap.LOG_FOLDER);
	const segments = yield* list(bootstrap.LOG_FOLDER);
	const strange = [...others, ...segments.map((name) => `${bootstrap.LOG_FOLDER}/${name}`)];
	if (generations.some((generation) => generation !== bootstrap.FIRST_GENERATION)) strange.push(`store.${generations.at(-1)}`);
	if (strange.length === 0) return;
	throw refuse("identityMissing", {
		what: "the data folder holds data but not the file that says whose",
		where: FORMAT_FILE,
		found: `no such file beside ${strange[0]}`,
		wanted: "the file, or an empty folder",
		next: `Restore the file from a copy, or: ${REPLACE_MEMBER}`,
	});
}

/** The first start of a member, or its repetition after a crash: nothing was promised before it ended. */
function* make(options: RecoverOptions, formatBefore: Uint8Array | null): Steps<Recovered> {
	const disk = yield* makeStore(bootstrap.FIRST_GENERATION);
	try {
		return yield* fill(options, disk, formatBefore);
	} catch (error) {
		yield* closeAll([disk]);
		throw error;
	}
}

function* fill(options: RecoverOptions, disk: OpenStore, formatBefore: Uint8Array | null): Steps<Recovered> {
	// Another process may have held the lock between the first look and now.
	if (!sameBytes(formatBefore, yield* readWhole(FORMAT_FILE))) {
		throw refuse("locked", {
			what: "another process has just made this member",
			where: FORMAT_FILE,
			found: "another content than a moment ago",
			wanted: "the same",
			next: "Start again",
		});
	}
	const { clusterId, memberId, initialMembers } = options;
	const joined = options.initialClusterState === "existing";
	const about = { clusterId, memberId, generation: bootstrap.FIRST_GENERATION, joined, lives: [options.life], initialMembers };
	const format: MemberFormat = { ...about, state: "making" };
	yield* bootstrap.writeFormat(format);
	yield* bootstrap.clearLog();
	const floor = yield* bootstrap.fillStore(disk, format);
	const base = bootstrap.bootstrapPoint(format);
	const { opening } = yield* ask({
		on: "createLog",
		identity: { clusterId, memberId, walId: options.walId },
		hardState: { term: base.term, vote: 0n, commit: base.index },
		base,
	});
	if (!opening.ok) throw refusedLog(opening.refusal);
	yield* bootstrap.writeFormat({ ...format, state: "ready" });
	const how = { ...UNHARMED, made: true, addresses: firstAddresses(format) };
	return yield* finish(options, opening, disk, emptyState(options, disk, format, floor), how);
}

function emptyState(options: RecoverOptions, disk: OpenStore, format: MemberFormat, floor: FloorRecord): StoreState {
	const restored = wholly(options.restore(floor.mark, disk).finish());
	if (!restored.ok) throw new RefusedStart({ code: "storeMismatch", text: `Cannot start (storeMismatch): ${restored.reason}` });
	return { floor, rows: bootstrap.bootstrapRows(format), keyValues: restored.store, records: 0 };
}

/** A store that may be the member's: the one that the format names, or a later one that the log may name. */
interface Candidate {
	readonly disk: OpenStore | null;
	readonly reading: StoreReading;
}

/** What a start has found in the folder before it looks at the log. */
interface FolderSeen {
	readonly format: MemberFormat;
	readonly addresses: NotedAddresses;
	readonly opened: OpenedStores;
	/** A new generation, where none could be opened. */
	readonly fresh: NewStore | null;
	/** Closed when the start is refused. */
	readonly held: OpenStore[];
}

function* reopen(options: RecoverOptions, { format, addresses, opened, fresh, held }: FolderSeen): Steps<Recovered> {
	const { current, currentProblem, others } = opened;
	const candidates = new Map<string, Candidate>();
	const problem: StoreReading = { ok: false, ...currentProblem };
	const reading = current === null ? problem : yield* readStore(current, format, options.restore);
	candidates.set(format.generation, { disk: current, reading });
	for (const [generation, disk] of others) {
		if (disk === null || !isLater(generation, format.generation)) continue;
		candidates.set(generation, { disk, reading: yield* readStore(disk, { ...format, generation }, options.restore) });
	}
	const unharmed = { ...UNHARMED, addresses };
	let named = format;
	let refused: StartRefusal | null = null;
	let rejoins = false;
	let termAt: LogSeen["termAt"] = () => null;
	const { opening: log } = yield* ask({
		on: "recoverLog",
		examine(found, termOf) {
			termAt = termOf;
			// The newest snapshot marker is the only switch to a received state (rules N4, N5); a rebuild made later has a higher number.
			const { generation } = found.snapshot;
			if (generation !== "" && isLater(generation, format.generation)) named = { ...format, generation };
			refused = checkLogOwner(found, format);
			const state = readingOf(candidates, named.generation);
			rejoins = !state.ok && !reachesBack(found) && options.mayFetch && !options.forceNewCluster && knowsOthers(addresses, named, found);
			if (state.ok) refused ??= checkLog(state.state.floor, found, termOf);
			else if (rejoins) refused ??= checkLog(beginningOf(found, termOf), found, termOf);
			else refused ??= reachesBack(found) ? null : notRebuildable(named, found, state, addresses, !options.mayFetch);
			return refused && { code: "corrupt", text: refused.text };
		},
	});
	if (!log.ok) throw refused === null ? refusedLog(log.refusal) : new RefusedStart(refused);
	const { generation } = named;
	const state = readingOf(candidates, generation);
	const disk = candidates.get(generation)?.disk ?? null;
	if (named !== format) yield* bootstrap.writeFormat(named);
	const unnamed = new Map(others);
	if (named !== format) unnamed.set(format.generation, current);
	if (rejoins && !state.ok) {
		unnamed.set(generation, disk);
		if (fresh !== null) unnamed.set(fresh.generation, fresh.disk);
		const room = { held, last: Number(nextGeneration([...unnamed.keys()], generation)) - 1 };
		const request = { format: named, addresses, log: { ...log, termAt }, room, because: state.reason, restore: options.restore };
		const rejoined = yield* rejoin(request, options.rejoinRules);
		if (rejoined === null) throw new RefusedStart(notRebuildable(named, log.recovered, state, addresses, false));
		// Nothing of the former store was touched before the switch.
		yield* removeOthers(unnamed);
		const { disk: received, recovered, fetched } = rejoined;
		const how = { ...UNHARMED, addresses: rejoined.addresses, fetched };
		return yield* finish(options, { wal: log.wal, recovered }, received, rejoined.state, how);
	}
	unnamed.delete(generation);
	yield* removeOthers(unnamed);
	if (state.ok && disk !== null) return yield* finish(options, log, disk, state.state, unharmed);
	const reason = state.ok ? "" : state.reason;
	const next = nextGeneration([...others.keys()], generation);
	const replacement = fresh?.disk ?? (yield* makeStore(next));
	if (fresh === null) held.push(replacement);
	const rebuilt = yield* rebuild(options, format, replacement, next);
	if (disk !== null) yield* ask({ on: "closeStore", store: disk });
	yield* ask({ on: "removeStore", generation });
	return yield* finish(options, log, replacement, rebuilt, { ...unharmed, rebuiltBecause: reason });
}

/** How most starts go. */
const UNHARMED = { made: false, rebuiltBecause: null, fetched: null } as const;

function readingOf(candidates: ReadonlyMap<string, Candidate>, generation: string): StoreReading {
	return (
		candidates.get(generation)?.reading ?? { ok: false, code: "storeMismatch", reason: "the folder does not exist or cannot be opened" }
	);
}

function isLater(generation: string, than: string): boolean {
	return Number.parseInt(generation, 10) > Number.parseInt(than, 10);
}

/** The log holds everything that a store ever held. */
function reachesBack({ firstIndex, snapshot }: RecoveredLog): boolean {
	return firstIndex <= bootstrap.BOOTSTRAP_INDEX + 1 && snapshot.index <= bootstrap.BOOTSTRAP_INDEX;
}

/** Rule S6: the store may be thrown away only where the log can make it again. `rehearsal`: a start could ask the other members. */
function notRebuildable(
	format: MemberFormat,
	log: RecoveredLog,
	{ code, reason }: StoreProblem,
	addresses: NotedAddresses,
	rehearsal: boolean,
): StartRefusal {
	const { generation } = format;
	const toldByOthers = rehearsal && knowsOthers(addresses, format, log);
	const unknown =
		addresses.fault === null ? "" : `; and the file ${ADDRESS_FILE}, which names the other members, is not believed: ${addresses.fault}`;
	const what = code === "storeDamaged" ? "the store is damaged" : "the store is not what it must be";
	const ways = `restore the folder store.${generation} from a copy, or: ${REPLACE_MEMBER}. A cluster of one is made anew from a saved state (flotilla snapshot restore)`;
	const next = toldByOthers ? `start the member while another one runs, and it takes the state from there; or ${ways}` : ways;
	return refusal(code, {
		what: `${what} and the log does not reach back far enough to make it again`,
		where: `store.${generation}`,
		found: `${reason}; and a log from entry ${log.firstIndex} on${unknown}`,
		wanted: `a log from entry ${bootstrap.BOOTSTRAP_INDEX + 1} on`,
		next: `Log and votes are left as they are: ${next}`,
	});
}

/** A new, empty generation, to be filled by replaying the whole log. Naming it in the format file is the only switch. */
function* rebuild(options: RecoverOptions, format: MemberFormat, disk: OpenStore, generation: string): Steps<StoreState> {
	marks.storeRebuilt++;
	const next: MemberFormat = { ...format, generation };
	const floor = yield* bootstrap.fillStore(disk, next);
	yield* bootstrap.writeFormat(next);
	return emptyState(options, disk, next, floor);
}

function nextGeneration(generations: readonly string[], current: string): string {
	return String(Math.max(...[...generations, current].map((name) => Number.parseInt(name, 10) || 0)) + 1);
}

function refusedLog(reason: WalRefusal): RefusedStart {
	const codes = { corrupt: "logDamaged", foreign: "foreign", newer: "newer", older: "older", missing: "logMissing", io: "io" } as const;
	const code: StartRefusalCode = codes[reason.code];
	return new RefusedStart({ code, text: `Cannot start (${code}): ${reason.text}` });
}

function* finish(
	options: RecoverOptions,
	{ wal, recovered }: Log,
	disk: OpenStore,
	{ floor, rows, keyValues, records }: StoreState,
	{ addresses, ...how }: Pick<RecoveryReport, "made" | "rebuiltBecause" | "fetched"> & Pick<Recovered, "addresses">,
): Steps<Recovered> {
	const restoredLog = yield* readTail(wal, floor, recovered);
	const kept = yield* keepAddresses(options.clusterId, addresses, addressesIn(floor.appliedIndex, rows));
	const { cleanStop, tornBytes, lastIndex } = recovered;
	return {
		clusterId: options.clusterId,
		memberId: options.memberId,
		wal,
		restoredLog,
		disk,
		keyValues,
		rows,
		floor,
		addresses: kept,
		lives: [options.life],
		forced: null,
		report: { ...how, cleanStop, tornBytes, records, floorIndex: floor.appliedIndex, lastIndex, addressesFault: kept.fault },
	};
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
	if (a === null || b === null) return a === b;
	return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
