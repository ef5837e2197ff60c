/**
 * A disk in memory for tests and the simulator. It promises as little as a real one: what was not synced is lost in any part,
 * writes under way are torn at sectors, names are durable only when their folder was synced, and a failed write may or may not
 * have happened. Everything by seeded dice, so a run is repeated from its seed.
 */
import { assert, type Dice, unreachable } from "@flotilla/base";
import type { FileCompletion, FileDisk, FileOp } from "./file-ops.ts";
import { folderOf, MemoryFile, type NameChange, SECTOR_BYTES } from "./memory-file.ts";

/** `power`: the page cache is gone. `process`: what reached the page cache stays readable, as after kill -9. */
export type DiskCrash = "power" | "process";

export interface SimDiskOptions {
	/** Runs its argument once, later: an operation takes effect, and is reported, in that step. */
	readonly schedule: (work: () => void, extraMs: number) => void;
	readonly dice: Dice;
	/** Bytes of all files together; ENOSPC beyond. */
	readonly capacityBytes?: number;
}

/** Fails the `count` matching operations after `skip` others. */
export interface DiskFault {
	readonly kinds: ReadonlyArray<FileOp["kind"]>;
	readonly error: string;
	skip: number;
	count: number;
}

interface Content {
	/** What the process sees. */
	readonly names: Map<string, MemoryFile>;
	readonly folders: Set<string>;
	/** What a power loss leaves. */
	readonly durableNames: Map<string, MemoryFile>;
	readonly durableFolders: Set<string>;
	/** Changes of names that no folder sync has covered, oldest first. */
	changes: NameChange[];
}

export class SimDisk implements FileDisk {
	onCompletion: (completion: FileCompletion) => void = () => {};
	/** Every operation as it takes effect, for a test that counts them. */
	onEffect: (op: FileOp) => void = () => {};
	private readonly options: SimDiskOptions;
	private readonly content: Content;
	private readonly underWay = new Set<FileOp>();
	private faults: DiskFault[] = [];
	private extraMs = 0;
	private capacityBytes: number;
	private dead = false;

	constructor(options: SimDiskOptions, content: Content = emptyContent()) {
		this.options = options;
		this.content = content;
		this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
	}

	submit(op: FileOp): void {
		assert(!this.dead, "a crashed disk takes no operation");
		if (op.kind === "write") {
			for (const other of this.underWay) {
				assert(other.kind !== "write" || other.path !== op.path || other.lane !== op.lane, "a lane carries one write at a time");
			}
		}
		this.underWay.add(op);
		this.options.schedule(() => this.step(op), this.extraMs);
	}

	// ---- faults

	/** Every operation takes so much longer, until `mend`. */
	slow(extraMs: number): void {
		this.extraMs = extraMs;
	}

	/** The next write returns EIO. Part of it may be on the disk, and all of it in the page cache. */
	failNextWrite(): void {
		this.fail(["write"], "EIO");
	}

	fail(kinds: ReadonlyArray<FileOp["kind"]>, error: string, skip = 0, count = 1): void {
		this.faults.push({ kinds, error, skip, count });
	}

	mend(): void {
		this.extraMs = 0;
		this.faults = [];
	}

	/** From now on the files may have so many bytes together; what is there already stays. */
	limit(capacityBytes: number): void {
		this.capacityBytes = capacityBytes;
	}

	get usedBytes(): number {
		let used = 0;
		for (const file of new Set(this.content.names.values())) used += file.cache.length;
		return used;
	}

	/** Inverts one bit on the medium. */
	flip(path: string, offset: number, bit: number): void {
		this.file(path).flip(offset, bit);
	}

	/** A sector that was written to another place of its file; `also`: to its own place as well. */
	misplace(path: string, from: number, to: number, also: boolean): void {
		const file = this.file(path);
		const sector = file.media.slice(from, from + SECTOR_BYTES);
		if (!also) file.misplace(from, new Uint8Array(sector.length));
		file.misplace(to, sector.subarray(0, file.media.length - to));
	}

	// ---- what a test or an examiner looks at

	paths(): string[] {
		return [...this.content.names.keys()].sort();
	}

	/** A copy of what the process sees. */
	bytesOf(path: string): Uint8Array {
		return this.file(path).cache.slice();
	}

	/** Puts bytes on the medium, past every rule. */
	overwrite(path: string, data: Uint8Array): void {
		const file = new MemoryFile(data.slice());
		this.content.names.set(path, file);
		this.content.durableNames.set(path, file);
	}

	/** Removes a file from the medium, past every rule. */
	erase(path: string): void {
		this.content.names.delete(path);
		this.content.durableNames.delete(path);
	}

