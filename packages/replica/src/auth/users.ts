/** Users, roles and permissions as every member holds them (etcd API, chapter 7). Names are texts, keys are in the index's form. */

export const ROOT = "root";

export const PermissionType = { read: 0, write: 1, readWrite: 2 } as const;

export interface Permission {
	/** The client's number, which may be none of `PermissionType`: it then permits nothing. */
	readonly type: number;
	readonly key: string;
	/** Empty: the key alone; one zero byte: from the key on. */
	readonly rangeEnd: string;
}

export interface User {
	readonly name: string;
	/** A bcrypt hash. Empty: no password fits. */
	readonly passwordHash: string;
	/** Comes by certificate only. */
	readonly noPassword: boolean;
	/** Ascending in byte order. */
	readonly roles: readonly string[];
}

export interface Role {
	readonly name: string;
	/** Ascending by key in byte order; of equal keys the later granted stands behind. */
	readonly permissions: readonly Permission[];
}

/**
 * The order of the names' UTF-8 bytes, which is that of their code points. Units of JavaScript's strings are in this order but
 * for surrogates, which stand for code points above all others.
 */
export function compareNames(a: string, b: string): number {
	const shared = Math.min(a.length, b.length);
	for (let at = 0; at < shared; at++) {
		const left = a.charCodeAt(at);
		const right = b.charCodeAt(at);
		if (left !== right) return rank(left) - rank(right);
	}
	return a.length - b.length;
}

function rank(unit: number): number {
	return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}

export function sortNames(names: Iterable<string>): string[] {
	return [...names].sort(compareNames);
}
