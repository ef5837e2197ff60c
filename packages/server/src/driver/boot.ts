import type { ByteOps, Dice } from "@flotilla/base";
import { recordFault, STRIDE, type StoreOptions, StoreRebuild } from "@flotilla/mvcc";
import { Replica, type ReplicaMachine, type ReplicaOptions, type ReplicaState } from "@flotilla/replica";
import type { FileDisk } from "../disk/file-ops.ts";
import { APPLY_BACKLOG_MAX, type MemberConfig, PENDING_CALLS_MAX, quotaBytes, TICK_MS } from "../member-config.ts";
import type { StateDoors, StoreHouse, WorldPorts } from "../ports.ts";
import { LogFolder } from "../wal/log-folder.ts";
import type { WalOptions } from "../wal/wal-interface.ts";
import { writeAddresses } from "./addresses.ts";
import { LOG_FOLDER } from "./bootstrap.ts";
import { Driver } from "./driver.ts";
import type { DriverOptions } from "./driver-options.ts";
import { FolderNotes } from "./folder-notes.ts";
import { LogRelay } from "./log-relay.ts";
import { noteEnd, type Recovered, type RecoveryReport, recover } from "./recover.ts";
import { type AskOthers, runRecovery } from "./recovery-runner.ts";
import type { StartRefusal } from "./refusal.ts";
import type { RejoinRules } from "./rejoin.ts";
import type { RestoreStore } from "./store-scan.ts";
import { Watches } from "./watches.ts";

/** What a member touches besides its network: real in a process, simulated in a test. */
export interface BootWorld extends WorldPorts {
	readonly bytes: ByteOps;
	/** The only source of chance; every process life needs another stream. */
	readonly dice: Dice;
	/** The member's folder, made and empty or as a former life left it. */
	readonly disk: FileDisk;
	readonly stores: StoreHouse;
	/** Ends the process at once (rule W4). Called at most once. */
	die(reason: string): void;
	/** This member was removed from the cluster. Called at most once. */
	removed(): void;
	/** Stands between driver and replica, for those who watch. */
	readonly watchMachine?: (machine: ReplicaMachine, state: ReplicaState) => ReplicaMachine;
	/** Told of every frame of the log that became durable (rule W3), before anybody acts on it; for those who watch. */
	readonly watchDurable?: (seq: number) => void;
	/** Who else of the cluster runs, where a member is to go on alone. */
	readonly askOthers?: AskOthers;
	/** Where a member whose store is lost can ask for the state of another one. */
	readonly stateDoors?: StateDoors;
	/** For those who plant bugs: which states are taken there. */
	readonly rejoinRules?: RejoinRules;
}

export interface Booted {
	readonly driver: Driver;
	/** Random 53 bits of this process life. */
	readonly incarnation: number;
	readonly report: RecoveryReport;
	/** The folder knows all process lives in which it ran: an announcement of another one shows that it is not this member's newest. */
	readonly livesKnown: boolean;
	/** Notes in the folder that this member was removed, so that no later start gets beyond that; `done` in a later turn. */
	noteRemoval(done: () => void): void;
	/** Notes in the folder that it must not be used: the member lost another one before. `done` in a later turn. */
	noteLostFolder(done: () => void): void;
	/** Ends the log with its closing fence and closes the store. Only after the driver has ended; `done` in a later turn. */
	close(done: () => void): void;
}

export type BootOutcome = { readonly ok: true; readonly booted: Booted } | { readonly ok: false; readonly refusal: StartRefusal };

/** From a data folder to a member that only waits for its transport: `booted.driver.start(transport)`. */
export function bootMember(config: MemberConfig, world: BootWorld, done: (outcome: BootOutcome) => void): void {
	const { bytes, dice, tap } = world;
	const relay = new LogRelay(world.disk, (reason) => world.die(reason), world.watchDurable);
	const logs = new LogFolder(walOptions(config), { bytes, events: relay });
	const incarnation = dice.uint53();
	const restore: RestoreStore = (mark, storage) => new StoreRebuild(mark, storeOptions(config), storage, bytes);
	const steps = recover({
		clusterId: config.clusterId,
		memberId: config.memberId,
		initialMembers: config.initialCluster,
		initialClusterState: config.initialClusterState,
		forceNewCluster: config.forceNewCluster,
		life: incarnation,
		walId: (BigInt(dice.uint32()) << 32n) | BigInt(dice.uint32()),
		restore,
		mayFetch: world.stateDoors !== undefined,
		...(world.rejoinRules && { rejoinRules: world.rejoinRules }),
	});
	const { askOthers, stateDoors } = world;
	const others = { ...(askOthers && { askOthers }), ...(stateDoors && { stateDoors }) };
	const recoveryWorld = { scheduler: world.scheduler, disk: world.disk, stores: world.stores, tap: world.tap, logs, ...others };
	runRecovery(steps, recoveryWorld, (outcome) => {
		if (!outcome.ok) return done(outcome);
		const recovered = outcome.value;
		const state: ReplicaState = { restoredLog: recovered.restoredLog, store: recovered.keyValues, tables: recovered.rows };
		const plain = new Replica(
			{ ...replicaOptions(config, incarnation), formerLives: new Set(recovered.lives) },
			{ bytes, dice: dice.fork("replica"), tap },
			state,
		);
		const machine = world.watchMachine?.(plain, state) ?? plain;
		const { clock, scheduler } = world;
		const notes = new FolderNotes(recoveryWorld);
		const driver = new Driver(driverOptions(config, recovered, incarnation), {
			clock,
			scheduler,
			tap,
			machine,
			wal: recovered.wal,
			watches: new Watches(config.watchLimits, recovered.keyValues, bytes, scheduler),
			store: recovered.disk,
			stores: world.stores,
			restore,
			noteAddresses: (record, noted) =>
				notes.run(writeAddresses(config.clusterId, record), (written) => noted(written.ok ? null : written.refusal.text)),
			recordFault: ({ key, value }) => recordFault(bytes, key, value),
			die: (reason) => world.die(reason),
			removed: () => world.removed(),
		});
		relay.driver = driver;
		tellRecovery(world, recovered);
		done({
			ok: true,
			booted: {
				driver,
				incarnation,
				report: recovered.report,
				livesKnown: recovered.lives !== null,
				// What fails here is found out again by the next start, from the others.
				noteRemoval: (noted) => notes.run(noteEnd("removed"), noted),
				noteLostFolder: (noted) => notes.run(noteEnd("lost"), noted),
				close: (closed) => notes.settled(() => recovered.wal.close(() => driver.closeStores(closed))),
			},
		});
	});
}

