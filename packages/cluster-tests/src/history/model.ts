import type { Answer, Change, CompareOp, DeleteOp, Operation, Pair, PutOp, RangeOp, TxnOp } from "./operation.ts";

interface Version {
	readonly mod: number;
	readonly create: number;
	readonly version: number;
	/** Null: deleted. */
	readonly value: string | null;
}

/** The sequential store in its plainest form: a list of versions a key, nothing ever removed. Shares no code with the product. */
export class SequentialStore {
	revision = 1;
	private readonly versions: Map<string, Version[]>;

	constructor(copyOf?: SequentialStore) {
		this.revision = copyOf?.revision ?? 1;
		this.versions = new Map([...(copyOf?.versions ?? [])].map(([key, list]) => [key, [...list]]));
	}

	/** A store that holds just these pairs: enough to ask what a write would have seen there. */
	static at(revision: number, pairs: readonly Pair[]): SequentialStore {
		const store = new SequentialStore();
		store.revision = revision;
		for (const pair of pairs) {
			store.versions.set(pair.key, [{ mod: pair.mod, create: pair.create, version: pair.version, value: pair.value }]);
		}
		return store;
	}

	/** Carries the operation out and returns its answer with the changes it made. */
	execute(operation: Operation): { answer: Answer; changes: Change[] } {
		const changes: Change[] = [];
		const answer = this.run(operation, this.revision + 1, changes, null);
		if (changes.length > 0) this.revision++;
		return { answer: withRevision(answer, this.revision, changes.length > 0), changes };
	}

	/** Makes changes that no operation of a history asked for, as one revision. */
	take(changes: readonly Change[]): void {
		const next = ++this.revision;
		for (const { key, value } of changes) {
			if (value === null) this.touch(key, null).push({ mod: next, create: 0, version: 0, value });
			else this.put({ kind: "put", key, value }, next, [], null);
		}
	}

	/** What `execute` would change, without doing it. */
	effect(operation: Operation): Change[] {
		const touched = new Map<string, number>();
		const changes: Change[] = [];
		this.run(operation, this.revision + 1, changes, touched);
		for (const [key, length] of touched) (this.versions.get(key) as Version[]).length = length;
		return changes;
	}

	/** A read of the state just after `at`. */
	readAt(operation: Operation, at: number): Answer {
		if (operation.kind === "range") return this.range(operation, at, operation.revision > 0 ? operation.revision : at);
		if (operation.kind === "txn") {
			const succeeded = operation.compare.every((compare) => this.holds(compare, at));
			const branch = succeeded ? operation.success : operation.failure;
			return { kind: "txn", revision: at, succeeded, responses: branch.map((inner) => this.readAt(inner, at)) };
		}
		throw new Error(`${operation.kind} is not a read`);
	}

	/** All live pairs after revision `at`. */
	stateAt(at: number): Pair[] {
		return this.pairs("", "\0", at);
	}

	private run(operation: Operation, next: number, changes: Change[], touched: Map<string, number> | null): Answer {
		switch (operation.kind) {
			case "put":
				return this.put(operation, next, changes, touched);
			case "delete":
				return this.delete(operation, next, changes, touched);
			case "range":
				// Inside a transaction reads see what was written before them, and their header says so.
				return this.range(operation, changes.length > 0 ? next : this.revision, operation.revision > 0 ? operation.revision : next);
			case "txn":
				return this.txn(operation, next, changes, touched, this.branches(operation));
			case "compact":
				return { kind: "compact", revision: this.revision };
		}
	}

	private put(operation: PutOp, next: number, changes: Change[], touched: Map<string, number> | null): Answer {
		const list = this.touch(operation.key, touched);
		const before = list.at(-1);
		const alive = before !== undefined && before.value !== null;
		list.push({ mod: next, create: alive ? before.create : next, version: alive ? before.version + 1 : 1, value: operation.value });
		changes.push({ key: operation.key, value: operation.value });
		return { kind: "put", revision: next, previous: alive ? pairOf(operation.key, before) : null };
	}

