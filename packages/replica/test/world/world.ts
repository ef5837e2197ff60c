import { Dice } from "@flotilla/base";
import {
	CommandKind,
	encodeLeaseGrant,
	encodeLeaseRevoke,
	LeaseCall,
	type LeaseOutcome,
	type MemberInfo,
	MembershipCall,
	type MembershipChange,
	type MembershipOutcome,
	NOBODY,
	ReadCall,
	type ReadOutcome,
	type ReplicaOptions,
	type ReplicaOutput,
	WriteCall,
	type WriteOutcome,
} from "../../src/index.ts";
import { Member } from "./member.ts";
import { Network } from "./network.ts";
import { pairOf, putBytes } from "./requests.ts";
import { VirtualTime } from "./virtual-time.ts";

/** Three members in one process in virtual time: a run is a function of its seed. */
export class World {
	readonly time = new VirtualTime();
	readonly dice: Dice;
	readonly network: Network;
	readonly members: readonly Member[];
	/** Digest of the state at each applied index that some member stopped at. */
	private readonly digests = new Map<number, { readonly digest: number; readonly member: bigint }>();
	/** Value put at each revision, as the members' records say it. */
	readonly written = new Map<number, string>();
	/** Comparisons of digests that were made, so that a test can tell that there were some. */
	compared = 0;
	/** For tests that break a member on purpose. */
	ignoreDigests = false;

	constructor(seed: number | string, options: Partial<ReplicaOptions> = {}, size = 3) {
		this.dice = new Dice(seed);
		this.network = new Network(this.time, this.dice.fork("network"));
		const infos = Array.from({ length: size }, (_, at) => memberInfo(BigInt(at + 1) * 11n, `m${at + 1}`));
		const world = {
			time: this.time,
			network: this.network,
			options,
			observe: (member: Member, output: ReplicaOutput) => this.observe(member, output),
		};
		this.members = infos.map((info) => new Member(info, infos, { ...world, dice: this.dice.fork(info.name) }));
	}

	/** Starts all members and runs until each of them serves. */
	up(): this {
		for (const member of this.members) member.start();
		this.until("all members serve", () => this.members.every((member) => member.serving));
		return this;
	}

	get leader(): Member | null {
		return this.members.find((member) => member.alive && member.replica.status().core.role === "leader") ?? null;
	}

	get theLeader(): Member {
		const { leader } = this;
		if (leader === null) throw new Error("there is no leader");
		return leader;
	}

	get followers(): Member[] {
		const { leader } = this;
		return this.members.filter((member) => member !== leader);
	}

	/** Runs until `done`; fails when that takes too long. */
	until(what: string, done: () => boolean, limitMs = 60_000): void {
		const endUs = this.time.nowUs + limitMs * 1_000;
		while (!done()) {
			if (this.time.nowUs > endUs || !this.time.step()) throw new Error(`not within ${limitMs} ms: ${what}`);
		}
	}

	run(ms: number): void {
		const endUs = this.time.nowUs + ms * 1_000;
		while (this.time.nowUs < endUs && this.time.step());
	}

	/** All running members have applied the same, and it is all there is. */
	settle(): void {
		this.until("all members rest at the same index", () => {
			const states = this.members.filter((member) => member.alive).map((member) => member.replica.status());
			const last = states[0]?.core.lastIndex;
			return states.every((state) => state.leader !== 0n && state.appliedIndex === last && state.core.lastIndex === last);
		});
	}

	write(member: Member, kind: CommandKind, payload: Uint8Array, timeoutTicks = 0, caller = NOBODY): Pending<WriteOutcome, WriteCall> {
		const pending: Pending<WriteOutcome, WriteCall> = { outcome: null, call: null as never };
		const { user, authRevision } = caller;
		pending.call = new WriteCall(kind, payload, user, authRevision, timeoutTicks, (outcome) => settleOnce(pending, outcome));
		member.write(pending.call);
		return pending;
	}

