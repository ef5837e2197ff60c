/** One unary call of grpc-js as the seam has it. */
import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { MALFORMED } from "./etcd-texts.ts";
import { commonNameFrom, remainingMs, textOf } from "./grpc-js-context.ts";
import { refusalFor } from "./grpc-js-status.ts";
import { isMalformed } from "./handler-errors.ts";
import type { Status, UnaryCall, UnaryHandler } from "./seam.ts";

type LibraryCall = ServerUnaryCall<Uint8Array, Uint8Array>;
type Answer = sendUnaryData<Uint8Array>;

export function unaryAdapter(handle: UnaryHandler): (call: LibraryCall, answer: Answer) => void {
	return (libraryCall, answer) => {
		const call = new GrpcJsUnaryCall(libraryCall, answer);
		try {
			handle(call);
		} catch (error) {
			if (isMalformed(error)) call.fail(MALFORMED);
		}
	};
}

class GrpcJsUnaryCall implements UnaryCall {
	readonly path: string;
	readonly request: Uint8Array;
	private readonly call: LibraryCall;
	private answer: Answer | null;

	constructor(call: LibraryCall, answer: Answer) {
		this.path = call.getPath();
		this.request = call.request;
		this.call = call;
		this.answer = answer;
	}

	get peer(): string {
		return this.call.getPeer();
	}

	get commonName(): string | undefined {
		return commonNameFrom(this.call);
	}

	get remainingMs(): number {
		return remainingMs(this.call.getDeadline());
	}

	metadata(key: string): string | undefined {
		return textOf(this.call.metadata.get(key)[0]);
	}

	/** The library says "cancelled" after an answer too, when the stream is closed. */
	onCancel(listener: () => void): void {
		this.call.once("cancelled", () => {
			if (this.answer !== null) listener();
		});
	}

	respond(message: Uint8Array): void {
		this.take()?.(null, message);
	}

	fail(status: Status): void {
		this.take()?.(refusalFor(status));
	}

	/** Null when the call was answered before: the first answer counts. */
	private take(): Answer | null {
		const { answer } = this;
		this.answer = null;
		return answer;
	}
}
