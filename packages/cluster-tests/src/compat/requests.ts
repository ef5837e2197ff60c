/**
 * Requests of the etcd v3 API as a seed draws them: valid, odd and wrong ones, over a few keys and leases, so that they meet each
 * other. Whoever sends them tells the revision they came to. Left out by name is what the real etcd 3.4 at hand does not
 * survive: an unknown sort target, and an alarm of no kind that is to be raised.
 */
import { METHODS, etcdserverpb as pb, v3electionpb, v3lockpb } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import type { Call } from "./beside-etcd.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const KEYS = ["a", "b", "c", "ab", "b\0", "\xff", "lock/x"].map(bytes);
const ENDS = ["", "\0", "a", "b", "c", "d", "\xff\xff"].map(bytes);
const EMPTY = bytes("");
/** None of them ends by itself meanwhile: those below the least TTL would. */
const TTLS = [1_000, 1_000, 5_000, 9_000_000_000, 9_000_000_001, Number.MAX_SAFE_INTEGER];
const LEASES = [1n, 2n, 3n, 4n, 5n, 6n];
const STRANGE_LEASES = [0n, -1n, 99n, (1n << 63n) - 1n, -(1n << 63n)];

export class Requests {
	/** What the last answers came to. */
	revision = 1;
	private readonly dice: Dice;

	constructor(dice: Dice) {
		this.dice = dice;
	}

	next(): Call {
		const { dice } = this;
		const call = this.draw();
		return dice.chance(1, 25) ? { ...call, request: damaged(dice, call.request) } : call;
	}

	private draw(): Call {
		const roll = this.dice.range(0, 99);
		if (roll < 22) return kv("Range", pb.RangeRequest.encode(this.range()));
		if (roll < 44) return kv("Put", pb.PutRequest.encode(this.put()));
		if (roll < 52) return kv("DeleteRange", pb.DeleteRangeRequest.encode(this.remove()));
		if (roll < 76) return kv("Txn", pb.TxnRequest.encode(this.txn(2)));
		if (roll < 78) return kv("Compact", pb.CompactionRequest.encode({ revision: this.someRevision(), physical: this.dice.chance(1, 2) }));
		if (roll < 90) return this.lease();
		if (roll < 94) return this.cluster();
		if (roll < 97) return this.maintenance();
		return this.concurrency();
	}

	private key(): Uint8Array {
		return this.dice.chance(1, 30) ? EMPTY : this.dice.pick(KEYS);
	}

	private end(): Uint8Array {
		return this.dice.chance(1, 2) ? EMPTY : this.dice.pick(ENDS);
	}

	/** Of the past mostly. */
	private someRevision(): number {
		const { dice, revision } = this;
		return dice.pick([0, 1, -1, revision, revision - 1, revision + 1, 1_000_000, dice.range(1, revision), dice.range(1, revision)]);
	}

	private bound(): number {
		return this.dice.chance(4, 5) ? 0 : this.someRevision();
	}

	private range(): pb.RangeRequest {
		const { dice } = this;
		return {
			...{ key: this.key(), rangeEnd: this.end(), limit: dice.pick([0, 0, 0, 1, 2, -1, 1_000]) },
			...{ revision: this.bound(), sortOrder: dice.pick([0, 0, 0, 1, 2]), sortTarget: dice.pick([0, 0, 1, 2, 3, 4]) },
			...{ serializable: dice.chance(1, 3), keysOnly: dice.chance(1, 6), countOnly: dice.chance(1, 8) },
			...{ minModRevision: this.bound(), maxModRevision: this.bound(), minCreateRevision: this.bound(), maxCreateRevision: this.bound() },
		};
	}

	private put(): pb.PutRequest {
		const { dice } = this;
		const ignoreValue = dice.chance(1, 10);
		const ignoreLease = dice.chance(1, 10);
		return {
			...{ key: this.key(), value: ignoreValue && dice.chance(2, 3) ? EMPTY : bytes(dice.pick(["", "v", "w", "\0\xff"])) },
			...{ lease: ignoreLease && dice.chance(2, 3) ? 0n : this.leaseOfKey(), prevKv: dice.chance(1, 3), ignoreValue, ignoreLease },
		};
	}

	private leaseOfKey(): bigint {
		const { dice } = this;
		return dice.chance(2, 3) ? 0n : dice.chance(1, 12) ? dice.pick(STRANGE_LEASES) : dice.pick(LEASES);
	}

	private remove(): pb.DeleteRangeRequest {
		return { key: this.key(), rangeEnd: this.end(), prevKv: this.dice.chance(1, 2) };
	}

	/** No end at the zero byte: a put that keeps the value of what such a delete takes away ends the real etcd. */
	private removeInTxn(): pb.DeleteRangeRequest {
		const request = this.remove();
		return Buffer.compare(request.rangeEnd, bytes("\0")) === 0 ? { ...request, rangeEnd: EMPTY } : request;
	}

	private txn(depth: number): pb.TxnRequest {
		const { dice } = this;
		const some = <T>(most: number, make: () => T): T[] => Array.from({ length: dice.range(0, most) }, make);
		return { compare: some(2, () => this.compare()), success: some(3, () => this.op(depth)), failure: some(2, () => this.op(depth)) };
	}

	private op(depth: number): pb.RequestOp {
		const { dice } = this;
		const roll = dice.range(0, 19);
		if (roll === 0) return { request: null };
		if (roll < 7) return { request: { kind: "requestRange", value: this.range() } };
		if (roll < 13) return { request: { kind: "requestPut", value: this.put() } };
		if (roll < 16 || depth === 0) return { request: { kind: "requestDeleteRange", value: this.removeInTxn() } };
		return { request: { kind: "requestTxn", value: this.txn(depth - 1) } };
	}

