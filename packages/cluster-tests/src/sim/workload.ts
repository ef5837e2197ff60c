import type { Dice } from "@flotilla/base";
import type { CompareOp, DeleteOp, Operation, PutOp, RangeOp, TxnOp } from "../history/operation.ts";

/** How often each kind of operation is drawn; some weights are zero in a run, so that each kind is also seen without the others. */
export interface Weights {
	readonly put: number;
	readonly get: number;
	readonly range: number;
	readonly delete: number;
	readonly txn: number;
	readonly compact: number;
}

/** What a generator may know: it makes requests about revisions that exist, existed, or do not exist yet. */
export interface Known {
	readonly revision: number;
}

/** Draws operations over a handful of keys, so that they meet. Every value is written once. */
export class Workload {
	private readonly dice: Dice;
	private readonly weights: ReadonlyArray<readonly [keyof Weights, number]>;
	private readonly weightSum: number;
	private readonly keys: readonly string[];
	private readonly openEnd: string;
	private lastValue = 0;

	/** `openEnd`: where ranges "to the end" end; by default behind all keys. */
	constructor(dice: Dice, weights: Weights, keyCount: number, openEnd = "\0") {
		this.openEnd = openEnd;
		this.dice = dice;
		this.weights = Object.entries(weights) as Array<[keyof Weights, number]>;
		this.weightSum = this.weights.reduce((sum, [, weight]) => sum + weight, 0);
		this.keys = Array.from({ length: keyCount }, (_, at) => `k${String.fromCharCode(97 + at)}`);
	}

	next(client: number, known: Known): Operation {
		switch (this.kind()) {
			case "put":
				return this.put(client);
			case "get":
				return this.range(known, "");
			case "range":
				return this.range(known, this.dice.chance(1, 2) ? this.openEnd : "l");
			case "delete":
				return this.delete();
			case "compact":
				return { kind: "compact", revision: Math.max(0, known.revision - this.dice.range(-2, 30)) };
			case "txn":
				return this.txn(client, known, this.dice.chance(1, 4) ? 2 : 1);
		}
	}

	private kind(): keyof Weights {
		let ticket = this.dice.range(0, this.weightSum - 1);
		for (const [kind, weight] of this.weights) {
			if (ticket < weight) return kind;
			ticket -= weight;
		}
		return "put";
	}

	private put(client: number): PutOp {
		return { kind: "put", key: this.dice.pick(this.keys), value: this.value(client) };
	}

	private delete(): DeleteOp {
		return { kind: "delete", key: this.dice.pick(this.keys), end: this.dice.chance(1, 5) ? this.openEnd : "" };
	}

	private range(known: Known, end: string): RangeOp {
		const { dice } = this;
		return {
			kind: "range",
			key: dice.pick(this.keys),
			end,
			limit: end !== "" && dice.chance(1, 4) ? dice.range(1, 3) : 0,
			revision: dice.chance(1, 8) ? Math.max(0, known.revision - dice.range(-1, 12)) : 0,
			serializable: dice.chance(1, 6),
			countOnly: dice.chance(1, 10),
		};
	}

	/** Keys that one transaction puts or deletes must differ, or the request is refused as a whole. */
	private txn(client: number, known: Known, levels: number): TxnOp {
		const { dice } = this;
		const free = dice.shuffle([...this.keys]);
		const branch = (): TxnOp["success"] =>
			Array.from({ length: dice.range(0, 3) }, () => {
				const key = free.pop();
				if (key === undefined || dice.chance(1, 3)) return this.range({ revision: 0 }, "");
				if (dice.chance(1, 4)) return { kind: "delete", key, end: "" } as const;
				return { kind: "put", key, value: this.value(client) } as const;
			});
		const nested = (): TxnOp["success"] => (levels > 1 && dice.chance(1, 2) ? [this.guard(known, branch)] : []);
		return {
			kind: "txn",
			compare: Array.from({ length: dice.range(0, 2) }, () => this.compare(known)),
			success: [...branch(), ...nested()],
			failure: branch(),
		};
	}

	private guard(known: Known, branch: () => TxnOp["success"]): TxnOp {
		return { kind: "txn", compare: [this.compare(known)], success: branch(), failure: branch() };
	}

	private compare(known: Known): CompareOp {
		const { dice } = this;
		const target = dice.pick(["value", "version", "create", "mod"] as const);
		return {
			target,
			result: dice.pick(["equal", "notEqual", "greater", "less"] as const),
			key: dice.pick(this.keys),
			operand: target === "value" ? `v${dice.range(0, this.lastValue)}` : dice.range(0, target === "version" ? 4 : known.revision),
		};
	}

	private value(client: number): string {
		return `v${++this.lastValue}c${client}`;
	}
}
