/**
 * CRC-32C of two strings joined, from the CRCs of both and the length of the second: the first CRC is multiplied by x^8n in
 * the field of the polynomial. So a hash over many records needs their CRCs and lengths only, not their bytes, and what was summed
 * once is not summed again as a part of something larger.
 */
const POLYNOMIAL = 0x82f63b78;
/** Bit of x^0: the polynomials are reflected. */
const ONE = 0x8000_0000;
/** Powers are remembered for lengths below this; record lengths repeat. */
const REMEMBERED_MAX = 4096;

/** x^(2^k) for k = 0..31. */
const SQUARES = squares();
const powers = new Uint32Array(REMEMBERED_MAX);

export function combineCrc32c(first: number, second: number, secondBytes: number): number {
	return (multiply(powerOfBytes(secondBytes), first) ^ second) >>> 0;
}

/** x^(8 * bytes). */
function powerOfBytes(bytes: number): number {
	if (bytes >= REMEMBERED_MAX) return computePower(bytes);
	const known = powers[bytes] as number;
	if (known !== 0) return known;
	const power = computePower(bytes);
	powers[bytes] = power;
	return power;
}

/** `bytes` below 2^29, which bounds the bits to 2^32. */
function computePower(bytes: number): number {
	let power = ONE;
	let rest = bytes;
	for (let k = 3; rest > 0; k++) {
		if ((rest & 1) === 1) power = multiply(SQUARES[k] as number, power);
		rest >>>= 1;
	}
	return power;
}

/** Product of two reflected polynomials modulo the CRC's. */
function multiply(a: number, b: number): number {
	let product = 0;
	let shifted = b;
	for (let bits = a; bits !== 0; bits <<= 1) {
		if (bits < 0 || bits >= ONE) product ^= shifted;
		shifted = (shifted & 1) === 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
	}
	return product >>> 0;
}

function squares(): Uint32Array {
	const table = new Uint32Array(32);
	let power = ONE >>> 1;
	for (let k = 0; k < table.length; k++) {
		table[k] = power;
		power = multiply(power, power);
	}
	return table;
}
