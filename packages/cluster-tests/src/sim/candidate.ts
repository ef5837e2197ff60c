import { v3electionpb as pb } from "@flotilla/api";
import type { ElectionRecord } from "../history/election-checks.ts";
import { Contestant } from "./contestant.ts";
import type { ClientWorld } from "./parts.ts";
import type { Life } from "./scripted-client.ts";

export interface CandidatePlan {
	readonly timeoutMs: number;
	/** How long a leader is quiet at most between two proclamations, and how often it proclaims. */
	readonly quietMs: number;
	readonly proclamations: number;
	/** How often a leader resigns, and does not leave that to its lease. */
	readonly resignPercent: number;
}

export const ELECTION = "c";
/** First letters of the keys that candidates stand with. */
export const ELECTION_PREFIX = `${ELECTION}/`;
const name = Buffer.from(ELECTION);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Stands again and again. Every value that it proclaims is its own and used once. */
export class Candidate extends Contestant {
	readonly records: ElectionRecord[] = [];
	private readonly plan: CandidatePlan;
	private readonly number: number;
	private lastValue = 0;

	constructor(number: number, plan: CandidatePlan, world: ClientWorld) {
		super(ELECTION_PREFIX, BigInt(number + 1) * 0x10_0000_0000n, world, plan.timeoutMs);
		this.number = number;
		this.plan = plan;
	}

	protected override *takeTurn(lease: bigint): Life {
		const { dice } = this.world;
		const request = pb.CampaignRequest.encode({ name, lease, value: this.nextValue() });
		const answer = yield* this.ask("/v3electionpb.Election/Campaign", request);
		if (dice.chance(1, 3)) yield* this.askWhoLeads();
		if (answer === null) return;
		const { header, leader } = pb.CampaignResponse.decode(answer);
		if (leader === null) throw new Error("a campaign is answered with the leader's key");
		const own = { key: textOf(leader.key), create: leader.rev };
		this.records.push({ kind: "campaigned", ...own, revision: header?.revision ?? 0 });
		for (let left = dice.range(0, this.plan.proclamations); left > 0 && !this.stopping; left--) {
			yield* this.wait(dice.range(1_000, this.plan.quietMs * 1_000));
			yield* this.proclaim(leader);
		}
		if (dice.range(1, 100) > this.plan.resignPercent) return;
		const resigned = yield* this.ask("/v3electionpb.Election/Resign", pb.ResignRequest.encode({ leader }));
		if (resigned !== null) {
			this.records.push({ kind: "resigned", ...own, revision: pb.ResignResponse.decode(resigned).header?.revision ?? 0 });
		}
		// Whoever has left cannot know how a late word of its is taken.
		if (dice.chance(1, 2)) yield* this.proclaim(leader);
	}

	private *proclaim(leader: pb.LeaderKey): Life {
		const value = this.nextValue();
		const answer = yield* this.ask("/v3electionpb.Election/Proclaim", pb.ProclaimRequest.encode({ leader, value }));
		if (answer === null) return;
		const revision = pb.ProclaimResponse.decode(answer).header?.revision ?? 0;
		this.records.push({ kind: "proclaimed", key: textOf(leader.key), create: leader.rev, value: textOf(value), revision });
	}

	private *askWhoLeads(): Life {
		const answer = yield* this.ask("/v3electionpb.Election/Leader", pb.LeaderRequest.encode({ name }));
		if (answer === null) return;
		const { header, kv } = pb.LeaderResponse.decode(answer);
		if (kv === null) throw new Error("an answer names the leader");
		const { createRevision: create, key, value } = kv;
		this.records.push({ kind: "led", key: textOf(key), create, value: textOf(value), revision: header?.revision ?? 0 });
	}

	private nextValue(): Uint8Array {
		return Buffer.from(`${this.number}.${++this.lastValue}`);
	}
}
