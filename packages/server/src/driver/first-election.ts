import type { NodeId } from "@flotilla/raft";
import type { Scheduler } from "../ports.ts";

export interface FirstElectionOptions {
	/** Voters of the configuration that this member starts with, ascending. */
	readonly voters: readonly NodeId[];
	readonly self: NodeId;
	/** What a leader that is there already needs to make itself heard; 0 for a cluster that is just being made. */
	readonly listenMs: number;
}

/** Between two members, so that the first one has asked and been answered before the next one would. */
const RANK_MS = 40;

/**
 * A quick first election: as soon as a quorum can be reached and nobody leads, the members campaign in the order of their
 * ids instead of waiting for a random election timeout. Pre-votes keep it harmless where a leader exists, and the ordinary
 * timers take over if it comes to nothing.
 */
export class FirstElection {
	private readonly options: FirstElectionOptions;
	private readonly scheduler: Scheduler;
	private readonly campaign: () => void;
	private readonly reached = new Set<NodeId>();
	private state: "waiting" | "armed" | "over" = "waiting";
	private callOff: () => void = () => {};

	/** `campaign` is called at most once, from a timer. */
	constructor(options: FirstElectionOptions, scheduler: Scheduler, campaign: () => void) {
		this.options = options;
		this.scheduler = scheduler;
		this.campaign = campaign;
		this.reached.add(options.self);
	}

	start(): void {
		this.maybeArm();
	}

	connected(peer: NodeId): void {
		this.reached.add(peer);
		this.maybeArm();
	}

	/** Somebody leads, or the member ends. */
	stop(): void {
		this.state = "over";
		this.callOff();
	}

	get over(): boolean {
		return this.state === "over";
	}

	private maybeArm(): void {
		const { voters, self, listenMs } = this.options;
		const rank = voters.indexOf(self);
		if (this.state !== "waiting" || rank < 0) return;
		if (voters.filter((id) => this.reached.has(id)).length <= voters.length / 2) return;
		this.state = "armed";
		this.callOff = this.scheduler.after(listenMs + rank * RANK_MS, () => {
			this.state = "over";
			this.campaign();
		});
	}
}
