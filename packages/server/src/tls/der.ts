/** The few rules of DER that certificates and revocation lists are read and written by (X.690). */

export const DerTag = {
	integer: 0x02,
	bitString: 0x03,
	octetString: 0x04,
	oid: 0x06,
	utf8String: 0x0c,
	utcTime: 0x17,
	generalizedTime: 0x18,
	sequence: 0x30,
	set: 0x31,
} as const;

export class DerError extends Error {
	override readonly name = "DerError";
}

export interface DerNode {
	readonly tag: number;
	readonly content: Uint8Array;
	/** Head included. */
	readonly whole: Uint8Array;
}

/** The one value that `bytes` is. Throws `DerError`. */
export function readDer(bytes: Uint8Array): DerNode {
	const [node, ...more] = readAll(bytes);
	if (node === undefined || more.length > 0) throw new DerError("one value is needed");
	return node;
}

export function childrenOf(node: DerNode | undefined, tag: number = DerTag.sequence): readonly DerNode[] {
	if (node?.tag !== tag) throw new DerError(`a value of type ${tag.toString(16)} is needed, not ${node?.tag.toString(16) ?? "none"}`);
	return readAll(node.content);
}

function readAll(bytes: Uint8Array): readonly DerNode[] {
	const nodes: DerNode[] = [];
	for (let at = 0; at < bytes.length; ) {
		const tag = bytes[at] as number;
		const { length, headBytes } = readLength(bytes, at + 1);
		const end = at + 1 + headBytes + length;
		if (end > bytes.length) throw new DerError("a value exceeds what it stands in");
		nodes.push({ tag, content: bytes.subarray(at + 1 + headBytes, end), whole: bytes.subarray(at, end) });
		at = end;
	}
	return nodes;
}

function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly headBytes: number } {
	const first = bytes[at];
	if (first === undefined) throw new DerError("a value without a length");
	if (first < 0x80) return { length: first, headBytes: 1 };
	const count = first & 0x7f;
	if (count === 0 || count > 4 || at + count >= bytes.length) throw new DerError("a length that is none");
	let length = 0;
	for (let i = 1; i <= count; i++) length = length * 256 + (bytes[at + i] as number);
	return { length, headBytes: 1 + count };
}

export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
	const length = parts.reduce((sum, part) => sum + part.length, 0);
	return Buffer.concat([Buffer.of(tag), encodeLength(length), ...parts]);
}

export function derInteger(value: Uint8Array): Uint8Array {
	// A first bit that is set would make it negative.
	return der(DerTag.integer, ...((value[0] ?? 0) >= 0x80 ? [Buffer.of(0)] : []), value);
}

/** `1.2.840.10045.4.3.2` */
export function derOid(text: string): Uint8Array {
	const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
	const bytes = [first * 40 + second, ...rest.flatMap(base128)];
	return der(DerTag.oid, Uint8Array.from(bytes));
}

function base128(value: number): number[] {
	const digits = [value & 0x7f];
	for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
	return digits;
}

/** Two digits of the year until 2049, four from then on (RFC 5280, 4.1.2.5). */
export function derTime(ms: number): Uint8Array {
	const text = `${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
	const isShort = Number(text.slice(0, 4)) < 2050;
	return der(isShort ? DerTag.utcTime : DerTag.generalizedTime, Buffer.from(isShort ? text.slice(2) : text, "latin1"));
}

function encodeLength(length: number): Uint8Array {
	if (length < 0x80) return Uint8Array.of(length);
	const bytes: number[] = [];
	for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 0xff);
	return Uint8Array.of(0x80 | bytes.length, ...bytes);
}
