/** What reading a piece of text gives: a value, or the reason why it has none, worded as etcd words it. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export function good<T>(value: T): Parsed<T> {
	return { ok: true, value };
}

export function bad(reason: string): { readonly ok: false; readonly reason: string } {
	return { ok: false, reason };
}
