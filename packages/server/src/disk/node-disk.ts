/** Files of a real folder. Every call is asynchronous; the pool's threads do the waiting. */
import * as fs from "node:fs";
import { join } from "node:path";
import { assert, unreachable } from "@flotilla/base";
import { Descriptor } from "./descriptor.ts";
import type { FileCompletion, FileDisk, FileOp } from "./file-ops.ts";

const { O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOFOLLOW, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants;

/** Only Linux promises that a write with O_DSYNC has passed the drive's cache (rule W2); elsewhere a sync follows. */
const SYNCED_WRITES = process.platform === "linux";
const LANE_FLAGS = O_WRONLY | O_NOFOLLOW | (SYNCED_WRITES ? O_DSYNC : 0);
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Zeros are written and synced in pieces, so that a write of the log never waits behind a whole segment of them. */
const ZEROS = new Uint8Array(1 << 20);
/** More reads than this wait: the pool's threads belong to the writes first (rule W8). */
const READS_MAX = 1;

type FsError = NodeJS.ErrnoException | null;
type Op<Kind extends FileOp["kind"]> = Extract<FileOp, { kind: Kind }>;

export class NodeDisk implements FileDisk {
	onCompletion: (completion: FileCompletion) => void = () => {};
	private readonly root: string;
	private readonly lanes = new Map<string, Descriptor[]>();
	private readonly readers = new Map<string, Descriptor>();
	private readonly waitingReads: Op<"read">[] = [];
	private readsUnderWay = 0;
	private readonly waitingCreates: Op<"create">[] = [];
	private creating = false;
	private underWay = 0;
	private closed: (() => void) | null = null;

	/** `root`: the member's folder, which exists. */
	constructor(root: string) {
		this.root = root;
	}

	submit(op: FileOp): void {
		assert(this.closed === null, "a closed disk takes no operation");
		this.underWay++;
		switch (op.kind) {
			case "write":
				this.write(op);
				break;
			case "read":
				this.waitingReads.push(op);
				this.startReads();
				break;
			case "create":
				this.waitingCreates.push(op);
				this.startCreate();
				break;
			case "writeFile":
				this.writeFile(op);
				break;
			case "size":
				fs.lstat(this.at(op.path), (error, stats) => this.end(op, error ?? notAFile(stats), stats?.size ?? 0));
				break;
			case "list":
				fs.readdir(this.at(op.folder), (error, names) => this.end(op, error, 0, null, error === null ? names.sort() : null));
				break;
			case "makeFolder":
				fs.mkdir(this.at(op.folder), FOLDER_MODE, (error) => this.end(op, error?.code === "EEXIST" ? null : error));
				break;
			case "sync":
				this.syncPath(op, O_WRONLY | O_NOFOLLOW, op.path);
				break;
			case "syncFolder":
				this.syncPath(op, O_RDONLY | O_DIRECTORY, op.folder);
				break;
			case "rename":
				this.forget([op.from, op.to], () => fs.rename(this.at(op.from), this.at(op.to), (error) => this.end(op, error)));
				break;
			case "unlink":
				this.forget([op.path], () => fs.unlink(this.at(op.path), (error) => this.end(op, error)));
				break;
			case "close":
				this.forget([op.path], (error) => this.end(op, error));
				break;
			default:
				unreachable(op);
		}
	}

	/** Waits for what was submitted, then closes every descriptor. */
	close(): Promise<void> {
		assert(this.closed === null, "a disk is closed once");
		return new Promise((resolve) => {
			this.closed = () => this.forget([...new Set([...this.lanes.keys(), ...this.readers.keys()])], () => resolve());
			if (this.underWay === 0) this.closed();
		});
	}

	private at(path: string): string {
		assert(!path.startsWith("/"), "paths are relative to the member's folder");
		assert(!path.split("/").includes(".."), "paths stay within the member's folder");
		return join(this.root, path);
	}

	private end(op: FileOp, error: FsError, bytes = 0, data: Uint8Array | null = null, names: readonly string[] | null = null): void {
		this.underWay--;
		this.onCompletion({ id: op.id, error: error === null ? null : (error.code ?? "EIO"), bytes, data, names });
		if (this.underWay === 0) this.closed?.();
	}

	// ---- writes

	private write(op: Op<"write">): void {
		const lane = this.lane(op.path, op.lane);
		lane.use((openError, fd, release) => {
			const end = (error: FsError, bytes: number): void => {
				release();
				this.end(op, error, bytes);
			};
			if (openError !== null) {
				end(openError, 0);
				return;
			}
			fs.write(fd, op.data, 0, op.data.length, op.offset, (error, bytes) => {
				if (error !== null || SYNCED_WRITES) end(error, bytes ?? 0);
				else fs.fsync(fd, (syncError) => end(syncError, bytes));
			});
		});
	}

	private lane(path: string, lane: number): Descriptor {
		let lanes = this.lanes.get(path);
		if (lanes === undefined) {
			lanes = [];
			this.lanes.set(path, lanes);
		}
		lanes[lane] ??= new Descriptor(this.at(path), LANE_FLAGS);
		return lanes[lane];
	}

	private writeFile(op: Op<"writeFile">): void {
		this.withNewFile(op, O_TRUNC, (fd, end) => {
			writeAll(fd, op.data, 0, (error) => {
				if (error !== null) end(error);
				else fs.fsync(fd, end);
			});
		});
	}

	private startCreate(): void {
		if (this.creating) return;
		const op = this.waitingCreates.shift();
		if (op === undefined) return;
		this.creating = true;
		const next = (): void => {
			this.creating = false;
			this.startCreate();
		};
		this.withNewFile(op, O_EXCL, (fd, end) => fillWithZeros(fd, 0, op.bytes, end), next);
	}

	/** Opens a file for writing, hands it to `fill`, closes it and ends the operation with the first error. */
	private withNewFile(
		op: Op<"writeFile"> | Op<"create">,
		flag: number,
		fill: (fd: number, end: (error: FsError) => void) => void,
		after: () => void = () => {},
	): void {
		const path = this.at(op.path);
		fs.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | flag, FILE_MODE, (openError, fd) => {
			if (openError !== null) {
				this.end(op, openError);
				after();
				return;
			}
			fill(fd, (error) => {
				fs.close(fd, (closeError) => {
					this.end(op, error ?? closeError);
					after();
				});
			});
		});
	}

	// ---- reads

	private startReads(): void {
		while (this.readsUnderWay < READS_MAX) {
			const op = this.waitingReads.shift();
			if (op === undefined) return;
			this.readsUnderWay++;
			this.read(op);
		}
	}

	private read(op: Op<"read">): void {
		let reader = this.readers.get(op.path);
		if (reader === undefined) {
			reader = new Descriptor(this.at(op.path), O_RDONLY | O_NOFOLLOW);
			this.readers.set(op.path, reader);
		}
		reader.use((openError, fd, release) => {
			const end = (error: FsError, data: Uint8Array | null): void => {
				release();
				this.readsUnderWay--;
				this.end(op, error, 0, data);
				this.startReads();
			};
			if (openError !== null) {
				end(openError, null);
				return;
			}
			const data = new Uint8Array(op.bytes);
			readAll(fd, data, op.offset, 0, (error, bytes) => end(error, error === null ? data.subarray(0, bytes) : null));
		});
	}

	// ---- names

	private syncPath(op: FileOp, flags: number, path: string): void {
		fs.open(this.at(path), flags, (openError, fd) => {
			if (openError !== null) {
				this.end(op, openError);
				return;
			}
			fs.fsync(fd, (syncError) => fs.close(fd, (closeError) => this.end(op, syncError ?? closeError)));
		});
	}

	/** Closes the descriptors kept for the paths; those in use are closed when they are let go. */
	private forget(paths: readonly string[], done: (error: FsError) => void): void {
		const held: Descriptor[] = [];
		for (const path of paths) {
			for (const lane of this.lanes.get(path) ?? []) if (lane !== undefined) held.push(lane);
			const reader = this.readers.get(path);
			if (reader !== undefined) held.push(reader);
			this.lanes.delete(path);
			this.readers.delete(path);
		}
		let left = held.length;
		let first: FsError = null;
		if (left === 0) {
			done(null);
			return;
		}
		for (const descriptor of held) {
			descriptor.close((error) => {
				first ??= error;
				if (--left === 0) done(first);
			});
		}
	}
}

