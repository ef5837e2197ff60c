import { etcdserverpb as pb } from "@flotilla/api";
import type { LeaseSpan } from "../history/owned-keys.ts";
import type { ClientWorld } from "./parts.ts";
import { type Life, ScriptedClient } from "./scripted-client.ts";

const LEASE_SECONDS = 2;
const RETRY_US = 100_000;

/** Who takes part in a contest for a name, under one lease after the other: a locker, a candidate. */
export abstract class Contestant extends ScriptedClient {
	/** Keys that outlived their lease. */
	readonly leftOver: string[] = [];
	private readonly prefix: string;
	private nextId: bigint;

	/** `prefix`: the name and its slash. `firstId`: no other client takes ids from there on. */
	constructor(prefix: string, firstId: bigint, world: ClientWorld, timeoutMs: number) {
		super(world, timeoutMs);
		this.prefix = prefix;
		this.nextId = firstId;
	}

	/** One turn under a lease that was granted. */
	protected abstract takeTurn(lease: bigint, granted: LeaseSpan): Life;

	/** Of all that it does under this lease. */
	protected keyOf(lease: bigint): string {
		return `${this.prefix}${lease.toString(16)}`;
	}

	protected override *life(): Life {
		while (!this.stopping) {
			const id = this.nextId++;
			const grant = pb.LeaseGrantRequest.encode({ ID: id, TTL: LEASE_SECONDS });
			const invoked = this.world.moment();
			const granted = yield* this.ask("/etcdserverpb.Lease/LeaseGrant", grant);
			if (granted === null) yield* this.wait(RETRY_US);
			else {
				yield* this.takeTurn(id, { invoked, ttl: pb.LeaseGrantResponse.decode(granted).TTL });
				yield* this.awaitEnd(id);
			}
		}
	}

	/** The next turn takes another lease; this one ends by itself, and then nothing of it is left. */
	private *awaitEnd(id: bigint): Life {
		for (;;) {
			const look = yield* this.ask("/etcdserverpb.Lease/LeaseTimeToLive", pb.LeaseTimeToLiveRequest.encode({ ID: id }));
			if (look !== null && pb.LeaseTimeToLiveResponse.decode(look).grantedTTL === 0) break;
			yield* this.wait(RETRY_US);
		}
		const key = this.keyOf(id);
		const read = yield* this.ask("/etcdserverpb.KV/Range", pb.RangeRequest.encode({ key: Buffer.from(key) }));
		if (read !== null && pb.RangeResponse.decode(read).count > 0) this.leftOver.push(`${key} is left over of a lease that has ended`);
	}
}
