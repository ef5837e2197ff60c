import { type Dice, portableBytes, silentTap } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import {
	type FloorImage,
	type LeaseCall,
	type LeaseOutcome,
	type MemberInfo,
	type MembershipCall,
	type MembershipOutcome,
	type PeerMessage,
	type ReadCall,
	type ReadOutcome,
	Replica,
	type ReplicaOptions,
	type ReplicaOutput,
	type WriteCall,
	type WriteOutcome,
} from "../../src/index.ts";
import { Disk } from "./disk.ts";
import type { Endpoint, Network } from "./network.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface MemberWorld {
	readonly time: VirtualTime;
	readonly dice: Dice;
	readonly network: Network;
	readonly options: Partial<ReplicaOptions>;
	/** After each turn, and for each record batch that a member writes. */
	observe(member: Member, output: ReplicaOutput): void;
}

const TICK_US = 10_000;
const SYNC_US_MIN = 100;
const SYNC_US_MAX = 1_500;

/** One machine: a disk that stays, and one process life after another on it. A small driver in virtual time. */
export class Member implements Endpoint {
	readonly id: NodeId;
	readonly disk: Disk;
	lives = 0;
	floors = 0;
	private readonly world: MemberWorld;
	private readonly info: MemberInfo;
	private machine: Replica | null = null;
	private turnScheduled = false;
	private inputs: Array<(machine: Replica) => void> = [];
	private floor: FloorImage | null = null;
	private storedSeq = 0;
	private storeBusyUntilUs = 0;
	/** Removed from the cluster: no life follows. */
	gone = false;
	/** A batch of records takes so much longer. */
	slowStoreUs = 0;
	/** Log writes do not end while this holds. */
	diskHeld = false;
	/** The process stands still: what arrives waits, and of the ticks that pass two are made up for. */
	private paused = false;
	private heldWork: Array<() => void> = [];

	constructor(info: MemberInfo, all: readonly MemberInfo[], world: MemberWorld) {
		this.id = info.id;
		this.info = info;
		this.world = world;
		this.disk = new Disk(all);
	}

	get alive(): boolean {
		return this.machine !== null;
	}

	get replica(): Replica {
		if (this.machine === null) throw new Error("the process is not running");
		return this.machine;
	}

	get serving(): boolean {
		return this.machine?.status().published === true;
	}

	start(): void {
		const { dice, network, options } = this.world;
		const incarnation = dice.uint53();
		const machine = new Replica(
			{
				memberId: this.id,
				clusterId: 7n,
				incarnation,
				electionTicks: 100,
				heartbeatTicks: 10,
				tickMs: 10,
				maxRequestBytes: 1_572_864,
				quotaBytes: 0,
				applyBacklogMax: 5_000,
				unstoredBytesMax: 64 << 20,
				pendingCallsMax: 10_000,
				strictReconfigCheck: true,
				maxLearners: 1,
				...options,
			},
			{ bytes: portableBytes, dice: dice.fork(`${this.id}/${incarnation}`), tap: silentTap },
			this.disk.restore(),
		);
		this.machine = machine;
		this.lives++;
		this.storedSeq = 0;
		this.storeBusyUntilUs = 0;
		network.attach(this);
		machine.publish(this.info.name, [`http://${this.info.name}`]);
		this.later(dice.range(0, TICK_US), () => this.tick());
		this.schedule();
	}

	crash(): void {
		this.machine = null;
		this.paused = false;
		this.inputs = [];
		this.heldWork = [];
		this.turnScheduled = false;
		this.floor = null;
		this.world.network.detach(this.id);
		this.disk.crash(this.world.dice);
	}

	write(call: WriteCall): void {
		this.input((machine) => machine.write(call));
	}

	read(call: ReadCall): void {
		this.input((machine) => machine.read(call));
	}

	changeMembership(call: MembershipCall): void {
		this.input((machine) => machine.changeMembership(call));
	}

	turnsAway(peer: NodeId): boolean {
		return this.machine?.removed.has(peer) === true;
	}

	turnedAway(): void {
		this.input((machine) => machine.turnedAway());
	}

	deliver(messages: readonly PeerMessage[]): void {
		this.input((machine) => {
			for (const message of messages) machine.receive(message);
		});
	}

	connected(peer: NodeId): void {
		this.input((machine) => machine.peerConnected(peer));
	}

	unreachable(peer: NodeId): void {
		this.input((machine) => machine.peerUnreachable(peer));
	}

	lost(peer: NodeId): void {
		this.input((machine) => machine.leaderConnectionLost(peer));
	}