function notAFile(stats: fs.Stats): FsError {
	return stats.isFile() ? null : Object.assign(new Error("not a plain file"), { code: "ENOTSUP" });
}

function writeAll(fd: number, data: Uint8Array, at: number, done: (error: FsError) => void): void {
	if (at === data.length) {
		done(null);
		return;
	}
	fs.write(fd, data, at, data.length - at, at, (error, bytes) => {
		if (error !== null) done(error);
		else if (bytes === 0) done(Object.assign(new Error("nothing was written"), { code: "ENOSPC" }));
		else writeAll(fd, data, at + bytes, done);
	});
}

function readAll(fd: number, data: Uint8Array, offset: number, have: number, done: (error: FsError, bytes: number) => void): void {
	if (have === data.length) {
		done(null, have);
		return;
	}
	fs.read(fd, data, have, data.length - have, offset + have, (error, bytes) => {
		if (error !== null || bytes === 0) done(error, have);
		else readAll(fd, data, offset, have + bytes, done);
	});
}

function fillWithZeros(fd: number, at: number, size: number, done: (error: FsError) => void): void {
	if (at >= size) {
		fs.fsync(fd, done);
		return;
	}
	fs.write(fd, ZEROS, 0, Math.min(ZEROS.length, size - at), at, (error, bytes) => {
		if (error !== null) done(error);
		else if (bytes === 0) done(Object.assign(new Error("nothing was written"), { code: "ENOSPC" }));
		else {
			fs.fdatasync(fd, (syncError) => {
				if (syncError !== null) done(syncError);
				else fillWithZeros(fd, at + bytes, size, done);
			});
		}
	});
}
