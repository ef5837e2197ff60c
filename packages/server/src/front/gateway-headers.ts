/** What a call through the gateway takes from the headers of its HTTP request. */
import { timeoutMs } from "./grpc-timeout.ts";
import { Grpc, type HttpRequest, type Status } from "./seam.ts";

export interface CallHeaders {
	readonly ok: true;
	/** Infinity without a `Grpc-Timeout`. */
	readonly timeoutMs: number;
	metadata(key: string): string | undefined;
}

const PASSED_ON = "grpcgateway-";

export function readHeaders({ headers }: HttpRequest): CallHeaders | { readonly ok: false; readonly status: Status } {
	const timeout = headers.get("grpc-timeout");
	const givenMs = timeout === undefined ? Number.POSITIVE_INFINITY : timeoutMs(timeout);
	if (Number.isNaN(givenMs))
		return { ok: false, status: { code: Grpc.invalidArgument, message: `invalid grpc-timeout: ${timeout ?? ""}` } };
	return {
		ok: true,
		timeoutMs: givenMs,
		/** `Grpc-Metadata-X` is `x`; headers of HTTP itself appear with a prefix, `authorization` without it too. */
		metadata(key) {
			if (key === "authorization") return headers.get(key) ?? headers.get(`grpc-metadata-${key}`);
			return key.startsWith(PASSED_ON) ? headers.get(key.slice(PASSED_ON.length)) : headers.get(`grpc-metadata-${key}`);
		},
	};
}
