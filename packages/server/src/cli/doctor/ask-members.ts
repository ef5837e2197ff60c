/** Asks members that run how they are; one that does not answer is a fact as well. */
import { etcdserverpb as pb } from "@flotilla/api";
import { type Access, type CallError, OutsideClient, textOf } from "../outside-client.ts";
import { whyShutOut } from "../why-shut-out.ts";
import type { LiveState, SeenMember } from "./observations.ts";

const PATIENCE_MS = 5_000;
const HASH_PATIENCE_MS = 60_000;

const { StatusRequest, StatusResponse, MemberListRequest, MemberListResponse, HashKVRequest, HashKVResponse } = pb;

export async function askMembers(endpoints: readonly string[], access: Access): Promise<readonly SeenMember[]> {
	const seen = await Promise.all(endpoints.map((endpoint) => askOne(endpoint, access)));
	const live = seen.filter((one) => one.kind === "live");
	const revision = Math.min(...live.map(({ state }) => state.revision));
	// Whoever fell behind names what all of them hold.
	return Promise.all(seen.map((one) => (one.kind === "live" && live.length > 1 ? withHash(one, revision, access) : Promise.resolve(one))));
}

async function askOne(endpoint: string, access: Access): Promise<SeenMember> {
	let client: OutsideClient | null = null;
	try {
		client = await OutsideClient.open(endpoint, access);
		const status = await client.call(
			"/etcdserverpb.Maintenance/Status",
			{ request: StatusRequest, response: StatusResponse },
			{},
			PATIENCE_MS,
		);
		const list = { request: MemberListRequest, response: MemberListResponse };
		// Its own view: asking for a confirmed one would wait for a leader that may not be there.
		const { members } = await client.call("/etcdserverpb.Cluster/MemberList", list, { linearizable: false }, PATIENCE_MS);
		return { kind: "live", endpoint, state: stateOf(status, members) };
	} catch (error) {
		const reason = await whyShutOut(endpoint, access, error as CallError);
		return reason === null ? { kind: "silent", endpoint, error: textOf(error as CallError) } : { kind: "shut", endpoint, reason };
	} finally {
		client?.close();
	}
}

function stateOf(status: pb.StatusResponse, members: readonly pb.Member[]): LiveState {
	const { header, leader, raftTerm, raftIndex, raftAppliedIndex, dbSizeInUse, dbSizeQuota, errors, isLearner } = status;
	const hex = (id: bigint | undefined): string => (id ?? 0n).toString(16);
	return {
		clusterId: hex(header?.clusterId),
		memberId: hex(header?.memberId),
		leader: hex(leader),
		term: raftTerm,
		index: raftIndex,
		applied: raftAppliedIndex,
		revision: header?.revision ?? 0,
		learner: isLearner,
		sizeBytes: dbSizeInUse,
		quotaBytes: dbSizeQuota,
		errors,
		members: members.map(({ ID, name, isLearner: learner, clientURLs: clientUrls }) => ({ id: hex(ID), name, learner, clientUrls })),
		hash: null,
		noHashBecause: null,
	};
}

async function withHash(one: Extract<SeenMember, { kind: "live" }>, revision: number, access: Access): Promise<SeenMember> {
	let client: OutsideClient | null = null;
	try {
		client = await OutsideClient.open(one.endpoint, access);
		const types = { request: HashKVRequest, response: HashKVResponse };
		const { hash, compactRevision } = await client.call("/etcdserverpb.Maintenance/HashKV", types, { revision }, HASH_PATIENCE_MS);
		return { ...one, state: { ...one.state, hash: { revision, compactRevision, value: hash } } };
	} catch (error) {
		// Compacted meanwhile, say, or it takes the role root.
		return { ...one, state: { ...one.state, noHashBecause: textOf(error as CallError) } };
	} finally {
		client?.close();
	}
}
