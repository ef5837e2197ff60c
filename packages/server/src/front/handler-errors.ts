/** What happens when a handler throws. */
import { WireError } from "@flotilla/base";
import { MALFORMED } from "./etcd-texts.ts";
import type { Status } from "./seam.ts";

/**
 * True for bytes that were no protobuf: those are the client's fault and get an answer. Anything else is a bug: it is thrown
 * again outside of the library, which would turn it into an answer, so that it ends the process.
 */
export function isMalformed(error: unknown): boolean {
	if (error instanceof WireError) return true;
	process.nextTick(() => {
		throw error;
	});
	return false;
}

/** For the handler of a call that had to wait: the adapter that would have caught what it throws has long returned. */
export function runLate(handle: () => void, refuse: (status: Status) => void): void {
	try {
		handle();
	} catch (error) {
		if (isMalformed(error)) refuse(MALFORMED);
	}
}
