/** Space of real members: compaction by the clock, the quota and its alarm, and the tools that look after both. */
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { etcdctl, haveProgram } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

async function withCluster<T>(
	options: Parameters<typeof ProcessCluster.start>[0],
	work: (cluster: ProcessCluster) => Promise<T>,
): Promise<T> {
	const cluster = await ProcessCluster.start(options);
	try {
		return await work(cluster);
	} finally {
		await cluster.dispose();
	}
}

const clientOf = (cluster: ProcessCluster, at = 0): KvClient => new KvClient(cluster.endpoints[at] as string);

test("--auto-compaction-mode periodic: the leader alone compacts, every member forgets, and the log says so", () =>
	withCluster({ flags: ["--auto-compaction-mode=periodic", "--auto-compaction-retention=1s"] }, async (cluster) => {
		const client = clientOf(cluster);
		for (let i = 0; i < 20; i++) await client.put("key", `v${i}`);
		await eventually("history is compacted on every member", async () => {
			for (const at of [0, 1, 2]) {
				const other = clientOf(cluster, at);
				const refusal = other.range("key", { revision: 5, serializable: true });
				await expect(refusal).rejects.toThrow("etcdserver: mvcc: required revision has been compacted");
				other.close();
			}
		});
		// One leads, unless a busy machine cost an election: whoever never led says nothing.
		const said = async (text: string): Promise<string[]> => {
			const logs = await Promise.all(
				cluster.members.map(async ({ name, process }) => ({ name, log: await readFile(process.spec.logFile, "utf8") })),
			);
			return logs.filter(({ log }) => log.includes(text)).map(({ name }) => name);
		};
		await eventually("the line of the end", async () => expect(await said("completed auto periodic compaction")).not.toEqual([]));
		const led = await said('"event":"becameLeader"');
		for (const text of ["starting", "completed"]) {
			for (const name of await said(`${text} auto periodic compaction`)) expect(led, text).toContain(name);
		}
		expect((await client.range("key")).kvs[0]?.value.toString()).toBe("v19");
		client.close();
	}));

