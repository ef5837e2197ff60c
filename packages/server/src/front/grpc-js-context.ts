/** What the calls of both shapes read from the library in the same way. */
import type { Deadline, MetadataValue, ServerUnaryCall } from "@grpc/grpc-js";

/** Of a certificate that was demanded and verified; undefined otherwise. */
export function commonNameFrom(call: Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">): string | undefined {
	const name: unknown = call.getAuthContext().sslPeerCertificate?.subject?.CN;
	return typeof name === "string" && name !== "" ? name : undefined;
}

export function remainingMs(deadline: Deadline): number {
	if (deadline === Number.POSITIVE_INFINITY) return deadline;
	return Math.max(0, Number(deadline) - Date.now());
}

/** Values of keys that end in `-bin` are bytes; they are given in the base64 form in which they travelled. */
export function textOf(value: MetadataValue | undefined): string | undefined {
	return typeof value === "object" ? value.toString("base64") : value;
}
