/** Seeded requests over few keys, so that they meet. */
import { type Dice, portableBytes } from "@flotilla/base";
import type { Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "../src/index.ts";
import { compare, del, op, put, range, txn } from "./requests.ts";

const KEYS = ["a", "a\0", "a\0b", "aa", "ab", "b", "b\xff", "c", "ca", "d", "\xff", "\xff\xff", "e/1", "e/2", "e/3", "\0"];
const ENDS = ["\0", "\0\0", "b", "c", "e0", "\xff", "a\xff", "f", "aa", "e/3"];
export const LEASES: ReadonlySet<bigint> = new Set([7n, -3n]);

export class RandomRequests {
	private readonly dice: Dice;
	private readonly keys: readonly string[];
	/** Bounds of the revisions drawn. */
	revision = 1;

	/** Few keys: some runs with so few that often none is alive. */
	constructor(dice: Dice) {
		this.dice = dice;
		this.keys = dice.chance(1, 3) ? dice.shuffle([...KEYS]).slice(0, dice.range(1, 3)) : KEYS;
	}

	key(): string {
		return this.dice.pick(this.keys);
	}

	private rangeEnd(): string {
		return this.dice.chance(1, 3) ? "" : this.dice.pick(ENDS);
	}

	private drawRevision(): number {
		return this.dice.range(-2, this.revision + 1);
	}

	private bound(): number {
		return this.dice.chance(3, 4) ? 0 : this.dice.range(-1, this.revision + 1);
	}

	range(): RangeRequest {
		const { dice } = this;
		return range(this.key(), {
			rangeEnd: this.rangeEnd(),
			limit: dice.chance(1, 2) ? 0 : dice.range(-1, 6),
			revision: dice.chance(1, 2) ? 0 : this.drawRevision(),
			sortOrder: dice.range(0, 2),
			sortTarget: dice.range(0, 4),
			keysOnly: dice.chance(1, 5),
			countOnly: dice.chance(1, 6),
			minModRevision: this.bound(),
			maxModRevision: this.bound(),
			minCreateRevision: this.bound(),
			maxCreateRevision: this.bound(),
		});
	}

	put(): PutRequest {
		const { dice } = this;
		const ignoreValue = dice.chance(1, 8);
		const ignoreLease = dice.chance(1, 8);
		const lease = ignoreLease || dice.chance(2, 3) ? 0n : dice.pick([7n, -3n, 99n]);
		const value = ignoreValue ? "" : dice.pick(["", "x", "y", "a longer value", "\xff\0"]);
		return put(this.key(), value, { lease, ignoreValue, ignoreLease, prevKv: dice.chance(1, 3) });
	}

	del(): DeleteRangeRequest {
		return del(this.key(), this.dice.chance(1, 2) ? "" : this.rangeEnd(), this.dice.chance(1, 2));
	}

	compare(): Compare {
		const { dice } = this;
		return compare(dice.range(0, 5), dice.range(0, 4), this.key(), {
			rangeEnd: dice.chance(2, 3) ? "" : this.rangeEnd(),
			number: dice.range(0, 4),
			value: dice.pick(["", "x", "y"]),
			lease: dice.pick([0n, 7n, -3n]),
		});
	}

	/** Two changes of a key at one revision: allowed in this order only, by siblings or by a delete up to the zero byte. */
	private putThenDelete(): TxnRequest {
		const request = this.put();
		const key = portableBytes.latin1(request.key);
		if (this.dice.chance(1, 2)) return txn({ success: [op.put(request), op.del(del(key, "\0"))] });
		return txn({ success: [op.txn(txn({ success: [op.put(request)] })), op.txn(txn({ success: [op.del(del(key))] }))] });
	}

	txn(depth = 0): TxnRequest {
		if (depth === 0 && this.dice.chance(1, 4)) return this.putThenDelete();
		return txn({
			compare: Array.from({ length: this.dice.range(0, 2) }, () => this.compare()),
			success: this.ops(depth),
			failure: this.ops(depth),
		});
	}

	private ops(depth: number): RequestOp[] {
		return Array.from({ length: this.dice.range(0, 4) }, () => {
			switch (this.dice.range(0, depth < 2 ? 3 : 2)) {
				case 0:
					return op.put(this.put());
				case 1:
					return op.del(this.del());
				case 2:
					return op.range(this.range());
				default:
					return op.txn(this.txn(depth + 1));
			}
		});
	}
}
