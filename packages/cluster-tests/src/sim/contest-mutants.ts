import { etcdserverpb, mvccpb } from "@flotilla/api";
import { allEvents, type WatchSink, type WatchStream } from "@flotilla/mvcc";
import { CommandKind, type WriteCall } from "@flotilla/replica";
import type { MemberPort } from "@flotilla/server/internal";
import { ELECTION_PREFIX } from "./candidate.ts";
import { LOCKED } from "./lock-part.ts";
import { override } from "./override.ts";

/** Bugs of locks and elections, each against one promise. */
export const CONTEST_MUTANTS = ["lockJumpsQueue", "campaignJumpsQueue", "proclaimsUnfenced", "observerMisses"] as const;
export type ContestMutant = (typeof CONTEST_MUTANTS)[number];

export function isContestMutant(name: string | null): name is ContestMutant {
	return CONTEST_MUTANTS.some((each) => each === name);
}

/** The member's door for services, spoilt. */
export function spoilContests(member: MemberPort, mutant: ContestMutant): MemberPort {
	switch (mutant) {
		case "lockJumpsQueue":
			return seesNobodyBefore(member, LOCKED);
		case "campaignJumpsQueue":
			return seesNobodyBefore(member, ELECTION_PREFIX);
		case "proclaimsUnfenced":
			return override(member, { write: (call) => member.write(withoutFence(call)) });
		case "observerMisses":
			return override(member, { watches: override(member.watches, { openStream: (sink) => openForgetful(member, sink) }) });
	}
}

/** Whoever looks who came before under the prefix finds nobody, and takes its turn at once. */
function seesNobodyBefore(member: MemberPort, prefix: string): MemberPort {
	return override(member, {
		// Another one after a snapshot.
		get store() {
			const { store } = member;
			return override(store, {
				range: (range) => {
					const looksBack = range.maxCreateRevision > 0 && startsWith(range.key, prefix);
					return store.range(looksBack ? { ...range, minModRevision: Number.MAX_SAFE_INTEGER } : range);
				},
			});
		},
	});
}

/** What a leader proclaims is written whether or not its key is still the one that it led with. */
function withoutFence(call: WriteCall): WriteCall {
	if (call.kind !== CommandKind.txn) return call;
	const { compare, failure, success } = etcdserverpb.TxnRequest.decode(call.payload);
	const [only] = success;
	const puts = only?.request?.kind === "requestPut" && startsWith(only.request.value.key, ELECTION_PREFIX);
	const fenced = compare.some(({ targetUnion }) => targetUnion?.kind === "createRevision" && targetUnion.value > 0);
	if (puts && fenced) Reflect.set(call, "payload", etcdserverpb.TxnRequest.encode({ compare: [], success, failure }));
	return call;
}

/** Of a single key's changes one in three is not told. */
function openForgetful(member: MemberPort, sink: WatchSink): WatchStream {
	let forgets = false;
	const stream = member.watches.openStream({
		take: (message) => {
			if (!forgets || message.kind !== "events" || message.revision % 3 !== 0) return sink.take(message);
			const [first] = allEvents(message.batch);
			const put = first !== undefined && mvccpb.Event.decode(first).type === mvccpb.Event_EventType.PUT;
			return put || sink.take(message);
		},
	});
	const create = stream.create.bind(stream);
	stream.create = (request) => {
		forgets = request.rangeEnd.length === 0 && startsWith(request.key, ELECTION_PREFIX);
		return create(request);
	};
	return stream;
}

function startsWith(key: Uint8Array, prefix: string): boolean {
	return Buffer.from(key).toString("latin1").startsWith(prefix);
}
