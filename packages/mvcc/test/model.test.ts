import { Dice, portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { isPlain, MemoryStorage, MvccStore, type RangeRequest, requestValidation, type Sliced } from "../src/index.ts";
import { Model, type Outcome } from "./model.ts";
import { deleteOutcome, putOutcome, rangeOutcome, txnOutcome } from "./outcome.ts";
import { LEASES, RandomRequests } from "./random-requests.ts";
import { leasesOf } from "./store-of.ts";
import { checkTxn } from "./validation-model.ts";

const validation = requestValidation(portableBytes);

interface Step {
	readonly name: string;
	readonly got: Outcome;
	readonly want: Outcome;
}

/** A store and the model under the same requests, with storage, compaction and long reads going on beside them. */
class Pairing {
	readonly dice: Dice;
	readonly model = new Model(LEASES);
	readonly storage = new MemoryStorage();
	readonly store: MvccStore;
	readonly requests: RandomRequests;
	private readonly running: Array<{ readonly work: Sliced<unknown>; readonly check: () => Step }> = [];

	constructor(seed: string) {
		this.dice = new Dice(seed);
		this.requests = new RandomRequests(this.dice);
		const valueCacheBytes = this.dice.pick([0, 2_000, 100_000]);
		this.store = new MvccStore({ keepEvents: false, valueCacheBytes }, this.storage, portableBytes, leasesOf(LEASES));
	}

	step(): Step {
		this.requests.revision = this.model.revision;
		this.background();
		switch (this.dice.range(0, 9)) {
			case 0:
			case 1:
			case 2: {
				const request = this.requests.put();
				return { name: "put", got: putOutcome(this.store.put(request)), want: this.model.put(request) };
			}
			case 3: {
				const request = this.requests.del();
				return { name: "delete", got: deleteOutcome(this.store.deleteRange(request)), want: this.model.deleteRange(request) };
			}
			case 4:
				return this.txn();
			case 5:
				return this.compact();
			case 6:
				return this.hash();
			case 7:
				return this.startRange();
			default: {
				const request = this.requests.range();
				return { name: "range", got: rangeOutcome(this.store.range(request)), want: this.model.range(request) };
			}
		}
	}

	private txn(): Step {
		const request = this.requests.txn();
		const opsMax = this.dice.range(2, 8);
		const refusal = validation.txn(request, opsMax);
		// Transactions that the door refuses never reach the store.
		if (refusal !== null) return { name: "refused txn", got: refusal, want: checkTxn(request, opsMax) ?? "" };
		if (checkTxn(request, opsMax) !== null) return { name: "txn let in", got: "", want: checkTxn(request, opsMax) as string };
		const got = txnOutcome(this.store.txn(request));
		return { name: "txn", got, want: this.model.txn(request) };
	}

	private compact(): Step {
		const revision = this.dice.chance(1, 2)
			? this.dice.range(-2, this.model.revision + 1)
			: this.model.compactRevision + this.dice.range(0, 3);
		const result = this.store.compact(revision);
		return { name: "compact", got: result.ok ? { revision: result.revision } : result.code, want: this.model.compact(revision) };
	}

	private hash(): Step {
		const revision = this.dice.range(-1, this.model.revision + 1);
		const result = this.store.hashKv(revision);
		const { compactRevision } = this.model;
		if ("code" in result) {
			const want = revision > this.model.revision ? "futureRevision" : "compacted";
			return { name: "hash", got: result.code, want };
		}
		// With a compaction at C the hash before it is remembered; its rule differs when nothing was alive at C.
		if (revision > 0 && revision <= compactRevision) return { name: "hash", got: "", want: "" };
		const at = revision === 0 ? this.model.revision : revision;
		const want = { hash: this.model.hashKv(at), compactRevision, hashRevision: at, revision: this.model.revision };
		const check = (): Step => {
			const { ok: _, ...got } = result.result();
			return { name: `hash ${at}`, got, want };
		};
		this.running.push({ work: result, check });
		return { name: "hash begins", got: "", want: "" };
	}

	private startRange(): Step {
		const request = this.requests.range();
		const want = this.model.range(request);
		if (isPlain(request) && this.dice.chance(1, 2)) return this.startChunks(request, want);
		const work = this.store.rangeSliced(request);
		if ("code" in work) return { name: "sliced range", got: work.code, want };
		this.running.push({ work, check: () => ({ name: "sliced range", got: rangeOutcome(work.result()), want }) });
		return { name: "sliced range begins", got: "", want: "" };
	}

	/** The same range in pieces, put together again. */
	private startChunks(request: RangeRequest, want: Outcome): Step {
		const chunks = this.store.rangeChunks(request);
		if ("code" in chunks) return { name: "range in pieces", got: chunks.code, want };
		const kvs: Uint8Array[] = [];
		const work: Sliced<unknown> = {
			step: (budget) => {
				kvs.push(...chunks.next(budget, this.dice.pick([1, 40, 1_000])));
				return chunks.done;
			},
			result: () => null,
			abandon: () => chunks.abandon(),
		};
		const outcome = (): Outcome => {
			const { revision, more, count } = chunks;
			return rangeOutcome({ ok: true, revision, kvs, more, count });
		};
		this.running.push({ work, check: () => ({ name: "range in pieces", got: outcome(), want }) });
		return { name: "range in pieces begins", got: "", want: "" };
	}

	/** Some of what goes on in other turns. */
	private background(): void {
		if (this.dice.chance(1, 2)) this.store.compactionStep(this.dice.range(1, 5));
		if (this.dice.chance(1, 3)) this.storeBatch();
	}

	storeBatch(): void {
		const batch = this.store.takeBatch();
		if (batch === null) return;
		this.storage.write(batch);
		this.store.batchStored(batch.seq);
	}

	/** Work under way goes on by a little; what came to its end. */
	slices(): Step[] {
		const steps: Step[] = [];
		for (const one of this.running.slice()) {
			if (this.dice.chance(1, 2)) continue;
			if (this.dice.chance(1, 20)) one.work.abandon();
			else if (!one.work.step(this.dice.range(1, 4))) continue;
			else steps.push(one.check());
			this.running.splice(this.running.indexOf(one), 1);
		}
		return steps;
	}
}

describe("the store answers like a plain list of all changes", () => {
	for (let seed = 0; seed < 60; seed++) {
		test(`seed ${seed}`, () => {
			const pairing = new Pairing(`mvcc-${seed}`);
			for (let i = 0; i < 250; i++) {
				for (const { name, got, want } of [pairing.step(), ...pairing.slices()]) {
					expect(got, `seed ${seed}, step ${i}: ${name}`).toEqual(want);
				}
				expect(pairing.store.revision).toBe(pairing.model.revision);
				expect(pairing.store.keyCount).toBe(pairing.model.state(pairing.model.revision).length);
			}
		});
	}
});
