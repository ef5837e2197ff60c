/** What a call through the gateway takes from the headers of its HTTP request. */
import { Grpc, type HttpRequest, type Status } from "./seam.ts";

export interface CallHeaders {
	readonly ok: true;
	/** Infinity without a `Grpc-Timeout`. */
	readonly timeoutMs: number;
	metadata(key: string): string | undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const PASSED_ON = "grpcgateway-";

export function readHeaders({ headers }: HttpRequest): CallHeaders | { readonly ok: false; readonly status: Status } {
	let timeoutMs = Number.POSITIVE_INFINITY;
	const given = headers.get("grpc-timeout");
	if (given !== undefined) {
		const parts = TIMEOUT.exec(given);
		if (parts === null) return { ok: false, status: { code: Grpc.invalidArgument, message: `invalid grpc-timeout: ${given}` } };
		timeoutMs = Number(parts[1]) * (UNIT_MS[parts[2] as string] as number);
	}
	return {
		ok: true,
		timeoutMs,
		/** `Grpc-Metadata-X` is `x`; headers of HTTP itself appear with a prefix, `authorization` without it too. */
		metadata(key) {
			if (key === "authorization") return headers.get(key) ?? headers.get(`grpc-metadata-${key}`);
			return key.startsWith(PASSED_ON) ? headers.get(key.slice(PASSED_ON.length)) : headers.get(`grpc-metadata-${key}`);
		},
	};
}
