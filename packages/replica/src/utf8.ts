/** UTF-8 without a platform's encoder: names and URLs must come out alike on every runtime that applies the log. */

const REPLACEMENT = 0xfffd;

export function encodeUtf8(text: string): Uint8Array {
	const plain = new Uint8Array(text.length);
	for (let at = 0; at < text.length; at++) {
		const code = text.charCodeAt(at);
		if (code >= 0x80) return encodeAny(text);
		plain[at] = code;
	}
	return plain;
}

function encodeAny(text: string): Uint8Array {
	const bytes: number[] = [];
	for (const character of text) {
		const raw = character.codePointAt(0) as number;
		// A lone surrogate has no encoding.
		const point = raw >= 0xd800 && raw < 0xe000 ? REPLACEMENT : raw;
		if (point < 0x80) bytes.push(point);
		else if (point < 0x800) bytes.push(0xc0 | (point >>> 6), tail(point));
		else if (point < 0x10000) bytes.push(0xe0 | (point >>> 12), tail(point >>> 6), tail(point));
		else bytes.push(0xf0 | (point >>> 18), tail(point >>> 12), tail(point >>> 6), tail(point));
	}
	return Uint8Array.from(bytes);
}

function tail(bits: number): number {
	return 0x80 | (bits & 0x3f);
}

/** Every byte that starts no well-formed sequence becomes U+FFFD, so any bytes have one reading. */
export function decodeUtf8(bytes: Uint8Array): string {
	let text = "";
	let at = 0;
	while (at < bytes.length) {
		const lead = bytes[at] as number;
		const length =
			lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
		const point = length === 0 || at + length > bytes.length ? -1 : readPoint(bytes, at, length);
		text += String.fromCodePoint(point < 0 ? REPLACEMENT : point);
		at += point < 0 ? 1 : length;
	}
	return text;
}

const SMALLEST = [0, 0, 0x80, 0x800, 0x10000] as const;

/** -1 when the bytes are no shortest encoding of a Unicode scalar value. */
function readPoint(bytes: Uint8Array, at: number, length: number): number {
	const lead = bytes[at] as number;
	let point = length === 1 ? lead : lead & (0x7f >>> length);
	for (let i = 1; i < length; i++) {
		const next = bytes[at + i] as number;
		if ((next & 0xc0) !== 0x80) return -1;
		point = (point << 6) | (next & 0x3f);
	}
	if (point < (SMALLEST[length] as number) || point > 0x10ffff) return -1;
	return point >= 0xd800 && point < 0xe000 ? -1 : point;
}
