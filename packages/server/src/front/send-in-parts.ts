import type { StreamCall } from "./seam.ts";

/** A message whose end is `parts`, which others may share: joined only for an adapter that takes it in no other way. False as `send`. */
export function sendInParts(call: StreamCall, head: Uint8Array, parts: readonly Uint8Array[]): boolean {
	if (call.sendParts !== undefined) return call.sendParts(head, parts);
	return call.send(Buffer.concat([head, ...parts]));
}
