import type { Dice, TapSink } from "@flotilla/base";
import { silentTap } from "@flotilla/base";
import type {
	AppendWork,
	CoreOutput,
	CoreStatus,
	LogIndex,
	MembershipRequest,
	Message,
	NodeId,
	RaftConfig,
	RaftCore,
	SnapshotMeta,
	StepStatus,
	Term,
} from "../../src/index.ts";
import { bootstrapPoint, DEFAULT_RAFT_CONFIG, EMPTY_CONF, Entry, EntryKind } from "../../src/index.ts";
import { Checker } from "./checker.ts";
import { LogImage } from "./disk.ts";
import { SimMember } from "./member.ts";
import { assertDurable } from "./send-checks.ts";

/** A snapshot on its way, as the transport of the driver would carry it. */
interface Transfer {
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly meta: SnapshotMeta;
}

export interface ClusterOptions {
	readonly voters: readonly NodeId[];
	readonly dice: Dice;
	readonly config?: Partial<RaftConfig>;
	/** Terms of the entries from index 2 on that a member starts with; none if absent. */
	readonly logs?: ReadonlyMap<NodeId, readonly Term[]>;
	/** Where a member's events go; nowhere if absent. */
	readonly tapOf?: (id: NodeId) => TapSink;
}

export const SMALL_CONFIG: Partial<RaftConfig> = { electionTicks: 10, heartbeatTicks: 2, hintRankTicksMin: 2 };
const MESSAGES_MAX = 400;

/**
 * Members, their disks and the messages between them, in one process. Nothing moves by itself: a schedule, scripted or
 * drawn, says what happens next. Every step is checked.
 */
export class Cluster {
	readonly members = new Map<NodeId, SimMember>();
	readonly checker: Checker;
	readonly dice: Dice;
	/** On the wire, oldest first. */
	messages: Message[] = [];
	transfers: Transfer[] = [];
	/** Links that lose everything, as "from>to". */
	readonly cut = new Set<string>();
	/** Messages that never arrive, whatever the links. */
	loses: (message: Message) => boolean = () => false;
	/** What the last drains told, for scripted tests. */
	readonly answered: { readonly id: NodeId; readonly index: LogIndex }[] = [];
	readonly reads: { readonly id: NodeId; readonly counter: number; readonly index: LogIndex }[] = [];
	/** What a planted bug may change: a core that was made, work for a disk, a disk after a crash. */
	onCore: (core: RaftCore) => void = () => {};
	onIssue: (work: AppendWork, member: SimMember) => AppendWork = (work) => work;
	onCrash: (member: SimMember) => void = () => {};
	/** Sees each message that leaves. */
	onMessage: (message: Message) => void = () => {};
	/** Sees what a drain gave, before anything of it leaves. */
	onOutput: (id: NodeId, output: CoreOutput) => void = () => {};
	/** Sees what a member made of a message. */
	onHeard: (message: Message, status: StepStatus) => void = () => {};
	private readonly config: Partial<RaftConfig>;
	private readonly tapOf: (id: NodeId) => TapSink;
	private generations = 0;
	private payloads = 0;

	constructor({ voters, dice, config = {}, logs = new Map(), tapOf = () => silentTap }: ClusterOptions) {
		this.dice = dice;
		this.tapOf = tapOf;
		this.config = { ...SMALL_CONFIG, ...config };
		const start = bootstrapPoint(voters);
		this.checker = new Checker(start, this.members);
		for (const id of voters) {
			const entries = (logs.get(id) ?? []).map((term, at) => new Entry(at + 2, term, EntryKind.normal, Uint8Array.of(at + 2, term)));
			const term = entries[entries.length - 1]?.term ?? 1;
			this.add(id, new LogImage({ term, vote: 0n, commit: 1 }, start, entries, 2));
		}
	}

	member(id: NodeId): SimMember {
		return this.members.get(id) as SimMember;
	}

