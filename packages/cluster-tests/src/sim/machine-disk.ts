import type { Dice } from "@flotilla/base";
import { type CrashKind, type FileCompletion, type FileDisk, type FileOp, SimDisk } from "@flotilla/server/internal";
import type { CrashPoints } from "./crash-points.ts";
import type { SimProcess } from "./process.ts";

/** Kinds of operations that may fail with EIO; a failed `close` is nobody's business. */
const MAY_FAIL = ["create", "writeFile", "write", "read", "sync", "syncFolder", "rename", "unlink"] as const;
const SECTOR_BYTES = 512;
/** Files of metadata beside the log. */
const META_FILES: readonly string[] = ["format", "identity", "vote"];

/** The disk of one simulated machine: outlives its processes, and keeps the faults that were set until it is mended. */
export class MachineDisk {
	private readonly dice: Dice;
	private readonly points: CrashPoints;
	private disk: SimDisk;
	private slowMs = 0;
	private capacityBytes = Number.POSITIVE_INFINITY;
	/** The member's folder was synced, and with it the names of its stores. */
	onFolderSynced: () => void = () => {};

	constructor(dice: Dice, points: CrashPoints) {
		this.dice = dice;
		this.points = points;
		this.disk = new SimDisk({
			dice,
			schedule: () => {
				throw new Error("no process has opened this disk");
			},
		});
	}

	/** As one process life sees it. The former life must have ended. */
	open(process: SimProcess): FileDisk {
		const { points } = this;
		const disk = this.disk.crash("process", {
			schedule: (work, extraMs) => {
				process.later(this.dice.range(30, 600) / 1_000 + extraMs, work);
			},
		});
		this.disk = disk;
		disk.slow(this.slowMs);
		disk.limit(this.capacityBytes);
		disk.onEffect = (op) => {
			if (op.kind === "syncFolder" && op.folder === "") this.onFolderSynced();
			points.pass("file", `${op.kind} done`);
		};
		return {
			submit: (op: FileOp) => {
				if (process.alive && points.pass("file", op.kind)) disk.submit(op);
			},
			get onCompletion() {
				return disk.onCompletion;
			},
			set onCompletion(listener: (completion: FileCompletion) => void) {
				disk.onCompletion = listener;
			},
		};
	}

	crash(kind: CrashKind): void {
		this.disk = this.disk.crash(kind);
	}

	slow(extraMs: number): void {
		this.slowMs = extraMs;
		this.disk.slow(extraMs);
	}

	/** One of the next operations fails with EIO. Of a write any part may be on the disk, and all of it in the page cache. */
	failSoon(): string {
		const kind = this.dice.chance(2, 3) ? "write" : this.dice.pick(MAY_FAIL);
		this.disk.fail([kind], "EIO", this.dice.range(0, 3));
		return kind;
	}

	/** No room beyond so many bytes. Writes into files that have their size may need room, too: not every file system keeps it. */
	fill(freeBytes: number): void {
		this.capacityBytes = this.disk.usedBytes + freeBytes;
		this.disk.limit(this.capacityBytes);
		if (this.dice.chance(1, 4)) this.disk.fail(["write"], "ENOSPC", this.dice.range(0, 20));
	}

	mend(): void {
		this.slowMs = 0;
		this.capacityBytes = Number.POSITIVE_INFINITY;
		this.disk.mend();
		this.disk.limit(this.capacityBytes);
	}

	/** What is on it now; no process may be at it. */
	copy(): SimDisk {
		return this.disk.copy();
	}

	/** All that is on it makes place for that copy, once. */
	putBack(copy: SimDisk): void {
		this.disk = copy;
	}

	/** Somebody changes what is on it, past every rule; no process may be at it. */
	tamper(change: (disk: SimDisk) => void): void {
		change(this.disk);
	}

	/** A sector of the log went to another place of its file, or there as well; where, or null when there is nothing yet. */
	misplace(): string | null {
		const { dice, disk } = this;
		const paths = disk.paths().filter((path) => path.endsWith(".wal"));
		if (paths.length === 0) return null;
		const path = dice.pick(paths);
		const bytes = disk.bytesOf(path);
		const sectors = Math.floor(bytes.length / SECTOR_BYTES);
		const written = Array.from({ length: sectors }, (_, at) => at * SECTOR_BYTES).filter((at) =>
			bytes.subarray(at, at + SECTOR_BYTES).some((byte) => byte !== 0),
		);
		if (written.length === 0 || sectors < 2) return null;
		const from = dice.pick(written);
		const near = from + SECTOR_BYTES * dice.range(-2, 2);
		const to = near === from || near < 0 || near >= sectors * SECTOR_BYTES ? SECTOR_BYTES * dice.range(0, sectors - 1) : near;
		if (to === from) return null;
		disk.misplace(path, from, to, dice.chance(1, 2));
		return `${path}, sector of ${from} at ${to}`;
	}

	/** Inverts one bit of the log or of the files beside it; where, or null when there is nothing yet. */
	rot(target: "log" | "meta"): string | null {
		const { dice, disk } = this;
		const paths = disk.paths().filter((path) => (target === "meta" ? META_FILES.includes(path) : path.endsWith(".wal")));
		if (paths.length === 0) return null;
		const path = dice.pick(paths);
		const bytes = disk.bytesOf(path);
		let offset = dice.range(0, bytes.length - 1);
		// Most of a segment is zeros that wait for frames; what was written is what matters.
		for (let tries = 0; tries < 50 && bytes[offset] === 0; tries++) offset = dice.range(0, bytes.length - 1);
		disk.flip(path, offset, dice.range(0, 7));
		return `${path}, offset ${offset}`;
	}
}
