import { WireError } from "@flotilla/base";
import { type Entry, EntryKind, type NodeId } from "@flotilla/raft";
import { CommandKind } from "./calls.ts";
import { EnvelopeReader } from "./envelope.ts";
import { decodeMember } from "./member-codec.ts";
import type { MemberInfo } from "./members.ts";

/**
 * The table as a member with an empty folder is told it: who has announced itself in `unapplied` has a name, too. Whether that
 * is committed does not matter, since whoever announced itself has run.
 */
export function withAnnounced(members: readonly MemberInfo[], unapplied: readonly Entry[]): readonly MemberInfo[] {
	if (members.every(({ name }) => name !== "")) return members;
	const names = announcedIn(unapplied);
	return members.map((member) => (member.name === "" ? { ...member, name: names.get(member.id) ?? "" } : member));
}

function announcedIn(entries: readonly Entry[]): ReadonlyMap<NodeId, string> {
	const names = new Map<NodeId, string>();
	const envelope = new EnvelopeReader();
	for (const { kind, data } of entries) {
		if (kind !== EntryKind.normal || data[1] !== CommandKind.publish || envelope.tryOpen(data) !== null) continue;
		try {
			names.set(envelope.origin, decodeMember(envelope.payload).name);
		} catch (error) {
			// What cannot be read is found out where it is applied.
			if (!(error instanceof WireError)) throw error;
		}
	}
	return names;
}
