import { type Dice, InvariantError, marks, portableBytes, silentTap, type TapSink } from "@flotilla/base";
import { StoreDamageError } from "@flotilla/mvcc";
import type { NodeId } from "@flotilla/raft";
import {
	type Booted,
	bootMember,
	type ClusterView,
	type CrashKind,
	createServices,
	leaseTtlMinSeconds,
	type MemberConfig,
	stopCleanly,
} from "@flotilla/server/internal";
import { termIn } from "../history/wire.ts";
import type { ChurnPlan } from "./churn.ts";
import { CrashPoints } from "./crash-points.ts";
import { simCredentials } from "./credentials.ts";
import { cutAtDamage } from "./cut-at-damage.ts";
import type { Damage } from "./damage-budget.ts";
import { SimStores } from "./house.ts";
import type { Invariants } from "./invariants.ts";
import { changeJointly } from "./joint-changes.ts";
import { MachineDisk } from "./machine-disk.ts";
import { type Answer, type ClientStream, MemberCalls, type StreamListener } from "./member-calls.ts";
import { type Mutant, mutate, spoilDice, spoilDisk, spoilHouse, spoilPort } from "./mutants.ts";
import type { SimNetwork } from "./network.ts";
import { observeMachine, type Progress } from "./observed-machine.ts";
import type { Oracle } from "./oracle.ts";
import { SimProcess } from "./process.ts";
import { spoilRejoin } from "./rejoin-mutants.ts";
import type { TraceHash } from "./trace-hash.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { forgetAtSnapshot } from "./watch-mutants.ts";

export interface MemberWorld {
	readonly time: VirtualTime;
	readonly dice: Dice;
	readonly network: SimNetwork;
	readonly invariants: Invariants;
	readonly oracle: Oracle;
	readonly trace: TraceHash;
}

/** A member that ended by itself is started again, as a supervisor would. */
const SUPERVISOR_US = 500_000;

/** How a member words that its log is not what it acknowledged. */
const LOST_ENTRIES = "this member has lost entries that it acknowledged";

/** What one process life holds; gone with it. */
interface Life {
	readonly process: SimProcess;
	booted: Booted | null;
	calls: MemberCalls | null;
	/** It has been told to stop. */
	stopping: boolean;
}

/** A member's folder at a moment. */
export interface FolderCopy {
	readonly disk: ReturnType<MachineDisk["copy"]>;
	readonly stores: ReturnType<SimStores["copy"]>;
}

export interface MemberTraits {
	/** How fast its clock runs, and where it stands. */
	readonly driftPerMille: number;
	/** What an operation of its store takes at most. */
	readonly storeUs: number;
	readonly mutant: Mutant | null;
	readonly churn: Pick<ChurnPlan, "joint">;
}

/** A whole member on a simulated machine: the product's driver, log, replica and services; only clock, disk and network are not real. */
export class SimMember {
	readonly id: NodeId;
	readonly name: string;
	readonly config: MemberConfig;
	readonly disk: MachineDisk;
	readonly stores: SimStores;
	readonly points: CrashPoints;
	lives = 0;
	private leftDead = false;
	floors = 0;
	/** States that this member received. */
	snapshots = 0;
	/** Where it listens for other members: an operator moves it. */
	private addresses: readonly string[];
	private readonly formerAddresses = new Set<string>();
	/** Removed from the cluster: its last start was refused for that. */
	gone = false;
	/** Its machine was wiped, or given to another member: it never comes back. */
	discarded = false;
	/** Why its last start was refused, other than for a disk that failed or its removal. It is not started again. */
	refusedBecause: string | null = null;
	/** A start has read and verified all that is on its disks: what was rotten until then is mended, or was of no account. */
	onVerified: () => void = () => {};
	onRefused: (text: string) => void = () => {};
	/** It was stopped in order, nothing was done to its disks, and its start says that it died. */
	onForgottenStop: () => void = () => {};
	/** Its store was lost, for this reason, and it took the state of another one. */
	onFetched: (because: string) => void = () => {};
	/** Done to its disks and not looked at by any start: it may be found at any time, and ends the process. */
	damage: () => Damage = () => "none";
	private readonly mutant: Mutant | null;
	private readonly joint: boolean;
	private readonly world: MemberWorld;
	private readonly clockModel: { readonly rate: number; readonly offsetMs: number };
	private life: Life | null = null;
	/** Its log ends with a closing fence, which no start has seen yet. */
	private closed = false;
	/** Stops that went through to their end. */
	stops = 0;

	/** `name`: of this member in reports; members that follow each other on one machine have different ones. */
	constructor(name: string, config: MemberConfig, { driftPerMille, mutant, churn, storeUs }: MemberTraits, world: MemberWorld) {
		this.mutant = mutant;
		this.joint = churn.joint;
		this.config = config;
		this.addresses = config.listenPeerUrls;
		this.world = world;
		this.id = config.memberId;
		this.name = name;
		const { dice } = world;
		this.points = new CrashPoints((kind) => this.diesAtPoint(kind));
		this.disk = new MachineDisk(dice.fork("disk"), this.points);
		this.stores = new SimStores(dice.fork("stores"), this.points, storeUs);
		this.stores.onBatch = (batch) => world.oracle.observe(this.id, batch);
		this.disk.onFolderSynced = () => this.stores.named();
		this.clockModel = { rate: 1 + dice.range(-driftPerMille, driftPerMille) / 1_000, offsetMs: dice.range(0, 1_000_000) };
	}

