/** What the driver writes of the state: record batches as they come, and at a floor everything that it must say (rules S1 to S4). */
import { type ByteOps, marks } from "@flotilla/base";
import type { Applier } from "./applier.ts";
import type { FloorImage, ReplicaOutput } from "./replica-interface.ts";
import type { StateMachine } from "./state-machine.ts";
import { smallTableRows, tableDigest, tableRows } from "./tables.ts";

export class FloorState {
	private readonly bytes: ByteOps;
	private readonly state: StateMachine;
	private readonly applier: Applier;
	private lastBatchSeq = 0;
	private digestedChanges = -1;
	private digest = 0;

	constructor(bytes: ByteOps, state: StateMachine, applier: Applier) {
		this.bytes = bytes;
		this.state = state;
		this.applier = applier;
	}

	/** Over the rows as they are now, without those of the leases; kept until one of them changes. */
	get smallTableDigest(): number {
		if (this.digestedChanges !== this.state.tableChanges) {
			this.digest = tableDigest(this.bytes, smallTableRows(this.state));
			this.digestedChanges = this.state.tableChanges;
		}
		return this.digest;
	}

	takeBatch(output: ReplicaOutput): void {
		const batch = this.state.store.takeBatch();
		if (batch === null) return;
		this.lastBatchSeq = batch.seq;
		output.batches.push(batch);
	}

	/** Null while a compaction pass is running (rule S3), and in the middle of an entry. `output`: where records go that were not handed out yet. */
	capture(output: ReplicaOutput): FloorImage | null {
		const { applier, state } = this;
		if (applier.midway) marks.midwayNoFloor++;
		if (state.store.compactionRunning || applier.midway) return null;
		this.takeBatch(output);
		const tables = tableRows(state);
		return {
			appliedIndex: applier.appliedIndex,
			term: applier.appliedTerm,
			confState: applier.confState,
			mark: state.store.mark(),
			tables,
			tableDigest: tableDigest(this.bytes, tables),
			batchSeq: this.lastBatchSeq,
		};
	}

	/** Another store's batches are counted anew. */
	installed(): void {
		this.lastBatchSeq = 0;
	}

	written(): void {
		this.state.store.floorWritten();
	}
}