	private compare(): pb.Compare {
		const { dice } = this;
		const number = this.someRevision();
		const union = dice.pick<pb.Compare["targetUnion"]>([
			{ kind: "version", value: dice.range(0, 3) },
			{ kind: "createRevision", value: number },
			{ kind: "modRevision", value: number },
			{ kind: "value", value: bytes(dice.pick(["", "v", "w"])) },
			{ kind: "lease", value: this.leaseOfKey() },
			null,
		]);
		const target = union === null ? 0 : ["version", "createRevision", "modRevision", "value", "lease"].indexOf(union.kind);
		// Once in a while it names another thing than it brings.
		const named = dice.chance(1, 20) ? dice.range(0, 4) : target;
		return {
			result: dice.range(0, 3),
			target: named,
			key: this.key(),
			rangeEnd: dice.chance(1, 4) ? this.end() : EMPTY,
			targetUnion: union,
		};
	}

	private lease(): Call {
		const { dice } = this;
		const ID = dice.chance(1, 12) ? dice.pick(STRANGE_LEASES) : dice.pick(LEASES);
		switch (dice.range(0, 6)) {
			case 0:
			case 1:
			case 2:
				return lease("LeaseGrant", pb.LeaseGrantRequest.encode({ ID, TTL: dice.pick(TTLS) }));
			case 3:
				return lease("LeaseRevoke", pb.LeaseRevokeRequest.encode({ ID }));
			case 4:
				return lease("LeaseTimeToLive", pb.LeaseTimeToLiveRequest.encode({ ID, keys: dice.chance(1, 2) }));
			case 5:
				// A stream that ends after its first message: one renewal, one answer.
				return lease("LeaseKeepAlive", pb.LeaseKeepAliveRequest.encode({ ID }));
			default:
				return lease("LeaseLeases", EMPTY);
		}
	}

	private cluster(): Call {
		const { dice } = this;
		const ID = dice.pick([0n, 1n, (1n << 64n) - 1n]);
		const peerURLs = dice.pick([[], [""], ["nonsense"], ["http://127.0.0.1"], ["ftp://127.0.0.1:1"], ["http://127.0.0.1:1/path"]]);
		switch (dice.range(0, 3)) {
			case 0:
				return cluster("MemberAdd", pb.MemberAddRequest.encode({ peerURLs, isLearner: dice.chance(1, 2) }));
			case 1:
				return cluster("MemberRemove", pb.MemberRemoveRequest.encode({ ID }));
			case 2:
				return cluster("MemberUpdate", pb.MemberUpdateRequest.encode({ ID, peerURLs }));
			default:
				return cluster("MemberPromote", pb.MemberPromoteRequest.encode({ ID }));
		}
	}

	private maintenance(): Call {
		const { dice } = this;
		switch (dice.range(0, 3)) {
			case 0:
				return maintenance("Alarm", pb.AlarmRequest.encode({ action: dice.pick([0, 2]), memberID: 0n, alarm: dice.pick([0, 1, 2]) }));
			case 1:
				return maintenance("MoveLeader", pb.MoveLeaderRequest.encode({ targetID: dice.pick([0n, 1n]) }));
			case 2:
				return maintenance("Defragment", EMPTY);
			default:
				return maintenance("HashKV", pb.HashKVRequest.encode({ revision: dice.pick([0, this.revision, this.revision + 5, -1]) }));
		}
	}

	/** What ends at once. */
	private concurrency(): Call {
		const { dice } = this;
		const leader = { name: this.key(), key: this.key(), rev: this.someRevision(), lease: dice.pick(LEASES) };
		switch (dice.range(0, 3)) {
			case 0:
				return { path: "/v3lockpb.Lock/Unlock", request: v3lockpb.UnlockRequest.encode({ key: this.key() }) };
			case 1:
				return {
					path: "/v3electionpb.Election/Leader",
					request: v3electionpb.LeaderRequest.encode({ name: bytes(dice.pick(["nobody", ""])) }),
				};
			case 2: {
				const request = { leader: dice.chance(1, 5) ? null : leader, value: bytes("p") };
				return { path: "/v3electionpb.Election/Proclaim", request: v3electionpb.ProclaimRequest.encode(request) };
			}
			default: {
				const request = { leader: dice.chance(1, 5) ? null : leader };
				return { path: "/v3electionpb.Election/Resign", request: v3electionpb.ResignRequest.encode(request) };
			}
		}
	}
}

const kv = (name: string, request: Uint8Array): Call => ({ path: `/etcdserverpb.KV/${name}`, request });
const lease = (name: string, request: Uint8Array): Call => ({ path: `/etcdserverpb.Lease/${name}`, request });
const cluster = (name: string, request: Uint8Array): Call => ({ path: `/etcdserverpb.Cluster/${name}`, request });
const maintenance = (name: string, request: Uint8Array): Call => ({ path: `/etcdserverpb.Maintenance/${name}`, request });

/** Cut off, or followed by a field that nobody knows, whole or not. */
function damaged(dice: Dice, request: Uint8Array): Uint8Array {
	const tails = [[0xc2, 0x3e, 3, 7, 7, 7], [0xc0, 0x3e, 0x96, 0x01], [0xc2, 0x3e, 9, 1], [0xff], [0x07]];
	if (dice.chance(1, 2)) return Uint8Array.of(...request, ...dice.pick(tails));
	return request.slice(0, dice.range(0, request.length));
}

export function shownRequest({ path, request }: Call): unknown {
	try {
		return METHODS.get(path)?.request.decode(request);
	} catch {
		return `bytes ${Buffer.from(request).toString("hex")}`;
	}
}