	get running(): boolean {
		return this.life !== null;
	}

	/** Belongs to the cluster for all that it knows itself: clients may try it. */
	get present(): boolean {
		return !this.gone && !this.discarded;
	}

	/** Has announced itself in this life: clients may call. */
	get serving(): boolean {
		return this.life?.booted?.driver.status().published === true;
	}

	get leads(): boolean {
		return this.life?.booted?.driver.status().leader === this.id;
	}

	/** 0 while it does not run. */
	get term(): number {
		return this.life?.booted?.driver.status().core.term ?? 0;
	}

	get revision(): number {
		return this.life?.booted?.driver.store.revision ?? 0;
	}

	get compactRevision(): number {
		return this.life?.booted?.driver.store.compactRevision ?? 0;
	}

	get storeBytes(): number {
		return this.life?.booted?.driver.storeBytes() ?? 0;
	}

	start(): void {
		if (this.life !== null || !this.present || this.refusedBecause !== null || this.leftDead) return;
		const { time, dice, network, invariants, trace } = this.world;
		this.lives++;
		const process = new SimProcess(time, dice.fork(`life ${this.lives}`), this.clockModel);
		const life: Life = { process, booted: null, calls: null, stopping: false };
		const { closed } = this;
		this.closed = false;
		process.uncaught = (error) => this.endsBy(error, life);
		this.life = life;
		if (this.mutant === "truncatesMidLog") this.disk.tamper(cutAtDamage);
		bootMember(
			this.config,
			{
				clock: process.clock,
				scheduler: process.scheduler,
				tap: this.tap(),
				bytes: portableBytes,
				dice: spoilDice(dice.fork(`chance ${this.lives}`), this.mutant),
				disk: spoilDisk(this.disk.open(process), this.mutant),
				stores: spoilHouse(this.stores.forProcess(process), this.mutant),
				die: () => this.ended(life),
				// A supervisor starts it again all the same, which must be refused.
				removed: () => life.booted?.noteRemoval(() => this.ended(life)),
				stateDoors: network.doorsFor(this.id, process),
				rejoinRules: spoilRejoin(this.mutant),
				watchDurable: (seq) => {
					if (process.alive) invariants.persisted(this.id, seq);
				},
				watchMachine: (machine, { restoredLog }) => {
					invariants.restored(this.id, restoredLog, this.damage());
					if (this.joint) changeJointly(machine);
					observeMachine(this.id, machine, invariants, trace, () => process.alive);
					return mutate(machine, this.mutant);
				},
			},
			(outcome) => {
				if (this.life !== life) return;
				if (!outcome.ok) {
					// An error of the disk ends the start, and the next one may succeed; any other refusal is a finding.
					if (outcome.refusal.code === "io") this.ended(life);
					else if (outcome.refusal.code === "removed") this.leave(life);
					else this.refuses(life, outcome.refusal.text);
					return;
				}
				const { driver, report } = outcome.booted;
				if (closed && !report.cleanStop && this.damage() === "none") this.onForgottenStop();
				if (report.fetched !== null) this.onFetched(report.fetched.because);
				this.onVerified();
				life.booted = outcome.booted;
				const { mutant } = this;
				if (mutant === "forgetsAtSnapshot") forgetAtSnapshot(driver.watches);
				const services = createServices({
					member: spoilPort(driver, mutant),
					credentials: simCredentials(process, dice.fork("tokens")),
					bytes: portableBytes,
					options: {
						serverVersion: "3.6.14",
						storageVersion: "3.6.0",
						maxTxnOps: this.config.maxTxnOps,
						quotaBytesShown: 0,
						warningUnaryRequestMs: 300,
						electionTicks: Math.round(this.config.electionMs / driver.tickMs),
						watchProgressTicks: Math.round(this.config.watchProgressMs / driver.tickMs),
						watchFragmentBytes: this.config.maxRequestBytes,
						leaseTtlMinSeconds: leaseTtlMinSeconds(this.config),
					},
					soon: process.scheduler.soon,
					tap: silentTap,
					afterTicks: (ticks, work) => process.scheduler.after(ticks * driver.tickMs, work),
					newMemberId: () => BigInt(dice.uint53()),
				});
				life.calls = new MemberCalls(process, this.points, services.methods, (bytes) => {
					trace.bytes(bytes);
					const term = termIn(bytes);
					if (term !== null) invariants.told(this.id, term);
				});
				const door = {
					peerUrls: () => this.addresses,
					view: () => ({ clusterId: driver.clusterId, members: driver.acquaintances }),
					give: () => driver.giveState(),
				};
				driver.start(network.attach(this.id, process, driver, this.points, door));
				driver.publish(this.config.name, this.config.advertiseClientUrls);
			},
		);
	}