	get operationsUnderWay(): number {
		return this.underWay.size;
	}

	// ---- ends of a process

	/** Ends this disk and returns what the next process finds. */
	crash(kind: DiskCrash, options: Partial<SimDiskOptions> = {}): SimDisk {
		this.dead = true;
		const next = { ...this.options, ...options };
		const { dice } = next;
		for (const op of this.underWay) this.tear(op, dice);
		const { content } = this;
		if (kind === "process") return new SimDisk(next, content);
		const folders = new Set(content.durableFolders);
		const names = new Map(content.durableNames);
		for (const change of content.changes) if (dice.chance(1, 2)) applyChange(names, folders, change);
		for (const path of names.keys()) if (!folders.has(folderOf(path))) names.delete(path);
		const files = new Map<MemoryFile, MemoryFile>();
		for (const [path, file] of names) {
			const kept = files.get(file) ?? new MemoryFile(file.media.slice());
			files.set(file, kept);
			names.set(path, kept);
		}
		return new SimDisk(next, { names, folders, durableNames: new Map(names), durableFolders: new Set(folders), changes: [] });
	}

	/** A copy to damage or to crash in several ways. Nothing may be under way. */
	copy(options: Partial<SimDiskOptions> = {}): SimDisk {
		assert(this.underWay.size === 0, "a disk is copied when nothing is under way");
		const { names, folders, durableNames, durableFolders, changes } = this.content;
		const files = new Map<MemoryFile, MemoryFile>();
		const copied = (file: MemoryFile): MemoryFile => {
			const known = files.get(file) ?? new MemoryFile(file.media.slice(), file.cache.slice());
			files.set(file, known);
			return known;
		};
		const copyNames = (from: ReadonlyMap<string, MemoryFile>) => new Map([...from].map(([path, file]) => [path, copied(file)]));
		const copiedChanges = changes.map(
			(change): NameChange => (change.link === null ? change : { ...change, link: { ...change.link, file: copied(change.link.file) } }),
		);
		return new SimDisk(
			{ ...this.options, ...options },
			{
				names: copyNames(names),
				folders: new Set(folders),
				durableNames: copyNames(durableNames),
				durableFolders: new Set(durableFolders),
				changes: copiedChanges,
			},
		);
	}

	// ---- operations

	private step(op: FileOp): void {
		if (this.dead) return;
		this.underWay.delete(op);
		const error = this.takeFault(op);
		const completion = error === null ? this.carryOut(op) : this.failed(op, error);
		this.onEffect(op);
		// Whoever watches may end the process between the effect and its report.
		if (!this.dead) this.onCompletion(completion);
	}

	private takeFault(op: FileOp): string | null {
		for (const fault of this.faults) {
			if (fault.count === 0 || !fault.kinds.includes(op.kind)) continue;
			if (fault.skip > 0) {
				fault.skip--;
				continue;
			}
			fault.count--;
			return fault.error;
		}
		return null;
	}

	private failed(op: FileOp, error: string): FileCompletion {
		if (op.kind === "write") {
			const file = this.content.names.get(op.path);
			// The page cache shows it and calls it clean; the medium has any part of it.
			file?.writeCache(op.offset, op.data);
			file?.tearMedia(op.offset, op.data, this.options.dice);
		}
		return completionOf(op, error);
	}

	private carryOut(op: FileOp): FileCompletion {
		const { names, folders } = this.content;
		switch (op.kind) {
			case "create":
				if (names.has(op.path)) return completionOf(op, "EEXIST");
				if (!this.hasRoom(op.bytes)) return completionOf(op, "ENOSPC");
				return this.newFile(op, op.path, new Uint8Array(op.bytes));
			case "writeFile":
				return this.writeFile(op, op.path, op.data);
			case "write": {
				const file = names.get(op.path);
				if (file === undefined) return completionOf(op, "ENOENT");
				if (op.offset + op.data.length > file.cache.length && !this.hasRoom(op.offset + op.data.length - file.cache.length)) {
					return completionOf(op, "ENOSPC");
				}
				file.write(op.offset, op.data);
				return { ...completionOf(op), bytes: op.data.length };
			}
			case "read": {
				const file = names.get(op.path);
				if (file === undefined) return completionOf(op, "ENOENT");
				return { ...completionOf(op), data: file.cache.slice(op.offset, op.offset + op.bytes) };
			}
			case "size": {
				const file = names.get(op.path);
				return file === undefined ? completionOf(op, "ENOENT") : { ...completionOf(op), bytes: file.cache.length };
			}
			case "list":
				return folders.has(op.folder) ? { ...completionOf(op), names: this.list(op.folder) } : completionOf(op, "ENOENT");
			case "makeFolder":
				this.change({ folders: [folderOf(op.folder)], unlink: null, link: null, makeFolder: op.folder });
				return completionOf(op);
			case "sync":
				names.get(op.path)?.sync();
				return completionOf(op, names.has(op.path) ? null : "ENOENT");
			case "syncFolder":
				return this.syncFolder(op, op.folder);
			case "rename":
				return this.rename(op, op.from, op.to);
			case "unlink":
				if (!names.has(op.path)) return completionOf(op, "ENOENT");
				this.change({ folders: [folderOf(op.path)], unlink: op.path, link: null, makeFolder: null });
				return completionOf(op);
			case "close":
				return completionOf(op);
			default:
				return unreachable(op);
		}
	}

