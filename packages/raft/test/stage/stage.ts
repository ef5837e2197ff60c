import type { TapFields, TapSink } from "@flotilla/base";
import { Dice } from "@flotilla/base";
import type { CoreOutput, Message, NodeId, RaftConfig, StepStatus, Term } from "../../src/index.ts";
import { Cluster } from "../sim/cluster.ts";
import type { LogImage } from "../sim/disk.ts";
import { describeConf, describeEntries, describeMessage, describeWork } from "./words.ts";

/** Events of the tap that a transcript shows: changes of role, leader and term, and what no message or write tells. */
const TOLD = new Set([
	...["becameFollower", "becamePreCandidate", "becameCandidate", "becameLeader", "leaderChanged", "leaderLost", "termRaised"],
	...["transferStarted", "transferEnded", "snapshotRestored", "catchUpFromLog"],
]);

/** A cluster of the simulator, and a line for everything that happens in it: what a transcript shows. */
export class Stage {
	lines: string[] = [];
	/** Kinds of messages and of other lines that are left out. */
	readonly hidden = new Set<string>();
	/** Messages that are late. */
	readonly held: Message[] = [];
	/** Of disks. */
	readonly copies = new Map<NodeId, LogImage>();
	private current: Cluster | null = null;

	get cluster(): Cluster {
		if (this.current === null) throw new Error("a transcript begins with the command nodes");
		return this.current;
	}

	build(voters: readonly NodeId[], config: Partial<RaftConfig>, logs: ReadonlyMap<NodeId, readonly Term[]>): void {
		const cluster = new Cluster({ voters, dice: new Dice(1), config, logs, tapOf: (id) => this.tapOf(id) });
		cluster.onMessage = (message) => this.onMessage(message);
		cluster.onOutput = (id, output) => this.onOutput(id, output);
		cluster.onHeard = (message, status) => this.onHeard(message, status);
		this.current = cluster;
	}

	say(line: string): void {
		this.lines.push(line);
	}

	take(): string[] {
		const { lines } = this;
		this.lines = [];
		return lines;
	}

	private onMessage(message: Message): void {
		if (this.hidden.has(message.kind)) return;
		const lost = this.cluster.cut.has(`${message.from}>${message.to}`) ? " (lost)" : "";
		this.say(`${describeMessage(message)}${lost}`);
	}

	private onHeard(message: Message, status: StepStatus): void {
		if (status !== "ok" && !this.hidden.has(message.kind)) this.say(`${message.to} ${status} ${message.kind} of ${message.from}`);
	}

	private onOutput(id: NodeId, output: CoreOutput): void {
		if (output.append !== null && !this.hidden.has("write")) this.say(`${id} ${describeWork(output.append)}`);
		if (output.config !== null) this.say(`${id} is now in: ${describeConf(output.config.confState)}`);
		if (output.apply.length > 0 && !this.hidden.has("apply")) this.say(`${id} applies ${describeEntries(output.apply)}`);
		for (const { token, index } of output.reads) this.say(`${id} may read at ${index} (read ${token.counter})`);
		for (const { token, reason } of output.readFailures) this.say(`${id} read ${token.counter} fails: ${reason}`);
		for (const { peer, fromIndex, uptoIndex } of output.fetch)
			this.say(`${id} needs ${fromIndex} to ${uptoIndex} from its log for ${peer}`);
		for (const { peer, minIndex } of output.snapshots) this.say(`${id} needs a snapshot at ${minIndex} or later for ${peer}`);
		for (const { index } of output.membershipDone) this.say(`${id} change ${index} is done`);
	}

	private tapOf(id: NodeId): TapSink {
		return {
			emit: (name: string, term: number, _index: number, fields: TapFields = {}) => {
				if (!TOLD.has(name)) return;
				const told = Object.entries(fields).filter(([key]) => !(name === "leaderChanged" && key === "reason"));
				const shown = told.map(([key, value]) => `${key} ${String(value)}`);
				this.say([`${id} ${name}`, `term ${term}`, ...shown].join(" "));
			},
		};
	}
}
