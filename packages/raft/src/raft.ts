import { assert, type Dice, type TapEventName, type TapFields, type TapSink } from "@flotilla/base";
import type { RaftConfig } from "./config.ts";
import { CoreOutputBuffer } from "./core-output.ts";
import { RaftLog } from "./log.ts";
import { Members, SLOTS_MAX } from "./members.ts";
import type { ConfState, HardState, LogIndex, Message, NodeId, PreVote, Role, Term } from "./message.ts";
import { NO_NODE } from "./message.ts";
import type { RestoredLog } from "./output.ts";
import { ProgressTable } from "./progress.ts";
import { ReadQueue } from "./read-queue.ts";
import { WorkQueue } from "./work-queue.ts";

/** Why a campaign runs; part of the election's trace. */
export type CampaignReason = "timeout" | "connectionLost" | "transfer" | "operator";

/** A configuration entry of the log that is not yet in force. */
export interface PendingConfig {
	readonly index: LogIndex;
	readonly data: Uint8Array;
}

/** A configuration whose durable commit a quorum of it has not yet reported (rule C3). */
export interface UnreportedConfig {
	readonly index: LogIndex;
	readonly term: Term;
	readonly voters: readonly number[];
	readonly outgoing: readonly number[];
	/** The voters before a change that only added one; null for every other change. */
	readonly votersBefore: readonly number[] | null;
}

/** A pre-vote that was refused only because the leader is still heard (rule H5). */
export interface StickyRequest {
	readonly message: PreVote;
	ticksLeft: number;
}

/** Spans that the rules give in milliseconds at an election timeout of one second, in ticks of this core. */
export interface Spans {
	readonly retryTicksMin: number;
	readonly retryTicksMax: number;
	readonly stickyTicks: number;
	readonly goodbyeTicks: number;
}

/** The whole state of one core. The files around it hold the rules, by message and by role. */
export class Raft {
	readonly config: RaftConfig;
	readonly dice: Dice;
	readonly tap: TapSink;
	readonly id: NodeId;
	readonly spans: Spans;
	readonly log: RaftLog;
	readonly work: WorkQueue;
	readonly members: Members;
	readonly progress: ProgressTable;
	readonly reads = new ReadQueue();
	// Working space of the majority arithmetic.
	readonly scratch = new Float64Array(SLOTS_MAX);
	readonly activeVotes = new Uint8Array(SLOTS_MAX);

	// Durable (HardState; commit is in the log).
	term: Term;
	vote: NodeId;

	role: Role = "follower";
	leader: NodeId = NO_NODE;
	electionElapsed = 0;
	electionDrawTicks = 0;
	diskStalled = false;
	/** What a write to the log takes here, as the driver measures it; 0: too short to matter, or not known. */
	syncTicks = 0;
	pendingConfigs: PendingConfig[] = [];

	// Campaigns.
	readonly votes = new Uint8Array(SLOTS_MAX);
	campaignReason: CampaignReason = "timeout";
	/** Ticks until a campaign that rank or retry has put off; 0: none. */
	campaignInTicks = 0;
	/** Ticks that hint mode still lasts (rule H4); 0: off. */
	hintTicksLeft = 0;
	/** Ticks that a goodbye still holds the hint back (rule H8). */
	goodbyeTicksLeft = 0;
	/** The leader that was reported lost while a goodbye held the hint back. */
	heldLostLeader: NodeId = NO_NODE;
	stickyRequests: StickyRequest[] = [];

