import { type Dice, portableBytes, type TapSink } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import {
	type Booted,
	bootMember,
	type CrashKind,
	createServices,
	DEFAULT_MEMBER_OPTIONS,
	type MemberConfig,
	type Services,
	type Status,
	type UnaryCall,
} from "@flotilla/server/internal";
import { SimStores } from "./house.ts";
import type { Invariants } from "./invariants.ts";
import { MachineDisk } from "./machine-disk.ts";
import { type Mutant, mutate } from "./mutants.ts";
import type { SimNetwork } from "./network.ts";
import { observedMachine, type Progress } from "./observed-machine.ts";
import type { Oracle } from "./oracle.ts";
import type { RunPlan } from "./plan.ts";
import { SimProcess } from "./process.ts";
import type { TraceHash } from "./trace-hash.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface MemberWorld {
	readonly time: VirtualTime;
	readonly dice: Dice;
	readonly network: SimNetwork;
	readonly invariants: Invariants;
	readonly oracle: Oracle;
	readonly trace: TraceHash;
}

export interface Answer {
	respond(bytes: Uint8Array): void;
	fail(status: Status): void;
	/** The member ended before it answered. */
	gone(): void;
}

const CLUSTER_ID = 0xc1a5_7e12n;
/** A member that ended by itself is started again, as a supervisor would. */
const SUPERVISOR_US = 500_000;

export function makeMembers(plan: RunPlan, world: MemberWorld): SimMember[] {
	const ids = Array.from({ length: plan.members }, (_, at) => BigInt(at + 1) * 0x1111_1111n);
	const initialCluster = ids.map((id, at) => ({ id, name: `m${at + 1}`, peerUrls: [`http://10.0.0.${at + 1}:2380`] }));
	return initialCluster.map(({ id, name, peerUrls }, at) => {
		const clientUrls = [`http://10.0.0.${at + 1}:2379`];
		const config: MemberConfig = {
			...DEFAULT_MEMBER_OPTIONS,
			name,
			dataDir: name,
			listenClientUrls: clientUrls,
			advertiseClientUrls: clientUrls,
			listenPeerUrls: peerUrls,
			initialAdvertisePeerUrls: peerUrls,
			initialCluster,
			memberId: id,
			clusterId: CLUSTER_ID,
			heartbeatMs: plan.heartbeatTicks * 10,
			electionMs: plan.electionTicks * 10,
			snapshotCount: plan.floorEntries,
			floorBytes: plan.floorBytes,
			walSegmentBytes: plan.segmentBytes,
			walKeepEntries: plan.keepEntries,
			walKeepBytes: plan.keepBytes,
			logMemoryEntries: plan.memoryEntries,
			snapshotPartBytes: plan.partBytes,
			// Under faults no connection is ever steady: the check would refuse every change.
			strictReconfigCheck: false,
		};
		return new SimMember(config, plan, { ...world, dice: world.dice.fork(name) });
	});
}

/** What one process life holds; gone with it. */
interface Life {
	readonly process: SimProcess;
	booted: Booted | null;
	services: Services | null;
	readonly calls: Set<Answer>;
}

/** A whole member on a simulated machine: the product's driver, log, replica and services; only clock, disk and network are not real. */
export class SimMember {
	readonly id: NodeId;
	readonly name: string;
	readonly disk: MachineDisk;
	lives = 0;
	floors = 0;
	/** States that this member received. */
	snapshots = 0;
	/** Removed from the cluster: its last start was refused for that. */
	gone = false;
	/** Set when a start was refused: never to be expected from crashes alone. */
	refusedBecause: string | null = null;
	private readonly config: MemberConfig;
	private readonly mutant: Mutant | null;
	private readonly world: MemberWorld;
	private readonly stores: SimStores;
	private readonly clockModel: { readonly rate: number; readonly offsetMs: number };
	private life: Life | null = null;

	constructor(config: MemberConfig, { driftPerMille, mutant }: RunPlan, world: MemberWorld) {
		this.mutant = mutant;
		this.config = config;
		this.world = world;
		this.id = config.memberId;
		this.name = config.name;
		const { dice } = world;
		this.disk = new MachineDisk(dice.fork("disk"));
		this.stores = new SimStores(dice.fork("stores"));
		this.stores.onBatch = (batch) => world.oracle.observe(this.id, batch);
		this.clockModel = { rate: 1 + dice.range(-driftPerMille, driftPerMille) / 1_000, offsetMs: dice.range(0, 1_000_000) };
	}

	get running(): boolean {
		return this.life !== null;
	}

	/** Has announced itself in this life: clients may call. */
	get serving(): boolean {
		return this.life?.booted?.driver.status().published === true;
	}

	get leads(): boolean {
		return this.life?.booted?.driver.status().leader === this.id;
	}

	get revision(): number {
		return this.life?.booted?.driver.store.revision ?? 0;
	}

