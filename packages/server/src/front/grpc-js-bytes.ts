/** Messages pass through the library as bytes: the handlers' own codecs read and write them. */

export function asIs(bytes: Buffer): Uint8Array {
	return bytes;
}

export function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