	get ids(): NodeId[] {
		return [...this.members.keys()];
	}

	get upMembers(): SimMember[] {
		return [...this.members.values()].filter((member) => member.up);
	}

	get leaders(): SimMember[] {
		return this.upMembers.filter((member) => member.core.status().role === "leader");
	}

	/** A process without any state, which waits to be made a member. */
	addEmpty(id: NodeId): SimMember {
		const base = { index: 0, term: 0, confState: EMPTY_CONF, generation: "" };
		return this.add(id, new LogImage({ term: 0, vote: 0n, commit: 0 }, base, [], 1));
	}

	tick(id: NodeId): void {
		this.input(id, (member) => member.core.tick());
	}

	input(id: NodeId, act: (member: SimMember) => void): void {
		const member = this.member(id);
		if (!member.up) return;
		act(member);
		this.checker.afterInput(member);
	}

	/** Proposes an entry that no other proposal equals. */
	propose(id: NodeId, count = 1): boolean {
		const payloads: Uint8Array[] = [];
		for (let i = 0; i < count; i++) {
			const number = ++this.payloads;
			payloads.push(Uint8Array.of(number >> 16, (number >> 8) & 255, number & 255, ...new Uint8Array(number % 40)));
		}
		let taken = false;
		this.input(id, (member) => {
			taken = member.core.propose(payloads).ok;
		});
		return taken;
	}

	change(id: NodeId, ...changes: MembershipRequest["changes"]): boolean {
		return this.request(id, { changes, transition: "auto", context: new Uint8Array(0) });
	}

	request(id: NodeId, request: MembershipRequest): boolean {
		let taken = false;
		this.input(id, (member) => {
			taken = member.core.proposeMembership(request).ok;
		});
		return taken;
	}

	/** The counter of the read's token; 0 when refused. */
	read(id: NodeId): number {
		let counter = 0;
		this.input(id, (member) => {
			const result = member.core.readIndex();
			if (!result.ok) return;
			this.checker.onRead(id, result.token);
			counter = result.token.counter;
		});
		return counter;
	}

	drain(id: NodeId): void {
		const member = this.member(id);
		if (!member.up) return;
		const output = member.core.drain();
		if (output.append !== null) this.issue(member, output.append);
		this.checker.afterDrain(member, output);
		this.onOutput(id, output);
		for (const message of output.send) this.send(member, message);
		member.applyQueue.push(...output.apply);
		member.fetches.push(...output.fetch);
		this.startTransfers(member, output);
		for (const { index } of output.membershipDone) this.answered.push({ id, index });
		for (const { token, index } of output.reads) this.reads.push({ id, counter: token.counter, index });
	}

	/** Acknowledges the first `count` works of a member's disk. */
	persist(id: NodeId, count = Number.POSITIVE_INFINITY): void {
		const member = this.member(id);
		const done = member.outstanding.splice(0, Math.min(count, member.outstanding.length));
		const last = done[done.length - 1];
		if (!member.up || last === undefined) return;
		member.disk.acknowledge(last.seq);
		for (const work of done) {
			if (work.snapshot !== null) {
				member.restoring = work.snapshot;
				member.applyQueue = [];
			}
		}
		this.input(id, () => member.core.onPersisted(last.seq));
		for (const work of done) for (const message of work.release) this.send(member, message);
	}

	/** Applies up to `count` entries, or swaps a snapshot in. */
	apply(id: NodeId, count = Number.POSITIVE_INFINITY): void {
		const member = this.member(id);
		if (!member.up) return;
		if (member.restoring !== null) {
			member.machine.restore(member.machine.at(member.restoring.index));
			member.restoring = null;
		} else {
			const entries = member.applyQueue.splice(0, Math.min(count, member.applyQueue.length));
			if (entries.length === 0) return;
			for (const entry of entries) {
				member.machine.apply(entry);
				this.checker.onApplied(member);
			}
		}
		this.input(id, () => member.core.onApplied(member.machine.state.index));
	}

