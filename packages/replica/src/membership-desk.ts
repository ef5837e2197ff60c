/**
 * The leader's side of membership changes: requests in the order in which they came, one after the other, each judged by the
 * applied member table when the one before it is in there. Each process life of a member has one request here at a time, and
 * in one term a request is taken or refused once (rule F2); a repeated one gets the same answer.
 */
import { type Consensus, type MembershipRequest, NO_NODE, type NodeId } from "@flotilla/raft";
import { CommandKind } from "./calls.ts";
import { EnvelopeEncoder } from "./envelope.ts";
import type { Leadership } from "./leadership.ts";
import { encodeMember, encodeMembershipContext } from "./member-codec.ts";
import type { MemberInfo } from "./members.ts";
import { decodeMembershipChange, type MembershipChange, type MembershipRefusal } from "./membership.ts";
import type { MembershipAsk, MembershipRefused } from "./messages.ts";
import { type MembershipRules, refusalOfChange } from "./reconfig-rules.ts";
import type { StateMachine } from "./state-machine.ts";

/** Process lives that asked in one term. Beyond it asks are dropped: their origins ask again in the next term. */
const LIVES_MAX = 1_024;

interface Request {
	readonly origin: NodeId;
	readonly incarnation: number;
	readonly sequence: number;
	readonly change: MembershipChange;
	refusal: MembershipRefusal | null;
}

export class MembershipDesk {
	private readonly rules: MembershipRules;
	private readonly leadership: Leadership;
	private readonly state: StateMachine;
	private readonly refused: (message: MembershipRefused) => void;
	/** The last request of each process life in this term. */
	private readonly requests = new Map<number, Request>();
	private queue: Request[] = [];
	/** Where the last change of addresses stands in the log: the next request is judged when it was applied. */
	private updateIndex = 0;

	constructor(rules: MembershipRules, leadership: Leadership, state: StateMachine, refused: (message: MembershipRefused) => void) {
		this.rules = rules;
		this.leadership = leadership;
		this.state = state;
		this.refused = refused;
	}

	/** Another term, or another role: what is not in the log is asked for again by its origin. */
	onLeadership(): void {
		this.requests.clear();
		this.queue = [];
		this.updateIndex = 0;
	}

	take({ from, term, incarnation, sequence, change: bytes }: MembershipAsk): void {
		if (!this.leadership.leading || term !== this.leadership.term) return;
		const known = this.requests.get(incarnation);
		if (known !== undefined && sequence <= known.sequence) {
			if (known.sequence === sequence && known.refusal !== null) this.tell(known, known.refusal);
			return;
		}
		const change = decodeMembershipChange(bytes);
		if (change === null || (known === undefined && this.requests.size >= LIVES_MAX)) return;
		const request: Request = { origin: from, incarnation, sequence, change, refusal: null };
		this.requests.set(incarnation, request);
		this.queue.push(request);
	}

	/** Judges and proposes what is due; true when something went into the log. */
	run(core: Consensus, appliedIndex: number): boolean {
		while (this.queue.length > 0 && this.leadership.leading && core.membershipReady && appliedIndex >= this.updateIndex) {
			const request = this.queue[0] as Request;
			const refusal = refusalOfChange(request.change, this.state.members, this.rules, () => isInSync(core, request.change));
			const progress = refusal ?? this.propose(core, request);
			if (progress === "later") return false;
			this.queue.shift();
			if (progress === "proposed") return true;
			this.tell(request, progress);
		}
		return false;
	}

	private propose(core: Consensus, request: Request): "proposed" | "later" | MembershipRefusal {
		const { change } = request;
		const update = change.kind === "update";
		const result = update ? core.propose([updateEnvelope(request, change)]) : core.proposeMembership(entryOf(change, request));
		if (result.ok) {
			if (update) this.updateIndex = result.firstIndex;
			return "proposed";
		}
		switch (result.reason) {
			case "badConfig":
				// Nobody would be left to decide.
				return "notEnoughStartedMembers";
			case "tooLarge":
				return "requestTooLarge";
			case "noLeader":
			case "transferring":
			case "notMember":
			case "overloaded":
			case "pendingConfig":
			case "notReady":
				return "later";
		}
	}

	private tell(request: Request, reason: MembershipRefusal): void {
		request.refusal = reason;
		const { self, term } = this.leadership;
		const { origin, incarnation, sequence } = request;
		this.refused({ kind: "membershipRefused", from: self, to: origin, term, incarnation, sequence, reason });
	}
}

/** A learner that lacks a tenth of the leader's log is not ready to vote (etcd API, MemberPromote). */
const READY_PART = 0.9;

function isInSync(core: Consensus, change: MembershipChange): boolean {
	const id = change.kind === "promote" ? change.id : NO_NODE;
	const { peers, stable } = core.status();
	const match = peers.find((peer) => peer.id === id)?.match ?? 0;
	return match >= stable * READY_PART;
}

function entryOf(change: Exclude<MembershipChange, { kind: "update" }>, call: Request): MembershipRequest {
	const transition = "auto";
	switch (change.kind) {
		case "add": {
			const op = change.member.learner ? "addLearner" : "addVoter";
			return { changes: [{ op, node: change.member.id }], transition, context: encodeMembershipContext([change.member], call) };
		}
		case "remove":
			return { changes: [{ op: "remove", node: change.id }], transition, context: encodeMembershipContext([], call) };
		case "promote":
			return { changes: [{ op: "addVoter", node: change.id }], transition, context: encodeMembershipContext([], call) };
	}
}

/** The entry names whoever asked as its origin, like any other: there the answer is waited for. */
function updateEnvelope(
	{ origin, incarnation, sequence }: Request,
	{ id, peerUrls }: Extract<MembershipChange, { kind: "update" }>,
): Uint8Array {
	const member: MemberInfo = { id, name: "", peerUrls, clientUrls: [], learner: false };
	const content = { kind: CommandKind.memberUpdate, sequence, user: "", authRevision: 0, payload: encodeMember(member) };
	const [envelope] = new EnvelopeEncoder(origin, incarnation).encode([content]);
	return envelope as Uint8Array;
}
