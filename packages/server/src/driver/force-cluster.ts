/**
 * `--force-new-cluster`: the quorum is lost for good, and one member goes on alone with what it has. Everything in its log is
 * kept, also what it never heard to be committed: some of that may have been acknowledged by members that are gone. Behind it
 * come entries of a term of its own that remove all the others, in one frame of the log: it is there whole or not at all.
 * Removed members are turned away for good when they come back (rules C), and ids are never used again.
 */
import { marks } from "@flotilla/base";
import {
	type ConfState,
	changedConf,
	confChangeOfEntry,
	Entry,
	EntryKind,
	encodeConfChange,
	isJoint,
	type MembershipRequest,
	membersOf,
	type NodeId,
	type RestoredLog,
} from "@flotilla/raft";
import { CommandKind, decodeMember, EnvelopeReader, encodeMembershipContext, type MemberInfo, readContext } from "@flotilla/replica";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import { FORMAT_FILE } from "./format-file.ts";
import { ask, type RefusedStart, refuse, type Steps } from "./recovery-steps.ts";

export interface ForceRequest {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	/** The members were forced out by an earlier start with the flag, and no start without it has come since. */
	readonly forcedBefore: boolean;
}

/** Those that were ever members, removed ones too. */
export type KnownMembers = Map<NodeId, MemberInfo>;

/** What a member's folder says of the cluster, up to the end of its log. */
export interface ClusterAtEnd {
	readonly confState: ConfState;
	/** Those that the floor or the log tells of, removed ones too. */
	readonly known: ReadonlyMap<NodeId, MemberInfo>;
}

export interface ForcedCluster {
	readonly removed: readonly NodeId[];
	/** Entries behind the commit that this member knew, kept all the same. */
	readonly uncertain: number;
}

/** Where the configuration and the members stand when everything in the log has taken effect. */
export function clusterAtEnd(log: RestoredLog, rows: ReadonlyArray<{ readonly key: string; readonly value: Uint8Array }>): ClusterAtEnd {
	const known: KnownMembers = new Map();
	for (const { key, value } of rows) if (key.startsWith("members/")) note(known, decodeMember(value));
	const envelope = new EnvelopeReader();
	let confState = log.base.confState;
	for (const entry of log.entries) {
		if (entry.kind === EntryKind.config) confState = changedConf(confState, confChangeOfEntry(entry.data)) ?? confState;
		followEntry(known, entry, envelope);
	}
	return { confState, known };
}

/** What an entry says of members: who was added, and what they told of themselves. */
export function followEntry(known: KnownMembers, { kind, data }: Entry, envelope: EnvelopeReader): void {
	if (kind === EntryKind.config) {
		for (const member of readContext(confChangeOfEntry(data).context).added) note(known, member);
	} else if (kind === EntryKind.normal && data.length > 0 && envelope.tryOpen(data) === null) followCommand(known, envelope);
}

/** Names and addresses that members have told of themselves. */
function followCommand(known: KnownMembers, { kind, origin, payload }: EnvelopeReader): void {
	if (kind !== CommandKind.publish && kind !== CommandKind.memberUpdate) return;
	const told = decodeMember(payload);
	const before = known.get(kind === CommandKind.publish ? origin : told.id);
	if (before === undefined) return;
	note(
		known,
		kind === CommandKind.publish ? { ...before, name: told.name, clientUrls: told.clientUrls } : { ...before, peerUrls: told.peerUrls },
	);
}

function note(known: KnownMembers, member: MemberInfo): void {
	known.set(member.id, member);
}

/** The changes, one after another, that leave this member alone; none where it is alone already. */
export function changesToAlone(confState: ConfState, self: NodeId): readonly MembershipRequest[] {
	const requests: MembershipRequest[] = [];
	let conf = confState;
	const add = (changes: MembershipRequest["changes"]): void => {
		const request: MembershipRequest = { changes, transition: "auto", context: encodeMembershipContext([]) };
		const changed = changedConf(conf, request);
		if (changed === null) return;
		requests.push(request);
		conf = changed;
	};
	if (isJoint(conf)) add([]);
	if (!conf.voters.includes(self)) add([{ op: "addVoter", node: self }]);
	for (const node of membersOf(conf)) if (node !== self) add([{ op: "remove", node }]);
	return requests;
}

/** Null: this member was alone already. Nothing is written before all checks have passed. */
export function* forceNewCluster(
	log: RestoredLog,
	rows: ReadonlyArray<{ readonly key: string; readonly value: Uint8Array }>,
	wal: WriteAheadLog,
	request: ForceRequest,
): Steps<{ readonly log: RestoredLog; readonly forced: ForcedCluster } | null> {
	const { memberId, clusterId, forcedBefore } = request;
	const { confState, known } = clusterAtEnd(log, rows);
	const everyone = membersOf(confState);
	if (!everyone.includes(memberId)) throw notAMember(everyone.length);
	const changes = changesToAlone(confState, memberId);
	if (changes.length === 0) return null;
	const others = everyone.filter((id) => id !== memberId).map((id) => known.get(id) ?? { id, name: "", peerUrls: [] });
	if (forcedBefore) throw forcedAlready(others);
	const { alive } = yield* ask({ on: "askOthers", clusterId, members: others });
	if (alive !== null) throw othersLive(alive);
	const lastIndex = log.base.index + log.entries.length;
	const term = log.hardState.term + 1;
	const entries = changes.map((change, at) => new Entry(lastIndex + 1 + at, term, EntryKind.config, encodeConfChange(change)));
	const hardState = { term, vote: memberId, commit: lastIndex + entries.length };
	marks.clusterForced++;
	yield* ask({ on: "amendLog", wal, change: { hardState, entries, snapshot: null } });
	return {
		log: { ...log, hardState, entries: [...log.entries, ...entries] },
		forced: { removed: others.map(({ id }) => id), uncertain: lastIndex - log.hardState.commit },
	};
}

/** Without data there is nothing to go on with. */
export function nothingToForce(found: string): RefusedStart {
	return refuse("cannotForce", {
		what: "--force-new-cluster goes on with what a member holds, and here is nothing",
		where: FORMAT_FILE,
		found,
		wanted: "the data folder of a member",
		next: "Name the right --data-dir, or start without the flag",
	});
}

function notAMember(members: number): RefusedStart {
	return refuse("cannotForce", {
		what: "this member was never told that it belongs to the cluster, so it holds none of its data",
		where: "the newest configuration",
		found: `${members} other members`,
		wanted: "this member among them",
		next: "Force the member that holds the most: flotilla doctor tells which",
	});
}

function forcedAlready(others: ReadonlyArray<{ readonly id: NodeId }>): RefusedStart {
	return refuse("cannotForce", {
		what: "this member has been made a cluster of its own already, and others have joined it since, which this start would throw out",
		where: FORMAT_FILE,
		found: `the members ${others.map(({ id }) => id.toString(16)).join(", ")} besides this one`,
		wanted: "none",
		next: "Take --force-new-cluster off the command; to force once more, start once without it first",
	});
}

function othersLive(url: string): RefusedStart {
	return refuse("cannotForce", {
		what: "another member of the cluster is running, and both would go their own way",
		where: url,
		found: "an answer",
		wanted: "silence",
		next: "Stop every other member first; if a majority of them can run, start without --force-new-cluster",
	});
}
