/** A log on a simulated disk, driven step by step, and a model of what it must hold. */
import { Dice, portableBytes } from "@flotilla/base";
import { type AppendWork, Entry, type HardState, type LogIndex, type SnapshotMeta } from "@flotilla/raft";
import { SimDisk } from "../../src/disk/memory-disk.ts";
import { LogFolder, type LogOpening } from "../../src/wal/log-folder.ts";
import type { SegmentedLog } from "../../src/wal/segmented-log.ts";
import type { RecoveredLog, WalIdentity, WalOptions } from "../../src/wal/wal-interface.ts";

export const IDENTITY: WalIdentity = { clusterId: 0xc1n, memberId: 0xa1n, walId: 0x1234_5678_9abc_def0n };
export const SMALL: WalOptions = { folder: "wal", segmentBytes: 4096, depth: 2, keepEntries: 0, keepBytesMax: 0 };
export const BASE: SnapshotMeta = {
	index: 1,
	term: 1,
	confState: { voters: [0xa1n, 0xa2n, 0xa3n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
	generation: "",
};
export const FIRST_STATE: HardState = { term: 1, vote: 0n, commit: 1 };

/** Work of the simulated disk that was not done yet; any of it may be next. */
export class Steps {
	readonly waiting: Array<() => void> = [];
	taken = 0;
	readonly schedule = (work: () => void): void => void this.waiting.push(work);

	/** Does one step, of the dice's choice. False when none is left. */
	one(dice?: Dice): boolean {
		if (this.waiting.length === 0) return false;
		const at = dice === undefined ? 0 : dice.range(0, this.waiting.length - 1);
		const [work] = this.waiting.splice(at, 1);
		this.taken++;
		work?.();
		return true;
	}

	all(dice?: Dice, stepsMax = 100_000): void {
		for (let i = 0; i < stepsMax; i++) if (!this.one(dice)) return;
		throw new Error(`the disk is not done after ${stepsMax} steps`);
	}
}

export class LogUnderTest {
	readonly steps: Steps;
	readonly disk: SimDisk;
	readonly options: WalOptions;
	readonly folder: LogFolder;
	opening: LogOpening | null = null;
	durableSeq = 0;
	failure: string | null = null;
	cutTo = 0;
	framesSynced = 0;

	constructor(disk: SimDisk, steps: Steps, options: WalOptions = SMALL) {
		this.disk = disk;
		this.steps = steps;
		this.options = options;
		this.folder = new LogFolder(options, {
			bytes: portableBytes,
			events: {
				durable: (seq) => {
					if (seq <= this.durableSeq) throw new Error(`durable(${seq}) after durable(${this.durableSeq})`);
					this.durableSeq = seq;
				},
				failed: (reason) => {
					if (this.failure !== null) throw new Error("failed twice");
					this.failure = reason;
				},
				cut: (firstIndex) => {
					this.cutTo = firstIndex;
				},
				emit: (op) => disk.submit(op),
				synced: (frames) => {
					this.framesSynced += frames;
				},
			},
		});
		disk.onCompletion = (completion) => this.folder.complete(completion);
	}

	create(): this {
		this.folder.create(IDENTITY, FIRST_STATE, BASE, (opening) => {
			this.opening = opening;
		});
		return this;
	}

	recover(): this {
		this.folder.recover((opening) => {
			this.opening = opening;
		});
		return this;
	}

	get wal(): SegmentedLog {
		if (this.opening === null || !this.opening.ok) throw new Error(`the log is not open: ${this.refusal}`);
		return this.opening.wal;
	}

	get recovered(): RecoveredLog {
		if (this.opening === null || !this.opening.ok) throw new Error(`the log is not open: ${this.refusal}`);
		return this.opening.recovered;
	}

	get refusal(): string {
		return this.opening === null
			? "(still opening)"
			: this.opening.ok
				? "(open)"
				: `${this.opening.refusal.code}: ${this.opening.refusal.text}`;
	}

	append(work: AppendWork): void {
		this.wal.append(work);
		this.wal.flush();
	}

	/** Every entry that can be read, in order. */
	readAll(dice?: Dice): Entry[] {
		const entries: Entry[] = [];
		for (let next = this.wal.firstIndex; ; ) {
			let read: readonly Entry[] | null = null;
			this.wal.read(next, Number.MAX_SAFE_INTEGER, 2_000, (found) => {
				read = found;
			});
			this.steps.all(dice);
			if (this.failure !== null) throw new Error(this.failure);
			const found = (read ?? []) as readonly Entry[];
			if (found.length === 0) return entries;
			entries.push(...found);
			next += found.length;
		}
	}

	close(dice?: Dice): void {
		let closed = false;
		this.wal.close(() => {
			closed = true;
		});
		this.steps.all(dice);
		if (!closed) throw new Error("the log did not close");
	}
}

/** A new log on a new disk, open, with nothing under way. */
export function newLog(options: WalOptions = SMALL, seed: number | string = 1): LogUnderTest {
	const steps = new Steps();
	const disk = new SimDisk({ schedule: steps.schedule, dice: new Dice(seed) });
	const log = new LogUnderTest(disk, steps, options).create();
	steps.all();
	return log;
}

/** The next process on what a disk holds. */
export function reopened(disk: SimDisk, options: WalOptions = SMALL, dice?: Dice): LogUnderTest {
	const steps = new Steps();
	const log = new LogUnderTest(disk.copy({ schedule: steps.schedule }), steps, options).recover();
	steps.all(dice);
	return log;
}

/** What a log must hold after the work with this seq. */
export interface ModelState {
	readonly hardState: HardState;
	/** Commit of the newest work that a frame carries. */
	readonly framedCommit: LogIndex;
	readonly snapshot: SnapshotMeta;
	/** Entries after the snapshot. */
	readonly entries: readonly Entry[];
}

/** Draws work as a member would hand it over, and remembers the state after each. */
export class Model {
	readonly states: ModelState[] = [{ hardState: FIRST_STATE, framedCommit: 1, snapshot: BASE, entries: [] }];
	private readonly dice: Dice;
	private readonly dataBytesMax: number;
	private seqBase = 0;

	constructor(dice: Dice, dataBytesMax = 120) {
		this.dice = dice;
		this.dataBytesMax = dataBytesMax;
	}

	get last(): ModelState {
		return this.states[this.states.length - 1] as ModelState;
	}

	get lastIndex(): LogIndex {
		return this.last.snapshot.index + this.last.entries.length;
	}

	/** Another process life goes on from this state; its work is numbered from 1 again. */
	restart(state: ModelState): void {
		this.states.push(state);
		this.seqBase = this.states.length - 1;
	}

	/** State after the work with this seq of the process life under way. */
	at(seq: number): ModelState {
		return this.states[this.seqBase + seq] as ModelState;
	}

	get lastSeq(): number {
		return this.states.length - 1 - this.seqBase;
	}

	next(): AppendWork {
		const kind = this.dice.range(0, 19);
		if (kind === 0) return this.newTerm();
		if (kind === 1 && this.last.entries.length > 3) return this.replaceTail();
		if (kind === 2) return this.commitOnly();
		if (kind === 3) return this.push({ hardState: null }, this.last);
		if (kind === 4 && this.dice.chance(1, 3)) return this.install();
		return this.appendSome();
	}

	appendSome(): AppendWork {
		const { hardState, entries } = this.last;
		const added = this.draw(this.lastIndex + 1, this.dice.range(1, 4), hardState.term);
		return this.push({ entries: added }, { ...this.last, hardState: this.commitUpto(this.lastIndex), entries: [...entries, ...added] });
	}

	private newTerm(): AppendWork {
		const { hardState } = this.last;
		const next = { ...hardState, term: hardState.term + 1, vote: this.dice.pick([0n, 0xa1n, 0xa2n]) };
		return this.push({ mustSync: true }, { ...this.last, hardState: next });
	}

	private commitOnly(): AppendWork {
		return this.push({ mustSync: false }, { ...this.last, hardState: this.commitUpto(this.lastIndex) });
	}

	private replaceTail(): AppendWork {
		const { hardState, entries, snapshot } = this.last;
		const from = this.dice.range(Math.max(hardState.commit, snapshot.index) + 1, this.lastIndex + 1);
		if (from > this.lastIndex) return this.appendSome();
		const term = hardState.term + 1;
		const kept = entries.slice(0, from - snapshot.index - 1);
		const added = this.draw(from, this.dice.range(0, 3), term);
		const next = { ...hardState, term, vote: 0n };
		return this.push({ truncateFrom: from, entries: added }, { ...this.last, hardState: next, entries: [...kept, ...added] });
	}

	private install(): AppendWork {
		const { hardState } = this.last;
		const index = this.lastIndex + this.dice.range(1, 50);
		const snapshot = { ...BASE, index, term: hardState.term, generation: String(index) };
		return this.push({ snapshot }, { ...this.last, hardState: { ...hardState, commit: index }, snapshot, entries: [] });
	}

	private commitUpto(index: LogIndex): HardState {
		const { hardState } = this.last;
		return { ...hardState, commit: this.dice.range(hardState.commit, Math.max(hardState.commit, index)) };
	}

	private draw(fromIndex: LogIndex, count: number, term: number): Entry[] {
		return Array.from({ length: count }, (_, i) => {
			const data = new Uint8Array(this.dice.range(0, this.dataBytesMax));
			for (let at = 0; at < data.length; at++) data[at] = this.dice.range(0, 255);
			return new Entry(fromIndex + i, term, this.dice.chance(1, 10) ? 1 : 0, data);
		});
	}

	private push(part: Partial<AppendWork>, after: Omit<ModelState, "framedCommit">): AppendWork {
		const framed = part.hardState !== null && part.mustSync !== false;
		this.states.push({ ...after, framedCommit: framed ? after.hardState.commit : this.last.framedCommit });
		return {
			seq: this.lastSeq,
			hardState: after.hardState,
			truncateFrom: 0,
			entries: [],
			snapshot: null,
			mustSync: true,
			release: [],
			...part,
		};
	}
}

/** The seq whose state the recovered log holds, or why it holds none from `durableSeq` on. Later votes may have survived alone. */
export function matchingSeq(model: Model, durableSeq: number, recovered: RecoveredLog, entries: readonly Entry[]): number | string {
	const problems: string[] = [];
	for (let seq = model.lastSeq; seq >= durableSeq; seq--) {
		const problem = compare(model, seq, recovered, entries);
		if (problem === null) return seq;
		problems.push(`${seq}: ${problem}`);
	}
	return `durable up to ${durableSeq}, handed over up to ${model.lastSeq}; ${problems.slice(0, 8).join("; ")}`;
}

function compare(model: Model, seq: number, recovered: RecoveredLog, entries: readonly Entry[]): string | null {
	const { hardState, framedCommit, snapshot, entries: wanted } = model.at(seq);
	if (recovered.snapshot.index !== snapshot.index || recovered.snapshot.generation !== snapshot.generation) return "another snapshot";
	if (recovered.lastIndex !== snapshot.index + wanted.length)
		return `last index ${recovered.lastIndex}, not ${snapshot.index + wanted.length}`;
	const skipped = recovered.firstIndex - snapshot.index - 1;
	if (skipped < 0) return `first index ${recovered.firstIndex} before the snapshot`;
	if (entries.length !== Math.max(0, wanted.length - skipped)) return `${entries.length} entries read`;
	for (const [at, entry] of entries.entries()) {
		const other = wanted[at + skipped];
		if (other === undefined || entry.index !== other.index || entry.term !== other.term || entry.kind !== other.kind)
			return `entry ${entry.index}`;
		if (portableBytes.compare(entry.data, other.data) !== 0) return `data of entry ${entry.index}`;
	}
	const lastTerm = wanted.at(-1)?.term ?? snapshot.term;
	if (recovered.lastTerm !== lastTerm) return `last term ${recovered.lastTerm}, not ${lastTerm}`;
	const { commit } = recovered.hardState;
	if (commit < framedCommit || commit > hardState.commit) return `commit ${commit}, not from ${framedCommit} to ${hardState.commit}`;
	for (let later = seq; later <= model.lastSeq; later++) {
		const state = model.at(later).hardState;
		if (state.term === recovered.hardState.term && state.vote === recovered.hardState.vote) return null;
	}
	return `term ${recovered.hardState.term}, vote ${recovered.hardState.vote}`;
}
