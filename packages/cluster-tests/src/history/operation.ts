/** What clients asked and were told, in a form that no product code takes part in. Keys and values are plain texts. */

export interface RangeOp {
	readonly kind: "range";
	readonly key: string;
	/** Empty: the single key. "\0": from the key on. */
	readonly end: string;
	readonly limit: number;
	/** 0: the present one. */
	readonly revision: number;
	readonly serializable: boolean;
	readonly countOnly: boolean;
}

export interface PutOp {
	readonly kind: "put";
	readonly key: string;
	readonly value: string;
}

export interface DeleteOp {
	readonly kind: "delete";
	readonly key: string;
	readonly end: string;
}

export interface CompareOp {
	readonly target: "value" | "version" | "create" | "mod";
	readonly result: "equal" | "notEqual" | "greater" | "less";
	readonly key: string;
	readonly operand: string | number;
}

export interface TxnOp {
	readonly kind: "txn";
	readonly compare: readonly CompareOp[];
	readonly success: readonly (RangeOp | PutOp | DeleteOp | TxnOp)[];
	readonly failure: readonly (RangeOp | PutOp | DeleteOp | TxnOp)[];
}

export interface CompactOp {
	readonly kind: "compact";
	readonly revision: number;
}

export type Operation = RangeOp | PutOp | DeleteOp | TxnOp | CompactOp;

export interface Pair {
	readonly key: string;
	readonly value: string;
	readonly create: number;
	readonly mod: number;
	readonly version: number;
}

export type Answer =
	| { readonly kind: "range"; readonly revision: number; readonly count: number; readonly more: boolean; readonly pairs: readonly Pair[] }
	| { readonly kind: "put"; readonly revision: number; readonly previous: Pair | null }
	| { readonly kind: "delete"; readonly revision: number; readonly deleted: number; readonly previous: readonly Pair[] }
	| { readonly kind: "txn"; readonly revision: number; readonly succeeded: boolean; readonly responses: readonly Answer[] }
	| { readonly kind: "compact"; readonly revision: number };

export type RefusedAs = "compacted" | "future" | "other";

/** One attempt. Times come from one clock of the recorder; `invoked` before the bytes leave, `returned` after the answer was read. */
export interface Attempt {
	readonly id: number;
	readonly client: number;
	readonly member: string;
	readonly operation: Operation;
	readonly invoked: number;
	readonly outcome:
		| { readonly kind: "ok"; readonly returned: number; readonly answer: Answer }
		| { readonly kind: "refused"; readonly returned: number; readonly as: RefusedAs }
		/** `gaveUp`: when the client stopped waiting, for drawings; it means nothing for the order. */
		| { readonly kind: "unknown"; readonly gaveUp?: number };
}

/** A change as the oracle saw it: a complete watch, or the members' logs. Value null: deleted. */
export interface Change {
	readonly key: string;
	readonly value: string | null;
}

/** Whether this answer says that the store changed (and so used a revision). */
export function changed(answer: Answer): boolean {
	switch (answer.kind) {
		case "put":
			return true;
		case "delete":
			return answer.deleted > 0;
		case "txn":
			return answer.responses.some(changed);
		case "range":
		case "compact":
			return false;
	}
}

export function sameChanges(a: readonly Change[], b: readonly Change[]): boolean {
	return a.length === b.length && a.every(({ key, value }, at) => key === b[at]?.key && value === b[at]?.value);
}

/** Whether it could change anything at all. */
export function isWrite(operation: Operation): boolean {
	switch (operation.kind) {
		case "put":
		case "delete":
			return true;
		case "txn":
			return [...operation.success, ...operation.failure].some(isWrite);
		case "range":
		case "compact":
			return false;
	}
}

/** Answered from local state without a barrier: serializable ranges, and transactions that hold nothing else (or nothing). */
export function isSerializable(operation: Operation): boolean {
	if (operation.kind === "range") return operation.serializable;
	if (operation.kind !== "txn" || isWrite(operation)) return false;
	return [...operation.success, ...operation.failure].every(isSerializable);
}
