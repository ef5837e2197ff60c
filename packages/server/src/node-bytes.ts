import { type ByteOps, portableBytes } from "@flotilla/base";

interface NativeBytes {
	latin1Slice(this: Uint8Array, start: number, end: number): string;
}

/** Native, and unlike `buffer.toString` they take any Uint8Array without a view being made first. */
const { latin1Slice } = Buffer.prototype as unknown as NativeBytes;

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
	crc32c: portableBytes.crc32c,
};
