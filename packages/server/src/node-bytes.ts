import { type ByteOps, portableBytes } from "@flotilla/base";

/** Native, and unlike `buffer.toString` it takes any Uint8Array without a view being made first. */
const latin1Slice = Reflect.get(Buffer.prototype, "latin1Slice") as (this: Uint8Array, start: number, end: number) => string;

/** The byte operations at Node's speed. Checksums stay with the portable tables: Node has no CRC-32C of its own. */
export const nodeBytes: ByteOps = {
	latin1: (bytes, start = 0, end = bytes.length) => latin1Slice.call(bytes, start, end),
	fromLatin1(text) {
		// Not from the shared pool: a key that lives long would hold a whole slab.
		const bytes = Buffer.allocUnsafeSlow(text.length);
		bytes.write(text, "latin1");
		return bytes;
	},
	compare: (a, b) => Buffer.compare(a, b),
	crc32c: (bytes, start, end, seed) => portableBytes.crc32c(bytes, start, end, seed),
};