	deliver(at: number): void {
		const [message] = this.messages.splice(at, 1);
		if (message === undefined || this.cut.has(`${message.from}>${message.to}`)) return;
		this.hand(message);
	}

	hand(message: Message): void {
		if (!this.members.has(message.to)) return;
		this.input(message.to, (member) => {
			const status = member.core.step(message);
			if (status === "rejected:malformed") throw new Error(`a member sent what another one cannot read: ${message.kind}`);
			this.onHeard(message, status);
		});
	}

	answerFetch(id: NodeId): void {
		const member = this.member(id);
		const request = member.fetches.shift();
		if (!member.up || request === undefined) return;
		const { walFirst, entries } = member.disk.issued;
		let bytes = 0;
		const found = request.fromIndex < walFirst ? [] : entries.slice(request.fromIndex - walFirst, request.uptoIndex + 1 - walFirst);
		const fitting = found.filter((entry, at) => {
			bytes += entry.data.length;
			return at === 0 || bytes <= request.bytesMax;
		});
		this.input(id, () => member.core.onFetched(request.peer, fitting));
	}

	/** Ends a snapshot's transfer, well or badly. */
	endTransfer(at: number, arrives: boolean): void {
		const [transfer] = this.transfers.splice(at, 1);
		if (transfer === undefined) return;
		const { from, to, term, meta } = transfer;
		const open = arrives && this.members.has(to) && !this.cut.has(`${from}>${to}`) && this.member(to).up;
		if (open) {
			this.member(to).receiveState(this.member(from).machine.at(meta.index));
			this.hand({ kind: "snapshot", from, to, term, meta });
		}
		this.input(from, (member) => member.core.reportSnapshot(to, open, meta.index));
	}

	/** A floor of the store at the applied index; the log keeps `keep` entries behind it. */
	floor(id: NodeId, keep: number): void {
		const member = this.member(id);
		const { index, term, conf } = member.machine.state;
		const { synced, issued } = member.disk;
		const installing = member.restoring !== null || issued.base !== synced.base;
		if (!member.up || installing || index <= synced.base.index || conf.voters.length === 0) return;
		const walFirst = Math.max(synced.walFirst, index + 1 - keep);
		member.disk.moveBase({ index, term, confState: conf, generation: "" }, walFirst);
		this.input(id, () => member.core.onCompacted(walFirst));
	}

	/** `kept`: how much of what was not synced survives. */
	crash(id: NodeId, kept: (count: number) => number): void {
		const member = this.member(id);
		if (!member.up) return;
		member.up = false;
		member.disk.crash(kept);
		this.onCrash(member);
		this.transfers = this.transfers.filter((transfer) => transfer.from !== id);
		this.checker.afterCrash(member);
	}

	/** Dies, and an earlier copy of its disk is put in the place of what it had: what it promised since is forgotten. */
	putBack(id: NodeId, image: LogImage): void {
		this.crash(id, () => 0);
		const member = this.member(id);
		member.disk.revert(image.copy());
		member.machine.restore(member.machine.at(image.base.index));
		this.checker.afterWipe(member);
		this.checker.afterCrash(member);
		this.restart(id);
	}

	restart(id: NodeId): void {
		const member = this.member(id);
		if (member.up) return;
		const floor = member.disk.synced.base.index;
		// The state machine may have kept more than its floor; never more than was synced when it applied it.
		const applied = Math.max(floor, this.dice.chance(1, 2) ? member.machine.state.index : floor);
		member.start(this.configOf(id), applied, this.dice.fork(`member ${id}`), this.tapOf(id));
		this.onCore(member.core);
		this.checker.afterInput(member);
	}