	private delete(operation: DeleteOp, next: number, changes: Change[], touched: Map<string, number> | null): Answer {
		const previous = this.pairs(operation.key, operation.end, Number.POSITIVE_INFINITY);
		for (const pair of previous) {
			this.touch(pair.key, touched).push({ mod: next, create: 0, version: 0, value: null });
			changes.push({ key: pair.key, value: null });
		}
		return { kind: "delete", revision: changes.length > 0 ? next : this.revision, deleted: previous.length, previous };
	}

	private range(operation: RangeOp, revision: number, at: number): Answer {
		const all = this.pairs(operation.key, operation.end, at);
		if (operation.countOnly) return { kind: "range", revision, count: all.length, more: false, pairs: [] };
		const cut = operation.limit > 0 ? all.slice(0, operation.limit) : all;
		return { kind: "range", revision, count: all.length, more: cut.length < all.length, pairs: cut };
	}

	/** The chosen branch of each level is known before anything runs. */
	private branches(operation: TxnOp): Map<TxnOp, boolean> {
		const chosen = new Map<TxnOp, boolean>();
		const visit = (txn: TxnOp): void => {
			const succeeded = txn.compare.every((compare) => this.holds(compare, Number.POSITIVE_INFINITY));
			chosen.set(txn, succeeded);
			for (const inner of succeeded ? txn.success : txn.failure) if (inner.kind === "txn") visit(inner);
		};
		visit(operation);
		return chosen;
	}

	private txn(operation: TxnOp, next: number, changes: Change[], touched: Map<string, number> | null, chosen: Map<TxnOp, boolean>): Answer {
		const succeeded = chosen.get(operation) === true;
		const responses = (succeeded ? operation.success : operation.failure).map((inner) =>
			inner.kind === "txn" ? this.txn(inner, next, changes, touched, chosen) : this.run(inner, next, changes, touched),
		);
		return { kind: "txn", revision: next, succeeded, responses };
	}

	private holds(compare: CompareOp, at: number): boolean {
		const found = this.versionAt(compare.key, at);
		if (compare.target === "value") {
			if (found === null) return false;
			const value = found.value as string;
			return relate(value < (compare.operand as string) ? -1 : value > (compare.operand as string) ? 1 : 0, compare.result);
		}
		const number =
			found === null ? 0 : compare.target === "version" ? found.version : compare.target === "create" ? found.create : found.mod;
		return relate(number - (compare.operand as number), compare.result);
	}

	private versionAt(key: string, at: number): Version | null {
		const list = this.versions.get(key) ?? [];
		// Behind the last version that is old enough: the newest one, unless somebody reads the past.
		let [from, upto] = [0, list.length];
		if ((list.at(-1)?.mod ?? 0) <= at) from = upto;
		while (from < upto) {
			const middle = (from + upto) >> 1;
			if ((list[middle] as Version).mod <= at) from = middle + 1;
			else upto = middle;
		}
		const version = list[from - 1];
		return version === undefined || version.value === null ? null : version;
	}

	private pairs(key: string, end: string, at: number): Pair[] {
		const keys = end === "" ? [key] : [...this.versions.keys()].filter((k) => k >= key && (end === "\0" || k < end)).sort();
		const pairs: Pair[] = [];
		for (const k of keys) {
			const version = this.versionAt(k, at);
			if (version !== null) pairs.push(pairOf(k, version));
		}
		return pairs;
	}

	private touch(key: string, touched: Map<string, number> | null): Version[] {
		let list = this.versions.get(key);
		if (list === undefined) {
			list = [];
			this.versions.set(key, list);
		}
		if (touched !== null && !touched.has(key)) touched.set(key, list.length);
		return list;
	}
}

function pairOf(key: string, version: Version): Pair {
	return { key, value: version.value as string, create: version.create, mod: version.mod, version: version.version };
}

function relate(difference: number, result: CompareOp["result"]): boolean {
	switch (result) {
		case "equal":
			return difference === 0;
		case "notEqual":
			return difference !== 0;
		case "greater":
			return difference > 0;
		case "less":
			return difference < 0;
	}
}

/** Headers, also inner ones, show the new revision once anything before them in the request changed something. */
function withRevision(answer: Answer, revision: number, anyChange: boolean): Answer {
	if (answer.kind !== "txn") return { ...answer, revision };
	return {
		...answer,
		revision,
		responses: answer.responses.map((inner) => (anyChange ? inner : withRevision(inner, revision, anyChange))),
	};
}
