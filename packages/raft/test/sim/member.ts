import type { Dice, TapSink } from "@flotilla/base";
import type { AppendWork, Entry, FetchRequest, LogIndex, NodeId, RaftConfig, SnapshotMeta } from "../../src/index.ts";
import { RaftCore } from "../../src/index.ts";
import { type LogImage, SimDisk } from "./disk.ts";
import type { MachineState } from "./machine.ts";
import { Machine } from "./machine.ts";

/** One process and its disk. */
export class SimMember {
	readonly id: NodeId;
	readonly disk: SimDisk;
	readonly machine: Machine;
	core: RaftCore;
	up = true;
	/** Handed to the disk, not yet acknowledged. */
	outstanding: AppendWork[] = [];
	/** Handed out for apply, not yet applied. */
	applyQueue: Entry[] = [];
	fetches: FetchRequest[] = [];
	/** A snapshot whose marker is durable and whose state is not yet swapped in. */
	restoring: SnapshotMeta | null = null;
	private lives = 0;

	constructor(config: RaftConfig, image: LogImage, dice: Dice, tap: TapSink) {
		this.id = config.id;
		const { base } = image;
		this.disk = new SimDisk(image);
		this.machine = new Machine({ index: base.index, term: base.term, digest: 0, conf: base.confState });
		this.core = new RaftCore(config, this.disk.restored(base.index), dice, tap);
	}

	/** A new process life on what the disk has kept. `applied` is what the state machine kept by itself. */
	start(config: RaftConfig, applied: LogIndex, dice: Dice, tap: TapSink): void {
		this.lives++;
		this.machine.restore(this.machine.at(applied));
		this.outstanding = [];
		this.applyQueue = [];
		this.fetches = [];
		this.restoring = null;
		this.core = new RaftCore({ ...config, incarnation: this.lives }, this.disk.restored(applied), dice, tap);
		this.up = true;
	}

	/** The state of a snapshot arrived whole; it counts only when its marker is in the log. */
	receiveState(state: MachineState): void {
		const { state: current } = this.machine;
		this.machine.restore(state);
		this.machine.restore(current);
	}
}