	/** Everything that can move without time passing, in order, until nothing is left to do. */
	settle(): void {
		for (let round = 0; round < 20_000; round++) {
			let moved = false;
			for (const id of this.ids) moved = this.settleMember(id) || moved;
			while (this.transfers.length > 0) this.endTransfer(0, true);
			const { messages } = this;
			this.messages = [];
			for (const message of messages) if (!this.cut.has(`${message.from}>${message.to}`)) this.hand(message);
			if (!moved && messages.length === 0) return;
		}
		throw new Error("the cluster does not come to rest");
	}

	/** What everybody's disk has and everybody sends, so many times over, while the state machine of one stands still. */
	passUnapplied(still: NodeId, rounds: number): void {
		for (let round = 0; round < rounds; round++) {
			for (const id of this.ids) {
				this.drain(id);
				this.persist(id);
				if (id !== still) this.apply(id);
			}
			for (const message of this.take(() => true)) this.hand(message);
		}
	}

	/** One tick of everybody, and all that follows from it. */
	pass(ticks = 1): void {
		for (let i = 0; i < ticks; i++) {
			for (const id of this.ids) this.tick(id);
			this.settle();
		}
	}

	/** Loses everything between two members, both ways. */
	part(one: NodeId, other: NodeId): void {
		this.cut.add(`${one}>${other}`);
		this.cut.add(`${other}>${one}`);
	}

	isolate(id: NodeId): void {
		for (const other of this.ids) {
			if (other !== id) this.part(id, other);
		}
	}

	heal(): void {
		this.cut.clear();
	}

	/** Lets a message out that should have waited. */
	leak(id: NodeId, message: Message): void {
		this.send(this.member(id), message);
	}

	leakAll(messages: readonly Message[]): void {
		for (const message of messages) this.leak(message.from, message);
	}

	/** Messages on the wire that match are taken off it, for later or for good. */
	take(wanted: (message: Message) => boolean): Message[] {
		const taken = this.messages.filter(wanted);
		this.messages = this.messages.filter((message) => !wanted(message));
		return taken;
	}

	status(id: NodeId): CoreStatus {
		return this.member(id).core.status();
	}

	/** Makes one member leader, without time passing. */
	elect(id: NodeId): void {
		this.input(id, ({ core }) => core.campaign());
		this.settle();
		if (this.status(id).role !== "leader") throw new Error(`${id} could not be elected`);
	}

	private settleMember(id: NodeId): boolean {
		const member = this.member(id);
		if (!member.up) return false;
		this.drain(id);
		const moved = member.outstanding.length + member.applyQueue.length + member.fetches.length > 0 || member.restoring !== null;
		this.persist(id);
		this.apply(id);
		this.answerFetch(id);
		return moved;
	}

	private add(id: NodeId, image: LogImage): SimMember {
		const member = new SimMember(this.configOf(id), image, this.dice.fork(`member ${id}`), this.tapOf(id));
		this.members.set(id, member);
		this.onCore(member.core);
		return member;
	}

	configOf(id: NodeId): RaftConfig {
		return { ...DEFAULT_RAFT_CONFIG, ...this.config, id, incarnation: 0 };
	}

	private issue(member: SimMember, decided: AppendWork): void {
		const work = this.onIssue(decided, member);
		member.disk.issue(work);
		member.outstanding.push(work);
	}

	private send(member: SimMember, message: Message): void {
		assertDurable(member.disk, message);
		this.onMessage(message);
		if (this.cut.has(`${message.from}>${message.to}`) || this.loses(message)) return;
		if (this.messages.length >= MESSAGES_MAX) this.messages.shift();
		this.messages.push(message);
	}

	private startTransfers(member: SimMember, output: CoreOutput): void {
		for (const { peer, minIndex } of output.snapshots) {
			const { index, term, conf } = member.machine.state;
			if (index < minIndex || member.restoring !== null) {
				this.input(member.id, () => member.core.reportSnapshot(peer, false, 0));
				continue;
			}
			const meta = { index, term, confState: conf, generation: `snapshot ${++this.generations}` };
			this.transfers.push({ from: member.id, to: peer, term: member.core.status().term, meta });
		}
	}
}
