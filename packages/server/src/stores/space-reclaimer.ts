/** Deletions between two rounds: fewer are not worth rewriting tables for. */
const DELETIONS_MIN = 10_000;
/** Revisions in one step, and about how many bytes of records. */
const STEP_REVISIONS = 32_768;
const STEP_BYTES = 8 << 20;
/** Behind each step it rests so many times as long as the step took: a merge takes a processor, and the disk that the log syncs to. */
const REST_TIMES = 3;
const REST_MS_MAX = 3_000;

export interface ReclaimedStore {
	/** Of the records between two keys, both included. */
	merge(from: Uint8Array, to: Uint8Array): Promise<void>;
	/** About what they take on the disk. */
	size(from: Uint8Array, to: Uint8Array): Promise<number>;
}

/**
 * Gives the space of deleted records back. LevelDB keeps them until it happens to merge the tables in which they lie; here they
 * are merged when many were deleted, step by step with a rest behind each, beside the store's other work and never before it.
 */
export class SpaceReclaimer {
	private readonly store: ReclaimedStore;
	private deletions = 0;
	private lowest: Uint8Array | null = null;
	private highest: Uint8Array | null = null;
	private running: Promise<void> | null = null;
	private stopped = false;
	private wake: () => void = () => {};

	constructor(store: ReclaimedStore) {
		this.store = store;
	}

	deleted(keys: readonly Uint8Array[]): void {
		this.deletions += keys.length;
		for (const key of keys) {
			if (this.lowest === null || Buffer.compare(key, this.lowest) < 0) this.lowest = key;
			if (this.highest === null || Buffer.compare(key, this.highest) > 0) this.highest = key;
		}
	}

	get due(): boolean {
		return this.deletions >= DELETIONS_MIN && this.running === null && !this.stopped;
	}

	/** `done` when the space is back, or as much of it as could be had. */
	start(done: () => void): void {
		const { lowest, highest } = this;
		if (lowest === null || highest === null) return;
		this.deletions = 0;
		this.lowest = null;
		this.highest = null;
		this.running = this.run(revisionOf(lowest), revisionOf(highest)).finally(() => {
			this.running = null;
			done();
		});
		// A merge that fails leaves everything as it was, and the next round tries again.
		this.running.catch(() => {});
	}

	/** Ends behind the step under way. */
	async stop(): Promise<void> {
		this.stopped = true;
		this.wake();
		await this.running?.catch(() => {});
	}

	private async run(from: bigint, upto: bigint): Promise<void> {
		for (let at = from; at <= upto && !this.stopped; ) {
			const startedMs = performance.now();
			const end = await this.stepEnd(at);
			await this.store.merge(revisionKey(at), revisionKey(end));
			at = end;
			await this.rest(REST_TIMES * (performance.now() - startedMs));
		}
	}

	/** One revision at least, however large it is. */
	private async stepEnd(at: bigint): Promise<bigint> {
		let revisions = BigInt(STEP_REVISIONS);
		while (revisions > 1n && (await this.store.size(revisionKey(at), revisionKey(at + revisions))) > STEP_BYTES) revisions /= 2n;
		return at + revisions;
	}

	private async rest(ms: number): Promise<void> {
		if (this.stopped) return;
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, Math.min(ms, REST_MS_MAX));
			this.wake = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}
}

/** The first 8 bytes of a record's key, big endian. */
function revisionOf(key: Uint8Array): bigint {
	return Buffer.from(key.buffer, key.byteOffset, key.length).readBigUInt64BE(0);
}

function revisionKey(revision: bigint): Uint8Array {
	const key = Buffer.alloc(8);
	key.writeBigUInt64BE(revision);
	return key;
}
