/** A real member as the simulator's clients see one: their calls go over gRPC. */
import { Client, Metadata, type ServiceError } from "@grpc/grpc-js";
import { channelTo } from "../client/channel.ts";
import { RpcError } from "../client/kv-client.ts";
import type { Answer, ClientStream, StreamListener } from "../sim/member-calls.ts";
import type { ClientMember } from "../sim/parts.ts";

const asIs = (bytes: Buffer): Buffer => bytes;

export class RemoteMember implements ClientMember {
	private readonly client: Client;

	constructor(address: string) {
		const { target, credentials, options } = channelTo(address);
		this.client = new Client(target, credentials, {
			...options,
			"grpc.initial_reconnect_backoff_ms": 50,
			"grpc.max_reconnect_backoff_ms": 300,
			"grpc.enable_retries": 0,
			"grpc.use_local_subchannel_pool": 1,
		});
	}

	call(path: string, request: Uint8Array, timeoutMs: number, answer: Answer): () => void {
		const deadline = Date.now() + timeoutMs;
		const heard = (error: ServiceError | null, bytes?: Buffer): void => {
			if (error === null) answer.respond(bytes ?? Buffer.alloc(0));
			else if (new RpcError(error.code, error.details).outcomeUnknown) answer.gone();
			else answer.fail({ code: error.code, message: error.details });
		};
		const call = this.client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), new Metadata(), { deadline }, heard);
		return () => call.cancel();
	}

	openStream(path: string, listener: StreamListener): ClientStream {
		const stream = this.client.makeBidiStreamRequest(path, asIs, asIs);
		stream.on("data", (bytes: Buffer) => {
			if (listener.message(bytes) === false) stream.pause();
		});
		// The status tells the same, and comes in every case.
		stream.on("error", () => {});
		stream.on("status", ({ code, details }) => {
			if (new RpcError(code, details).outcomeUnknown) listener.gone();
			else listener.ended({ code, message: details });
		});
		return {
			send: (bytes) => void stream.write(Buffer.from(bytes)),
			halfClose: () => stream.end(),
			drain: () => stream.resume(),
			cancel: () => stream.cancel(),
		};
	}

	close(): void {
		this.client.close();
	}
}
