/**
 * The state of another member, taken part by part into a store generation of its own before the core of this one starts (rule
 * S6). Everything is verified as in a transfer (rule N3): each section, each record, their count and sums, the table rows; then
 * records, floor and the name of the folder are made durable, in this order. Until format file or log name that generation it
 * means nothing, and a start deletes it (rule N5).
 */
import { portableBytes } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { type TableRow, tableDigest } from "@flotilla/replica";
import type { OpenStore, Seeker, StateExport } from "../ports.ts";
import { decodeFloor, encodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import { makeStore } from "./open-stores.ts";
import { ask, ioRefusal, type OtherMember, store as onStore, refuse, type Steps } from "./recovery-steps.ts";
import { DATA_DIR_DONE, MEMBER_REMOVED } from "./refusal.ts";
import { decodeRecords, decodeRows } from "./snapshot-codec.ts";
import { IMAGE_HEAD_BYTES, imageHeadFault, readImageEnd, readSections, type Section, SectionKind } from "./snapshot-image.ts";
import { FINISH_SLICE, type RestoreStore, type StoreState } from "./store-scan.ts";

/** The generations that a start has opened or made; it closes what is held when it is refused. */
export interface StoreRoom {
	readonly held: OpenStore[];
	/** Highest number that was given to any. */
	last: number;
}

export interface NewStore {
	readonly generation: string;
	readonly disk: OpenStore;
}

export interface FetchOptions {
	readonly seeker: Seeker;
	readonly room: StoreRoom;
	readonly restore: RestoreStore;
	/** Null, or why a state that ends so is of no use here. */
	judge(floor: FloorRecord): string | null;
}

export interface Fetched {
	readonly from: NodeId;
	readonly disk: OpenStore;
	readonly state: StoreState;
}

/** In words why there is none; nothing of it stays then. Ends the start where this member was removed. */
export function* fetchState(giver: OtherMember, options: FetchOptions): Steps<Fetched | string> {
	const { opening } = yield* ask({ on: "askState", seeker: options.seeker, giver });
	if (!opening.ok) {
		if (opening.removed) throw removedMeanwhile(giver);
		return opening.reason;
	}
	const taken = yield* new Intake(opening.state, options).whole();
	yield* ask({ on: "closeState", state: opening.state });
	return typeof taken === "string" ? taken : { ...taken, from: giver.id };
}

/** It says so only of a change that is settled. It is not noted: the next start hears it again. */
function removedMeanwhile({ id }: OtherMember) {
	return refuse("removed", {
		what: MEMBER_REMOVED,
		where: "the cluster",
		found: `member ${id.toString(16)} says so`,
		wanted: "a member of the cluster",
		next: DATA_DIR_DONE,
	});
}

/** One state on its way in. */
class Intake {
	private readonly source: StateExport;
	private readonly options: FetchOptions;
	private rowsTaken = 0;
	private recordsTaken = 0;
	private readonly rows: TableRow[] = [];

	constructor(source: StateExport, options: FetchOptions) {
		this.source = source;
		this.options = options;
	}

	*whole(): Steps<Omit<Fetched, "from"> | string> {
		const floor = yield* this.head();
		if (typeof floor === "string") return floor;
		const made = yield* makeNext(this.options.room);
		const state = yield* this.fill(made, floor);
		if (typeof state !== "string") return { disk: made.disk, state };
		yield* drop(this.options.room, made);
		return state;
	}

	private *head(): Steps<FloorRecord | string> {
		const bytes = yield* this.part();
		if (typeof bytes === "string") return bytes;
		const fault = imageHeadFault(bytes);
		if (fault !== null) return `what it sends ${fault}`;
		const [section, ...rest] = readSections(bytes.subarray(IMAGE_HEAD_BYTES)) ?? [];
		const decoding = section?.kind === SectionKind.head && rest.length === 0 ? decodeFloor(section.data) : null;
		if (decoding?.ok !== true) return "the head of its state cannot be understood";
		const { floor } = decoding;
		return this.options.judge(floor) ?? floor;
	}

	private *fill({ generation, disk }: NewStore, floor: FloorRecord): Steps<StoreState | string> {
		const restoring = this.options.restore(floor.mark, disk);
		for (let seq = 1; ; seq++) {
			const part = yield* this.part();
			if (typeof part === "string") return part;
			const sections = readSections(part);
			if (sections === null) return "a part of its state was damaged on the way";
			let ended = false;
			for (const section of sections) {
				if (ended) return "its state goes on behind its end";
				if (section.kind === SectionKind.end) ended = true;
				const problem = yield* this.section(section, { generation, disk }, restoring, seq);
				if (problem !== null) return problem;
			}
			if (ended) break;
		}
		const digest = tableDigest(portableBytes, this.rows);
		if (digest !== floor.tableDigest) return "its table rows do not add up";
		const finishing = restoring.finish();
		while (!finishing.step(FINISH_SLICE)) yield* ask({ on: "pause" });
		const restored = finishing.result();
		if (!restored.ok) return restored.reason;
		const own: FloorRecord = { ...floor, memberId: this.options.seeker.memberId, generation };
		yield* makeDurable({ generation, disk }, own, this.rows);
		return { floor: own, rows: this.rows, keyValues: restored.store, records: this.recordsTaken };
	}

	/** Null, or what is wrong with it. */
	private *section(
		{ kind, data }: Section,
		{ generation, disk }: NewStore,
		restoring: ReturnType<RestoreStore>,
		seq: number,
	): Steps<string | null> {
		if (kind === SectionKind.end) {
			const counts = readImageEnd(data);
			const whole = counts?.rows === this.rowsTaken && counts.records === this.recordsTaken;
			return whole ? null : `its end counts ${counts?.rows} rows and ${counts?.records} records`;
		}
		if (kind === SectionKind.rows && this.recordsTaken === 0) {
			const rows = decodeRows(data);
			if (rows === null) return "its table rows cannot be understood";
			// They stay, and would keep the whole part.
			for (const { key, value } of rows) this.rows.push({ key, value: value.slice() });
			this.rowsTaken += rows.length;
			return null;
		}
		const records = kind === SectionKind.records ? decodeRecords(data) : null;
		if (records === null) return "a part of its state cannot be understood";
		for (const { key, value } of records) {
			const problem = restoring.record(key, value);
			if (problem !== null) return problem;
		}
		this.recordsTaken += records.length;
		yield* onStore(disk, generation, { kind: "batch", batch: { seq, puts: records, deletes: [], bytes: data.length } });
		return null;
	}

	private *part(): Steps<Uint8Array | string> {
		const { part } = yield* ask({ on: "readState", state: this.source });
		return part.kind === "failed" ? part.reason : part.bytes;
	}
}

function* makeDurable({ generation, disk }: NewStore, floor: FloorRecord, rows: readonly TableRow[]): Steps<void> {
	yield* onStore(disk, generation, { kind: "barrier" });
	yield* onStore(disk, generation, { kind: "floor", rows: [...rows, { key: FLOOR_ROW, value: encodeFloor(floor) }] });
	const { error } = yield* ask({ on: "syncStores" });
	if (error !== null) throw ioRefusal("syncing the folder of the stores", "the member's folder", error);
}

function* makeNext(room: StoreRoom): Steps<NewStore> {
	const generation = String(++room.last);
	const disk = yield* makeStore(generation);
	room.held.push(disk);
	return { generation, disk };
}

/** What cannot be removed now goes at the next start. */
function* drop(room: StoreRoom, { generation, disk }: NewStore): Steps<void> {
	room.held.splice(room.held.indexOf(disk), 1);
	yield* ask({ on: "closeStore", store: disk });
	yield* ask({ on: "removeStore", generation });
}
