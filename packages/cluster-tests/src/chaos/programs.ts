/** What clients do: single operations, and small programs of several that keep a promise which the verdict checks. */
import type { Dice } from "@flotilla/base";
import type { Answer, Operation, Pair, RangeOp } from "../history/operation.ts";
import { Workload } from "../sim/workload.ts";
import type { Caller } from "./recorder.ts";
import type { LoadWeights, Scenario } from "./scenario.ts";

/** Accounts of the bank and what they hold together, for ever. */
export const BANK = { prefix: "zb", accounts: 5, total: 500 } as const;
const LISTS = { prefix: "zl", count: 3, lengthMax: 60 } as const;
const SET = { prefix: "zs", end: "zt", elements: 12 } as const;
const LOCKS = { prefix: "zk", count: 2, fence: "zf" } as const;

/** Keys of programs sort behind those of single operations, so that no random deletion reaches them. */
export class Programs {
	private readonly dice: Dice;
	private readonly workload: Workload;
	private readonly weights: LoadWeights;
	/** The least revision that every recorder of changes has seen: nothing above it is compacted. */
	private readonly seenByAll: () => number;
	private serial = 0;

	constructor(dice: Dice, { load, keys }: Scenario, seenByAll: () => number) {
		const { put, get, range, delete: del, txn } = load;
		this.dice = dice;
		this.weights = load;
		this.seenByAll = seenByAll;
		this.workload = new Workload(dice, { put, get, range, delete: del, txn, compact: 0 }, keys, BOUND);
	}

	/** One step of one client. */
	async step(caller: Caller): Promise<void> {
		switch (this.draw()) {
			case "append":
				return this.append(caller);
			case "bank":
				return this.transfer(caller);
			case "lock":
				return this.lock(caller);
			case "set":
				return this.changeSet(caller);
			case "compact":
				await caller.call({ kind: "compact", revision: Math.max(1, Math.min(caller.revision, this.seenByAll()) - this.dice.range(0, 50)) });
				return;
			case "single":
				await caller.call(this.workload.next(caller.id, caller));
		}
	}

	/** Opens the accounts: nobody else writes yet. */
	async openBank(caller: Caller): Promise<boolean> {
		const each = BANK.total / BANK.accounts;
		const success = Array.from({ length: BANK.accounts }, (_, at) => put(`${BANK.prefix}${at}`, `${each}`));
		const compare = [{ target: "create", result: "equal", key: `${BANK.prefix}0`, operand: 0 } as const];
		return (await caller.call({ kind: "txn", compare, success, failure: [] })) !== null;
	}

	private draw(): "append" | "bank" | "lock" | "set" | "compact" | "single" {
		const { append, bank, lock, set, compact, put: puts, get: gets, range: ranges, delete: deletes, txn } = this.weights;
		const tickets = [
			["append", append],
			["bank", bank],
			["lock", lock],
			["set", set],
			["compact", compact],
			["single", puts + gets + ranges + deletes + txn],
		] as const;
		let ticket = this.dice.range(0, Math.max(0, tickets.reduce((sum, [, weight]) => sum + weight, 0) - 1));
		for (const [kind, weight] of tickets) {
			if (ticket < weight) return kind;
			ticket -= weight;
		}
		return "single";
	}

	/** Appends to a list that is one value: read, then write if nobody else did. */
	private async append(caller: Caller): Promise<void> {
		const key = `${LISTS.prefix}${this.dice.range(0, LISTS.count - 1)}`;
		const [pair] = await this.read(caller, key, "");
		if (pair === "unknown") return;
		const item = `${caller.id}.${++this.serial}`;
		const items = pair === undefined ? [] : pair.value.split(",");
		// Long lists begin anew: what is checked is each step, not the length.
		const value = items.length >= LISTS.lengthMax ? item : [...items, item].join(",");
		await caller.call({ kind: "txn", compare: [unchanged(key, pair)], success: [put(key, value)], failure: [get(key)] });
	}

