import type { Readable } from "node:stream";

export type BodyReading =
	| { readonly ok: true; readonly bytes: Uint8Array }
	/** `gone`: the client went away before its request was whole. */
	| { readonly ok: false; readonly code: "tooLarge" | "gone" };

/** The whole body. Of one that is too large nothing more is kept; the rest of it is left unread. */
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
			request.pause();
			resolve({ ok: false, code: "tooLarge" });
		});
		request.once("end", () => resolve({ ok: true, bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks) }));
		request.once("error", () => resolve({ ok: false, code: "gone" }));
		request.once("close", () => resolve({ ok: false, code: "gone" }));
	});
}
