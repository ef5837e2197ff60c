/** Messages that were compressed with gzip. The output is bounded before it is made. */
import { gunzipSync } from "node:zlib";
import { FramingFault } from "../message-reader.ts";
import { Grpc } from "../seam.ts";

export function inflate(compressed: Uint8Array, { messageBytesMax }: { readonly messageBytesMax: number }): Uint8Array {
	try {
		return gunzipSync(compressed, { maxOutputLength: Math.max(1, messageBytesMax) });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
			const message = `grpc: received message after decompression larger than max ${messageBytesMax}`;
			throw new FramingFault({ code: Grpc.resourceExhausted, message });
		}
		throw new FramingFault({ code: Grpc.internal, message: "grpc: failed to decompress the received message" });
	}
}