	private async transfer(caller: Caller): Promise<void> {
		const accounts = await this.read(caller, BANK.prefix, "zc");
		if (accounts[0] === "unknown") return;
		const [from, to] = this.dice.shuffle(accounts.filter((pair) => pair !== "unknown"));
		if (from === undefined || to === undefined) return;
		const amount = this.dice.range(1, 20);
		if (Number(from.value) < amount) return;
		await caller.call({
			kind: "txn",
			compare: [unchanged(from.key, from), unchanged(to.key, to)],
			success: [put(from.key, `${Number(from.value) - amount}`), put(to.key, `${Number(to.value) + amount}`)],
			failure: [],
		});
	}

	/** A set whose elements are keys: one is added if it is not there, taken out, or all are read or counted. */
	private async changeSet(caller: Caller): Promise<void> {
		const { dice } = this;
		const element = `${SET.prefix}${dice.range(0, SET.elements - 1)}`;
		switch (dice.range(0, 3)) {
			case 0:
			case 1: {
				const compare = [{ target: "create", result: "equal", key: element, operand: 0 } as const];
				await caller.call({ kind: "txn", compare, success: [put(element, `${caller.id}.${++this.serial}`)], failure: [get(element)] });
				return;
			}
			case 2:
				await caller.call({ kind: "delete", key: element, end: "" });
				return;
			default:
				await caller.call({ ...get(SET.prefix), end: SET.end, countOnly: dice.chance(1, 2) });
		}
	}

	/** Takes a lock, writes under its fence, gives it back. Whoever cannot tell whether it holds it lets it be. */
	private async lock(caller: Caller): Promise<void> {
		const at = this.dice.range(0, LOCKS.count - 1);
		const [key, fenced] = [`${LOCKS.prefix}${at}`, `${LOCKS.fence}${at}`];
		const owner = `${caller.id}.${++this.serial}`;
		const taken = await caller.call({
			kind: "txn",
			compare: [{ target: "create", result: "equal", key, operand: 0 }],
			success: [put(key, owner)],
			failure: [get(key)],
		});
		if (taken?.kind !== "txn") return;
		if (!taken.succeeded) return this.evict(caller, key, taken.responses[0]);
		const mine = { target: "create", result: "equal", key, operand: taken.revision } as const;
		await caller.call({ kind: "txn", compare: [mine], success: [put(fenced, owner)], failure: [get(key)] });
		await caller.call({ kind: "txn", compare: [mine], success: [{ kind: "delete", key, end: "" }], failure: [get(key)] });
	}

	/** A holder that met a failure never gives back: one in four who finds the lock taken breaks that very tenure. */
	private async evict(caller: Caller, key: string, seen: Answer | undefined): Promise<void> {
		const pair = seen?.kind === "range" ? seen.pairs[0] : undefined;
		if (pair === undefined || !this.dice.chance(1, 4)) return;
		const compare = [{ target: "create", result: "equal", key, operand: pair.create } as const];
		await caller.call({ kind: "txn", compare, success: [{ kind: "delete", key, end: "" }], failure: [] });
	}

	private async read(caller: Caller, key: string, end: string): Promise<Array<Pair | "unknown">> {
		const answer = await caller.call({ ...get(key), end });
		return answer?.kind === "range" ? [...answer.pairs] : ["unknown"];
	}
}

/** Ranges and deletions of single operations end here. */
const BOUND = "y";

function put(key: string, value: string): Operation & { kind: "put" } {
	return { kind: "put", key, value };
}

function get(key: string): RangeOp {
	return { kind: "range", key, end: "", limit: 0, revision: 0, serializable: false, countOnly: false };
}

function unchanged(key: string, pair: Pair | "unknown" | undefined): { target: "mod"; result: "equal"; key: string; operand: number } {
	return { target: "mod", result: "equal", key, operand: typeof pair === "object" ? pair.mod : 0 };
}
