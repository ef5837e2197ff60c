import type { Readable } from "node:stream";

export type BodyReading =
	| { readonly ok: true; readonly bytes: Uint8Array }
	/** `gone`: the client went away before its request was whole. */
	| { readonly ok: false; readonly code: "tooLarge" | "gone" };

/** The whole body. One that is too large is told at once; what still comes of it is thrown away, so that the answer is not lost to a reset. */
export function readBody(request: Readable, bytesMax: number): Promise<BodyReading> {
	return new Promise((resolve) => {
		const chunks: Buffer[] = [];
		let bytes = 0;
		request.on("data", (chunk: Buffer) => {
			bytes += chunk.length;
			if (bytes <= bytesMax) {
				chunks.push(chunk);
				return;
			}
			chunks.length = 0;
			request.removeAllListeners("data");
			request.resume();
			resolve({ ok: false, code: "tooLarge" });
		});
		request.once("end", () => resolve({ ok: true, bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks) }));
		request.once("error", () => resolve({ ok: false, code: "gone" }));
		request.once("close", () => resolve({ ok: false, code: "gone" }));
	});
}
