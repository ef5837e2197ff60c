/**
 * Leases of the source, with the same ids in the target. Until the switch their owners renew them at the source only, so here they
 * are renewed for them; one that has ended at the source ends at the target, too.
 */
import { RPC, type Side, SideError } from "./side.ts";

const SWEEP_MS = 2_000;
const RENEWALS_MS = 500;
const NO_LEASE = 0n;

interface Mirrored {
	readonly ttlMs: number;
	dueMs: number;
}

export class LeaseMirror {
	private readonly source: Side;
	private readonly target: Side;
	private readonly mirrored = new Map<bigint, Mirrored>();
	private readonly timers: NodeJS.Timeout[];
	private sweeping = false;
	private renewing = false;
	private stopped = false;
	/** What failed in the background; told to whoever asks for the next lease. */
	private failure: unknown = null;

	constructor(source: Side, target: Side) {
		this.source = source;
		this.target = target;
		this.timers = [
			setInterval(() => void this.inBackground(() => this.sweep()), SWEEP_MS),
			setInterval(() => void this.renew(), RENEWALS_MS),
		];
	}

	get count(): number {
		return this.mirrored.size;
	}

	/** All that the source has now. */
	async sweep(): Promise<void> {
		if (this.sweeping || this.stopped) return;
		this.sweeping = true;
		try {
			const { leases } = await this.source.call(RPC.leases, {});
			const present = new Set(leases.map(({ ID }) => ID));
			for (const id of present) await this.ensure(id);
			for (const id of [...this.mirrored.keys()]) if (!present.has(id)) await this.end(id);
		} finally {
			this.sweeping = false;
		}
	}

	/** The lease to attach a key to: the same one, or none where it has ended meanwhile, and the key will be deleted. */
	async ensure(id: bigint): Promise<bigint> {
		if (this.failure !== null) throw this.failure;
		if (id === NO_LEASE || this.mirrored.has(id)) return id;
		const { TTL, grantedTTL } = await this.source.call(RPC.timeToLive, { ID: id });
		if (TTL < 0 || grantedTTL <= 0) return NO_LEASE;
		try {
			await this.target.call(RPC.grant, { ID: id, TTL: grantedTTL });
		} catch (error) {
			if (!SideError.says(error, "lease already exists")) throw error;
		}
		const ttlMs = grantedTTL * 1_000;
		this.mirrored.set(id, { ttlMs, dueMs: performance.now() + ttlMs / 3 });
		return id;
	}

	/** The target does not know it any more. */
	forget(id: bigint): void {
		this.mirrored.delete(id);
	}

	/** From now on the leases live as long as their owners renew them at the target. */
	stop(): void {
		this.stopped = true;
		for (const timer of this.timers) clearInterval(timer);
	}

	private async end(id: bigint): Promise<void> {
		this.mirrored.delete(id);
		try {
			await this.target.call(RPC.revoke, { ID: id });
		} catch (error) {
			if (!SideError.says(error, "lease not found")) throw error;
		}
	}

	/** One stream for all that are due. */
	private async renew(): Promise<void> {
		const nowMs = performance.now();
		const due = [...this.mirrored].filter(([, { dueMs }]) => dueMs <= nowMs);
		if (this.renewing || due.length === 0) return;
		this.renewing = true;
		try {
			const stream = (await this.target.connected()).stream(RPC.keepAlive.path, RPC.keepAlive);
			const answered = new Promise<void>((resolve, reject) => {
				let left = due.length;
				stream.on("data", () => {
					if (--left === 0) resolve();
				});
				stream.on("error", reject);
				stream.on("end", resolve);
			});
			for (const [ID] of due) stream.write({ ID });
			stream.end();
			await answered;
			for (const [, lease] of due) lease.dueMs = nowMs + lease.ttlMs / 3;
		} catch {
			// Tried again at once, by the next member: the time was left for that.
			this.target.drop();
		} finally {
			this.renewing = false;
		}
	}

	private async inBackground(work: () => Promise<void>): Promise<void> {
		try {
			await work();
		} catch (error) {
			this.failure ??= error;
		}
	}
}