const VALUE_CACHE_BYTES = 32 << 20;

function storeOptions({ applySliceKeys }: MemberConfig): StoreOptions {
	return { keepEvents: true, valueCacheBytes: VALUE_CACHE_BYTES, changeStride: Math.min(STRIDE, applySliceKeys) };
}

function walOptions(config: MemberConfig): WalOptions {
	return {
		folder: LOG_FOLDER,
		segmentBytes: config.walSegmentBytes,
		depth: config.walDepth,
		keepEntries: config.walKeepEntries,
		keepBytesMax: config.walKeepBytes,
	};
}

function replicaOptions(config: MemberConfig, incarnation: number): ReplicaOptions {
	return {
		memberId: config.memberId,
		clusterId: config.clusterId,
		incarnation,
		electionTicks: electionTicks(config),
		heartbeatTicks: Math.max(1, Math.round(config.heartbeatMs / TICK_MS)),
		tickMs: TICK_MS,
		maxRequestBytes: config.maxRequestBytes,
		quotaBytes: quotaBytes(config),
		applyBacklogMax: APPLY_BACKLOG_MAX,
		logMemoryEntriesMax: config.logMemoryEntries,
		coreLimits: config.coreLimits,
		unstoredBytesMax: config.unstoredBytesMax,
		pendingCallsMax: PENDING_CALLS_MAX,
		strictReconfigCheck: config.strictReconfigCheck,
		maxLearners: config.maxLearners,
		steadyMs: config.steadyMs,
		applySliceKeys: config.applySliceKeys,
		tokenTtlTicks: Math.ceil(config.authTokenTtlMs / TICK_MS),
	};
}

function electionTicks(config: MemberConfig): number {
	return Math.max(2, Math.round(config.electionMs / TICK_MS));
}

function driverOptions(config: MemberConfig, { floor, rows, report, forced, addresses }: Recovered, incarnation: number): DriverOptions {
	const { clusterId, memberId, generation, appliedIndex, confState } = floor;
	const voters = forced === null ? confState.voters : [memberId];
	// Where nobody else votes, and where nothing was elected yet, there is no leader to listen for.
	const listenMs = report.made || voters.length === 1 ? 0 : config.heartbeatMs + 2 * TICK_MS;
	return {
		tickMs: TICK_MS,
		electionTicks: electionTicks(config),
		floor: { bytes: config.floorBytes, entries: config.snapshotCount },
		warningApplyMs: config.warningApplyMs,
		callsATurnMax: PENDING_CALLS_MAX,
		identity: { clusterId, memberId, generation },
		rows,
		addresses,
		floorIndex: appliedIndex,
		snapshots: { partBytes: config.snapshotPartBytes, partPauseMs: config.snapshotPartPauseMs, incarnation },
		firstElection: config.initialElectionTickAdvance && voters.includes(memberId) ? { voters, self: memberId, listenMs } : null,
	};
}

function tellRecovery(world: BootWorld, { report, restoredLog, forced }: Recovered): void {
	const { rebuiltBecause, fetched, tornBytes, addressesFault: _, ...numbers } = report;
	const { term } = restoredLog.hardState;
	if (tornBytes > 0) world.tap.emit("walTornTail", term, report.lastIndex, { tornBytes });
	const repair = fetched === null ? {} : { fetchedFrom: fetched.from, fetchedBecause: fetched.because };
	const fields = { ...numbers, ...(rebuiltBecause === null ? {} : { rebuiltBecause }), ...repair };
	world.tap.emit("recovered", term, report.lastIndex, fields);
	if (forced === null) return;
	const removed = forced.removed.map((id) => id.toString(16)).join(",");
	world.tap.emit("clusterForced", term, report.lastIndex, { removed, uncertain: forced.uncertain });
}
