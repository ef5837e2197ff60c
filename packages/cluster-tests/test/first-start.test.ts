/** First starts of members of real clusters: a folder that is empty because it is the first, or because it was lost. */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { afterEach, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { haveProgram } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const BEFORE = /member ([0-9a-f]+) has already been bootstrapped/;

describe("first starts with --initial-cluster-state new", () => {
	const clusters: ProcessCluster[] = [];
	afterEach(async () => {
		for (const cluster of clusters.splice(0)) await cluster.dispose();
	});

	async function make(options: Parameters<typeof ProcessCluster.create>[0] = {}): Promise<[ProcessCluster, ...ClusterMember[]]> {
		const cluster = await ProcessCluster.create(options);
		clusters.push(cluster);
		return [cluster, ...cluster.members];
	}

	async function writes(member: ClusterMember, value: string): Promise<void> {
		const client = new KvClient(member.clientUrl.slice("http://".length));
		await eventually(`writing ${value}`, () => client.put("k", value, { timeoutMs: 3_000 })).finally(() => client.close());
	}

	/** How a member ends that is started now. */
	async function ends({ process }: ClusterMember): Promise<{ status: number | string; said: string }> {
		process.spawn();
		const status = await process.exited();
		// What a process said last arrives behind its end.
		await eventually("its last words", async () => expect(process.tail).toMatch(/"level":"fatal"/));
		return { status, said: process.tail };
	}

	test("a member of the first list that never ran starts while the two others already work", async () => {
		const [, a, b, c] = (await make()) as [ProcessCluster, ClusterMember, ClusterMember, ClusterMember];
		await Promise.all([a.process.start(), b.process.start()]);
		await writes(a, "by two");
		await c.process.start();
		await writes(c, "by the third");
		// The same folder again: nobody is asked.
		await c.process.kill("SIGKILL");
		await c.process.start();
		await writes(c, "once more");
	});

	test("a member of the first list that never ran starts when the others have cut their logs: it is sent the state", async () => {
		const tuning = { walSegmentBytes: 64 << 10, walKeepEntries: 0, walKeepBytes: 0, logMemoryEntries: 0, floorBytes: 16 << 10 };
		const [, a, b, c] = (await make({ tuning })) as [ProcessCluster, ClusterMember, ClusterMember, ClusterMember];
		await Promise.all([a.process.start(), b.process.start()]);
		const client = new KvClient(a.clientUrl.slice("http://".length));
		for (let n = 0; n < 400; n += 50) await Promise.all(Array.from({ length: 50 }, (_, at) => client.put(`k${n + at}`, "x".repeat(500))));
		client.close();
		const received = c.process.waitForLine((line) => line.includes("received a snapshot"), 60_000);
		await c.process.start();
		await received;
		await writes(c, "by the third");
	});

	test("SC-121 an emptied folder under the old name and id is refused before anything is written; the others go on", async () => {
		const [, a, b, c] = (await make()) as [ProcessCluster, ClusterMember, ClusterMember, ClusterMember];
		await Promise.all([a, b, c].map(({ process }) => process.start()));
		await c.process.kill("SIGKILL");
		await rename(c.dataDir, `${c.dataDir}.lost`);
		const refused = await ends(c);
		expect(refused.status).toBe(1);
		expect(refused.said).toMatch(/"msg":"discovery failed".*"error":"member [0-9a-f]+ has already been bootstrapped"/);
		expect(existsSync(c.dataDir)).toBe(false);
		await writes(a, "without it");
		// One of the two others is enough to know it, also when it has only just been started and cannot apply anything.
		await Promise.all([a, b].map(({ process }) => process.kill("SIGKILL")));
		const listening = a.process.waitForLine((line) => line.includes('"event":"listening"'), 60_000);
		a.process.spawn();
		await listening;
		expect((await ends(c)).said).toMatch(BEFORE);
		expect(existsSync(c.dataDir)).toBe(false);
		await b.process.start();
		expect((await ends(c)).status).toBe(1);
		expect(existsSync(c.dataDir)).toBe(false);
		// With its folder it is the member that it was.
		await rename(`${c.dataDir}.lost`, c.dataDir);
		await c.process.start();
		await writes(c, "with its folder");
	});

	test("nobody is there to ask: the member starts, and ends as soon as the others tell it", async () => {
		const [, a, b, c] = (await make()) as [ProcessCluster, ClusterMember, ClusterMember, ClusterMember];
		await Promise.all([a, b, c].map(({ process }) => process.start()));
		await writes(b, "before");
		await Promise.all([a, b, c].map(({ process }) => process.kill("SIGKILL")));
		await rm(c.dataDir, { recursive: true });
		c.process.spawn();
		await eventually("its folder", async () => expect(existsSync(c.dataDir)).toBe(true));
		await Promise.all([a, b].map(({ process }) => process.start()));
		expect(await c.process.exited()).toBe(1);
		await eventually("its last words", async () => expect(c.process.tail).toMatch(BEFORE));
		await writes(a, "after");
		// Nor does it go on with what it has made until then.
		const again = await ends(c);
		expect(again.status).toBe(3);
		expect(again.said).toContain("this member has already been bootstrapped, and its former data folder was lost");
	});

	test("members of another cluster at the peer URLs: refused, and nothing is written", async () => {
		const [there] = await make({ size: 2 });
		await Promise.all(there.members.map(({ process }) => process.start()));
		const newcomer = await there.newcomer("m3");
		const { spec } = newcomer.process;
		const other = new Map([
			["existing", "new"],
			["test", "another-token"],
		]);
		const lone = { ...newcomer, process: new MemberProcess({ ...spec, args: spec.args.map((arg) => other.get(arg) ?? arg) }) };
		const refused = await ends(lone);
		expect(refused.status).toBe(1);
		expect(refused.said).toMatch(/cannot begin cluster [0-9a-f]+: who answers .* belongs to cluster [0-9a-f]+/);
		expect(existsSync(lone.dataDir)).toBe(false);
		await lone.process.dispose();
	});

	test.skipIf(!haveProgram("etcd"))("the words and the status are those of a real etcd", async () => {
		const ended = await Promise.all(
			(["flotilla", "etcd"] as const).map(async (program) => {
				const [, a, b, c] = (await make({ program })) as [ProcessCluster, ClusterMember, ClusterMember, ClusterMember];
				await Promise.all([a, b, c].map(({ process }) => process.start()));
				await c.process.kill("SIGKILL");
				await rm(c.dataDir, { recursive: true });
				const { status, said } = await ends(c);
				return { status, text: BEFORE.exec(said)?.[0].replace(/[0-9a-f]{12,}/, "<id>") };
			}),
		);
		expect(ended[1]).toEqual({ status: 1, text: "member <id> has already been bootstrapped" });
		expect(ended[0]).toEqual(ended[1]);
	});
});
