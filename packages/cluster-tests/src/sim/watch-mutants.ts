import {
	allEvents,
	EventBatch,
	type EventGroup,
	type WatchMessage,
	type WatchRequest,
	type WatchSink,
	type WatchStream,
} from "@flotilla/mvcc";
import type { MemberPort } from "@flotilla/server/internal";
import { override } from "./override.ts";

/** Bugs of watching, each against one promise. Some of them were etcd's. */
export const WATCH_MUTANTS = [
	"losesEvents",
	"swapsEvents",
	"startsLate",
	"startsEarly",
	"thinsCompacted",
	"splitsRevisions",
	"repeatsEvents",
	"progressAhead",
	"forgetsPrevious",
	"forgetsAtSnapshot",
] as const;
export type WatchMutant = (typeof WATCH_MUTANTS)[number];

export function isWatchMutant(name: string | null): name is WatchMutant {
	return WATCH_MUTANTS.some((each) => each === name);
}

/** What the replica hands to watchers, spoilt. */
export function spoilEvents(groups: readonly EventGroup[], mutant: WatchMutant): readonly EventGroup[] {
	if (mutant === "losesEvents")
		return groups.map((group) => (group.revision % 7 === 0 ? { ...group, events: group.events?.slice(1) ?? null } : group));
	if (mutant === "swapsEvents") return groups.map((group) => ({ ...group, events: group.events?.toReversed() ?? null }));
	return groups;
}

/** The member's door for services, with streams that break a promise. */
export function spoilWatches(member: MemberPort, mutant: WatchMutant): MemberPort {
	const openStream = (sink: WatchSink): WatchStream => {
		const stream = member.watches.openStream(spoilSink(sink, mutant));
		const create = stream.create.bind(stream);
		const revision = (): number => member.store.revision;
		if (mutant === "startsLate") stream.create = (request) => create(begins(request, 1, revision()));
		if (mutant === "startsEarly") stream.create = (request) => create(begins(request, -1, revision()));
		if (mutant === "thinsCompacted") {
			stream.create = (request) => {
				const { compactRevision } = member.store;
				return create(
					request.startRevision > 0 && request.startRevision < compactRevision ? { ...request, startRevision: compactRevision } : request,
				);
			};
		}
		if (mutant === "progressAhead") stream.progress = () => void sink.take({ kind: "progress", id: -1n, revision: revision() });
		if (mutant === "forgetsPrevious") stream.create = (request) => create({ ...request, prevKv: false });
		return stream;
	};
	return override(member, { watches: override(member.watches, { openStream }) });
}

function begins(request: WatchRequest, by: number, present: number): WatchRequest {
	const { startRevision } = request;
	return startRevision > 1 && startRevision <= present ? { ...request, startRevision: startRevision + by } : request;
}

function spoilSink(sink: WatchSink, mutant: WatchMutant): WatchSink {
	const parts = (message: WatchMessage): WatchMessage[] => {
		if (message.kind !== "events") return [message];
		const { batch } = message;
		const all = [...allEvents(batch)];
		if (mutant === "splitsRevisions" && all.length > 1) {
			return [all.slice(0, 1), all.slice(1)].map((events) => ({
				...message,
				batch: new EventBatch([], events, batch.firstRevision, batch.bytes, 1),
			}));
		}
		if (mutant === "repeatsEvents" && message.revision % 11 === 0) return [message, message];
		return [message];
	};
	return {
		take: (message) =>
			parts(message)
				.map((part) => sink.take(part))
				.every((mayGoOn) => mayGoOn),
	};
}

/** A snapshot's state takes the place of the old one, and synced watchers are not told what lies between (#8411). */
export function forgetAtSnapshot(watches: object): void {
	const hub: unknown = Reflect.get(watches, "hub");
	if (typeof hub !== "object" || hub === null) throw new Error("the watches of a member have a hub");
	const exchange = (store: { readonly revision: number }): void => {
		Reflect.set(hub, "store", store);
		Reflect.set(hub, "revision", store.revision);
	};
	Reflect.set(hub, "exchange", exchange);
}