	pause(): void {
		this.paused = true;
	}

	resume(): void {
		if (!this.paused) return;
		this.paused = false;
		// Ticks come after what waits on the streams, as in the driver.
		for (let tick = 0; tick < 2; tick++) this.input((machine) => machine.tick());
		this.schedule();
	}

	askLease(call: LeaseCall): void {
		this.input((machine) => machine.askLease(call));
	}

	holdDisk(): void {
		this.diskHeld = true;
	}

	releaseDisk(): void {
		this.diskHeld = false;
		for (const work of this.heldWork.splice(0)) work();
	}

	/** Takes a floor in the order of rule S2, unless one is under way. */
	wantFloor(): void {
		if (this.machine === null || this.floor !== null) return;
		this.floor = this.machine.captureFloor();
		this.schedule();
		this.continueFloor();
	}

	input(work: (machine: Replica) => void): void {
		if (this.machine === null) return;
		this.inputs.push(work);
		this.schedule();
	}

	private leave(): void {
		this.gone = true;
		this.crash();
	}

	/** What the transport does with those that are no contacts any more: the connection breaks, and they dial again. */
	private sayGoodbye(): void {
		for (const id of this.replica.removed) this.world.network.reset(this.id, id);
	}

	private tick(): void {
		if (!this.paused) this.input((machine) => machine.tick());
		this.later(TICK_US, () => this.tick());
	}

	private schedule(): void {
		if (this.turnScheduled || this.paused) return;
		this.turnScheduled = true;
		this.later(this.world.dice.range(5, 40), () => this.turn());
	}

	private turn(): void {
		this.turnScheduled = false;
		if (this.paused) return;
		const { replica: machine } = this;
		const inputs = this.inputs;
		this.inputs = [];
		for (const work of inputs) work(machine);
		const output = machine.drain();
		this.world.observe(this, output);
		this.carryOut(output);
	}

	private carryOut(output: ReplicaOutput): void {
		const { dice, network } = this.world;
		for (const work of output.appends) {
			this.disk.append(work);
			const { seq } = work;
			this.afterLogWrite(() => {
				const done = this.disk.acknowledge();
				network.send(done.release);
				this.input((machine) => machine.onPersisted(seq));
			});
		}
		network.send(output.send);
		for (const batch of output.batches) {
			this.storeBusyUntilUs = Math.max(this.storeBusyUntilUs, this.world.time.nowUs) + dice.range(20, 400) + this.slowStoreUs;
			this.later(this.storeBusyUntilUs - this.world.time.nowUs, () => {
				this.disk.write(batch);
				this.storedSeq = batch.seq;
				this.input((machine) => machine.onStored(batch.seq));
				this.continueFloor();
			});
		}
		for (const { peer, fromIndex, uptoIndex } of output.fetch) {
			const entries = this.disk.entries(fromIndex, uptoIndex);
			this.later(dice.range(100, 2_000), () => this.input((machine) => machine.onFetched(peer, entries)));
		}
		for (const { peer } of output.snapshots) this.later(100_000, () => this.input((machine) => machine.reportSnapshot(peer, false, 0)));
		for (const { call, outcome } of output.completions)
			(call.done as (outcome: WriteOutcome | ReadOutcome | MembershipOutcome | LeaseOutcome) => void)(outcome);
		if (output.removed) {
			this.leave();
			return;
		}
		if (output.membersChanged) this.sayGoodbye();
		if (output.moreWork) this.schedule();
	}

	/** Frames end in their order, each some time after the one before. */
	private logBusyUntilUs = 0;
	private afterLogWrite(work: () => void): void {
		const { dice, time } = this.world;
		this.logBusyUntilUs = Math.max(this.logBusyUntilUs, time.nowUs + dice.range(SYNC_US_MIN, SYNC_US_MAX));
		this.later(this.logBusyUntilUs - time.nowUs, () => {
			if (this.diskHeld) this.heldWork.push(work);
			else work();
		});
	}

	private continueFloor(): void {
		const image = this.floor;
		if (image === null || this.storedSeq < image.batchSeq) return;
		this.disk.barrier();
		this.later(this.world.dice.range(500, 3_000), () => {
			if (this.floor !== image) return;
			this.floor = null;
			this.floors++;
			this.disk.writeFloor(image);
			this.input((machine) => machine.floorWritten(image));
		});
	}

	/** Belongs to this process life: a crash calls it off. */
	private later(delayUs: number, work: () => void): void {
		const { machine } = this;
		this.world.time.after(delayUs, () => {
			if (machine !== null && this.machine === machine) work();
		});
	}
}
