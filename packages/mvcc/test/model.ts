/**
 * The key space as a plain list of all changes ever made, read from the text of the API: no index, no compaction of data,
 * everything by scanning. Slow and obvious; the store is compared with it.
 */
import { portableBytes } from "@flotilla/base";
import { encodeKeyValue, encodeRecordKey } from "../src/index.ts";
import type { Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "../src/request.ts";
import { bytes, type Pair, text } from "./requests.ts";

interface Change {
	readonly main: number;
	readonly sub: number;
	readonly key: string;
	/** Null: a deletion. */
	readonly pair: Pair | null;
}

export type Outcome = Readonly<Record<string, unknown>> | string;

export class Model {
	revision = 1;
	compactRevision = -1;
	readonly changes: Change[] = [];
	private readonly leases: ReadonlySet<bigint>;
	/** Changes of the request that is running. */
	private sub = 0;
	/** A put was to keep something of a key that the transaction has deleted: then nothing of it is done. */
	private keptNothing = false;

	constructor(leases: ReadonlySet<bigint> = new Set()) {
		this.leases = leases;
	}

	private get visible(): number {
		return this.sub > 0 ? this.revision + 1 : this.revision;
	}

	private end(): number {
		if (this.sub > 0) this.revision++;
		this.sub = 0;
		return this.revision;
	}

	/** Living pairs at `revision` in key order. */
	state(revision: number): Pair[] {
		const newest = new Map<string, Change>();
		for (const change of this.changes) if (change.main <= revision) newest.set(change.key, change);
		const alive = [...newest.values()].flatMap((change) => (change.pair === null ? [] : [change.pair]));
		return alive.sort((a, b) => (a.key < b.key ? -1 : 1));
	}

	range(request: RangeRequest): Outcome {
		if (request.revision > this.revision) return "futureRevision";
		if (request.revision > 0 && request.revision < this.compactRevision) return "compacted";
		return this.read(request);
	}

	private read(request: RangeRequest): Outcome {
		const revision = this.visible;
		const all = this.state(request.revision > 0 ? request.revision : revision).filter((p) => inRange(p.key, request.key, request.rangeEnd));
		if (request.countOnly) return { revision, kvs: [], more: false, count: all.length };
		const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision, sortOrder, sortTarget, limit } = request;
		const bounds = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision];
		const fetchAll = sortOrder !== 0 || bounds.some((bound) => bound !== 0);
		let found = fetchAll || limit <= 0 ? all : all.slice(0, limit + 1);
		if (maxModRevision !== 0) found = found.filter((p) => p.mod <= maxModRevision);
		if (minModRevision !== 0) found = found.filter((p) => p.mod >= minModRevision);
		if (maxCreateRevision !== 0) found = found.filter((p) => p.create <= maxCreateRevision);
		if (minCreateRevision !== 0) found = found.filter((p) => p.create >= minCreateRevision);
		const order = sortOrder === 0 && sortTarget !== 0 ? 1 : sortOrder;
		if (order !== 0) found = [...found].sort((a, b) => (order === 2 ? -1 : 1) * compareBy(sortTarget, a, b));
		const more = limit > 0 && found.length > limit;
		if (more) found = found.slice(0, limit);
		if (request.keysOnly) found = found.map((p) => ({ ...p, value: "" }));
		return { revision, kvs: found, more, count: all.length };
	}

	put(request: PutRequest): Outcome {
		const refusal = this.absentLease(request) ?? this.absentKey(request);
		if (refusal !== null) return refusal;
		const prevKv = this.write(request);
		return { revision: this.end(), prevKv };
	}

	private absentLease(request: PutRequest): string | null {
		return request.lease !== 0n && !this.leases.has(request.lease) ? "leaseNotFound" : null;
	}

	private absentKey(request: PutRequest): string | null {
		const present = this.state(this.revision).some((p) => p.key === text(request.key));
		return (request.ignoreValue || request.ignoreLease) && !present ? "keyNotFound" : null;
	}

	private write(request: PutRequest): Pair | null {
		const key = text(request.key);
		const before = this.state(this.revision + 1).find((p) => p.key === key);
		if ((request.ignoreValue || request.ignoreLease) && before === undefined) this.keptNothing = true;
		const main = this.revision + 1;
		const pair: Pair = {
			key,
			value: request.ignoreValue ? (before?.value ?? "") : text(request.value),
			create: before?.create ?? main,
			mod: main,
			version: (before?.version ?? 0) + 1,
			lease: request.ignoreLease ? (before?.lease ?? 0n) : request.lease,
		};
		this.changes.push({ main, sub: this.sub++, key, pair });
		return request.prevKv ? (before ?? null) : null;
	}

	deleteRange(request: DeleteRangeRequest): Outcome {
		const gone = this.erase(request);
		return { revision: this.end(), deleted: gone.length, prevKvs: request.prevKv ? gone : [] };
	}

	private erase(request: DeleteRangeRequest): Pair[] {
		const gone = this.state(this.revision + 1).filter((p) => inRange(p.key, request.key, request.rangeEnd));
		for (const { key } of gone) this.changes.push({ main: this.revision + 1, sub: this.sub++, key, pair: null });
		return gone;
	}

	txn(request: TxnRequest): Outcome {
		const chosen = new Map<TxnRequest, boolean>();
		this.choose(request, chosen);
		const refusal = this.checkTxn(request, chosen);
		if (refusal !== null) return refusal;
		const before = this.changes.length;
		this.keptNothing = false;
		const result = this.run(request, chosen);
		if (this.keptNothing) {
			this.changes.length = before;
			this.sub = 0;
			return "keyNotFound";
		}
		this.end();
		return result;
	}

	private choose(request: TxnRequest, chosen: Map<TxnRequest, boolean>): void {
		const succeeded = request.compare.every((compare) => this.holds(compare));
		chosen.set(request, succeeded);
		for (const op of succeeded ? request.success : request.failure) if (op.kind === "txn") this.choose(op.txn, chosen);
	}

	/** Op by op; what an earlier op deletes is not there for a later put that keeps something of it. */
	private checkTxn(request: TxnRequest, chosen: Map<TxnRequest, boolean>): string | null {
		return this.checkPuts(request, chosen, []) ?? this.checkRanges(request, chosen);
	}

	private checkRanges(request: TxnRequest, chosen: Map<TxnRequest, boolean>): string | null {
		for (const op of branch(request, chosen)) {
			if (op.kind === "txn") {
				const refusal = this.checkRanges(op.txn, chosen);
				if (refusal !== null) return refusal;
			}
			if (op.kind === "range") {
				if (op.range.revision > this.revision) return "futureRevision";
				if (op.range.revision !== 0 && op.range.revision < this.compactRevision) return "compacted";
			}
		}
		return null;
	}

	private checkPuts(request: TxnRequest, chosen: Map<TxnRequest, boolean>, deleted: DeleteRangeRequest[]): string | null {
		for (const op of branch(request, chosen)) {
			if (op.kind === "txn") {
				const refusal = this.checkPuts(op.txn, chosen, deleted);
				if (refusal !== null) return refusal;
			}
			if (op.kind === "put") {
				const refusal = this.absentKey(op.put) ?? this.absentLease(op.put);
				if (refusal !== null) return refusal;
				const keeps = op.put.ignoreValue || op.put.ignoreLease;
				if (keeps && deleted.some(({ key, rangeEnd }) => inRange(text(op.put.key), key, rangeEnd))) return "keyNotFound";
			}
			if (op.kind === "deleteRange") deleted.push(op.deleteRange);
		}
		return null;
	}

	private run(request: TxnRequest, chosen: Map<TxnRequest, boolean>): Outcome {
		const responses = branch(request, chosen).map((op): Outcome => {
			if (op.kind === "range") return this.read(op.range);
			if (op.kind === "txn") return this.run(op.txn, chosen);
			if (op.kind === "put") {
				const prevKv = this.write(op.put);
				return { revision: this.visible, prevKv };
			}
			if (op.kind === "none") return "none";
			const gone = this.erase(op.deleteRange);
			return { revision: this.visible, deleted: gone.length, prevKvs: op.deleteRange.prevKv ? gone : [] };
		});
		return { revision: this.visible, succeeded: chosen.get(request) as boolean, responses };
	}

	private holds(compare: Compare): boolean {
		const found = this.state(this.revision).filter((p) => inRange(p.key, compare.key, compare.rangeEnd));
		const subjects: (Pair | null)[] = found.length === 0 ? [null] : found;
		return subjects.every((p) => holdsFor(compare, p));
	}

	compact(revision: number): Outcome {
		if (revision <= this.compactRevision) return "compacted";
		if (revision > this.revision) return "futureRevision";
		this.compactRevision = revision;
		return { revision: this.revision };
	}

	/** What etcd has stored once the clean-up at `compactRevision` is done, in revision order. */
	retained(compactRevision = this.compactRevision): Change[] {
		const newest = this.newestAt(compactRevision);
		return this.changes.filter((change) => {
			if (change.main > compactRevision) return true;
			return newest.get(change.key) === change && (change.pair !== null || change.main === compactRevision);
		});
	}

	/** How many keys and records an index holds when everything that may go is gone: of the compact revision all, of those before it what lives. */
	census(): { readonly keys: number; readonly bases: number; readonly records: number } {
		const bases = this.retained().filter(({ main }) => main < this.compactRevision);
		const records = this.changes.filter(({ main }) => main >= this.compactRevision);
		return { keys: new Set([...bases, ...records].map(({ key }) => key)).size, bases: bases.length, records: records.length };
	}

	/** The text of the rule, over real bytes. `byCompaction`: as a compaction at `revision` remembers it. */
	hashKv(revision: number, compactRevision = this.compactRevision, byCompaction = false): number {
		const at = revision === 0 ? this.revision : revision;
		const isKept = (change: Change): boolean => change.pair !== null || (byCompaction && change.main === at);
		const keep = new Set([...this.newestAt(at).values()].filter(isKept));
		let hash = portableBytes.crc32c(bytes("key"));
		for (const change of this.retained(compactRevision)) {
			if (change.main > at) continue;
			if (change.main <= compactRevision && keep.size > 0 && !keep.has(change)) continue;
			if (change.main === compactRevision && change.pair === null) continue;
			const { key, value } = recordOf(change);
			hash = portableBytes.crc32c(value, 0, value.length, portableBytes.crc32c(key, 0, key.length, hash));
		}
		return hash;
	}

	private newestAt(revision: number): Map<string, Change> {
		const newest = new Map<string, Change>();
		for (const change of this.changes) if (change.main <= revision) newest.set(change.key, change);
		return newest;
	}
}

