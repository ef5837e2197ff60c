/** What the calls of both shapes read from the library in the same way. */
import type { Deadline, MetadataValue } from "@grpc/grpc-js";

export function remainingMs(deadline: Deadline): number {
	if (deadline === Number.POSITIVE_INFINITY) return deadline;
	return Math.max(0, Number(deadline) - Date.now());
}

/** Values of keys that end in `-bin` are bytes; they are given in the base64 form in which they travelled. */
export function textOf(value: MetadataValue | undefined): string | undefined {
	return typeof value === "object" ? value.toString("base64") : value;
}