	// Leader only.
	heartbeatElapsed = 0;
	heartbeatSequence = 0;
	/** Index of the empty entry that opened this leader's term. */
	termFirstIndex: LogIndex = 0;
	/** No configuration entry is proposed while this is above commit (rule C2). */
	pendingConfigIndex: LogIndex = 0;
	unreportedConfigs: UnreportedConfig[] = [];
	transferee: NodeId = NO_NODE;
	/** Ticks until a transfer that does not come about is given up. */
	transferTicksLeft = 0;
	/** timeoutNow has left in this transfer. */
	transferSent = false;
	/** Ticks until an early quorum check (rule H6, pauses); 0: none. */
	quorumCheckInTicks = 0;
	/** Peers that asked for a pre-vote in this heartbeat interval because they lost this leader. */
	readonly lostBy = new Uint8Array(SLOTS_MAX);
	/** Peers for which a read from the WAL is under way; outlives roles, as the read does. */
	readonly fetching = new Set<NodeId>();

	// Collected for the next drain.
	output = new CoreOutputBuffer();
	private spareOutput = new CoreOutputBuffer();
	droppedProposals = 0;

	constructor(config: RaftConfig, restored: RestoredLog, dice: Dice, tap: TapSink) {
		this.config = config;
		this.dice = dice;
		this.tap = tap;
		this.id = config.id;
		this.spans = spansOf(config.electionTicks);
		this.term = restored.hardState.term;
		this.vote = restored.hardState.vote;
		this.members = new Members(config.id);
		this.progress = new ProgressTable(config.inflightMessagesMax, config.inflightBytesMax);
		this.log = new RaftLog(restored.base, restored.firstIndex, restored.applied);
		this.work = new WorkQueue(restored.hardState, restored.base.index + restored.entries.length);
		this.drawElectionTimeout();
	}

	get hardState(): HardState {
		return { term: this.term, vote: this.vote, commit: this.log.commit };
	}

	get confState(): ConfState {
		return this.members.conf;
	}

	/** May campaign: a voter of the configuration in force whose state is complete. */
	get promotable(): boolean {
		return this.members.selfIsVoter && this.log.restoringIndex === 0;
	}

	/** A leader has been heard within an election timeout: votes are refused meanwhile (raft thesis §4.2.3). */
	get inLease(): boolean {
		return this.config.checkQuorum && this.leader !== NO_NODE && this.electionElapsed < this.config.electionTicks;
	}

	/** Reads and configuration changes wait for this: the commit index is then known to be current (raft thesis §6.4). */
	get committedInTerm(): boolean {
		return this.role === "leader" && this.log.commit >= this.termFirstIndex;
	}

	/** Leaves at once. */
	send(message: Message): void {
		this.output.send.push(message);
	}

	/** Leaves when everything decided so far is durable. */
	release(message: Message): void {
		this.work.releaseWhenDurable(message);
	}

	emit(name: TapEventName, index: LogIndex, fields?: TapFields): void {
		this.tap.emit(name, this.term, index, fields);
	}

	drawElectionTimeout(): void {
		this.electionDrawTicks = this.dice.range(this.config.electionTicks, 2 * this.config.electionTicks - 1);
	}

	swapOutput(): CoreOutputBuffer {
		const filled = this.output;
		this.output = this.spareOutput;
		this.output.clear();
		this.spareOutput = filled;
		return filled;
	}

	/** Relations that hold between any two inputs. */
	assertPointers(): void {
		const { log } = this;
		assert(log.applied <= log.applying, "applied must not pass what was handed out");
		assert(log.applying <= log.commit, "only committed entries are handed out");
		assert(log.commit <= log.lastIndex, "commit must not pass the last index");
		assert(log.stable <= log.lastIndex, "stable must not pass the last index");
		assert(log.lastTerm <= this.term, "no entry is of a later term than the node");
		if (log.restoringIndex === 0) assert(log.applying <= log.stable, "only stable entries are handed out");
		if (this.role === "leader") assert(this.leader === this.id, "a leader knows itself");
	}
}

function spansOf(electionTicks: number): Spans {
	const part = (milliseconds: number) => Math.max(1, Math.floor((electionTicks * milliseconds) / 1_000));
	return { retryTicksMin: part(60), retryTicksMax: Math.max(part(120), part(60) + 1), stickyTicks: part(50), goodbyeTicks: part(100) };
}
