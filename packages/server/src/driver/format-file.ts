import { assert, portableBytes } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";

export const FORMAT_FILE = "format";
export const MEMBER_FORMAT = 1;

/** What this data folder is and how it began; written when the member is made and when its store is rebuilt. */
export interface MemberFormat {
	readonly clusterId: bigint;
	readonly memberId: NodeId;
	/**
	 * `making`: the first start has not ended, nothing was promised to anybody yet. `removed`: from the cluster, for good.
	 * `lost`: its member had another folder before, which is gone; this one must not stand in for it.
	 */
	readonly state: "making" | "ready" | "removed" | "lost";
	/** The store to open, unless the log names a later one. */
	readonly generation: string;
	/** Added to a running cluster: it begins with nothing, and is sent the state. */
	readonly joined?: boolean;
	/** Made a cluster of its own by the flag, which no start has left out since. */
	readonly forced?: boolean;
	/**
	 * The process lives in which this folder was started, the newest last, from that of the floor's announcement on. Absent: nobody
	 * counted them, as the folder was not made by a first start, or has gone on alone since.
	 */
	readonly lives?: readonly number[];
	/** The first configuration: what the log starts from. Of a member that joined: whom it may ask. */
	readonly initialMembers: ReadonlyArray<{ readonly id: NodeId; readonly name: string; readonly peerUrls: readonly string[] }>;
}

const STATES: ReadonlyArray<MemberFormat["state"]> = ["making", "ready", "removed", "lost"];

export type FormatDecoding =
	| { readonly ok: true; readonly format: MemberFormat }
	| { readonly ok: false; readonly code: "damaged" | "newer"; readonly found: string; readonly wanted: string };

/** One line of JSON for people, then one with its CRC-32C. */
export function encodeFormat(format: MemberFormat): Uint8Array {
	const text = JSON.stringify({
		format: MEMBER_FORMAT,
		clusterId: format.clusterId.toString(16),
		memberId: format.memberId.toString(16),
		state: format.state,
		generation: format.generation,
		...(format.joined === true ? { joined: true } : {}),
		...(format.forced === true ? { forced: true } : {}),
		...(format.lives === undefined ? {} : { lives: format.lives }),
		initialMembers: format.initialMembers.map(({ id, name, peerUrls }) => ({ id: id.toString(16), name, peerUrls })),
	});
	const line = new TextEncoder().encode(`${text}\n`);
	const checksum = new TextEncoder().encode(`${checksumOf(line)}\n`);
	const bytes = new Uint8Array(line.length + checksum.length);
	bytes.set(line);
	bytes.set(checksum, line.length);
	return bytes;
}

export function decodeFormat(bytes: Uint8Array): FormatDecoding {
	const end = bytes.indexOf(0x0a) + 1;
	if (end === 0) return { ok: false, code: "damaged", found: `${bytes.length} bytes without a line`, wanted: "two lines" };
	const line = bytes.subarray(0, end);
	const found = new TextDecoder("latin1").decode(bytes.subarray(end)).trimEnd();
	const wanted = checksumOf(line);
	const fields = parseObject(new TextDecoder().decode(line));
	// A later format may check itself in another way: it is named before it is called damaged.
	if (typeof fields?.format === "number" && fields.format > MEMBER_FORMAT) {
		return { ok: false, code: "newer", found: `format ${fields.format}`, wanted: `format ${MEMBER_FORMAT}` };
	}
	if (found !== wanted) return { ok: false, code: "damaged", found: describeChecksum(found), wanted: `checksum ${wanted}` };
	assert(fields !== null, "what has the right checksum was written by us");
	return { ok: true, format: fromFields(fields) };
}

function fromFields(fields: Record<string, unknown>): MemberFormat {
	const members = fields.initialMembers as ReadonlyArray<{ id: string; name: string; peerUrls: string[] }>;
	return {
		clusterId: fromHex(fields.clusterId),
		memberId: fromHex(fields.memberId),
		state: STATES.find((state) => state === fields.state) ?? "making",
		generation: String(fields.generation),
		joined: fields.joined === true,
		...(fields.forced === true ? { forced: true } : {}),
		...(Array.isArray(fields.lives) ? { lives: fields.lives as number[] } : {}),
		initialMembers: members.map(({ id, name, peerUrls }) => ({ id: fromHex(id), name, peerUrls })),
	};
}

/** Of a damaged file only what looks like a checksum is repeated: the text goes into logs. */
function describeChecksum(found: string): string {
	if (found === "") return "checksum missing";
	return /^[0-9a-z]{1,16}$/i.test(found) ? `checksum ${found}` : "no checksum in its second line";
}

function parseObject(text: string): Record<string, unknown> | null {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
	} catch {
		return null;
	}
}

function fromHex(value: unknown): bigint {
	return BigInt(`0x${String(value)}`);
}

function checksumOf(bytes: Uint8Array): string {
	return portableBytes.crc32c(bytes).toString(16).padStart(8, "0");
}
