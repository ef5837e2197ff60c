import { Entry, EntryKind } from "@flotilla/raft";
import { expect, test } from "vitest";
import { withAnnounced } from "./announced.ts";
import { CommandKind } from "./calls.ts";
import { EnvelopeEncoder } from "./envelope.ts";
import { encodeMember } from "./member-codec.ts";
import type { MemberInfo } from "./members.ts";

const member = (id: bigint, name: string): MemberInfo => ({ id, name, peerUrls: [`http://m${id}:1`], clientUrls: [], learner: false });

function command(origin: bigint, kind: CommandKind, payload: Uint8Array): Uint8Array {
	const content = { kind, sequence: 1, user: "", authRevision: 0, payload };
	return new EnvelopeEncoder(origin, 7).encode([content])[0] as Uint8Array;
}

test("who announced itself in the log has a name before that is applied; the table's own names stay", () => {
	const table = [member(1n, "one"), member(2n, ""), member(3n, ""), member(4n, "")];
	const payloads = [
		new Uint8Array(0),
		command(1n, CommandKind.publish, encodeMember(member(1n, "renamed"))),
		command(2n, CommandKind.put, encodeMember(member(2n, "no announcement"))),
		command(3n, CommandKind.publish, encodeMember(member(3n, "three"))),
		command(4n, CommandKind.publish, Uint8Array.of(0xff)),
	];
	const entries = payloads.map((data, at) => new Entry(at + 2, 1, EntryKind.normal, data));
	const config = new Entry(9, 1, EntryKind.config, command(2n, CommandKind.publish, encodeMember(member(2n, "no command"))));
	expect(withAnnounced(table, [...entries, config]).map(({ name }) => name)).toEqual(["one", "", "three", ""]);
	expect(withAnnounced(table, [])).toEqual(table);
});
