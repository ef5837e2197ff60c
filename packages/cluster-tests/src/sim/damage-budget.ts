import type { NodeId } from "@flotilla/raft";
import type { Fleet } from "./fleet.ts";
import type { Invariants } from "./invariants.ts";
import type { SimMember } from "./member.ts";

/** What was done to a disk: nothing, a single bit of log or votes was inverted, only the store was struck, or anything else. */
export type Damage = "none" | "oneBit" | "store" | "more";

/**
 * What damage lies within the promise, and no more of it may be done (faults outside it prove nothing). Crashes, cuts and full
 * or failing disks have no bound: they lose nothing that was promised. Loss of durable data does:
 *
 * 1. Spoilt members (wiped, with rot that no start has verified since or that
 *    made their log shorter than it was, or refusing to start for it) are fewer than half of
 *    the voters, so the others are a quorum that holds every acknowledged write. This holds after every change of the members,
 *    too, and nothing is damaged while a change is under way, nor until a quorum of the other voters knows that it was committed:
 *    who holds everything and does not know of the newest voter cannot win with its vote.
 * 2. Rot in a log strikes only what a quorum of the *other* voters holds durably, entries and commits alike. The end of a log
 *    is the reason: its last frames are vouched for by nothing behind them, so rot there looks like a torn write and is cut
 *    off; the member then lacks what it once acknowledged, and nobody may have to count on that copy.
 *    The same goes for a sector of the log that was written to another place of its file.
 * 3. A wiped member never comes back under its id: it would have forgotten its votes. Its machine gets another one.
 * 4. A folder is put back to an earlier copy, with which a member forgets what it acknowledged and whom it voted for, only when
 *    nobody has to rely on that: what rule 2 asks for, and a quorum of the *other* voters holds an entry of the newest term that
 *    the member knows (so all elections in which it voted are over), and no configuration was committed since the copy was made.
 */
export class DamageBudget {
	private readonly fleet: Fleet;
	private readonly invariants: Invariants;
	private readonly spoilt = new Map<SimMember, Damage>();
	/** A change of the members is under way. */
	changing = false;

	constructor(fleet: Fleet, invariants: Invariants) {
		this.fleet = fleet;
		this.invariants = invariants;
	}

	isSpoilt(member: SimMember): boolean {
		return this.damageOf(member) !== "none";
	}

	damageOf(member: SimMember): Damage {
		return this.spoilt.get(member) ?? (this.invariants.owes(member.id) ? "more" : "none");
	}

	/** Members whose machines are lost to them for good. */
	writtenOff(): SimMember[] {
		return this.fleet.roster.filter((member) => member.discarded || member.refusedBecause !== null);
	}

	/** What `victim` holds may be lost altogether. */
	allowsLoss(victim: SimMember): boolean {
		if (this.changing || this.isSpoilt(victim)) return false;
		if (this.fleet.partOf(victim) === "learner") return true;
		const { voters } = this.fleet;
		return this.allowsVoters(voters, victim) && this.invariants.newestConfKnown(idsBut(voters, victim), voters.length);
	}

	/** A bit of the log of `victim` may be inverted. */
	allowsLogRot(victim: SimMember): boolean {
		const { voters } = this.fleet;
		return this.allowsLoss(victim) && this.invariants.holdsElsewhere(victim.id, idsBut(voters, victim), voters.length);
	}

	/** The folder of `victim` may be put back to what it was when `newestConf` was the newest configuration. */
	allowsOldFolder(victim: SimMember, newestConf: number): boolean {
		const { voters } = this.fleet;
		return (
			this.allowsLogRot(victim) &&
			this.invariants.newestConf === newestConf &&
			this.invariants.electionsOver(victim.id, idsBut(voters, victim), voters.length)
		);
	}

	/** With these voters the rule holds; `also`: counted as spoilt. */
	allowsVoters(voters: readonly SimMember[], also: SimMember | null = null): boolean {
		const spoilt = voters.filter((voter) => voter === also || this.isSpoilt(voter)).length;
		return 2 * spoilt < voters.length;
	}

	spoil(victim: SimMember, how: Damage): void {
		this.spoilt.set(victim, this.isSpoilt(victim) ? "more" : how);
	}

	spoilByOldFolder(victim: SimMember): void {
		this.spoil(victim, "more");
		this.invariants.forgetsVotes(victim.id);
	}

	/** Index of the newest configuration that was committed. */
	get newestConf(): number {
		return this.invariants.newestConf;
	}

	/** That one is joint. */
	get joint(): boolean {
		return this.invariants.joint;
	}

	/** A start read and verified everything. */
	verified(member: SimMember): void {
		this.spoilt.delete(member);
	}
}

function idsBut(voters: readonly SimMember[], victim: SimMember): NodeId[] {
	return voters.filter((voter) => voter !== victim).map(({ id }) => id);
}
