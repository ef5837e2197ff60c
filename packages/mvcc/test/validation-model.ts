/** The structure checks of a transaction as the API's text has them, by comparing everything with everything. */
import type { RequestOp, TxnRequest } from "../src/index.ts";
import { text } from "./requests.ts";

export function checkTxn(request: TxnRequest, opsMax: number): string | null {
	return checkLevel(request, opsMax) ?? (overlaps(request.success) || overlaps(request.failure) ? "duplicateKey" : null);
}

function checkLevel(request: TxnRequest, opsMax: number): string | null {
	const ops = Math.max(request.compare.length, request.success.length, request.failure.length);
	if (ops > opsMax) return "tooManyOps";
	if (request.compare.some(({ key }) => key.length === 0)) return "emptyKey";
	for (const op of [...request.success, ...request.failure]) {
		const refusal = checkOp(op, opsMax - ops);
		if (refusal !== null) return refusal;
	}
	return null;
}

function checkOp(op: RequestOp, opsMax: number): string | null {
	if (op.kind === "none") return "keyNotFound";
	if (op.kind === "txn") return checkLevel(op.txn, opsMax);
	if (op.kind === "range") {
		if (op.range.key.length === 0) return "emptyKey";
		const known = [0, 1, 2].includes(op.range.sortOrder) && [0, 1, 2, 3, 4].includes(op.range.sortTarget);
		return known ? null : "invalidSortOption";
	}
	if (op.kind === "deleteRange") return op.deleteRange.key.length === 0 ? "emptyKey" : null;
	if (op.put.key.length === 0) return "emptyKey";
	if (op.put.ignoreValue && op.put.value.length > 0) return "valueProvided";
	return op.put.ignoreLease && op.put.lease !== 0n ? "leaseProvided" : null;
}

type Interval = readonly [from: string, to: string];
interface Touched {
	readonly puts: string[];
	readonly deletes: Interval[];
	readonly clash: boolean;
}

function overlaps(list: readonly RequestOp[]): boolean {
	return touched(list).clash;
}

function touched(list: readonly RequestOp[]): Touched {
	const deletes = list.flatMap((op) => (op.kind === "deleteRange" ? [interval(op.deleteRange)] : []));
	const puts: string[] = [];
	let clash = false;
	const isDeleted = (key: string): boolean => deletes.some(([from, to]) => key >= from && key < to);
	for (const op of list) {
		if (op.kind !== "txn") continue;
		const then = touched(op.txn.success);
		const otherwise = touched(op.txn.failure);
		clash ||= then.clash || otherwise.clash;
		for (const key of then.puts) clash ||= puts.includes(key) || isDeleted(key);
		puts.push(...then.puts);
		for (const key of otherwise.puts) clash ||= (puts.includes(key) && !then.puts.includes(key)) || isDeleted(key);
		puts.push(...otherwise.puts);
		deletes.push(...then.deletes, ...otherwise.deletes);
	}
	for (const op of list) {
		if (op.kind !== "put") continue;
		const key = text(op.put.key);
		clash ||= puts.includes(key) || isDeleted(key);
		puts.push(key);
	}
	return { puts, deletes, clash };
}

function interval(request: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): Interval {
	const from = text(request.key);
	return [from, request.rangeEnd.length === 0 ? `${from}\0` : text(request.rangeEnd)];
}
