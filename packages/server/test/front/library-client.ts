/** grpc-js as a client of the raw bytes of a method. */
import {
	Client,
	type ClientDuplexStream,
	type ClientReadableStream,
	type ClientWritableStream,
	credentials,
	Metadata,
	type ServiceError,
} from "@grpc/grpc-js";

export interface LibraryAnswer {
	readonly code: number;
	readonly message: string;
	readonly response: Uint8Array | null;
	/** `grpc-status-details-bin`. */
	readonly details?: Uint8Array;
}

const asIs = (bytes: Buffer): Buffer => bytes;

export class LibraryClient {
	private readonly client: Client;

	constructor(port: number) {
		this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
			"grpc.max_receive_message_length": -1,
			"grpc.use_local_subchannel_pool": 1,
		});
	}

	call(
		path: string,
		message: Uint8Array,
		metadata: Record<string, string> = {},
		deadlineMs = Number.POSITIVE_INFINITY,
	): Promise<LibraryAnswer> {
		return new Promise((resolve) => {
			const deadline = deadlineMs === Number.POSITIVE_INFINITY ? deadlineMs : Date.now() + deadlineMs;
			this.client.makeUnaryRequest(path, asIs, asIs, Buffer.from(message), metadataOf(metadata), { deadline }, (error, response) =>
				resolve(error === null ? { code: 0, message: "", response: response ?? null } : failed(error)),
			);
		});
	}

	bidi(path: string): ClientDuplexStream<Buffer, Buffer> {
		return this.client.makeBidiStreamRequest(path, asIs, asIs, new Metadata());
	}

	/** Many messages, one answer: the stream to write to, and the answer. */
	clientStream(path: string): { readonly stream: ClientWritableStream<Buffer>; readonly answer: Promise<LibraryAnswer> } {
		let settle: (answer: LibraryAnswer) => void = () => {};
		const answer = new Promise<LibraryAnswer>((resolve) => {
			settle = resolve;
		});
		const stream = this.client.makeClientStreamRequest(path, asIs, asIs, new Metadata(), (error, response) =>
			settle(error === null ? { code: 0, message: "", response: response ?? null } : failed(error)),
		);
		return { stream, answer };
	}

	serverStream(path: string, message: Uint8Array): ClientReadableStream<Buffer> {
		return this.client.makeServerStreamRequest(path, asIs, asIs, Buffer.from(message), new Metadata());
	}

	close(): void {
		this.client.close();
	}
}

export function failed(error: ServiceError): LibraryAnswer {
	const [details] = error.metadata.get("grpc-status-details-bin");
	return { code: error.code, message: error.details, response: null, ...(details instanceof Buffer ? { details } : {}) };
}

function metadataOf(values: Record<string, string>): Metadata {
	const metadata = new Metadata();
	for (const [key, value] of Object.entries(values)) metadata.set(key, value);
	return metadata;
}
