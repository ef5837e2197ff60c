import { portableBytes } from "@flotilla/base";
import { decodeRecordKey, LEASE_ROWS } from "@flotilla/mvcc";
import { type FloorImage, type TableRow, tableDigest } from "@flotilla/replica";
import type { StateExport, StatePart, ViewName } from "../ports.ts";
import { floorOf, type StoreIdentity } from "./floor.ts";
import type { LiveStore } from "./live-store.ts";
import { rowsEnd } from "./snapshot-codec.ts";
import { ImageWriter } from "./snapshot-image.ts";

/** For whom a state is handed out. */
interface Purpose {
	/** The name of its views. */
	readonly view: ViewName;
	/** Whether a table row is part of it. */
	readonly takes: (key: string) => boolean;
}

/** Nothing of the cluster's members: who restores it makes another cluster. */
export const FOR_CLIENTS: Purpose = { view: "export", takes: (key) => key.startsWith("auth/") || key.startsWith(`${LEASE_ROWS}/`) };
/** Whole, for a member that has lost its own. */
export const FOR_MEMBERS: Purpose = { view: "fetch", takes: () => true };

export interface StateExporterOwner extends Purpose {
	identity(): StoreIdentity;
	/** The state as it is now, or null while it cannot be said (rule S3). */
	capture(): FloorImage | null;
	store(): LiveStore;
	/** Keys and values that the store holds, for an estimate. */
	logicalBytes(): number;
	/** A turn is due. */
	schedule(): void;
}

type Stage = "waiting" | "batches" | "opening" | "sending" | "failed" | "ended" | "closed";

const PART_BYTES = 256 << 10;
/** What a record costs besides key and value, about: place, lengths, numbers, checksum. */
const RECORD_OVERHEAD_BYTES = 48;

/**
 * Hands out the state of one moment, as the image of a file: captured in one turn, read from a view of the live store, part by
 * part as they are asked for (rules N1, N2). One at a time; a transfer to a member has a view of its own and is not disturbed.
 * Nothing of the log is held: an image is whole without it. A part holds whole sections.
 */
export class StateExporter {
	private readonly owner: StateExporterOwner;
	private running: OneExport | null = null;

	constructor(owner: StateExporterOwner) {
		this.owner = owner;
	}

	/** No floor may begin: what it lets go might be part of the state that was captured (rule N2). */
	get capturing(): boolean {
		return this.running?.capturing ?? false;
	}

	/** Null while another one runs. */
	open(): StateExport | null {
		if (this.running !== null) return null;
		this.running = new OneExport(this.owner, () => {
			this.running = null;
		});
		this.owner.schedule();
		return this.running;
	}

	/** Once a turn. */
	turn(): void {
		this.running?.turn();
	}
}

class OneExport implements StateExport {
	private readonly owner: StateExporterOwner;
	private readonly over: () => void;
	private readonly image = new ImageWriter();
	private stage: Stage = "waiting";
	private state: FloorImage | null = null;
	private store: LiveStore | null = null;
	private rows: readonly TableRow[] = [];
	private rowsSent = 0;
	private headSent = false;
	private allRead = false;
	private bytesAbout = 0;
	private viewed = false;
	private reading = false;
	private problem = "";
	private wanted: ((part: StatePart) => void) | null = null;

	constructor(owner: StateExporterOwner, over: () => void) {
		this.owner = owner;
		this.over = over;
	}

	get capturing(): boolean {
		return this.stage === "batches" || this.stage === "opening";
	}

	turn(): void {
		if (this.stage === "waiting") this.capture();
		if (this.stage === "batches") this.openView();
		else if (this.stage === "sending" && this.wanted !== null && !this.reading) this.produce();
		else if (this.stage === "failed" && this.wanted !== null) this.fail(this.problem);
	}

	next(done: (part: StatePart) => void): void {
		this.wanted = done;
		this.owner.schedule();
	}

	close(): void {
		if (this.stage === "closed") return;
		this.stage = "closed";
		this.wanted = null;
		const { store } = this;
		if (store !== null && this.viewed) store.view({ kind: "closeView", view: this.owner.view }, () => this.over());
		else this.over();
	}

	/** Nothing local to a member is in it. */
	private capture(): void {
		const state = this.owner.capture();
		if (state === null) return;
		this.state = state;
		this.store = this.owner.store();
		this.rows = state.tables.filter(({ key }) => this.owner.takes(key));
		const rowBytes = this.rows.reduce((sum, { key, value }) => sum + key.length + value.length + 6, 0);
		this.bytesAbout = this.owner.logicalBytes() + state.mark.count * RECORD_OVERHEAD_BYTES + rowBytes;
		this.stage = "batches";
	}

	private openView(): void {
		const { state, store } = this;
		if (state === null || store === null) return;
		if (store !== this.owner.store()) {
			this.fail();
			return;
		}
		if (store.storedSeq < state.batchSeq) return;
		this.stage = "opening";
		this.viewed = true;
		store.view({ kind: "openView", view: this.owner.view }, ({ error }) => {
			if (this.stage !== "opening") return;
			this.stage = "sending";
			if (error !== null) this.fail(error);
			else this.owner.schedule();
		});
	}

	private produce(): void {
		const { state, store } = this;
		if (state === null || store === null) return;
		if (store !== this.owner.store()) this.fail();
		else if (!this.headSent) {
			this.headSent = true;
			const floor = { ...floorOf(this.owner.identity(), state), tableDigest: tableDigest(portableBytes, this.rows) };
			this.hand(this.image.head(floor));
		} else if (this.rowsSent < this.rows.length) {
			const from = this.rowsSent;
			this.rowsSent = rowsEnd(this.rows, from, PART_BYTES);
			this.hand(this.image.rows(this.rows.slice(from, this.rowsSent)));
		} else if (this.allRead) {
			this.stage = "ended";
			this.hand(this.image.end(), true);
		} else this.read(store, state.mark.revision);
	}

	private read(store: LiveStore, revisionMax: number): void {
		this.reading = true;
		store.view({ kind: "readView", view: this.owner.view, bytesMax: PART_BYTES }, ({ error, records }) => {
			this.reading = false;
			if (this.stage !== "sending") return;
			if (error !== null || records === null) {
				this.fail(error ?? "nothing was read");
				return;
			}
			const kept = records.filter(({ key }) => (decodeRecordKey(key)?.main ?? 0) <= revisionMax);
			this.allRead = records.length === 0 || kept.length < records.length;
			if (kept.length > 0) this.hand(this.image.records(kept));
			else this.owner.schedule();
		});
	}

	private hand(bytes: Uint8Array, last = false): void {
		const { wanted } = this;
		this.wanted = null;
		wanted?.({ kind: "bytes", bytes, last, bytesLeft: last ? 0 : Math.max(1, this.bytesAbout - this.image.bytes) });
	}

	/** Told to whoever asks for the next part: now, or when it does. */
	private fail(reason = "the state was replaced by the leader's meanwhile"): void {
		this.stage = "failed";
		this.problem = reason;
		const { wanted } = this;
		this.wanted = null;
		wanted?.({ kind: "failed", reason });
	}
}
