/**
 * Somebody who reaches the peer ports of a cluster without TLS speaks in a member's name and says that the last term there is has
 * come (rule T1): whoever was believed could lead no more, and no restart would help.
 */
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import {
	encodeFrameHead,
	encodeHello,
	encodeMessage,
	type LaneMessage,
	laneOf,
	nodeBytes,
	PROTOCOL_VERSION,
} from "@flotilla/server/internal";
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { eventually } from "../src/process/wait.ts";

const PATIENCE_MS = 120_000;
const LAST_TERM = Number.MAX_SAFE_INTEGER;

const clientOf = ({ clientUrl }: ClusterMember): KvClient => new KvClient(clientUrl.slice("http://".length));

async function statusOf(member: ClusterMember) {
	const client = clientOf(member);
	return client.status({ timeoutMs: 5_000 }).finally(() => client.close());
}

async function put(member: ClusterMember, value: string): Promise<void> {
	const client = clientOf(member);
	await eventually(`writing ${value}`, () => client.put("k", value, { timeoutMs: 5_000 }), PATIENCE_MS).finally(() => client.close());
}

/** Says one message in the name of its sender, on a connection of its own, and resolves when the member has ended that. */
function forge(member: ClusterMember, clusterId: bigint, message: LaneMessage): Promise<void> {
	const { from, to } = message;
	const versions = { versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION };
	const hello = { ...versions, clusterId, from, to, incarnation: 5, lane: laneOf(message.kind), peerUrls: [] };
	const { envelope, slab } = encodeMessage(message);
	const frame = encodeFrameHead(nodeBytes, envelope, slab.length, 0);
	return new Promise((resolve) => {
		const socket = createConnection(Number(new URL(member.peerUrl).port), "127.0.0.1");
		socket.on("connect", () => socket.write(Buffer.concat([encodeHello(nodeBytes, hello), frame, slab])));
		socket.on("error", () => {});
		socket.resume();
		socket.on("close", () => resolve());
	});
}

/** Members that were moved more often than others may meet the same for a moment, with another term. */
const isRefusal = (line: string): boolean => line.includes('"reason":"term"') && line.includes(`"term":${LAST_TERM}`);

test("the last term there is, forged in the name of each member to each other one: refused with a line in the log, and all goes on", async () => {
	await using cluster = await ProcessCluster.start();
	await put(cluster.member(0), "before");
	const { header } = await statusOf(cluster.member(0));
	const ids = await Promise.all(cluster.members.map(async (member) => BigInt((await statusOf(member)).header.member_id)));
	for (const [at, to] of ids.entries()) {
		for (const from of ids.filter((id) => id !== to)) {
			const base = { from, to, term: LAST_TERM };
			const log = { lastIndex: LAST_TERM, lastTerm: LAST_TERM, commit: 1, commitTerm: 1 };
			const messages: LaneMessage[] = [
				{ kind: "vote", ...base, ...log, transfer: true },
				{ kind: "heartbeatResp", ...base, readPosition: 0, sequence: 1 },
				{ kind: "appendResp", ...base, index: 0, reject: false, hintIndex: 0, hintTerm: 0, commit: 1 },
				{ kind: "heartbeat", ...base, commit: 1, commitTerm: 1, readPosition: 0, sequence: 1 },
			];
			for (const message of messages) {
				const { process } = cluster.member(at);
				const told = process.waitForLine((line) => isRefusal(line) && line.includes(`"message":"${message.kind}"`), PATIENCE_MS);
				await forge(cluster.member(at), BigInt(header.cluster_id), message);
				await told;
			}
		}
	}
	const goesOn = async (value: string): Promise<void> => {
		for (const member of cluster.members) await put(member, `${value} ${member.name}`);
		for (const member of cluster.members) expect(Number((await statusOf(member)).header.raft_term)).toBeLessThan(2 ** 49);
	};
	await goesOn("behind it");
	// What was taken over is durable: it must be nothing that a start cannot go on from.
	for (const { process } of cluster.members) await process.kill("SIGKILL");
	await Promise.all(cluster.members.map(({ process }) => process.start()));
	await goesOn("after a restart");
	for (const { name } of cluster.members) {
		const lines = (await readFile(join(cluster.folder, `${name}.log`), "utf8")).split("\n").filter(isRefusal);
		expect(lines.length, `${name}, a line for each connection`).toBe(8);
	}
});
