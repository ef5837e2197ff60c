/**
 * Leases of the source, with the same ids in the target. Until the switch their owners renew them at the source only, so here they
 * are renewed for them; one that has ended at the source ends at the target, too, when all that the source did before is there.
 */

import { each } from "./at-once.ts";
import { leaseName } from "./lease-name.ts";
import { SideError } from "./refusals.ts";
import { RPC } from "./rpc.ts";
import { type Side, StrangeCluster } from "./side.ts";

const SWEEP_MS = 2_000;
const RENEWALS_MS = 500;
/** An answer to each of many leases counts by itself, so a stream that is cut off is no loss. */
const RENEWAL_CALL_MS = 3_000;
const NO_LEASE = 0n;

interface Mirrored {
	readonly ttlMs: number;
	dueMs: number;
}

/** It lives at the source. Keys that it held at the target went with it. */
export class LeaseLost extends Error {
	override readonly name = "LeaseLost";

	constructor(id: bigint) {
		super(
			`lease ${leaseName(id)} ended at the target while it lives at the source: it was not renewed in time, because this process stood still or the target did not answer, or somebody revoked it`,
		);
	}
}

export class LeaseMirror {
	/** All that the source did up to here is at the target: whoever carries it out says so. */
	reached = 0;
	private readonly source: Side;
	private readonly target: Side;
	private readonly mirrored = new Map<bigint, Mirrored>();
	/** Of those that have ended at the source: a revision at which they were gone. */
	private readonly ended = new Map<bigint, number>();
	private timers: readonly NodeJS.Timeout[] = [];
	private sweeps: Promise<void> = Promise.resolve();
	private sweeping = false;
	private renewing = false;
	/** What failed in the background; told to whoever asks. */
	private failure: unknown = null;

	constructor(source: Side, target: Side) {
		this.source = source;
		this.target = target;
	}

	/** From now on the target gets what the source has, and it is renewed. */
	start(): void {
		this.timers = [setInterval(() => this.sweepInBackground(), SWEEP_MS), setInterval(() => void this.renew(), RENEWALS_MS)];
	}

	get count(): number {
		return this.mirrored.size;
	}

	/** It is renewed at the target. */
	holds(id: bigint): boolean {
		return this.mirrored.has(id);
	}

	/** Throws what failed in the background, once. */
	assertWell(): void {
		const { failure } = this;
		this.failure = null;
		if (failure !== null) throw failure;
	}

	/** Grants what the source has now, and ends what has ended there. */
	sweep(): Promise<void> {
		const run = this.sweeps.then(() => this.sweepOnce());
		this.sweeps = run.catch(() => {});
		return run;
	}

	/** The lease to attach a key to: the same one, or none where it has ended meanwhile, and the key will be deleted. */
	async ensure(id: bigint): Promise<bigint> {
		if (id === NO_LEASE || this.mirrored.has(id)) return id;
		const granted = await grantedAt(this.source, id);
		if (granted === null) return NO_LEASE;
		const ttlMs = (await this.grant(id, granted)) * 1_000;
		this.mirrored.set(id, { ttlMs, dueMs: performance.now() + ttlMs / 3 });
		return id;
	}

	/** The target did not know one of them: throws `LeaseLost` when the source does. */
	async search(ids: readonly bigint[]): Promise<void> {
		for (const id of new Set(ids)) if (this.mirrored.has(id) && (await grantedAt(this.target, id)) === null) await this.lose(id);
	}

	/** From now on the leases live as long as their owners renew them at the target. */
	stop(): void {
		for (const timer of this.timers) clearInterval(timer);
	}

	private async sweepOnce(): Promise<void> {
		// The list is one member's own and may lack the newest ones; whether one is gone is the leader's to say.
		const present = new Set((await this.source.call(RPC.leases, {})).leases.map(({ ID }) => ID));
		for (const id of present) this.ended.delete(id);
		await each([...present], async (id) => void (await this.ensure(id)));
		const absent = [...this.mirrored.keys()].filter((id) => !present.has(id) && !this.ended.has(id));
		const gone: bigint[] = [];
		await each(absent, async (id) => {
			if ((await grantedAt(this.source, id)) === null) gone.push(id);
		});
		const revision = gone.length === 0 ? 0 : await this.source.revision();
		for (const id of gone) this.ended.set(id, revision);
		await each([...this.ended], async ([id, at]) => {
			if (at <= this.reached) await this.end(id);
		});
	}

	private sweepInBackground(): void {
		if (this.sweeping) return;
		this.sweeping = true;
		const done = (): void => {
			this.sweeping = false;
		};
		this.sweep().then(done, (error: unknown) => {
			this.failure ??= error;
			done();
		});
	}

	/** Resolves with its seconds: the target's least time may be longer. */
	private async grant(ID: bigint, TTL: number): Promise<number> {
		try {
			return (await this.target.call(RPC.grant, { ID, TTL })).TTL;
		} catch (error) {
			// A first try came through.
			if (!SideError.says(error, "lease already exists")) throw error;
			return (await grantedAt(this.target, ID)) ?? TTL;
		}
	}

	private async end(id: bigint): Promise<void> {
		this.mirrored.delete(id);
		this.ended.delete(id);
		try {
			await this.target.call(RPC.revoke, { ID: id });
		} catch (error) {
			if (!SideError.says(error, "lease not found")) throw error;
		}
	}

	/** One stream for all that are due. */
	private async renew(): Promise<void> {
		const nowMs = performance.now();
		const due = [...this.mirrored].filter(([, { dueMs }]) => dueMs <= nowMs).map(([id]) => id);
		if (this.renewing || due.length === 0) return;
		this.renewing = true;
		const connection = this.target.connected();
		try {
			const stream = (await connection).stream(RPC.keepAlive.path, RPC.keepAlive, { timeoutMs: RENEWAL_CALL_MS });
			// Its error is the end of the loop below.
			stream.on("error", () => {});
			for (const ID of due) stream.write({ ID });
			stream.end();
			for await (const { ID, TTL } of stream as AsyncIterable<{ ID: bigint; TTL: number }>) {
				const lease = this.mirrored.get(ID);
				if (TTL <= 0) void this.lose(ID).catch((error: unknown) => this.fail(error));
				else if (lease !== undefined) lease.dueMs = performance.now() + lease.ttlMs / 3;
			}
		} catch (error) {
			if (error instanceof StrangeCluster) this.fail(error);
			// Tried again at once, by the next member: the time was left for that.
			this.target.drop(connection);
		} finally {
			this.renewing = false;
		}
	}

	private async lose(id: bigint): Promise<void> {
		if (!this.mirrored.delete(id) || this.ended.delete(id)) return;
		if ((await grantedAt(this.source, id)) !== null) throw new LeaseLost(id);
	}

	private fail(error: unknown): void {
		this.failure ??= error;
	}
}

/** Its seconds; null where nobody knows it. Either: one whose time is up is still known until its keys are gone. */
export async function grantedAt(side: Side, ID: bigint): Promise<number | null> {
	const { grantedTTL } = await side.call(RPC.timeToLive, { ID });
	return grantedTTL <= 0 ? null : grantedTTL;
}
