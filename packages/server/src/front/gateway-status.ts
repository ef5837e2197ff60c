/** Refusals of the gateway: HTTP status and JSON body by gRPC code (etcd API 11.7). */
import type { GrpcCode, HttpResponse, Status } from "./seam.ts";

/** By gRPC code. */
const HTTP_STATUS: readonly number[] = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

export function httpStatusOf(code: GrpcCode): number {
	return HTTP_STATUS[code] as number;
}

/** On every answer of the gateway. */
export const GATEWAY_HEADERS: HttpResponse["headers"] = [["Content-Type", "application/json"]];
/** On answers that a handler gave. */
export const CALL_HEADERS: HttpResponse["headers"] = [...GATEWAY_HEADERS, ["Grpc-Metadata-Content-Type", "application/grpc"]];

/** `error` repeats the text: clients written for older levels of the API look for it there. */
export function refusal({ code, message }: Status, httpStatus: number = httpStatusOf(code)): HttpResponse {
	return { status: httpStatus, headers: refusalHeaders(httpStatus, message), body: JSON.stringify({ error: message, code, message }) };
}

export function refusalHeaders(httpStatus: number, message: string): HttpResponse["headers"] {
	if (httpStatus !== 401) return GATEWAY_HEADERS;
	// Header values are printable; the texts of the API are, those of a handler could be anything.
	return [...GATEWAY_HEADERS, ["WWW-Authenticate", message.replace(/[^\x20-\x7e]/g, "?")]];
}
