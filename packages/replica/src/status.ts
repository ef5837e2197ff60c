import type { Consensus, CoreStatus, NodeId } from "@flotilla/raft";
import type { ReplicaStatus } from "./replica-interface.ts";

/** Cheap to make, since every response header asks for one; the core's part is read only when somebody looks at it. */
export class StatusSnapshot implements ReplicaStatus {
	readonly appliedIndex: number;
	readonly durableTerm: number;
	readonly leader: NodeId;
	readonly published: boolean;
	readonly clusterVersion: string;
	private readonly source: Consensus;
	private coreStatus: CoreStatus | null = null;

	constructor(source: Consensus, appliedIndex: number, durableTerm: number, leader: NodeId, published: boolean, clusterVersion: string) {
		this.source = source;
		this.appliedIndex = appliedIndex;
		this.durableTerm = durableTerm;
		this.leader = leader;
		this.published = published;
		this.clusterVersion = clusterVersion;
	}

	get core(): CoreStatus {
		this.coreStatus ??= this.source.status();
		return this.coreStatus;
	}
}
