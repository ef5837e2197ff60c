/** What a seed has those who contend for locks and elections go through: they come, wait, give up, are given way to, and lose their leases. */
import { etcdserverpb as pb, v3electionpb, v3lockpb } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import type { Call } from "./beside-etcd.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const LOCKS = ["door", "gate"];
const OFFICES = ["mayor", "clerk"];
const LEASES = [0x11n, 0x12n, 0x13n, -5n];
const STRANGER = 0x99n;
const TTL_SECONDS = 1_000;

export type ContestStep =
	/** May wait; is told by its own number. */
	| { readonly kind: "contend"; readonly call: Call; readonly contender: string }
	| { readonly kind: "call"; readonly call: Call }
	| { readonly kind: "observe"; readonly request: Uint8Array; readonly office: string }
	/** Whoever waits, in the order of coming, gives up. */
	| { readonly kind: "giveUp"; readonly choice: number };

/** Key to the revision in which it was created. */
export type Held = ReadonlyMap<string, number>;

export const GRANTS: readonly Call[] = LEASES.map(grant);

export class ContestScript {
	private readonly dice: Dice;

	constructor(dice: Dice) {
		this.dice = dice;
	}

	next(held: Held): ContestStep {
		const { dice } = this;
		const roll = dice.range(0, 99);
		if (roll < 24) return this.lock();
		if (roll < 44) return this.campaign();
		if (roll < 54) return called("/v3lockpb.Lock/Unlock", v3lockpb.UnlockRequest.encode({ key: bytes(this.key(held)) }));
		if (roll < 62) return this.proclaim(held);
		if (roll < 70) return this.resign(held);
		if (roll < 76) return this.leaderOf();
		if (roll < 80) return this.observe();
		if (roll < 86) return { kind: "giveUp", choice: dice.uint32() };
		if (roll < 90)
			return called(
				"/etcdserverpb.KV/DeleteRange",
				pb.DeleteRangeRequest.encode(pb.DeleteRangeRequest.create({ key: bytes(this.key(held)) })),
			);
		if (roll < 94) return called("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeRequest.encode({ ID: dice.pick(LEASES) }));
		return { kind: "call", call: grant(dice.pick(LEASES)) };
	}

	private lease(): bigint {
		return this.dice.chance(1, 15) ? STRANGER : this.dice.pick(LEASES);
	}

	private key(held: Held): string {
		const keys = [...held.keys()];
		return keys.length > 0 && this.dice.chance(5, 6) ? this.dice.pick(keys) : "door/none";
	}

	private lock(): ContestStep {
		const name = this.dice.pick(LOCKS);
		const lease = this.lease();
		const call = { path: "/v3lockpb.Lock/Lock", request: v3lockpb.LockRequest.encode({ name: bytes(name), lease }) };
		return { kind: "contend", call, contender: `${name}/${lease.toString(16)}` };
	}

	private campaign(): ContestStep {
		const name = this.dice.pick(OFFICES);
		const lease = this.lease();
		const request = v3electionpb.CampaignRequest.encode({ name: bytes(name), lease, value: bytes(this.dice.pick(["v", "w", ""])) });
		return { kind: "contend", call: { path: "/v3electionpb.Election/Campaign", request }, contender: `${name}/${lease.toString(16)}` };
	}

	private proclaim(held: Held): ContestStep {
		const request = { leader: this.leader(held), value: bytes(this.dice.pick(["p", "q"])) };
		return called("/v3electionpb.Election/Proclaim", v3electionpb.ProclaimRequest.encode(request));
	}

	private resign(held: Held): ContestStep {
		return called("/v3electionpb.Election/Resign", v3electionpb.ResignRequest.encode({ leader: this.leader(held) }));
	}

	/** Whoever holds something, at its revision mostly; or nobody. */
	private leader(held: Held): v3electionpb.LeaderKey | null {
		const { dice } = this;
		if (dice.chance(1, 10)) return null;
		const key = this.key(held);
		const rev = dice.chance(1, 8) ? dice.range(0, 3) : (held.get(key) ?? 0);
		const lease = BigInt(`0x${/[0-9a-f]+$/.exec(key)?.[0] ?? "0"}`);
		return { name: bytes(key.slice(0, key.indexOf("/"))), key: bytes(key), rev, lease: key.includes("/-") ? -lease : lease };
	}

	private leaderOf(): ContestStep {
		return called("/v3electionpb.Election/Leader", v3electionpb.LeaderRequest.encode({ name: bytes(this.dice.pick(OFFICES)) }));
	}

	private observe(): ContestStep {
		const office = this.dice.pick(OFFICES);
		return { kind: "observe", office, request: v3electionpb.LeaderRequest.encode({ name: bytes(office) }) };
	}
}

function called(path: string, request: Uint8Array): ContestStep {
	return { kind: "call", call: { path, request } };
}

function grant(ID: bigint): Call {
	return { path: "/etcdserverpb.Lease/LeaseGrant", request: pb.LeaseGrantRequest.encode({ ID, TTL: TTL_SECONDS }) };
}
