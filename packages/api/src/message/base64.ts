/** Base64 in both alphabets (RFC 4648, 4 and 5). Own code: the pure rooms know neither Buffer nor the DOM. */

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** Characters turned into text at once; more arguments could exhaust the stack. */
const CHUNK = 8_192;

const CODE_OF = Uint8Array.from(STANDARD, (letter) => letter.charCodeAt(0));
const PADDING = "=".charCodeAt(0);

const NO_DIGIT = 0xff;
const DIGIT_OF = new Uint8Array(128).fill(NO_DIGIT);
for (let digit = 0; digit < 64; digit++) DIGIT_OF[STANDARD.charCodeAt(digit)] = digit;
DIGIT_OF["-".charCodeAt(0)] = 62;
DIGIT_OF["_".charCodeAt(0)] = 63;

/** Standard alphabet, padded. */
export function toBase64(bytes: Uint8Array): string {
	const codes = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
	let out = 0;
	for (let at = 0; at < bytes.length; at += 3) {
		const left = bytes.length - at;
		const bits =
			((bytes[at] as number) << 16) | ((left > 1 ? (bytes[at + 1] as number) : 0) << 8) | (left > 2 ? (bytes[at + 2] as number) : 0);
		codes[out++] = CODE_OF[bits >>> 18] as number;
		codes[out++] = CODE_OF[(bits >>> 12) & 63] as number;
		codes[out++] = left > 1 ? (CODE_OF[(bits >>> 6) & 63] as number) : PADDING;
		codes[out++] = left > 2 ? (CODE_OF[bits & 63] as number) : PADDING;
	}
	let text = "";
	for (let at = 0; at < codes.length; at += CHUNK) text += textOfCodes(codes.subarray(at, at + CHUNK));
	return text;
}

/** `apply` takes what a typed array holds at once; spreading would walk it number by number. */
function textOfCodes(codes: Uint8Array): string {
	return Reflect.apply(String.fromCharCode, null, codes);
}

/** Either alphabet, padded or not. Null for anything else, and for a mixture of both. */
export function fromBase64(text: string): Uint8Array | null {
	if (/[-_]/.test(text) && /[+/]/.test(text)) return null;
	let length = text.length;
	if (length % 4 === 0 && text.endsWith("=")) length -= text.endsWith("==") ? 2 : 1;
	const tail = length % 4;
	if (tail === 1) return null;
	const bytes = new Uint8Array(Math.floor((length * 3) / 4));
	let bits = 0;
	let out = 0;
	for (let at = 0; at < length; at++) {
		const code = text.charCodeAt(at);
		const digit = code < 128 ? (DIGIT_OF[code] as number) : NO_DIGIT;
		if (digit === NO_DIGIT) return null;
		bits = (bits << 6) | digit;
		const place = at & 3;
		if (place > 0) bytes[out++] = bits >>> (6 - 2 * place);
		// The highest bits are used up; what stays fits into 32.
		bits &= 0xff_ffff;
	}
	return bytes;
}