	start(): void {
		if (this.life !== null || this.gone) return;
		const { time, dice, network, invariants, trace } = this.world;
		this.lives++;
		const process = new SimProcess(time, dice.fork(`life ${this.lives}`), this.clockModel);
		const life: Life = { process, booted: null, services: null, calls: new Set() };
		this.life = life;
		bootMember(
			this.config,
			{
				clock: process.clock,
				scheduler: process.scheduler,
				tap: this.tap(),
				bytes: portableBytes,
				dice: dice.fork(`chance ${this.lives}`),
				disk: this.disk.open(process),
				stores: this.stores.forProcess(process),
				die: () => this.ended(life),
				// A supervisor starts it again all the same, which must be refused.
				removed: () => life.booted?.noteRemoval(() => this.ended(life)),
				watchMachine: (machine, { restoredLog }) => {
					invariants.restored(this.id, restoredLog);
					return mutate(observedMachine(this.id, machine, invariants, trace), this.mutant);
				},
			},
			(outcome) => {
				if (this.life !== life) return;
				if (!outcome.ok) {
					// An error of the disk ends the start, and the next one may succeed; any other refusal is a finding.
					if (outcome.refusal.code === "io") this.ended(life);
					else if (outcome.refusal.code === "removed") this.leave(life);
					else this.refusedBecause = outcome.refusal.text;
					return;
				}
				const { driver } = outcome.booted;
				life.booted = outcome.booted;
				life.services = createServices({
					member: driver,
					bytes: portableBytes,
					options: {
						serverVersion: "3.6.14",
						storageVersion: "3.6.0",
						maxTxnOps: this.config.maxTxnOps,
						quotaBytesShown: 0,
						warningUnaryRequestMs: 300,
					},
					soon: process.scheduler.soon,
					afterTicks: (ticks, work) => void process.scheduler.after(ticks * driver.tickMs, work),
					newMemberId: () => BigInt(dice.uint53()),
				});
				driver.start(network.attach(this.id, process, driver));
				driver.publish(this.name, this.config.advertiseClientUrls);
			},
		);
	}

	crash(kind: CrashKind): void {
		const { life } = this;
		if (life === null) return;
		this.life = null;
		life.process.end();
		life.booted?.driver.end();
		this.world.network.detach(this.id);
		this.disk.crash(kind);
		this.stores.crash(kind);
		for (const answer of Array.from(life.calls)) answer.gone();
	}

	pause(): void {
		this.life?.process.pause();
	}

	resume(): void {
		this.life?.process.resume();
	}

	jumpWallClock(byMs: number): void {
		this.life?.process.jumpWallClock(byMs);
	}

	transferLeadership(to: NodeId): void {
		const { life } = this;
		life?.process.run(() => life.booted?.driver.transferLeadership(to));
	}

	/** One unary call. Returns what the client's cancellation does. */
	call(path: string, request: Uint8Array, timeoutMs: number, answer: Answer): () => void {
		const { life } = this;
		const { time, trace } = this.world;
		const handler = life?.services?.methods.get(path);
		if (life === null || handler?.shape !== "unary") {
			time.after(100, () => answer.gone());
			return () => {};
		}
		let open = true;
		const listeners: Array<() => void> = [];
		const once = (act: () => void): void => {
			if (!open) return;
			open = false;
			life.calls.delete(answer);
			act();
		};
		const tracked: Answer = { ...answer, gone: () => once(() => answer.gone()) };
		life.calls.add(tracked);
		const call: UnaryCall = {
			path,
			request,
			remainingMs: timeoutMs,
			peer: "client",
			metadata: () => undefined,
			onCancel: (listener) => listeners.push(listener),
			respond: (bytes) =>
				once(() => {
					trace.bytes(bytes);
					answer.respond(bytes);
				}),
			fail: (status) => once(() => answer.fail(status)),
		};
		life.process.run(() => handler.handle(call));
		return () =>
			once(() => {
				life.process.run(() => {
					for (const listener of listeners) listener();
				});
			});
	}

	/** Whether it counts this one among the members. */
	knows(id: NodeId): boolean {
		return this.life?.booted?.driver.members.some((member) => member.id === id) === true;
	}

	progress(): Progress | null {
		const status = this.life?.booted?.driver.status();
		if (status?.published !== true) return null;
		return { leader: status.leader, applied: status.appliedIndex, last: status.core.lastIndex };
	}

	/** Revision and hash of everything, for comparison between members at rest. */
	contents(): string {
		const store = this.life?.booted?.driver.store;
		if (store === undefined) return "nothing: it does not run";
		const work = store.hashKv(0);
		if ("ok" in work) return work.code;
		while (!work.step(1_000));
		const { hash, hashRevision, compactRevision } = work.result();
		return `revision ${hashRevision}, hash ${hash.toString(16)}, compacted at ${compactRevision}, ${store.keyCount} keys`;
	}

	describe(): string {
		const status = this.life?.booted?.driver.status();
		if (status === undefined) return `${this.name}: ${this.life === null ? "not running" : "starting"}`;
		const { role, term, commit, lastIndex } = status.core;
		return `${this.name}: ${role} of term ${term}, leader ${status.leader.toString(16)}, applied ${status.appliedIndex}, commit ${commit}, last ${lastIndex}${status.published ? "" : ", not serving"}`;
	}

	/** The process ended by itself, as it must after a failed write. */
	private ended(life: Life): void {
		if (this.life !== life) return;
		// In a turn of its own: whoever calls this is still on the stack of the dying process.
		life.process.end();
		this.world.time.after(0, () => {
			if (this.life !== life) return;
			this.crash("process");
			this.world.time.after(SUPERVISOR_US, () => this.start());
		});
	}

	private leave(life: Life): void {
		this.gone = true;
		life.process.end();
		this.world.time.after(0, () => {
			if (this.life === life) this.crash("process");
		});
	}

	private tap(): TapSink {
		const { trace } = this.world;
		return {
			emit: (name, term, index) => {
				if (name === "floorWritten") this.floors++;
				if (name === "snapshotReceived") this.snapshots++;
				trace.add(`${this.name} ${name} ${term} ${index}`);
			},
		};
	}
}
