import { assert, fail } from "@flotilla/base";
import { EMPTY_CONF, isJoint, membersOf } from "./conf-change.ts";
import type { ConfState, LogIndex, NodeId } from "./message.ts";
import { NO_NODE } from "./message.ts";

/** Slots of one core: all nodes of a configuration, those just removed, and this node itself. */
export const SLOTS_MAX = 64;
export const NO_SLOT = -1;
/** This node has a slot in every configuration, also in those that do not contain it. */
export const SELF = 0;

/**
 * The configuration in force (rule C1) with a small slot for each node. Slots order by id in every list, so that
 * iteration is the same on every run.
 */
export class Members {
	readonly selfId: NodeId;
	conf: ConfState = EMPTY_CONF;
	/** Index of the entry or snapshot that brought it. */
	index: LogIndex = 0;
	voters: readonly number[] = [];
	outgoing: readonly number[] = [];
	/** All members but this node, and the departing ones: whom a leader talks to. */
	targets: readonly number[] = [];

	private readonly ids: NodeId[];
	private readonly slots = new Map<NodeId, number>();
	/** 0 for free slots and departing peers, otherwise which part the node plays. */
	private readonly parts = new Uint8Array(SLOTS_MAX);
	/** Index of the configuration that removed the peer of a slot; 0 for all others. */
	private readonly departedAt = new Float64Array(SLOTS_MAX);

	constructor(selfId: NodeId) {
		this.selfId = selfId;
		this.ids = new Array<NodeId>(SLOTS_MAX).fill(NO_NODE);
		this.ids[SELF] = selfId;
		this.slots.set(selfId, SELF);
	}

	slotOf(id: NodeId): number {
		return this.slots.get(id) ?? NO_SLOT;
	}

	idOf(slot: number): NodeId {
		return this.ids[slot] as NodeId;
	}

	/** In the configuration, as voter or learner. */
	isMember(slot: number): boolean {
		return slot !== NO_SLOT && this.parts[slot] !== 0;
	}

	/** Counts in the incoming or in the outgoing half. */
	isVoter(slot: number): boolean {
		return slot !== NO_SLOT && ((this.parts[slot] as number) & VOTER) !== 0;
	}

	isIncomingVoter(slot: number): boolean {
		return slot !== NO_SLOT && ((this.parts[slot] as number) & INCOMING) !== 0;
	}

	isDeparting(slot: number): boolean {
		return slot !== NO_SLOT && this.departedAt[slot] !== 0;
	}

	get selfIsVoter(): boolean {
		return this.isVoter(SELF);
	}

	get joint(): boolean {
		return isJoint(this.conf);
	}

	/** How many slots a configuration would need beside those of departing peers. */
	hasRoomFor(conf: ConfState): boolean {
		let departing = 0;
		for (let slot = 0; slot < SLOTS_MAX; slot++) if (this.departedAt[slot] !== 0) departing++;
		return membersOf(conf).length + departing + 1 <= SLOTS_MAX;
	}

	/** Puts a configuration in force. With `keepRemoved` the peers it removes stay targets until they are released (rule C3). */
	install(conf: ConfState, index: LogIndex, keepRemoved: boolean): void {
		const ids = membersOf(conf);
		const wanted = new Set(ids);
		for (let slot = 1; slot < SLOTS_MAX; slot++) {
			const id = this.idOf(slot);
			if (id === NO_NODE || wanted.has(id)) continue;
			if (keepRemoved && this.departedAt[slot] === 0) this.departedAt[slot] = index;
			else if (!keepRemoved) this.free(slot);
		}
		this.parts.fill(0);
		for (const id of ids) this.departedAt[this.slotFor(id)] = 0;
		for (const id of conf.voters) this.mark(id, VOTER | INCOMING);
		for (const id of conf.votersOutgoing) this.mark(id, VOTER);
		for (const id of conf.learners) this.mark(id, LEARNER);
		this.conf = conf;
		this.index = index;
		this.voters = conf.voters.map((id) => this.slotOf(id));
		this.outgoing = conf.votersOutgoing.map((id) => this.slotOf(id));
		this.listTargets();
	}

	/** Lets go of peers that a configuration at or below `uptoIndex` removed. Returns their slots. */
	releaseDeparted(uptoIndex: LogIndex): number[] {
		const released: number[] = [];
		for (let slot = 1; slot < SLOTS_MAX; slot++) {
			const since = this.departedAt[slot] as number;
			if (since === 0 || since > uptoIndex) continue;
			this.free(slot);
			released.push(slot);
		}
		if (released.length > 0) this.listTargets();
		return released;
	}

	private mark(id: NodeId, part: number): void {
		const slot = this.slotOf(id);
		this.parts[slot] = (this.parts[slot] as number) | part;
	}

	private slotFor(id: NodeId): number {
		const known = this.slots.get(id);
		if (known !== undefined) return known;
		const slot = this.ids.indexOf(NO_NODE);
		if (slot < 0) fail("a configuration must fit the slots", { slots: SLOTS_MAX });
		this.ids[slot] = id;
		this.slots.set(id, slot);
		return slot;
	}

	private free(slot: number): void {
		assert(slot !== SELF, "this node keeps its slot");
		this.slots.delete(this.idOf(slot));
		this.ids[slot] = NO_NODE;
		this.departedAt[slot] = 0;
	}

	private listTargets(): void {
		const targets = [...this.slots.values()].filter((slot) => slot !== SELF);
		this.targets = targets.sort((a, b) => (this.idOf(a) < this.idOf(b) ? -1 : 1));
	}
}

const VOTER = 1;
const INCOMING = 2;
const LEARNER = 4;
