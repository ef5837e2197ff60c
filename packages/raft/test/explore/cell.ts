import { Dice, silentTap } from "@flotilla/base";
import type {
	AppendWork,
	ConfState,
	Entry,
	LogIndex,
	MembershipRequest,
	Message,
	NodeId,
	Role,
	SnapshotMeta,
	Term,
} from "../../src/index.ts";
import { DEFAULT_RAFT_CONFIG, RaftCore } from "../../src/index.ts";
import type { Raft } from "../../src/raft.ts";
import { LogImage, SimDisk } from "../sim/disk.ts";
import { assertDurable } from "../sim/send-checks.ts";
import { copyGraph, nameOf } from "./graph.ts";

/** What can happen to one member. A campaign stands for a time-out: any clock may have drawn anything. */
export type Input =
	| { readonly kind: "campaign" | "tick" | "persist" }
	/** `kept`: what was not synced survives, though nobody was told so. */
	| { readonly kind: "crash"; readonly kept: boolean }
	| { readonly kind: "propose"; readonly payload: number }
	| { readonly kind: "change"; readonly request: MembershipRequest }
	| { readonly kind: "hear"; readonly message: Message };

/** Breaks a rule on purpose, before each input or in each message that leaves. */
export interface Weakening {
	readonly core?: (raft: Raft) => void;
	readonly message?: (message: Message) => Message;
}

/** What an outsider sees of a member. */
export interface View {
	readonly id: NodeId;
	readonly role: Role;
	readonly term: Term;
	readonly commit: LogIndex;
	readonly conf: ConfState;
	/** In memory and on the disk, each from index 2 on. */
	readonly log: readonly Entry[];
	readonly disk: readonly Entry[];
	/** What it would know to be committed after a crash. */
	readonly diskCommit: LogIndex;
	readonly busy: boolean;
}

/** One member at rest between two inputs. Never changed: an input gives another one. */
export class Cell {
	readonly id: NodeId;
	readonly view: View;
	readonly name: string;
	private readonly parts: Parts;

	private constructor(id: NodeId, parts: Parts) {
		this.id = id;
		this.parts = parts;
		this.name = nameOf(parts);
		const { role, term, commit, confState } = parts.core.status();
		const { issued, synced } = parts.disk;
		const busy = parts.outstanding.length > 0;
		const diskCommit = synced.hardState.commit;
		this.view = { id, role, term, commit, conf: confState, log: issued.entries, disk: synced.entries, diskCommit, busy };
	}

	static start(id: NodeId, base: SnapshotMeta): Cell {
		const disk = new SimDisk(new LogImage({ term: base.term, vote: 0n, commit: base.index }, base, [], base.index + 1));
		return new Cell(id, { core: coreOn(id, disk), disk, outstanding: [], unapplied: [] });
	}

	/** The member after an input, what it sends, and which changes it answers. Throws when a promise or an invariant is broken. */
	after(input: Input, weakening: Weakening): Step {
		const parts = copyGraph(this.parts);
		const sent: Message[] = [];
		weakening.core?.((parts.core as unknown as { r: Raft }).r);
		act(parts, this.id, input, sent);
		const { send, append, apply, membershipDone } = parts.core.drain();
		sent.push(...send);
		parts.unapplied.push(...apply);
		if (append !== null) {
			parts.disk.issue(append);
			parts.outstanding.push(append);
		}
		for (const message of sent) assertDurable(parts.disk, message);
		const answered = membershipDone.map(({ index }) => index);
		return { cell: new Cell(this.id, parts), sent: weakening.message === undefined ? sent : sent.map(weakening.message), answered };
	}
}

export interface Step {
	readonly cell: Cell;
	readonly sent: readonly Message[];
	readonly answered: readonly LogIndex[];
}

interface Parts {
	core: RaftCore;
	readonly disk: SimDisk;
	outstanding: AppendWork[];
	unapplied: Entry[];
}

function act(parts: Parts, id: NodeId, input: Input, sent: Message[]): void {
	const { core } = parts;
	switch (input.kind) {
		case "campaign":
			core.campaign();
			return;
		case "tick":
			core.tick();
			return;
		case "persist":
			persist(parts, sent);
			return;
		case "crash":
			parts.disk.crash((count) => (input.kept ? count : 0));
			parts.outstanding = [];
			parts.unapplied = [];
			parts.core = coreOn(id, parts.disk);
			return;
		case "propose":
			core.propose([Uint8Array.of(input.payload)]);
			return;
		case "change":
			core.proposeMembership(input.request);
			return;
		case "hear":
			core.step(input.message);
			return;
	}
}

/** Everything that was written returns, what waited for it leaves, and what was handed out is applied. */
function persist(parts: Parts, sent: Message[]): void {
	const { core, disk, outstanding, unapplied } = parts;
	const last = outstanding.at(-1);
	if (last !== undefined) {
		disk.acknowledge(last.seq);
		core.onPersisted(last.seq);
	}
	for (const { release } of outstanding) sent.push(...release);
	parts.outstanding = [];
	const applied = unapplied.at(-1);
	if (applied !== undefined) core.onApplied(applied.index);
	parts.unapplied = [];
}

/** Neither pre-votes nor stickiness nor hints: they only keep campaigns away, and here each may happen at any moment. */
function coreOn(id: NodeId, disk: SimDisk): RaftCore {
	const free = { preVote: false, checkQuorum: false, connectionHints: false, electionTicks: 1_000_000, heartbeatTicks: 1 };
	const config = { ...DEFAULT_RAFT_CONFIG, ...free, inflightMessagesMax: 2, id, incarnation: 1 };
	return new RaftCore(config, disk.restored(disk.synced.base.index), new Dice(1), silentTap);
}
