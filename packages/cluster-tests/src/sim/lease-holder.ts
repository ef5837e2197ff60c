import { etcdserverpb as pb } from "@flotilla/api";
import type { LeaseHistory, LeaseRecord } from "../history/lease-checks.ts";
import type { ClientWorld } from "./parts.ts";
import { type Life, ScriptedClient, type Step } from "./scripted-client.ts";

export interface LeasePlan {
	readonly holders: number;
	readonly ttlSeconds: number;
	readonly keysMax: number;
	readonly timeoutMs: number;
	/** Of a lease's life: how often its holder gives it back, and how long it sleeps at most, in hundredths of its time. */
	readonly revokePercent: number;
	readonly sleepPercent: number;
}

/** First letter of all keys that hang on leases; ranges of the other parts begin behind it. */
export const LEASED = "a";

interface HeldLease extends LeaseHistory {
	readonly records: LeaseRecord[];
	readonly keys: Set<string>;
}

const NOT_FOUND = "etcdserver: requested lease not found";
const LOOK_US = 200_000;
const encode = (text: string): Uint8Array => Buffer.from(text);

/** A client with one lease after the other. */
export class LeaseHolder extends ScriptedClient {
	readonly leases = new Map<bigint, HeldLease>();
	private readonly plan: Omit<LeasePlan, "holders">;
	private nextId: bigint;

	constructor(number: number, plan: Omit<LeasePlan, "holders">, world: ClientWorld) {
		super(world, plan.timeoutMs);
		this.plan = plan;
		this.nextId = BigInt(number + 1) * 1_000_000n;
	}

	protected override *life(): Life {
		while (!this.stopping) {
			const id = this.world.dice.chance(1, 4) ? -this.nextId++ : this.nextId++;
			const lease: HeldLease = { records: [], keys: new Set() };
			this.leases.set(id, lease);
			yield* this.hold(id, lease);
			// Where the grant had no answer it may come to pass at any time: nothing can be said of such a lease.
			if (lease.records.length > 0) yield* this.bury(id, lease);
		}
	}

	private *hold(id: bigint, lease: HeldLease): Life {
		const { dice } = this.world;
		const { keysMax, revokePercent, sleepPercent, ttlSeconds } = this.plan;
		const invoked = this.world.moment();
		const granted = yield this.call("LeaseGrant", pb.LeaseGrantRequest.encode({ ID: id, TTL: ttlSeconds }));
		if (granted.kind !== "answer") {
			yield { do: "wait", us: dice.range(10_000, 300_000) };
			return;
		}
		const ttl = pb.LeaseGrantResponse.decode(granted.bytes).TTL;
		lease.records.push({ kind: "granted", invoked, returned: this.world.moment(), ttl });
		for (let number = dice.range(0, keysMax); number > 0; number--) yield* this.attach(id, lease, number);
		let gaveBack = false;
		while (!this.stopping && !gaveBack && !isOver(lease)) {
			yield { do: "wait", us: dice.range(1_000, ttl * 10_000 * sleepPercent) };
			if (this.stopping) return;
			if (dice.range(1, 100) <= revokePercent) {
				yield* this.revoke(id, lease);
				gaveBack = true;
			} else if (dice.chance(1, 5)) {
				// Let go of: it must end by itself.
				return;
			} else {
				yield* this.renew(id, lease);
				if (dice.chance(1, 3)) yield* this.look(id, lease);
				if (dice.chance(1, 2)) yield* this.read(lease);
			}
		}
	}

	/** Looks until the lease is gone, and whether anything of it is left then. */
	private *bury(id: bigint, lease: HeldLease): Life {
		while (!isOver(lease)) {
			yield* this.look(id, lease);
			yield* this.read(lease);
			if (!isOver(lease)) yield { do: "wait", us: LOOK_US };
		}
		yield* this.renew(id, lease);
		if (this.world.dice.chance(1, 2)) yield* this.attach(id, lease, 9);
		yield* this.read(lease);
	}

	private *attach(id: bigint, lease: HeldLease, number: number): Life {
		const key = `${LEASED}${id}/${number}`;
		lease.keys.add(key);
		const invoked = this.world.moment();
		const place = lease.records.push({ kind: "tried", invoked, returned: null, key }) - 1;
		const heard = yield this.kv("Put", pb.PutRequest.encode({ key: encode(key), value: encode(`${id}`), lease: id }));
		const returned = this.world.moment();
		if (heard.kind === "answer") {
			const revision = pb.PutResponse.decode(heard.bytes).header?.revision ?? 0;
			lease.records[place] = { kind: "attached", invoked, returned, key, revision };
		} else if (heard.kind === "refused" && heard.text === NOT_FOUND) {
			lease.records[place] = { kind: "refused", invoked, returned, key };
		}
	}

	private *renew(id: bigint, lease: HeldLease): Life {
		const invoked = this.world.moment();
		const heard = yield { do: "stream", path: "/etcdserverpb.Lease/LeaseKeepAlive", request: pb.LeaseKeepAliveRequest.encode({ ID: id }) };
		if (heard.kind !== "answer") return;
		const { TTL } = pb.LeaseKeepAliveResponse.decode(heard.bytes);
		lease.records.push({ kind: "renewed", invoked, returned: this.world.moment(), ttl: TTL });
	}

	private *look(id: bigint, lease: HeldLease): Life {
		const invoked = this.world.moment();
		const heard = yield this.call("LeaseTimeToLive", pb.LeaseTimeToLiveRequest.encode({ ID: id, keys: true }));
		if (heard.kind !== "answer") return;
		const { TTL, grantedTTL } = pb.LeaseTimeToLiveResponse.decode(heard.bytes);
		lease.records.push({ kind: "looked", invoked, returned: this.world.moment(), grantedTtl: grantedTTL, ttl: TTL });
	}

	private *read(lease: HeldLease): Life {
		if (lease.keys.size === 0) return;
		const key = this.world.dice.pick([...lease.keys]);
		const invoked = this.world.moment();
		const heard = yield this.kv("Range", pb.RangeRequest.encode({ key: encode(key) }));
		if (heard.kind !== "answer") return;
		const present = pb.RangeResponse.decode(heard.bytes).count > 0;
		lease.records.push({ kind: "read", invoked, returned: this.world.moment(), key, present });
	}

	private *revoke(id: bigint, lease: HeldLease): Life {
		const invoked = this.world.moment();
		const place = lease.records.push({ kind: "revoked", invoked, returned: null }) - 1;
		const heard = yield this.call("LeaseRevoke", pb.LeaseRevokeRequest.encode({ ID: id }));
		if (heard.kind === "answer") lease.records[place] = { kind: "revoked", invoked, returned: this.world.moment() };
	}

	private call(name: string, request: Uint8Array): Step {
		return { do: "call", path: `/etcdserverpb.Lease/${name}`, request };
	}

	private kv(name: string, request: Uint8Array): Step {
		return { do: "call", path: `/etcdserverpb.KV/${name}`, request };
	}
}

/** It was told that the lease does not exist (any more). */
function isOver({ records }: HeldLease): boolean {
	return records.some(
		(record) =>
			(record.kind === "renewed" && record.ttl === 0) || (record.kind === "looked" && record.grantedTtl === 0) || record.kind === "refused",
	);
}
