import type { TapEventName, TapFields, TapSink } from "@flotilla/base";
import type { KeyValueStore } from "@flotilla/mvcc";
import type { LogIndex, NodeId, SnapshotRequest } from "@flotilla/raft";
import type { ReplicaMachine, TableRow } from "@flotilla/replica";
import type { Clock, OpenStore, Scheduler, SnapshotMessage, StateExport, StoreHouse } from "../ports.ts";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import type { StoreIdentity } from "./floor.ts";
import type { LiveStore } from "./live-store.ts";
import { type ReceivedStore, SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { FOR_CLIENTS, FOR_MEMBERS, StateExporter } from "./state-exporter.ts";
import type { RestoreStore } from "./store-scan.ts";

export interface SnapshotOptions {
	/** Of one part of a transfer, about. */
	readonly partBytes: number;
	/** Between two parts, at least. */
	readonly partPauseMs: number;
	/** Random 53 bits of this process life. */
	readonly incarnation: number;
}

export interface SnapshotWorld {
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	readonly stores: StoreHouse;
	readonly restore: RestoreStore;
	readonly machine: ReplicaMachine;
	readonly wal: WriteAheadLog;
	live(): LiveStore;
	send(message: SnapshotMessage): void;
	/** A turn is due. */
	schedule(): void;
	/** The members as these rows have them are in the file of addresses; else a turn comes when they are. */
	noted(index: LogIndex, rows: readonly TableRow[]): boolean;
	/** From now on records and floors go to this store. */
	goLive(store: OpenStore, identity: StoreIdentity, rows: readonly TableRow[], floorIndex: LogIndex): void;
	readonly tap: TapSink;
}

/** A generation that was replaced: it stays until the log says so durably and its last read has ended (rule N6). */
interface Former {
	readonly live: LiveStore;
	readonly keyValues: KeyValueStore;
	/** Frame of the marker; 0 until it has its number. */
	markerSeq: number;
	/** Index of the state that came in its place. */
	readonly index: LogIndex;
	marked: boolean;
}

/** Names of transfers of one process life: they leave room to count up from a random beginning. */
const FIRST_TRANSFER_MAX = 2 ** 52;

/** Both ends of transfers, and the exchange of the store between two applies. */
export class Snapshots {
	private readonly world: SnapshotWorld;
	private identity: StoreIdentity;
	private readonly sender: SnapshotSender;
	private readonly receiver: SnapshotReceiver;
	private readonly exporter: StateExporter;
	private readonly giver: StateExporter;
	private reports: Array<{ readonly peer: NodeId; readonly ok: boolean; readonly index: LogIndex }> = [];
	private formers: Former[] = [];

	constructor(options: SnapshotOptions, identity: StoreIdentity, world: SnapshotWorld) {
		this.world = world;
		this.identity = identity;
		const { clock, scheduler, stores, restore, machine } = world;
		const told = (name: TapEventName, index: LogIndex, fields: TapFields): void =>
			world.tap.emit(name, machine.status().core.term, index, fields);
		this.sender = new SnapshotSender({
			...{ identity, clock, scheduler, told, partBytes: options.partBytes, partPauseMs: options.partPauseMs },
			firstTransfer: options.incarnation % FIRST_TRANSFER_MAX,
			status: () => machine.status(),
			capture: () => machine.captureFloor(),
			store: () => world.live(),
			send: (part) => world.send(part),
			report: (peer, ok, index) => {
				this.reports.push({ peer, ok, index });
				world.schedule();
			},
			hold: (index) => world.wal.holdFrom(index),
		});
		const source = {
			identity: () => this.identity,
			capture: () => machine.captureFloor(),
			store: () => world.live(),
			logicalBytes: () => machine.store.logicalBytes,
			schedule: () => world.schedule(),
		};
		this.exporter = new StateExporter({ ...source, ...FOR_CLIENTS });
		this.giver = new StateExporter({ ...source, ...FOR_MEMBERS });
		this.receiver = new SnapshotReceiver({
			...{ clock, stores, restore, told },
			soon: (work) => scheduler.soon(work),
			identity: () => this.identity,
			status: () => machine.status(),
			installing: () => this.formers.some(({ marked }) => !marked),
			send: (ack) => world.send(ack),
			received: () => world.schedule(),
		});
	}

	/** No floor may begin now (rule N2). */
	get holdsFloors(): boolean {
		return this.sender.capturing || this.exporter.capturing || this.giver.capturing;
	}

	/** Besides the store in use. */
	get openStores(): readonly OpenStore[] {
		return [...this.receiver.openStores, ...this.formers.map(({ live }) => live.disk)];
	}

	/** For a client that saves the state; null while another one does. */
	export(): StateExport | null {
		return this.exporter.open();
	}

	/** Whole, for a member whose store is lost; null while another one fetches it. */
	give(): StateExport | null {
		return this.giver.open();
	}

	want(request: SnapshotRequest): void {
		this.sender.want(request);
	}

	receive(message: SnapshotMessage): void {
		if (message.kind === "snapshotPart") this.receiver.part(message);
		else this.sender.acknowledged(message);
	}

	/** The frame that names the new generation was handed to the log. */
	marked(seq: number): void {
		for (const former of this.formers) if (former.markerSeq === 0) former.markerSeq = seq;
	}

	/** Before an output is taken. `durableSeq`: of the log's frames. */
	deliver(durableSeq: number): void {
		for (const { peer, ok, index } of this.reports.splice(0)) this.world.machine.reportSnapshot(peer, ok, index);
		for (const former of this.formers) {
			if (former.marked || former.markerSeq === 0 || former.markerSeq > durableSeq) continue;
			former.marked = true;
			this.world.wal.cutBehind(former.index);
		}
		const { ready } = this.receiver;
		if (ready !== null && this.world.noted(ready.floor.appliedIndex, ready.rows)) this.install(ready);
	}

	/** After an output was carried out. */
	turn(): void {
		this.sender.turn();
		this.exporter.turn();
		this.giver.turn();
		this.receiver.watch();
		if (this.formers.length > 0) this.closeFormers();
	}

	private install(received: ReceivedStore): void {
		const { machine } = this.world;
		const { message, disk, floor, rows, keyValues } = received;
		const former = { live: this.world.live(), keyValues: machine.store, markerSeq: 0, index: floor.appliedIndex, marked: false };
		if (!machine.installSnapshot(message, { store: keyValues, tables: rows })) {
			// What the log has meanwhile needs no copy; what an older leader sent is asked for again by the next one.
			if (machine.status().core.commit >= floor.appliedIndex) this.receiver.taken(false);
			else this.receiver.refused();
			return;
		}
		former.live.retire();
		this.formers.push(former);
		this.identity = { ...this.identity, generation: floor.generation };
		this.world.goLive(disk, this.identity, rows, floor.appliedIndex);
		this.receiver.taken(true);
	}

	private closeFormers(): void {
		const over = this.formers.filter(({ marked, keyValues }) => marked && keyValues.openReads === 0);
		if (over.length === 0) return;
		this.formers = this.formers.filter((former) => !over.includes(former));
		// What cannot be removed now goes at the next start (rule N5).
		for (const { live } of over) live.disk.close(() => this.world.stores.remove(live.generation, () => {}));
	}
}
