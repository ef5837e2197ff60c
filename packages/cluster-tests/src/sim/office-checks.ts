import type { ConfState, CoreStatus, NodeId, Term } from "@flotilla/raft";
import { describeConf, isQuorum } from "./conf-twin.ts";
import type { InvariantName } from "./invariants.ts";

/** One leader in one term, while it leads. */
interface Office {
	readonly id: NodeId;
	readonly term: Term;
	/** Of its clock, since it was seen to lead. */
	ticks: number;
	/** By peer: at which tick something of it came last. */
	readonly heard: Map<NodeId, number>;
	conf: ConfState;
	/** It leads this configuration since that tick, and everybody in it may need a while to answer. */
	confSince: number;
}

/** A turn or two between what comes, or the tick that ends an office, and the look at it. */
const SLACK_TICKS = 3;

/**
 * Whoever leads hears a quorum of its voters: one that has not for two election timeouts of its ticks has stepped down, so that clients
 * are not kept waiting by a leader that can do nothing. From what is handed to it alone; the core's flags are not looked at.
 */
export class OfficeChecks {
	private readonly silentTicksMax: number;
	private readonly breach: (name: InvariantName, text: string) => void;
	private offices: Office[] = [];

	constructor(electionTicks: number, breach: (name: InvariantName, text: string) => void) {
		// What came just behind one look at the flags counts until the next one but one.
		this.silentTicksMax = 2 * electionTicks + SLACK_TICKS;
		this.breach = breach;
	}

	ticked(id: NodeId): void {
		const office = this.officeOf(id);
		if (office !== undefined) office.ticks++;
	}

	/** A message of `from` is handed to `id`. */
	arriving(id: NodeId, from: NodeId): void {
		const office = this.officeOf(id);
		office?.heard.set(from, office.ticks);
	}

	/** A new life leads nobody. */
	restored(id: NodeId): void {
		this.offices = this.offices.filter((office) => office.id !== id);
	}

	/** After an output, with all ticks and messages that went into it. */
	observe({ id, role, term, confState }: CoreStatus): void {
		const office = this.officeOf(id);
		if (role !== "leader") {
			if (office !== undefined) this.restored(id);
			return;
		}
		if (office?.term !== term) {
			this.restored(id);
			this.offices.push({ id, term, ticks: 0, heard: new Map(), conf: confState, confSince: 0 });
			return;
		}
		if (office.conf !== confState) {
			office.conf = confState;
			office.confSince = office.ticks;
		}
		this.checkHeard(office);
	}

	private checkHeard({ id, term, ticks, heard, conf, confSince }: Office): void {
		const since = ticks - this.silentTicksMax;
		if (confSince >= since || isQuorum(conf, (voter) => voter === id || (heard.get(voter) ?? 0) >= since)) return;
		const silence = `${this.silentTicksMax} ticks without a quorum of ${describeConf(conf)}`;
		this.breach("quorumHeard", `${id.toString(16)} leads term ${term} after ${silence}`);
	}

	private officeOf(id: NodeId): Office | undefined {
		return this.offices.find((office) => office.id === id);
	}
}
