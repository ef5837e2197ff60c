/** What a watch stream told, without what depends on how the past was cut into responses and in which order watchers come. */
import { etcdserverpb, type mvccpb } from "@flotilla/api";
import type { RpcError } from "../client/rpc-error.ts";
import { plain } from "./beside-etcd.ts";

const BY_HAND = "-1";

export interface WatchAccount {
	/** In the order in which they were asked for. */
	readonly created: readonly unknown[];
	/** Of each watcher: its events in their order, and its end. */
	readonly told: Readonly<Record<string, readonly unknown[]>>;
	/** Revisions of progress that was asked for by hand. */
	readonly progress: readonly number[];
	readonly ended: { readonly code: number; readonly text: string } | null;
}

export function accountOf(messages: readonly Uint8Array[], ended: RpcError | null): WatchAccount {
	const account = { created: [] as unknown[], progress: [] as number[] };
	const watchers = new Map<string, Teller>();
	for (const message of messages) {
		const response = etcdserverpb.WatchResponse.decode(message);
		const id = response.watchId.toString();
		const revision = response.header?.revision ?? 0;
		if (response.created) {
			const { canceled, cancelReason, compactRevision } = response;
			account.created.push({ id, revision, canceled, cancelReason, compactRevision, events: response.events.length });
		} else if (id === BY_HAND && response.events.length === 0 && !response.canceled) {
			account.progress.push(revision);
		} else {
			const teller = watchers.get(id) ?? new Teller();
			watchers.set(id, teller);
			teller.add(response);
		}
	}
	const ids = [...watchers.keys()].sort();
	return {
		...account,
		told: Object.fromEntries(ids.map((id) => [id, (watchers.get(id) as Teller).lines])),
		ended: ended === null ? null : endOf(ended),
	};
}

/** Of bytes that are no message the words name lines of another program, behind the same beginning. */
export function endOf({ code, text }: RpcError): { readonly code: number; readonly text: string } {
	const [beginning] = /^grpc: failed to unmarshal the received message/.exec(text) ?? [text];
	return { code, text: beginning };
}

class Teller {
	readonly lines: unknown[] = [];
	private lastRevision = 0;
	/** The response before was a part of one. */
	private inPart = false;

	add({ events, canceled, cancelReason, compactRevision, header, fragment }: etcdserverpb.WatchResponse): void {
		const first = events[0]?.kv?.modRevision ?? 0;
		if (events.length > 0 && first === this.lastRevision && !this.inPart) this.lines.push(`revision ${first} was torn`);
		for (const event of events) this.lines.push(shown(event));
		// The header of a response with events runs ahead of them as far as it happens to.
		if ((header?.revision ?? 0) < first && events.length > 0) this.lines.push(`the header stays behind revision ${first}`);
		this.lastRevision = events.at(-1)?.kv?.modRevision ?? this.lastRevision;
		this.inPart = fragment;
		if (canceled) this.lines.push({ canceled, cancelReason, compactRevision, revision: header?.revision ?? 0 });
	}
}

function shown({ type, kv, prevKv }: mvccpb.Event): unknown {
	return plain([type === 0 ? "PUT" : "DELETE", kv, prevKv]);
}
