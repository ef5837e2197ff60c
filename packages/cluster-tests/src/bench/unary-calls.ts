/** Unary calls over one HTTP/2 connection, without a library of gRPC: as a client that would be the bottleneck. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";

const HEAD_BYTES = 5;

export class UnaryCalls {
	private readonly session: ClientHttp2Session;

	constructor(url: string) {
		this.session = connect(url, { settings: { initialWindowSize: 1 << 20 } });
		this.session.on("error", () => {});
	}

	close(): void {
		this.session.close();
	}

	/** The answer's message; rejects with whatever the call was refused with. */
	ask(path: string, message: Uint8Array): Promise<Buffer> {
		const framed = Buffer.alloc(HEAD_BYTES + message.length);
		framed.writeUInt32BE(message.length, 1);
		framed.set(message, HEAD_BYTES);
		return new Promise((resolve, reject) => {
			const stream = this.session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
			let status: string | undefined;
			let text: string | undefined;
			const note = (headers: IncomingHttpHeaders): void => {
				if (headers["grpc-status"] === undefined) return;
				status = headers["grpc-status"]?.toString();
				text = headers["grpc-message"]?.toString();
			};
			const pieces: Buffer[] = [];
			stream.on("response", note);
			stream.on("trailers", note);
			stream.on("data", (piece: Buffer) => pieces.push(piece));
			stream.on("error", reject);
			stream.on("close", () => {
				if (status === "0") resolve(Buffer.concat(pieces).subarray(HEAD_BYTES));
				else reject(new Error(`${path}: status ${status}: ${text}`));
			});
			stream.end(framed);
		});
	}
}