	put(member: Member, key: string, value: string | Uint8Array, timeoutTicks = 0): Pending<WriteOutcome, WriteCall> {
		return this.write(member, CommandKind.put, putBytes(key, value), timeoutTicks);
	}

	/** `seen`: runs at the moment of the answer, to look at the store. `bytes`: of its request. */
	read(member: Member, seen: () => void = () => {}, timeoutTicks = 0, bytes = 0): Pending<ReadOutcome, ReadCall> {
		const pending: Pending<ReadOutcome, ReadCall> = { outcome: null, call: null as never };
		const done = (outcome: ReadOutcome): void => {
			settleOnce(pending, outcome);
			if (outcome.ok) seen();
		};
		pending.call = new ReadCall(timeoutTicks, done, bytes);
		member.read(pending.call);
		return pending;
	}

	grant(member: Member, id: bigint, ttl: number): Pending<WriteOutcome, WriteCall> {
		return this.write(member, CommandKind.leaseGrant, encodeLeaseGrant({ id, ttl }));
	}

	revoke(member: Member, id: bigint): Pending<WriteOutcome, WriteCall> {
		return this.write(member, CommandKind.leaseRevoke, encodeLeaseRevoke(id));
	}

	lease(member: Member, op: LeaseCall["op"], id: bigint, timeoutTicks = 0): Pending<LeaseOutcome, LeaseCall> {
		const pending: Pending<LeaseOutcome, LeaseCall> = { outcome: null, call: null as never };
		pending.call = new LeaseCall(op, id, timeoutTicks, (outcome) => settleOnce(pending, outcome));
		member.askLease(pending.call);
		return pending;
	}

	change(member: Member, change: MembershipChange, timeoutTicks = 0): Pending<MembershipOutcome, MembershipCall> {
		const pending: Pending<MembershipOutcome, MembershipCall> = { outcome: null, call: null as never };
		pending.call = new MembershipCall(change, timeoutTicks, (outcome) => settleOnce(pending, outcome));
		member.changeMembership(pending.call);
		return pending;
	}

	/** Runs until the call has its outcome. */
	outcomeOf<T>(pending: Pending<T, unknown>, limitMs = 30_000): T {
		this.until("an outcome", () => pending.outcome !== null, limitMs);
		return pending.outcome as T;
	}

	private observe(member: Member, output: ReplicaOutput): void {
		for (const batch of output.batches) {
			for (const { key, value } of batch.puts) {
				if (key.length === 18) continue;
				const revision = Number(BigInt.asUintN(64, new DataView(key.buffer, key.byteOffset).getBigUint64(0)));
				this.noteWritten(revision, pairOf(value.subarray(0, value.length - 4)).value);
			}
		}
		if (this.ignoreDigests) return;
		const { appliedIndex } = member.replica.status();
		const digest = member.replica.stateDigest();
		if (digest === null) return;
		const known = this.digests.get(appliedIndex);
		if (known === undefined) this.digests.set(appliedIndex, { digest, member: member.id });
		else if (known.digest !== digest) throw new Error(`after index ${appliedIndex} member ${member.id} differs from ${known.member}`);
		else if (known.member !== member.id) this.compared++;
	}

	private noteWritten(revision: number, value: string): void {
		const known = this.written.get(revision);
		if (known !== undefined && known !== value) throw new Error(`revision ${revision} is ${known} here and ${value} there`);
		this.written.set(revision, value);
	}
}

export interface Pending<Outcome, Call> {
	outcome: Outcome | null;
	call: Call;
}

function settleOnce<T>(pending: Pending<T, unknown>, outcome: T): void {
	if (pending.outcome !== null) throw new Error("a call has one outcome");
	pending.outcome = outcome;
}

function memberInfo(id: bigint, name: string): MemberInfo {
	return { id, name, peerUrls: [`http://${name}:2380`], clientUrls: [], learner: false };
}
