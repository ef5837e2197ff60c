import type { Dice } from "@flotilla/base";
import { type ConfState, Entry, EntryKind } from "@flotilla/raft";
import { MEMBERSHIP_REFUSALS, type PeerMessage } from "@flotilla/replica";

export const MESSAGE_KINDS = [
	"append",
	"appendResp",
	"heartbeat",
	"heartbeatResp",
	"vote",
	"voteResp",
	"preVote",
	"preVoteResp",
	"snapshot",
	"timeoutNow",
	"readIndex",
	"readIndexResp",
	"goodbye",
	"forward",
	"forwardRefused",
	"digest",
	"membershipAsk",
	"membershipRefused",
	"configSettled",
	"leaseAsk",
	"leaseTold",
] as const satisfies readonly PeerMessage["kind"][];

/** Small, at a boundary of the encoding, or anywhere in the safe range. */
export function randomCount(dice: Dice): number {
	if (dice.chance(1, 2)) return dice.range(0, 300);
	if (dice.chance(1, 2)) return dice.pick([0, 127, 128, 255, 256, 65_535, 65_536, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 2 ** 53 - 1]);
	return dice.uint53();
}

function randomId(dice: Dice): bigint {
	if (dice.chance(1, 4)) return dice.pick([1n, 2n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn]);
	return (BigInt(dice.uint32()) << 32n) | BigInt(dice.uint32());
}

export function randomBytes(dice: Dice, count: number): Uint8Array {
	return Uint8Array.from({ length: count }, () => dice.range(0, 255));
}

function ids(dice: Dice): bigint[] {
	return Array.from({ length: dice.range(0, 9) }, () => randomId(dice));
}

function confState(dice: Dice): ConfState {
	return { voters: ids(dice), learners: ids(dice), votersOutgoing: ids(dice), learnersNext: ids(dice), autoLeave: dice.chance(1, 2) };
}

function rising(dice: Dice, count: number): number[] {
	let at = dice.range(0, 1_000);
	return Array.from({ length: count }, () => {
		at += dice.range(1, 3);
		return at;
	});
}

/** One sound message of this kind. */
export function randomMessage(dice: Dice, kind: PeerMessage["kind"], from: bigint, to: bigint): PeerMessage {
	const base = { from, to, term: dice.range(1, 1_000_000) };
	const mark = { commit: randomCount(dice), commitTerm: randomCount(dice) };
	const token = { incarnation: dice.uint53(), counter: randomCount(dice) };
	switch (kind) {
		case "append": {
			const prevIndex = dice.range(0, 2 ** 40);
			const entries = Array.from(
				{ length: dice.range(0, 6) },
				(_, i) =>
					new Entry(
						prevIndex + 1 + i,
						base.term,
						dice.chance(1, 8) ? EntryKind.config : EntryKind.normal,
						randomBytes(dice, dice.range(0, 40)),
					),
			);
			return { kind, ...base, prevIndex, prevTerm: dice.range(0, base.term), commit: randomCount(dice), entries };
		}
		case "appendResp":
			return {
				kind,
				...base,
				index: randomCount(dice),
				reject: dice.chance(1, 2),
				hintIndex: randomCount(dice),
				hintTerm: randomCount(dice),
				commit: randomCount(dice),
			};
		case "heartbeat":
			return { kind, ...base, ...mark, readPosition: randomCount(dice), sequence: randomCount(dice) };
		case "heartbeatResp":
			return { kind, ...base, readPosition: randomCount(dice), sequence: randomCount(dice) };
		case "vote":
			return { kind, ...base, ...mark, lastIndex: randomCount(dice), lastTerm: randomCount(dice), transfer: dice.chance(1, 2) };
		case "voteResp":
			return { kind, ...base, ...mark, reject: dice.chance(1, 2) };
		case "preVote":
			return { kind, ...base, ...mark, lastIndex: randomCount(dice), lastTerm: randomCount(dice), leaderLost: dice.chance(1, 2) };
		case "preVoteResp":
			return { kind, ...base, ...mark, reject: dice.chance(1, 2), sticky: dice.chance(1, 2) };
		case "snapshot":
			return {
				kind,
				...base,
				meta: {
					index: randomCount(dice),
					term: randomCount(dice),
					confState: confState(dice),
					generation: dice.pick(["", "g1", "café €"]),
				},
			};
		case "timeoutNow":
			return { kind, ...base };
		case "readIndex":
			return { kind, ...base, token };
		case "readIndexResp":
			return { kind, ...base, token, index: randomCount(dice) };
		case "goodbye":
			return { kind, ...base, successor: dice.chance(1, 4) ? 0n : randomId(dice) };
		case "forward": {
			const sequences = rising(dice, dice.range(0, 20));
			return {
				kind,
				...base,
				incarnation: dice.uint53(),
				sequences,
				envelopes: sequences.map(() => randomBytes(dice, dice.range(0, 60))),
			};
		}
		case "forwardRefused":
			return {
				kind,
				...base,
				incarnation: dice.uint53(),
				sequences: rising(dice, dice.range(0, 20)),
				reason: dice.pick(["notLeader", "overloaded", "transferring", "tooLarge", "overtaken"]),
			};
		case "digest":
			return { kind, ...base, appliedIndex: randomCount(dice), digest: dice.uint32() };
		case "membershipAsk":
			return {
				kind,
				...base,
				incarnation: dice.uint53(),
				sequence: randomCount(dice),
				change: randomBytes(dice, dice.range(0, 60)),
			};
		case "membershipRefused":
			return { kind, ...base, incarnation: dice.uint53(), sequence: randomCount(dice), reason: dice.pick(MEMBERSHIP_REFUSALS) };
		case "configSettled":
			return { kind, ...base, index: randomCount(dice) };
		case "leaseAsk": {
			const leases = () => ids(dice).map((id) => BigInt.asIntN(64, id));
			return { kind, ...base, incarnation: dice.uint53(), counter: randomCount(dice), renews: leases(), looks: leases() };
		}
		case "leaseTold": {
			const counts = () => Array.from({ length: dice.range(0, 9) }, () => randomCount(dice));
			return { kind, ...base, ...token, index: randomCount(dice), renewed: counts(), looked: counts() };
		}
	}
}
