/**
 * Who belongs to the cluster and where its members listen, in a file of its own beside the store and the log: a member whose store is
 * lost knows from it whom to ask (rule S6). The store's tables say the same, and go with it; the log says only what changed since it
 * was cut. So the file is never older than the log's beginning (`address-notes.ts`). Where it does not exist the members are those of
 * the first configuration, which the format file names. One that is damaged, or of another cluster, counts as none, is told of, and
 * is replaced as soon as a store or a state says who the members are: it holds nothing but words to follow up.
 */
import { portableBytes } from "@flotilla/base";
import type { LogIndex } from "@flotilla/raft";
import { decodeMember, type TableRow } from "@flotilla/replica";
import type { MemberFormat } from "./format-file.ts";
import { ask, type OtherMember, readWhole, replaceFile, type Steps } from "./recovery-steps.ts";

export const ADDRESS_FILE = "addresses";

export interface AddressRecord {
	/** What was applied when these were the members. */
	readonly index: LogIndex;
	/** By their ids, this one among them. */
	readonly members: readonly OtherMember[];
}

/** What a start knows from the file. */
export interface NotedAddresses extends AddressRecord {
	/** Why what the file holds is not believed; the record is that of the first configuration then. */
	readonly fault: string | null;
	/** It is to be written anew, whatever it says: for its fault, or since it does not name its cluster. */
	readonly outdated: boolean;
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
export function firstAddresses({ initialMembers }: Pick<MemberFormat, "initialMembers">): NotedAddresses {
	return { ...addressRecord(0, initialMembers), fault: null, outdated: false };
}

export function sameAddresses(one: AddressRecord, other: AddressRecord): boolean {
	return textOf(one.members) === textOf(other.members);
}

/** One line of JSON for people, then one with its CRC-32C. */
export function encodeAddresses(clusterId: bigint, { index, members }: AddressRecord): Uint8Array {
	const line = `{"clusterId":"${clusterId.toString(16)}","index":${index},"members":${textOf(members)}}\n`;
	return new TextEncoder().encode(`${line}${checksumOf(new TextEncoder().encode(line))}\n`);
}

/** Null: damaged. `clusterId`: null in a file that was written before its cluster was named there. */
export function decodeAddresses(bytes: Uint8Array): { readonly clusterId: bigint | null; readonly record: AddressRecord } | null {
	const end = bytes.indexOf(0x0a) + 1;
	const line = bytes.subarray(0, end);
	if (end === 0 || new TextDecoder("latin1").decode(bytes.subarray(end)).trimEnd() !== checksumOf(line)) return null;
	// What has the right checksum was written by us.
	const { clusterId, index, members } = JSON.parse(new TextDecoder().decode(line)) as {
		clusterId?: string;
		index: number;
		members: Array<{ id: string; peerUrls: string[] }>;
	};
	return {
		clusterId: clusterId === undefined ? null : BigInt(`0x${clusterId}`),
		record: { index, members: members.map(({ id, peerUrls }) => ({ id: BigInt(`0x${id}`), peerUrls })) },
	};
}

export function* readAddresses(format: MemberFormat): Steps<NotedAddresses> {
	const first = firstAddresses(format);
	const bytes = yield* readWhole(ADDRESS_FILE);
	if (bytes === null) return first;
	const found = decodeAddresses(bytes);
	if (found === null) return yield* ignored(first, "it is damaged");
	const { clusterId, record } = found;
	if (clusterId !== null && clusterId !== format.clusterId)
		return yield* ignored(first, `it is of cluster ${clusterId.toString(16)}, and this member of ${format.clusterId.toString(16)}`);
	return { ...record, fault: null, outdated: clusterId === null };
}

function* ignored(first: NotedAddresses, fault: string): Steps<NotedAddresses> {
	yield* ask({ on: "tell", name: "addressesIgnored", index: 0, fields: { file: ADDRESS_FILE, because: fault } });
	return { ...first, fault, outdated: true };
}

export function* writeAddresses(clusterId: bigint, record: AddressRecord): Steps<void> {
	yield* replaceFile(ADDRESS_FILE, encodeAddresses(clusterId, record));
}

/** A start ends with a file that is as new as its store. Returns what it says. */
export function* keepAddresses(clusterId: bigint, before: NotedAddresses, now: AddressRecord): Steps<NotedAddresses> {
	const newer = now.members.length > 0 && now.index > before.index;
	if (!before.outdated && (!newer || sameAddresses(before, now))) return before;
	// Nobody knows yet whom to name in its place.
	if (before.fault !== null && !newer) return before;
	const { index, members } = newer ? now : before;
	yield* writeAddresses(clusterId, { index, members });
	return { index, members, fault: before.fault, outdated: false };
}

function textOf(members: readonly OtherMember[]): string {
	return JSON.stringify(members.map(({ id, peerUrls }) => ({ id: id.toString(16), peerUrls })));
}

function checksumOf(line: Uint8Array): string {
	return portableBytes.crc32c(line).toString(16).padStart(8, "0");
}
