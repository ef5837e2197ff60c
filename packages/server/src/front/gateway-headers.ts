/** What a call through the gateway takes from the headers of its HTTP request. */
import { DEADLINE_EXCEEDED } from "./etcd-texts.ts";
import { gatewayTimeoutMs } from "./grpc-timeout.ts";
import { Grpc, type HttpRequest, type Status } from "./seam.ts";

export interface CallHeaders {
	readonly ok: true;
	/** Infinity without a `Grpc-Timeout`. */
	readonly timeoutMs: number;
	metadata(key: string): string | undefined;
}

const PASSED_ON = "grpcgateway-";

export function readHeaders({ headers }: HttpRequest): CallHeaders | { readonly ok: false; readonly status: Status } {
	const timeout = headers.get("grpc-timeout") ?? "";
	const givenMs = timeout === "" ? 0 : gatewayTimeoutMs(timeout);
	if (Number.isNaN(givenMs)) return { ok: false, status: { code: Grpc.invalidArgument, message: `invalid grpc-timeout: ${timeout}` } };
	if (givenMs < 0) return { ok: false, status: DEADLINE_EXCEEDED };
	return {
		ok: true,
		// No time at all stands for no bound, as in etcd's gateway.
		timeoutMs: givenMs === 0 ? Number.POSITIVE_INFINITY : givenMs,
		/** `Grpc-Metadata-X` is `x`; headers of HTTP itself appear with a prefix, `authorization` without it too. */
		metadata(key) {
			if (key === "authorization") return headers.get(key) ?? headers.get(`grpc-metadata-${key}`);
			return key.startsWith(PASSED_ON) ? headers.get(key.slice(PASSED_ON.length)) : headers.get(`grpc-metadata-${key}`);
		},
	};
}