export function recordOf({ main, sub, key, pair }: Change): { key: Uint8Array; value: Uint8Array } {
	const value = encodeKeyValue({
		key: bytes(key),
		createRevision: pair?.create ?? 0,
		modRevision: pair?.mod ?? 0,
		version: pair?.version ?? 0,
		value: bytes(pair?.value ?? ""),
		lease: pair?.lease ?? 0n,
	});
	return { key: encodeRecordKey(main, sub, pair === null), value };
}

function branch(request: TxnRequest, chosen: Map<TxnRequest, boolean>): readonly RequestOp[] {
	return chosen.get(request) === true ? request.success : request.failure;
}

function inRange(key: string, from: Uint8Array, end: Uint8Array): boolean {
	if (end.length === 0) return key === text(from);
	if (text(end) === "\0") return key >= text(from);
	return key >= text(from) && key < text(end);
}

function compareBy(target: number, a: Pair, b: Pair): number {
	const field = (["key", "version", "create", "mod", "value"] as const)[target] as "key" | "version";
	return a[field] < b[field] ? -1 : a[field] > b[field] ? 1 : 0;
}

function holdsFor(compare: Compare, subject: Pair | null): boolean {
	if (compare.target === 3 && subject === null) return false;
	const [found, wanted] = operands(compare, subject);
	const outcomes = [found === wanted, found > wanted, found < wanted, found !== wanted];
	return outcomes[compare.result] ?? true;
}

function operands(compare: Compare, subject: Pair | null): [number | bigint | string, number | bigint | string] {
	switch (compare.target) {
		case 0:
			return [subject?.version ?? 0, compare.number];
		case 1:
			return [subject?.create ?? 0, compare.number];
		case 2:
			return [subject?.mod ?? 0, compare.number];
		case 3:
			return [subject?.value ?? "", text(compare.value)];
		case 4:
			return [subject?.lease ?? 0n, compare.lease];
		default:
			return [0, 0];
	}
}
