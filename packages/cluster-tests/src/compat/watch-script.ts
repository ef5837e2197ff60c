/** What a seed has one watch stream go through: watchers that come and go while keys change, valid, odd and wrong. */
import { etcdserverpb as pb } from "@flotilla/api";
import type { Dice } from "@flotilla/base";
import type { Call } from "./beside-etcd.ts";
import type { Requests } from "./requests.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const KEYS = ["", "a", "b", "c", "ab", "b\0", "\xff", "lock/x"].map(bytes);
const ENDS = ["", "\0", "\0", "a", "c", "d", "\xff\xff", "\xff\xff"].map(bytes);
/** Few, so that they meet. Zero lets the server choose. */
const IDS = [0n, 0n, 0n, 1n, 2n, 7n, -7n];
const STEPS_MIN = 10;
const STEPS_MAX = 30;
const AHEAD_MAX = 4;

export type WatchStep =
	| { readonly kind: "request"; readonly shown: pb.WatchRequest | string; readonly bytes: Uint8Array }
	/** To the store, beside the stream. */
	| { readonly kind: "call"; readonly call: Call }
	| { readonly kind: "compact" }
	/** Nothing more is asked on this stream, and what is watched goes on being told. */
	| { readonly kind: "halfClose" };

export class WatchScript {
	private readonly dice: Dice;
	private readonly requests: Requests;
	private readonly length: number;
	private drawn = 0;
	private closed = false;

	constructor(dice: Dice, requests: Requests) {
		this.dice = dice;
		this.requests = requests;
		this.length = dice.range(STEPS_MIN, STEPS_MAX);
	}

	next(): WatchStep | null {
		const { dice } = this;
		if (this.drawn++ >= this.length) return null;
		const roll = this.drawn === 1 ? 0 : dice.range(0, 99);
		if (roll >= 34 || this.closed) return roll >= 97 ? { kind: "compact" } : { kind: "call", call: this.change() };
		if (roll < 20) return request({ kind: "createRequest", value: this.create() });
		if (roll < 27) return request({ kind: "cancelRequest", value: { watchId: dice.pick([...IDS, 3n, 99n]) } });
		if (roll < 29) return request(null);
		if (roll < 30) return strange(dice);
		if (roll < 31) {
			this.closed = true;
			return { kind: "halfClose" };
		}
		return request({ kind: "progressRequest", value: {} });
	}

	private change(): Call {
		for (;;) {
			const call = this.requests.next();
			if (/(KV\/(Put|DeleteRange|Txn)|Lease\/Lease(Grant|Revoke))$/.test(call.path)) return call;
		}
	}

	private create(): pb.WatchCreateRequest {
		const { dice, requests } = this;
		const filters = dice.chance(3, 4) ? [] : dice.pick([[0], [1], [0, 1], [5], [1, 1]]);
		const startRevision = dice.pick([0, 0, 1, requests.revision, requests.revision + 1, dice.range(1, requests.revision + AHEAD_MAX)]);
		// Half of them hear of everything.
		const [key, rangeEnd] = dice.chance(1, 2) ? [bytes(""), bytes("\0")] : [dice.pick(KEYS), dice.pick(ENDS)];
		return {
			...{ key, rangeEnd, startRevision, filters, watchId: dice.pick(IDS) },
			...{ prevKv: dice.chance(1, 2), fragment: dice.chance(1, 4), progressNotify: dice.chance(1, 4) },
		};
	}
}

function request(requestUnion: pb.WatchRequest["requestUnion"]): WatchStep {
	const shown = { requestUnion };
	return { kind: "request", shown, bytes: pb.WatchRequest.encode(shown) };
}

/** A field that nobody knows; or what is no message, which ends the stream. */
function strange(dice: Dice): WatchStep {
	const drawn = Uint8Array.from(dice.pick([[0xc2, 0x3e, 3, 7, 7, 7], [0xc0, 0x3e, 0x96, 0x01], [0xc2, 0x3e, 9, 1], [0xff], [0x0a, 5, 1]]));
	return { kind: "request", shown: `bytes ${Buffer.from(drawn).toString("hex")}`, bytes: drawn };
}
