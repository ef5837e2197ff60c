import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import { RpcError } from "./rpc-error.ts";

/** One stream through grpc-js: what was told so far, and how it ended. */
export class RawStream {
	readonly messages: Buffer[] = [];
	/** Its status, when it has one; code 0 is a regular end. */
	ended: RpcError | null = null;
	private readonly call: ClientDuplexStream<Buffer, Buffer>;
	private readonly listeners = new Set<() => void>();

	constructor(call: ClientDuplexStream<Buffer, Buffer>) {
		this.call = call;
		call.on("data", (message: Buffer) => {
			this.messages.push(message);
			this.tell();
		});
		call.on("error", () => {});
		call.on("status", ({ code, details }: StatusObject) => {
			this.ended = new RpcError(code, details);
			this.tell();
		});
	}

	send(message: Buffer): void {
		this.call.write(message);
	}

	halfClose(): void {
		this.call.end();
	}

	cancel(): void {
		this.call.cancel();
	}

	/** Resolves when so many messages have come; rejects with the status when it ends before. */
	upTo(count: number): Promise<readonly Buffer[]> {
		return this.when(
			() => this.messages.length >= count,
			() => this.messages,
		);
	}

	/** Resolves with its status. */
	async end(): Promise<RpcError> {
		await this.when(
			() => this.ended !== null,
			() => null,
		);
		return this.ended as RpcError;
	}

	private when<T>(holds: () => boolean, value: () => T): Promise<T> {
		return new Promise((resolve, reject) => {
			const look = (): void => {
				if (!holds() && this.ended === null) return;
				this.listeners.delete(look);
				if (holds()) resolve(value());
				else reject(this.ended as RpcError);
			};
			this.listeners.add(look);
			look();
		});
	}

	private tell(): void {
		for (const listener of [...this.listeners]) listener();
	}
}
