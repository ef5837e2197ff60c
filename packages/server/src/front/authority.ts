/**
 * Clients of etcd's 3.4 line name the whole URL of an endpoint as `:authority` (`http://127.0.0.1:2379`), where RFC 9113 wants
 * host and port. etcd's server takes it; Node's HTTP/2 resets the stream. Here such a value is replaced in the header block
 * that brings it, before Node sees it. Nobody reads the authority afterwards.
 */

/** Index of `:authority` in the static table of HPACK (RFC 7541, appendix A). */
const AUTHORITY_INDEX = 1;
/** A plain string literal. Shorter than any URL, so that no decoder's table overflows that the client's does not. */
const REPLACEMENT = Buffer.from("\u0009localhost", "latin1");

/** Huffman codes of the characters looked for (RFC 7541, appendix B), as bits. */
const CODES: Readonly<Record<string, string>> = { h: "100111", t: "01001", p: "101011", s: "01000", ":": "1011100", "/": "011000" };
const SCHEMES = ["http://", "https://"];
const CODED_SCHEMES = SCHEMES.map((scheme) => Array.from(scheme, (character) => CODES[character]).join(""));

/** The block with a sound authority, or null when it has nothing to mend. Blocks that cannot be read are left to Node. */
export function mendAuthority(block: Buffer): Buffer | null {
	let at = 0;
	while (at < block.length) {
		const first = block[at] as number;
		const [prefixBits, hasValue] = representation(first);
		const index = readInteger(block, at, prefixBits);
		if (index === null) return null;
		at = index.end;
		if (!hasValue) continue;
		if (index.value === 0) {
			const name = readString(block, at);
			if (name === null) return null;
			at = name.end;
		}
		const value = readString(block, at);
		if (value === null) return null;
		if (index.value === AUTHORITY_INDEX && namesScheme(value)) {
			return Buffer.concat([block.subarray(0, at), REPLACEMENT, block.subarray(value.end)]);
		}
		at = value.end;
	}
	return null;
}

/** Bits of the index, and whether a value follows it (RFC 7541, section 6). */
function representation(first: number): readonly [number, boolean] {
	if ((first & 0x80) !== 0) return [7, false];
	if ((first & 0x40) !== 0) return [6, true];
	if ((first & 0x20) !== 0) return [5, false];
	return [4, true];
}

function readInteger(block: Buffer, start: number, prefixBits: number): { readonly value: number; readonly end: number } | null {
	const mask = (1 << prefixBits) - 1;
	let value = (block[start] ?? 0) & mask;
	if (value < mask) return { value, end: start + 1 };
	for (let at = start + 1, shift = 0; at < block.length && shift <= 21; at++, shift += 7) {
		const byte = block[at] as number;
		value += (byte & 0x7f) << shift;
		if ((byte & 0x80) === 0) return { value, end: at + 1 };
	}
	return null;
}

interface StringLiteral {
	readonly coded: boolean;
	readonly bytes: Buffer;
	readonly end: number;
}

function readString(block: Buffer, at: number): StringLiteral | null {
	if (at >= block.length) return null;
	const length = readInteger(block, at, 7);
	if (length === null || length.end + length.value > block.length) return null;
	const end = length.end + length.value;
	return { coded: ((block[at] as number) & 0x80) !== 0, bytes: block.subarray(length.end, end), end };
}

function namesScheme({ coded, bytes }: StringLiteral): boolean {
	if (!coded) return SCHEMES.some((scheme) => bytes.toString("latin1", 0, scheme.length) === scheme);
	const bits = [...bytes.subarray(0, 8)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
	return CODED_SCHEMES.some((scheme) => bits.startsWith(scheme));
}
