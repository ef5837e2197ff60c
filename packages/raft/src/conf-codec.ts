import { fail, readBigU64, readU32, writeBigU64, writeU32 } from "@flotilla/base";
import { isWellFormed } from "./conf-change.ts";
import type { ConfState, MembershipOp, MembershipRequest, NodeId } from "./message.ts";
import { NO_NODE } from "./message.ts";

/**
 * Binary layouts of configurations and of the payload of configuration entries. Little endian; the first byte is the
 * version of the layout, so that an older member refuses what it cannot read.
 *
 *   ConfState    [1][autoLeave u8] then four times [count u32][id u64]*: voters, learners, votersOutgoing, learnersNext
 *   ConfChange   [1][transition u8][count u32]([op u8][id u64])*[context: the rest]
 */
const LAYOUT_VERSION = 1;
const ID_BYTES = 8;
const COUNT_BYTES = 4;

const TRANSITIONS = ["auto", "jointImplicit", "jointExplicit"] as const satisfies readonly MembershipRequest["transition"][];
const OPS = ["addVoter", "addLearner", "remove"] as const satisfies readonly MembershipOp[];

export function encodeConfState(conf: ConfState): Uint8Array {
	const lists = [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext];
	const bytes = new Uint8Array(lists.reduce((sum, list) => sum + COUNT_BYTES + list.length * ID_BYTES, 2));
	bytes[0] = LAYOUT_VERSION;
	bytes[1] = conf.autoLeave ? 1 : 0;
	let at = 2;
	for (const list of lists) {
		writeU32(bytes, at, list.length);
		at += COUNT_BYTES;
		for (const id of list) {
			writeBigU64(bytes, at, id);
			at += ID_BYTES;
		}
	}
	return bytes;
}

/** Null for anything that `encodeConfState` would not have written for a well-formed configuration. */
export function decodeConfState(bytes: Uint8Array): ConfState | null {
	if (bytes.length < 2 || bytes[0] !== LAYOUT_VERSION || (bytes[1] as number) > 1) return null;
	const lists: NodeId[][] = [];
	let at = 2;
	for (let i = 0; i < 4; i++) {
		if (bytes.length - at < COUNT_BYTES) return null;
		const count = readU32(bytes, at);
		at += COUNT_BYTES;
		if (count > (bytes.length - at) / ID_BYTES) return null;
		const list: NodeId[] = [];
		for (let j = 0; j < count; j++, at += ID_BYTES) list.push(readBigU64(bytes, at));
		lists.push(list);
	}
	if (at !== bytes.length) return null;
	const [voters, learners, votersOutgoing, learnersNext] = lists as [NodeId[], NodeId[], NodeId[], NodeId[]];
	const conf = { voters, learners, votersOutgoing, learnersNext, autoLeave: bytes[1] === 1 };
	return isWellFormed(conf) ? conf : null;
}

export function encodeConfChange(request: MembershipRequest): Uint8Array {
	const headBytes = 2 + COUNT_BYTES + request.changes.length * (1 + ID_BYTES);
	const bytes = new Uint8Array(headBytes + request.context.length);
	bytes[0] = LAYOUT_VERSION;
	bytes[1] = TRANSITIONS.indexOf(request.transition);
	writeU32(bytes, 2, request.changes.length);
	let at = 2 + COUNT_BYTES;
	for (const change of request.changes) {
		bytes[at] = OPS.indexOf(change.op);
		writeBigU64(bytes, at + 1, change.node);
		at += 1 + ID_BYTES;
	}
	bytes.set(request.context, at);
	return bytes;
}

/** Null for malformed bytes. `context` is a view of `bytes`. */
export function decodeConfChange(bytes: Uint8Array): MembershipRequest | null {
	if (bytes.length < 2 + COUNT_BYTES || bytes[0] !== LAYOUT_VERSION) return null;
	const transition = TRANSITIONS[bytes[1] as number];
	const count = readU32(bytes, 2);
	let at = 2 + COUNT_BYTES;
	if (transition === undefined || count > (bytes.length - at) / (1 + ID_BYTES)) return null;
	const changes: { op: MembershipOp; node: NodeId }[] = [];
	for (let i = 0; i < count; i++, at += 1 + ID_BYTES) {
		const op = OPS[bytes[at] as number];
		const node = readBigU64(bytes, at + 1);
		if (op === undefined || node === NO_NODE) return null;
		changes.push({ op, node });
	}
	return { changes, transition, context: bytes.subarray(at) };
}

/** The change that a configuration entry in the log holds: its bytes were checked before it got there. */
export function confChangeOfEntry(data: Uint8Array): MembershipRequest {
	return decodeConfChange(data) ?? fail("a configuration entry of the log must decode", { bytes: data.length });
}