	crash(kind: CrashKind): void {
		const { life } = this;
		if (life === null) return;
		if (life.booted?.driver.store.changing === true) marks.midwayDied++;
		this.life = null;
		life.process.end();
		life.booted?.driver.end();
		this.world.network.detach(this.id);
		this.disk.crash(kind);
		this.stores.crash(kind);
		life.calls?.end();
	}

	/** As by SIGTERM: it stops in order, then it is down, and its machine perhaps without power. Dies at once when it has not started yet. */
	stop(kind: CrashKind, down: () => void): void {
		const { life } = this;
		if (life === null) return;
		const { booted, calls, process } = life;
		if (booted === null || calls === null) {
			this.crash("process");
			down();
			return;
		}
		if (life.stopping) return;
		life.stopping = true;
		const doors = {
			closeClients: (graceMs: number, done: () => void) => calls.close(graceMs, done),
			closePeers: (done: () => void) => {
				this.world.network.detach(this.id);
				process.scheduler.soon(done);
			},
		};
		process.run(() =>
			stopCleanly(booted, doors, process.scheduler, (logClosed) => {
				process.end();
				this.world.time.after(0, () => {
					if (this.life !== life) return;
					this.crash(kind);
					this.closed = logClosed;
					this.stops++;
					down();
				});
			}),
		);
	}

	get stopping(): boolean {
		return this.life?.stopping === true;
	}

	/** It listens at a new address, and until it has `left` the old ones there as well. */
	moveTo(url: string): void {
		for (const address of this.addresses) this.formerAddresses.add(address);
		this.addresses = [url, ...this.addresses];
	}

	leaveOldAddresses(): void {
		this.addresses = this.addresses.slice(0, 1);
	}

	/** Whoever was away may know it by one of them only. */
	takeUpOldAddresses(): void {
		this.addresses = [...new Set([...this.addresses, ...this.formerAddresses])];
	}

	/** It dies, and nothing starts it again, a supervisor that was about to included, until `mayLive`. */
	stayDead(): void {
		this.leftDead = true;
		this.crash("process");
	}

	mayLive(): void {
		this.leftDead = false;
	}

	/** The machine is wiped or given away: all that this member had is gone. */
	discard(): void {
		this.crash("power");
		this.discarded = true;
		this.points.disarm();
	}

	/** It dies, and with its process the store, or a part of it; log and votes stay whole. */
	loseStore(dice: Dice): void {
		this.crash(dice.pick(["process", "power"] as const));
		this.stores.lose(dice);
	}

	/** Its folder as it is now, while it does not run. */
	copyFolder(): FolderCopy {
		return { disk: this.disk.copy(), stores: this.stores.copy() };
	}

	/** Somebody puts an earlier copy of its folder back: it has forgotten promises and does not know it. Once for each copy. */
	putBack({ disk, stores }: FolderCopy): void {
		this.closed = false;
		this.disk.putBack(disk);
		this.stores.putBack(stores);
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
		const calls = this.life?.calls;
		if (calls != null && !calls.closing) return calls.call(path, request, timeoutMs, answer);
		this.world.time.after(100, () => answer.gone());
		return () => {};
	}

	/** A stream of either or both directions. Nothing is delayed on its way: what is asked for and told happens at once. */
	openStream(path: string, listener: StreamListener): ClientStream {
		const calls = this.life?.calls;
		if (calls != null && !calls.closing) return calls.stream(path, listener);
		this.world.time.after(100, () => listener.gone());
		return { send: () => {}, halfClose: () => {}, drain: () => {}, cancel: () => {} };
	}

	/** Whether it counts this one among the members. */
	knows(id: NodeId): boolean {
		return this.life?.booted?.driver.members.some((member) => member.id === id) === true;
	}

	/** What it answers to those who ask who belongs to the cluster; null while it does not run. */
	view(): ClusterView | null {
		const driver = this.life?.booted?.driver;
		if (driver === undefined) return null;
		return { clusterId: driver.clusterId, members: driver.acquaintances };
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

	/** Died between two operations; a supervisor starts it again. */
	private diesAtPoint(kind: CrashKind): void {
		this.crash(kind);
		this.world.time.after(SUPERVISOR_US, () => this.start());
	}

	/** Whether what nobody caught is how a process ends that meets damage in its store: it must not answer from it. */
	private endsBy(error: unknown, life: Life): boolean {
		if (this.damage() === "none") return false;
		const lacks = error instanceof InvariantError && error.message.startsWith(LOST_ENTRIES);
		if (!(error instanceof StoreDamageError) && !lacks) return false;
		life.booted?.driver.end();
		// Rot at the very end of a log looks like a torn write. Its leader knows better, and the member must not go on.
		if (lacks) this.refuses(life, error.message);
		else this.ended(life);
		return true;
	}

	private refuses(life: Life, text: string): void {
		this.refusedBecause = text;
		this.onRefused(text);
		life.process.end();
		this.world.time.after(0, () => {
			if (this.life === life) this.crash("process");
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
				trace.event(this.name, name, term, index);
			},
		};
	}
}