describe.skipIf(!haveProgram("etcdctl"))("etcdctl", () => {
	/** It takes a minute of little work, whatever is asked of it: the others run meanwhile. */
	let perf: ReturnType<typeof etcdctl>;

	beforeAll(() => {
		perf = withCluster({}, (cluster) =>
			etcdctl(cluster.endpoints, ["check", "perf", "--load=s", "--auto-compact", "--auto-defrag", "--prefix=/own/"], {
				timeoutMs: 200_000,
			}),
		);
		// Its failure is that of its own test.
		perf.catch(() => {});
	});

	test("the quota: warnings, the alarm, what still works, and the way back", () =>
		withCluster({ size: 1, flags: ["--quota-backend-bytes", "200000"] }, async (cluster) => {
			const client = clientOf(cluster);
			const ctl = (...args: string[]) => etcdctl(cluster.endpoints, args);
			const { process } = cluster.member(0);
			let refused: unknown = null;
			for (let i = 0; i < 300 && refused === null; i++) {
				await client.put("key", "x".repeat(2_000)).catch((error: unknown) => {
					refused = error;
				});
			}
			expect(String(refused)).toContain("etcdserver: mvcc: database space exceeded");
			for (const percent of [70, 85])
				await eventually("a warning", async () => expect(process.tail).toContain(`the key space takes ${percent} % of its quota`));
			await eventually("the alarm", async () => expect((await ctl("alarm", "list")).stdout).toMatch(/^memberID:\d+ alarm:NOSPACE \n$/));
			await expect(client.put("other", "1")).rejects.toThrow("database space exceeded");
			const health = await fetch(`${cluster.member(0).clientUrl}/health`);
			expect([health.status, await health.text()]).toEqual([503, '{"health":"false","reason":"ALARM NOSPACE"}\n']);
			// Deletes and compaction make room.
			await client.deleteRange("none");
			const { header } = await client.range("key");
			expect((await ctl("compaction", "--physical", header.revision)).stdout).toBe(`compacted revision ${header.revision}\n`);
			expect((await ctl("defrag")).stdout).toMatch(/^Finished defragmenting etcd member/);
			const status = await client.status();
			expect(Number(status.dbSizeInUse)).toBeLessThan(10_000);
			expect((await ctl("alarm", "disarm")).stdout).toMatch(/alarm:NOSPACE/);
			expect((await ctl("alarm", "list")).stdout).toBe("");
			await client.put("other", "1");
			client.close();
		}));

	test("endpoint hashkv is the same on every member, and etcd's", () =>
		withCluster({}, async (cluster) => {
			const client = clientOf(cluster);
			const hashes = async (endpoints: readonly string[]): Promise<number[]> => {
				const { stdout } = await etcdctl(endpoints, ["endpoint", "hashkv", "-w", "json"]);
				return (JSON.parse(stdout) as Array<{ HashKV: { hash: number } }>).map(({ HashKV }) => HashKV.hash);
			};
			const changes = async (target: KvClient): Promise<void> => {
				for (let i = 0; i < 60; i++) await target.put(`k${(i * 7) % 20}`, `v${i}`);
				await target.deleteRange("k1", { range_end: Buffer.from("k2") });
				await target.txn({
					success: [
						{ request_put: { key: Buffer.from("t"), value: Buffer.from("1") } },
						{ request_delete_range: { key: Buffer.from("k5") } },
					],
				});
				await target.put("k1", "again");
			};
			await changes(client);
			await eventually("all have applied", async () => expect(new Set(await hashes(cluster.endpoints)).size).toBe(1));
			const [ours] = await hashes(cluster.endpoints);
			if (haveProgram("etcd")) {
				await withCluster({ size: 1, program: "etcd" }, async (etcd) => {
					const other = clientOf(etcd);
					await changes(other);
					expect(await hashes(etcd.endpoints), "before a compaction").toEqual([ours]);
					for (const target of [client, other]) await target.compact(50);
					for (const target of [client, other]) await target.put("k3", "after");
					const after = (await hashes(cluster.endpoints))[0];
					expect(await hashes(etcd.endpoints), "after a compaction").toEqual([after]);
					other.close();
				});
			}
			client.close();
		}));

	test("make-mirror copies a prefix to another cluster and follows it", () =>
		withCluster({ size: 1 }, (source) =>
			withCluster({ size: 1 }, async (target) => {
				const [from, to] = [clientOf(source), clientOf(target)];
				const copied = async (): Promise<string[]> =>
					(await to.everything()).kvs.map(({ key, value }) => `${key.toString()}=${value.toString()}`);
				const follow = async (): Promise<void> => {
					for (let i = 0; i < 5; i++) await from.put(`app/${i}`, `v${i}`);
					await from.put("other", "not copied");
					await eventually("the present keys", async () => expect((await copied()).length).toBe(5), 60_000);
					await from.put("app/5", "later");
					await from.deleteRange("app/0");
					const wanted = ["app/1=v1", "app/2=v2", "app/3=v3", "app/4=v4", "app/5=later"];
					await eventually("what came later", async () => expect(await copied()).toEqual(wanted), 60_000);
				};
				const followed = follow();
				const mirror = etcdctl(source.endpoints, ["make-mirror", "--prefix", "app/", target.endpoints[0] as string], {
					timeoutMs: 150_000,
					until: followed,
				});
				await followed;
				await mirror;
				for (const client of [from, to]) client.close();
			}),
		));

	test("check datascale comes to its verdict", () =>
		withCluster({}, async (cluster) => {
			const scale = await etcdctl(
				cluster.endpoints,
				["check", "datascale", "--load=s", "--auto-compact", "--auto-defrag", "--prefix=/own/"],
				{ timeoutMs: 200_000 },
			);
			expect(scale.stdout + scale.stderr).toMatch(/(PASS|FAIL): Approximate system memory used/);
			expect(scale.stdout).toMatch(/Compacting with revision \d+\nCompacted with revision \d+\n/);
			expect(scale.stdout.match(/Defragmented "/g)).toHaveLength(3);
		}));

	test("check perf comes to its verdict", async () => {
		// On a busy machine that on speed may be either.
		const { stdout, stderr } = await perf;
		expect(stdout + stderr).toMatch(/^(PASS|FAIL)/m);
	});
});
