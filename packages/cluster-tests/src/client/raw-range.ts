/** One list of all keys, read as bytes and counted afterwards: a client that decodes while it reads would be the bottleneck. */
import { connect } from "node:http2";
import { etcdserverpb } from "@flotilla/api";
import { WireReader } from "@flotilla/base";

const HEAD_BYTES = 5;
const WINDOW_BYTES = 4 << 20;
const KVS = (2 << 3) | 2;
/** Of RangeStream: the answer of Range, one part a message. */
const PART = (1 << 3) | 2;
const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

export class RawRange {
	messages = 0;
	private readonly url: string;
	private readonly method: "Range" | "RangeStream";
	private bytes: Buffer = Buffer.alloc(0);

	constructor(url: string, method: "Range" | "RangeStream") {
		this.url = url;
		this.method = method;
	}

	/** Resolves when all of it was received. */
	async read(): Promise<void> {
		const session = connect(this.url, { settings: { initialWindowSize: WINDOW_BYTES } });
		try {
			this.bytes = await new Promise((resolve, reject) => {
				session.on("error", reject);
				const stream = session.request({
					":method": "POST",
					":path": `/etcdserverpb.KV/${this.method}`,
					te: "trailers",
					"content-type": "application/grpc",
				});
				const request = etcdserverpb.RangeRequest.encode(ALL);
				const head = Buffer.alloc(HEAD_BYTES);
				head.writeUInt32BE(request.length, 1);
				stream.end(Buffer.concat([head, request]));
				const chunks: Buffer[] = [];
				let status: unknown;
				const note = (headers: object): void => {
					status = (headers as Record<string, unknown>)["grpc-status"] ?? status;
				};
				stream.on("response", note);
				stream.on("trailers", note);
				stream.on("error", reject);
				stream.on("data", (chunk: Buffer) => chunks.push(chunk));
				stream.on("close", () =>
					status === "0" ? resolve(Buffer.concat(chunks)) : reject(new Error(`${this.method}: status ${String(status)}`)),
				);
			});
		} finally {
			session.destroy();
		}
	}

	/** Pairs in what was received. */
	count(): number {
		let pairs = 0;
		this.messages = 0;
		for (let at = 0; at < this.bytes.length; this.messages++) {
			const start = at + HEAD_BYTES;
			at = start + this.bytes.readUInt32BE(start - 4);
			pairs += this.method === "Range" ? countFields(new WireReader(this.bytes, start, at), KVS) : this.countParts(start, at);
		}
		return pairs;
	}

	private countParts(start: number, end: number): number {
		const reader = new WireReader(this.bytes, start, end);
		let pairs = 0;
		while (!reader.done) {
			const tag = reader.tag();
			if (tag !== PART) reader.skip(tag);
			else {
				const from = reader.lengthPrefix();
				pairs += countFields(new WireReader(this.bytes, from, reader.at), KVS);
			}
		}
		return pairs;
	}
}

function countFields(reader: WireReader, wanted: number): number {
	let count = 0;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === wanted) count++;
		reader.skip(tag);
	}
	return count;
}
