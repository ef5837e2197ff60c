/** A watch stream of the scripted member as its client uses it. */
import { etcdserverpb as pb } from "@flotilla/api";
import type { ScriptedStream, ServiceHouse } from "./scripted-member.ts";

export const WATCH = "/etcdserverpb.Watch/Watch";

export class WatchClient {
	readonly call: ScriptedStream;
	private read = 0;

	constructor(house: ServiceHouse, metadata: Readonly<Record<string, string>> = {}) {
		this.call = house.stream(WATCH, metadata);
	}

	create(request: Partial<pb.WatchCreateRequest>): void {
		this.send({ kind: "createRequest", value: pb.WatchCreateRequest.create(request) });
	}
	cancel(watchId: bigint): void {
		this.send({ kind: "cancelRequest", value: { watchId } });
	}
	progress(): void {
		this.send({ kind: "progressRequest", value: {} });
	}
	private send(requestUnion: pb.WatchRequest["requestUnion"]): void {
		this.call.receive(pb.WatchRequest.encode({ requestUnion }));
	}

	/** What came since the last look. */
	take(): pb.WatchResponse[] {
		const taken = this.call.sent.slice(this.read).map((bytes) => pb.WatchResponse.decode(bytes));
		this.read = this.call.sent.length;
		return taken;
	}
	/** The same in few words. */
	words(): string[] {
		return this.take().map(inWords);
	}
}

/** `#id @header revision`, flags, then events: `key=value/revision` or `-key/revision`. */
export function inWords(response: pb.WatchResponse): string {
	const { watchId, created, canceled, compactRevision, cancelReason, fragment, events, header: head } = response;
	const parts = [`#${watchId}`, `@${head?.revision}`];
	if (created) parts.push("created");
	if (canceled) parts.push("canceled");
	if (compactRevision !== 0) parts.push(`compacted ${compactRevision}`);
	if (cancelReason !== "") parts.push(`(${cancelReason})`);
	if (fragment) parts.push("more");
	for (const { type, kv, prevKv } of events) {
		const before = prevKv === null ? "" : ` was ${show(prevKv.key)}=${show(prevKv.value)}`;
		parts.push(`${type === 1 ? `-${show(kv?.key)}` : `${show(kv?.key)}=${show(kv?.value)}`}/${kv?.modRevision}${before}`);
	}
	return parts.join(" ");
}

function show(bytes: Uint8Array | undefined): string {
	return Buffer.from(bytes ?? "").toString("latin1");
}
