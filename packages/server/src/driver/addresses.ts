/**
 * Who belongs to the cluster and where its members listen, in a file of its own beside the store and the log: a member whose store is
 * lost knows from it whom to ask (rule S6). The store's tables say the same, and go with it; the log says only what changed since it
 * was cut. So the file is never older than the log's beginning (`address-notes.ts`). Where it does not exist the members are those of
 * the first configuration, which the format file names. A damaged one counts as none: it holds nothing but words to follow up.
 */
import { portableBytes } from "@flotilla/base";
import type { LogIndex } from "@flotilla/raft";
import { decodeMember, type TableRow } from "@flotilla/replica";
import type { MemberFormat } from "./format-file.ts";
import { type OtherMember, readWhole, replaceFile, type Steps } from "./recovery-steps.ts";

export const ADDRESS_FILE = "addresses";

export interface AddressRecord {
	/** What was applied when these were the members. */
	readonly index: LogIndex;
	/** By their ids, this one among them. */
	readonly members: readonly OtherMember[];
}

export function addressRecord(index: LogIndex, members: readonly OtherMember[]): AddressRecord {
	const named = members.map(({ id, peerUrls }) => ({ id, peerUrls: [...peerUrls].sort() }));
	return { index, members: named.sort((one, other) => (one.id < other.id ? -1 : 1)) };
}

/** As a floor or a state that is received has them. */
export function addressesIn(index: LogIndex, rows: ReadonlyArray<Pick<TableRow, "key" | "value">>): AddressRecord {
	return addressRecord(
		index,
		rows.filter(({ key }) => key.startsWith("members/")).map(({ value }) => decodeMember(value)),
	);
}

/** As a folder begins. */
export function firstAddresses({ initialMembers }: Pick<MemberFormat, "initialMembers">): AddressRecord {
	return addressRecord(0, initialMembers);
}

export function sameAddresses(one: AddressRecord, other: AddressRecord): boolean {
	return textOf(one.members) === textOf(other.members);
}

/** One line of JSON for people, then one with its CRC-32C. */
export function encodeAddresses({ index, members }: AddressRecord): Uint8Array {
	const line = `{"index":${index},"members":${textOf(members)}}\n`;
	return new TextEncoder().encode(`${line}${checksumOf(new TextEncoder().encode(line))}\n`);
}

export function decodeAddresses(bytes: Uint8Array): AddressRecord | null {
	const end = bytes.indexOf(0x0a) + 1;
	const line = bytes.subarray(0, end);
	if (end === 0 || new TextDecoder("latin1").decode(bytes.subarray(end)).trimEnd() !== checksumOf(line)) return null;
	// What has the right checksum was written by us.
	const { index, members } = JSON.parse(new TextDecoder().decode(line)) as {
		index: number;
		members: Array<{ id: string; peerUrls: string[] }>;
	};
	return { index, members: members.map(({ id, peerUrls }) => ({ id: BigInt(`0x${id}`), peerUrls })) };
}

export function* readAddresses(format: MemberFormat): Steps<AddressRecord> {
	const bytes = yield* readWhole(ADDRESS_FILE);
	return (bytes === null ? null : decodeAddresses(bytes)) ?? firstAddresses(format);
}

export function* writeAddresses(record: AddressRecord): Steps<void> {
	yield* replaceFile(ADDRESS_FILE, encodeAddresses(record));
}

/** A start ends with a file that is as new as its store. Returns what it says. */
export function* keepAddresses(before: AddressRecord, now: AddressRecord): Steps<AddressRecord> {
	if (now.members.length === 0 || now.index <= before.index || sameAddresses(before, now)) return before;
	yield* writeAddresses(now);
	return now;
}

function textOf(members: readonly OtherMember[]): string {
	return JSON.stringify(members.map(({ id, peerUrls }) => ({ id: id.toString(16), peerUrls })));
}

function checksumOf(line: Uint8Array): string {
	return portableBytes.crc32c(line).toString(16).padStart(8, "0");
}
