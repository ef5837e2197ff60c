/**
 * What is known of a set of records without looking at them: count, bytes and two sums of their CRCs (rule S3). Sums, so
 * that the order of adding does not matter and a record can leave again.
 */
export class RecordSums {
	count = 0;
	/** Record keys and values, without the stored CRC. */
	bytes = 0;
	digest = 0;
	digest2 = 0;

	add(crc: number, recordBytes: number): void {
		this.count++;
		this.bytes += recordBytes;
		this.digest = (this.digest + crc) >>> 0;
		this.digest2 = (this.digest2 + mixedCrc(crc, recordBytes)) >>> 0;
	}

	remove(crc: number, recordBytes: number): void {
		this.count--;
		this.bytes -= recordBytes;
		this.digest = (this.digest - crc) >>> 0;
		this.digest2 = (this.digest2 - mixedCrc(crc, recordBytes)) >>> 0;
	}

	addAll(other: RecordSums): void {
		this.count += other.count;
		this.bytes += other.bytes;
		this.digest = (this.digest + other.digest) >>> 0;
		this.digest2 = (this.digest2 + other.digest2) >>> 0;
	}

	removeAll(other: RecordSums): void {
		this.count -= other.count;
		this.bytes -= other.bytes;
		this.digest = (this.digest - other.digest) >>> 0;
		this.digest2 = (this.digest2 - other.digest2) >>> 0;
	}

	equals(other: RecordSums): boolean {
		return this.count === other.count && this.bytes === other.bytes && this.digest === other.digest && this.digest2 === other.digest2;
	}
}

/** Spreads a CRC so that two wrong records do not cancel out in both sums. */
function mixedCrc(crc: number, recordBytes: number): number {
	return mix32(crc ^ Math.imul(recordBytes, 0x9e3779b1));
}

/** A bijection of 32-bit integers in which each input bit moves about half of the output bits. */
export function mix32(value: number): number {
	let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
	mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
	return (mixed ^ (mixed >>> 16)) >>> 0;
}
