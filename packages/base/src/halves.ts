/**
 * 64 bits as two unsigned halves of 32: a bigint is cut once, where each shift of one would make another, and an id is written or
 * looked up without anything being made.
 */
const cell = new DataView(new ArrayBuffer(8));
const HIGH_FIRST = 0;
const LOW_SECOND = 4;

/** Of a signed or an unsigned number alike. */
export function lowHalf(value: bigint): number {
	cell.setBigUint64(HIGH_FIRST, value);
	return cell.getUint32(LOW_SECOND);
}

export function highHalf(value: bigint): number {
	cell.setBigUint64(HIGH_FIRST, value);
	return cell.getUint32(HIGH_FIRST);
}

/** Signed. */
export function int64Of(low: number, high: number): bigint {
	cell.setUint32(HIGH_FIRST, high);
	cell.setUint32(LOW_SECOND, low);
	return cell.getBigInt64(HIGH_FIRST);
}

export function uint64Of(low: number, high: number): bigint {
	cell.setUint32(HIGH_FIRST, high);
	cell.setUint32(LOW_SECOND, low);
	return cell.getBigUint64(HIGH_FIRST);
}

/** Bytes of its varint: at most ten, which a negative one takes. */
export function varint64Size(value: bigint): number {
	const high = highHalf(value);
	const bits = high === 0 ? 32 - Math.clz32(lowHalf(value)) : 64 - Math.clz32(high);
	return Math.max(1, Math.ceil(bits / 7));
}

/** Writes it as a varint, and says where that ends. */
export function putVarint64(bytes: Uint8Array, start: number, value: bigint): number {
	let low = lowHalf(value);
	let high = highHalf(value);
	let at = start;
	while (high !== 0 || low >= 0x80) {
		bytes[at++] = (low & 0x7f) | 0x80;
		low = ((low >>> 7) | (high << 25)) >>> 0;
		high >>>= 7;
	}
	bytes[at++] = low;
	return at;
}
