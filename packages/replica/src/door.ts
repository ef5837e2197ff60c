/** What is refused to a client before anything is proposed, in etcd's order: space, then backlog, then size. */
import type { HotCodec } from "@flotilla/api/hot";
import { type Consensus, PAYLOAD_BYTES_MAX } from "@flotilla/raft";
import type { Applier } from "./applier.ts";
import type { CallFault, WriteCall } from "./calls.ts";
import { ENVELOPE_HEAD_BYTES } from "./envelope.ts";
import type { Errands } from "./errands.ts";
import type { Proposals } from "./proposals.ts";
import { exceedsQuota } from "./quota.ts";
import type { ReplicaOptions } from "./replica-interface.ts";
import { proposalBytes } from "./request-size.ts";
import type { StateMachine } from "./state-machine.ts";

export interface DoorParts {
	readonly codec: HotCodec;
	readonly core: Consensus;
	readonly state: StateMachine;
	readonly applier: Applier;
	readonly proposals: Proposals;
	readonly errands: Errands;
}

export class Door {
	private readonly options: ReplicaOptions;
	private readonly parts: DoorParts;
	/** Whether committed entries wait in such number that writes are refused; null: not looked at in this turn. */
	private backlogged: boolean | null = null;

	constructor(options: ReplicaOptions, parts: DoorParts) {
		this.options = options;
		this.parts = parts;
	}

	/** Null: come in. */
	refusalOf(call: WriteCall): CallFault | null {
		const { codec, errands, proposals, state } = this.parts;
		const { kind, payload } = call;
		if (exceedsQuota(codec, kind, payload, state.store.logicalBytes, this.options.quotaBytes)) {
			errands.onSpaceRefused();
			return "noSpace";
		}
		if (proposals.isFullFor(payload.length)) return "tooManyRequests";
		if (this.isBacklogged()) return "applyBacklog";
		const bytes = proposalBytes(payload.length, call.user, call.authRevision);
		// Whatever the flag says, it has to fit into an entry; at a follower no leader would ever hear of it.
		return bytes > this.options.maxRequestBytes || bytes + ENVELOPE_HEAD_BYTES > PAYLOAD_BYTES_MAX ? "requestTooLarge" : null;
	}

	turnEnded(): void {
		this.backlogged = null;
	}

	private isBacklogged(): boolean {
		this.backlogged ??= this.parts.core.status().commit - this.parts.applier.appliedIndex > this.options.applyBacklogMax;
		return this.backlogged;
	}
}
