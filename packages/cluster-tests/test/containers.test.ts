/** Members in containers, on a network of their own: cut off, killed, stood still, and with their disk gone. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { writeDuring } from "../src/chaos/kill-campaign.ts";
import { KvClient } from "../src/client/kv-client.ts";
import { addMember, removeMember } from "../src/client/member-changes.ts";
import { ContainerCluster, type ContainerMember } from "../src/process/container-cluster.ts";
import { runTool } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const IMAGE = "flotilla:test";
/** Reached only by what would never come, on a machine as busy as may be. */
const BUILD_MS = 900_000;
const PATIENCE_MS = 180_000;
/** Without so many writes nothing is proved. */
const LEAST_WRITES = 100;
const haveDocker = spawnSync("docker", ["info"], { stdio: "ignore" }).status === 0;

// The reaper's image cannot be had everywhere; what is started here is ended here.
process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

async function leaderOf(cluster: ContainerCluster): Promise<ContainerMember> {
	return eventually("a leader", async () => {
		for (const member of cluster.members) {
			const client = new KvClient(member.endpoint);
			try {
				const status = await client.status({ timeoutMs: 3_000 });
				if (status.leader !== "0" && status.leader === status.header.member_id) return member;
			} catch {
				// Down or still starting: another one may know.
			} finally {
				client.close();
			}
		}
		throw new Error("nobody leads");
	});
}

async function serves(member: ContainerMember): Promise<void> {
	const client = new KvClient(member.endpoint);
	try {
		await eventually(`${member.name} serves`, () => client.range("x", {}, { timeoutMs: 3_000 }), PATIENCE_MS);
	} finally {
		client.close();
	}
}

/** Some of the writes that took effect were not acknowledged: half as many again will do. */
async function enoughWritten(cluster: ContainerCluster): Promise<void> {
	const client = new KvClient((await leaderOf(cluster)).endpoint);
	try {
		const { header } = await client.range("x", {}, { timeoutMs: 3_000 });
		if (Number(header.revision) < 1.5 * LEAST_WRITES) throw new Error(`${header.revision} revisions`);
	} finally {
		client.close();
	}
}

describe.skipIf(!haveDocker)("containers (needs a Docker engine)", () => {
	beforeAll(async () => {
		// With everything that the caller has set: where packages are kept is part of it.
		const environment = Object.fromEntries(
			Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
		);
		const build = ["run", "--silent", "image", "--", IMAGE, "--local"];
		const built = await runTool("npm", build, { folder: ROOT, environment, timeoutMs: BUILD_MS });
		expect(built.status, `${built.stdout}${built.stderr}`).toBe(0);
	}, 2 * BUILD_MS);

	test.each([3, 5])(
		"%i members: cut off, killed, stood still, replaced after the loss of a disk; nothing acknowledged is lost",
		async (size) => {
			await using cluster = await ContainerCluster.start(IMAGE, size);
			for (const member of cluster.members) await serves(member);
			const report = await writeDuring(cluster, 6, async () => {
				for (const fault of [cutOffLeader, killLeader, pauseMinority, loseDisk]) {
					await pause(1_000);
					await fault(cluster);
					for (const member of cluster.members) await serves(member);
				}
				await eventually("enough is written", () => enoughWritten(cluster), PATIENCE_MS);
			});
			expect(report.findings.slice(0, 10)).toEqual([]);
			expect(report.acknowledged).toBeGreaterThan(LEAST_WRITES);
		},
		900_000,
	);
});

async function cutOffLeader(cluster: ContainerCluster): Promise<void> {
	const leader = await leaderOf(cluster);
	await leader.cutOff();
	await pause(4_000);
	await leader.connect();
}

async function killLeader(cluster: ContainerCluster): Promise<void> {
	const leader = await leaderOf(cluster);
	await leader.kill();
	await pause(1_000);
	await leader.start();
}

async function pauseMinority(cluster: ContainerCluster): Promise<void> {
	const leader = await leaderOf(cluster);
	const others = cluster.members.filter((member) => member !== leader);
	const still = [leader, ...others].slice(0, (cluster.members.length - 1) / 2);
	for (const member of still) await member.pause();
	await pause(3_000);
	for (const member of still) await member.resume();
}

/** The member is removed, and a new one takes its place. */
async function loseDisk(cluster: ContainerCluster): Promise<void> {
	const leader = await leaderOf(cluster);
	const lost = cluster.members.find((member) => member !== leader) as ContainerMember;
	const client = new KvClient(leader.endpoint);
	try {
		const { members } = await client.members();
		const { ID } = members.find(({ name }) => name === lost.name) as { ID: string };
		await lost.destroy();
		await eventually("the old member is removed", () => removeMember(client, ID));
		await eventually("the new member is added", () => addMember(client, { peerUrl: `http://${lost.name}:2380`, instead: ID }));
	} finally {
		client.close();
	}
	const all = cluster.members.map(({ name }) => `${name}=http://${name}:2380`).join(",");
	cluster.members[cluster.members.indexOf(lost)] = await cluster.make(lost.name, all, "existing");
}