	private writeFile(op: FileOp, path: string, data: Uint8Array): FileCompletion {
		const known = this.content.names.get(path);
		if (!this.hasRoom(data.length - (known?.cache.length ?? 0))) return completionOf(op, "ENOSPC");
		if (known === undefined) return this.newFile(op, path, data.slice());
		known.replace(data.slice());
		return completionOf(op);
	}

	private newFile(op: FileOp, path: string, data: Uint8Array): FileCompletion {
		if (!this.content.folders.has(folderOf(path))) return completionOf(op, "ENOENT");
		this.change({ folders: [folderOf(path)], unlink: null, link: { path, file: new MemoryFile(data) }, makeFolder: null });
		return completionOf(op);
	}

	private rename(op: FileOp, from: string, to: string): FileCompletion {
		const file = this.content.names.get(from);
		if (file === undefined) return completionOf(op, "ENOENT");
		this.change({ folders: [folderOf(from), folderOf(to)], unlink: from, link: { path: to, file }, makeFolder: null });
		return completionOf(op);
	}

	private syncFolder(op: FileOp, folder: string): FileCompletion {
		const { content } = this;
		if (!content.folders.has(folder)) return completionOf(op, "ENOENT");
		const left: NameChange[] = [];
		for (const change of content.changes) {
			if (change.folders.includes(folder)) applyChange(content.durableNames, content.durableFolders, change);
			else left.push(change);
		}
		content.changes = left;
		return completionOf(op);
	}

	private change(change: NameChange): void {
		const { names, folders, changes } = this.content;
		applyChange(names, folders, change);
		changes.push(change);
	}

	private list(folder: string): string[] {
		const prefix = folder === "" ? "" : `${folder}/`;
		const found = [...this.content.names.keys(), ...this.content.folders].filter((path) => path !== "" && folderOf(path) === folder);
		return found.map((path) => path.slice(prefix.length)).sort();
	}

	private hasRoom(bytes: number): boolean {
		return this.capacityBytes === Number.POSITIVE_INFINITY || this.usedBytes + bytes <= this.capacityBytes;
	}

	/** What an operation under way left behind when the process or the machine ended. */
	private tear(op: FileOp, dice: Dice): void {
		if (dice.chance(1, 3)) return;
		if (op.kind === "write") this.content.names.get(op.path)?.tear(op.offset, op.data, dice);
		else if (op.kind === "create" || op.kind === "writeFile") this.tearNewFile(op, dice);
		else this.carryOut(op);
	}

	private tearNewFile(op: Extract<FileOp, { kind: "create" | "writeFile" }>, dice: Dice): void {
		const whole = op.kind === "create" ? new Uint8Array(op.bytes) : op.data;
		const part = whole.slice(0, dice.range(0, whole.length));
		const known = this.content.names.get(op.path);
		if (known !== undefined) {
			if (op.kind === "writeFile") known.replace(part);
			return;
		}
		this.newFile(op, op.path, part);
	}

	private file(path: string): MemoryFile {
		const file = this.content.names.get(path);
		assert(file !== undefined, "the file looked at must exist");
		return file;
	}
}

function emptyContent(): Content {
	const root = (): Set<string> => new Set([""]);
	return { names: new Map(), folders: root(), durableNames: new Map(), durableFolders: root(), changes: [] };
}

function applyChange(names: Map<string, MemoryFile>, folders: Set<string>, change: NameChange): void {
	if (change.makeFolder !== null) folders.add(change.makeFolder);
	if (change.unlink !== null) names.delete(change.unlink);
	if (change.link !== null) names.set(change.link.path, change.link.file);
}

function completionOf(op: FileOp, error: string | null = null): FileCompletion {
	return { id: op.id, error, bytes: 0, data: null, names: null };
}
