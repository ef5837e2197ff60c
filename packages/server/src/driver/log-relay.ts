import type { FileDisk, FileOp } from "../disk/file-ops.ts";
import type { WalEvents } from "../wal/wal-interface.ts";
import type { Driver } from "./driver.ts";

/**
 * What the log tells, to whoever must hear it: the log is open before its driver exists, and until then only a failure
 * means anything.
 */
export class LogRelay implements WalEvents {
	driver: Driver | null = null;
	private readonly disk: FileDisk;
	private readonly die: (reason: string) => void;
	private readonly watch: (seq: number) => void;

	/** `watch`: told what is durable before anybody acts on it. */
	constructor(disk: FileDisk, die: (reason: string) => void, watch: (seq: number) => void = () => {}) {
		this.disk = disk;
		this.die = die;
		this.watch = watch;
	}

	emit(op: FileOp): void {
		this.disk.submit(op);
	}
	durable(seq: number): void {
		if (this.driver === null) return;
		this.watch(seq);
		this.driver.walDurable(seq);
	}
	failed(reason: string): void {
		if (this.driver === null) this.die(reason);
		else this.driver.walFailed(reason);
	}
	cut(firstIndex: number): void {
		this.driver?.walCut(firstIndex);
	}
	synced(frames: number, bytes: number): void {
		this.driver?.walSynced(frames, bytes);
	}
}
