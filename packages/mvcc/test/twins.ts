/** A store and a naive twin of it under the same requests. */
import { Dice, portableBytes } from "@flotilla/base";
import {
	isPlain,
	LeaseTable,
	MemoryStorage,
	MvccStore,
	type RangeRequest,
	requestValidation,
	type Sliced,
	type StoreOptions,
	StoreRebuild,
	Unanswered,
	wholly,
} from "../src/index.ts";
import { Model, type Outcome } from "./model.ts";
import { deleteOutcome, putOutcome, rangeOutcome, txnOutcome } from "./outcome.ts";
import { LEASES, RandomRequests } from "./random-requests.ts";
import { leasesOf } from "./store-of.ts";
import { checkTxn } from "./validation-model.ts";

const validation = requestValidation(portableBytes);

export interface Step {
	readonly name: string;
	readonly got: Outcome;
	readonly want: Outcome;
}

/** A store and the model under the same requests, with storage, compaction and long reads going on beside them. */
export class Pairing {
	readonly dice: Dice;
	readonly model = new Model(LEASES);
	readonly storage = new MemoryStorage();
	store: MvccStore;
	readonly requests: RandomRequests;
	private readonly options: StoreOptions;
	private readonly running: Array<{ readonly work: Sliced<unknown>; readonly check: () => Step }> = [];

	constructor(seed: string) {
		this.dice = new Dice(seed);
		this.requests = new RandomRequests(this.dice);
		const valueCacheBytes = this.dice.pick([0, 2_000, 100_000]);
		this.options = { keepEvents: false, valueCacheBytes, changeStride: this.dice.pick([1, 2, 256]) };
		this.store = new MvccStore(this.options, this.storage, portableBytes, leasesOf(LEASES));
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
				return this.answer("delete", wholly(this.store.deleteRangeSliced(request)), deleteOutcome, this.model.deleteRange(request));
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
		const result = wholly(this.store.txnSliced(request));
		const want = this.model.txn(request);
		return result.ok ? this.answer("txn", result, txnOutcome, want) : { name: "txn", got: txnOutcome(result), want };
	}

	/** What is too long for the turn of a change is read while others follow it. */
	private answer<T extends object>(name: string, result: T | Unanswered<T>, outcome: (result: T) => Outcome, want: Outcome): Step {
		if (!(result instanceof Unanswered)) return { name, got: outcome(result), want };
		result.begin();
		const answer = result.sliced();
		const work: Sliced<unknown> = {
			...answer,
			step: (budget) => {
				const done = answer.step(budget);
				if (done) result.close();
				return done;
			},
			abandon: () => result.close(),
		};
		this.running.push({ work, check: () => ({ name: `${name}, answered later`, got: outcome(answer.result()), want }) });
		return { name: `${name} begins`, got: "", want: "" };
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
		if (revision > 0 && revision <= compactRevision) {
			result.abandon();
			return { name: "hash", got: "", want: "" };
		}
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
		this.store.dropAnswers();
		if (this.dice.chance(1, 2)) this.store.compactionStep(this.dice.range(1, 5));
		if (this.dice.chance(1, 3)) this.storeBatch();
	}

	storeBatch(): void {
		const batch = this.store.takeBatch();
		if (batch === null) return;
		this.storage.write(batch);
		this.store.batchStored(batch.seq);
	}

	/** Floor, end and start: what was going on is given up, and the store is made again from its records. */
	restart(): Step {
		for (const { work } of this.running.splice(0)) work.abandon();
		wholly({ step: (budget) => this.store.compactionStep(budget), result: () => null, abandon() {} });
		const kept = this.census();
		if (kept.got !== kept.want) return kept;
		const before = this.store.digest();
		const mark = this.store.mark();
		this.storeBatch();
		this.store.floorWritten();
		if (this.dice.chance(1, 2)) {
			const left = this.recordsLeft();
			if (left !== mark.count) return { name: "space comes back", got: String(left), want: String(mark.count) };
		}
		// The next batches take away what the floor lets go; some of them are lost with the process.
		if (this.dice.chance(1, 2)) this.storeBatch();
		const leases = new LeaseTable();
		const rebuild = new StoreRebuild(mark, this.options, this.storage, portableBytes, leases);
		for (const { key, value } of this.storage.all()) {
			const fault = rebuild.record(key, value);
			if (fault !== null) return { name: "restart", got: fault, want: "" };
		}
		const restored = wholly(rebuild.finish());
		if (!restored.ok) return { name: "restart", got: restored.reason, want: "" };
		for (const { value } of leasesOf(LEASES).rows()) leases.load(value);
		leases.loaded();
		this.store = restored.store as MvccStore;
		const again = this.census();
		if (again.got !== again.want) return again;
		return { name: "restart", got: String(this.store.digest()), want: String(before) };
	}

	/** Nothing is pending: whatever the index holds beyond the twin's is held for good. */
	private census(): Step {
		const { keys, ...records } = this.model.census();
		const want = { inTree: keys, inTable: keys, slots: keys, ...records };
		return { name: "keys and records held", got: JSON.stringify(this.store.census()), want: JSON.stringify(want) };
	}

	/** Records in the storage when two more floors have let all go that may go. */
	private recordsLeft(): number {
		for (let floor = 0; floor < 2; floor++) {
			this.store.mark();
			for (let batch = this.store.takeBatch(); batch !== null; batch = this.store.takeBatch()) {
				this.storage.write(batch);
				this.store.batchStored(batch.seq);
			}
			this.store.floorWritten();
		}
		this.storeBatch();
		return this.storage.size;
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

/** What the two differ in after so many steps of one seed; null: nothing. */
export function compareTwins(seed: string, steps: number): string | null {
	const pairing = new Pairing(seed);
	for (let i = 0; i < steps; i++) {
		for (const { name, got, want } of pairing.dice.chance(1, 60) ? [pairing.restart()] : [pairing.step(), ...pairing.slices()]) {
			const [shownGot, shownWant] = [show(got), show(want)];
			if (shownGot !== shownWant) return `seed ${seed}, step ${i}, ${name}: got ${shownGot}, want ${shownWant}`;
		}
		const { store, model } = pairing;
		if (store.revision !== model.revision) return `seed ${seed}, step ${i}: revision ${store.revision}, want ${model.revision}`;
		const keys = model.state(model.revision).length;
		if (store.keyCount !== keys) return `seed ${seed}, step ${i}: ${store.keyCount} keys, want ${keys}`;
	}
	return null;
}

/** Outcomes as text: objects with their fields in order of name. */
function show(value: unknown): string {
	return JSON.stringify(value, (_key, each: unknown) => {
		if (typeof each === "bigint") return `${each}n`;
		if (each instanceof Uint8Array) return [...each].join();
		if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
		return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
	});
}
