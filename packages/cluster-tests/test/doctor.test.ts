/** `flotilla doctor` before a cluster of real processes that is well, that has lost a member, its majority, and a part of a folder. */
import { createHash } from "node:crypto";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, FLOTILLA_PROGRAM, ProcessCluster } from "../src/process/cluster.ts";
import { runTool, type ToolResult } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const MINUTE = 60_000;

describe("flotilla doctor", () => {
	let cluster: ProcessCluster;
	let scratch: string;
	beforeAll(async () => {
		cluster = await ProcessCluster.start();
		scratch = await mkdtemp(join(tmpdir(), "flotilla-scratch-"));
		const client = new KvClient(cluster.endpoints[0] as string);
		for (let at = 0; at < 40; at++) await client.put(`k${at % 30}`, `v${at}`);
		client.close();
	});
	afterAll(async () => {
		await cluster?.dispose();
		await rm(scratch, { recursive: true, force: true });
	});

	const doctor = (...args: string[]): Promise<ToolResult> => runTool(FLOTILLA_PROGRAM, ["doctor", ...args], { timeoutMs: 3 * MINUTE });
	const folders = (...members: ClusterMember[]): string[] => [
		"--scratch",
		scratch,
		...members.flatMap(({ dataDir }) => ["--data-dir", dataDir]),
	];

	/** Of every file: what stands in it. */
	async function contents(folder: string): Promise<Record<string, string>> {
		const found: Record<string, string> = {};
		for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
			const path = join(entry.parentPath, entry.name);
			if (entry.isFile())
				found[path] = createHash("sha256")
					.update(await readFile(path))
					.digest("hex");
		}
		return found;
	}

	test("finds nothing wrong with a cluster that is well, and says what it looked at", async () => {
		await cluster.caughtUp();
		// On a machine that holds a member up for longer than it waits for an answer, it says so.
		const stdout = await eventually("nothing is wrong", async () => {
			const found = await doctor("--endpoints", cluster.endpoints.join(","));
			expect([found.status, found.stdout]).toEqual([0, expect.stringContaining("Nothing is wrong.")]);
			return found.stdout;
		});
		expect(stdout).toContain("All 3 voters answer");
		expect(stdout).toContain("3 members hold the same keys at revision 41");
		const running = await doctor(...folders(cluster.member(0)));
		expect(running.stdout).toContain("runs from it");
	});

	test("one member is gone: who, and that it does not hurt", async () => {
		await cluster.member(2).process.kill("SIGKILL");
		const { status, stdout } = await doctor("--endpoints", cluster.endpoints.join(","), ...folders(cluster.member(2)));
		expect(status).toBe(1);
		expect(stdout).toContain(`PROBLEM  ${cluster.endpoints[2]} does not answer`);
		expect(stdout).toContain("3 of 3 voters are there, 2 are needed: nothing that was acknowledged is lost.");
		expect(stdout).toMatch(/m3 \([0-9a-f]+\) would start; its log ends with entry \d+ of term \d+/);
	});

	test(
		"the majority is gone: what could be lost, and the rescue, rehearsed on a copy that leaves the folder as it was",
		async () => {
			const client = new KvClient(cluster.endpoints[0] as string);
			for (let at = 0; at < 5; at++) await client.put(`late${at}`, "x");
			client.close();
			await Promise.all(cluster.members.map(({ process }) => process.kill("SIGKILL")));
			const [one, two, three] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
			const before = await contents(one.dataDir);
			const lost = await doctor("--endpoints", two.clientUrl, ...folders(one));
			expect(lost.status).toBe(1);
			expect(lost.stdout).toContain("The quorum is lost: 1 of 3 voters are there, 2 are needed; missing: m2 (");
			expect(lost.stdout).toMatch(/What could be lost: every write after entry \d+ that m2 /);
			expect(lost.stdout).toMatch(
				/Dry run of --force-new-cluster on a copy of \S+\/m1: it serves with revision 46, 35 keys, 0 leases, 0 users, 0 roles, authentication is off; it removes [0-9a-f]+, [0-9a-f]+, and keeps \d+ entries/,
			);
			expect(lost.stdout).toContain("--force-new-cluster (docs/recovery.md)");
			expect(await contents(one.dataDir)).toEqual(before);
			expect(await readdir(scratch)).toEqual([]);
			// With a second folder there is a majority: the one that was dead before the last writes holds less.
			const both = await doctor("--json", "--dry-run", ...folders(three, one));
			const seen = JSON.parse(both.stdout) as {
				best: string;
				quorumLost: boolean;
				rehearsal: { ok: boolean; keys: number; revision: number };
			};
			expect([both.status, seen.best, seen.quorumLost, seen.rehearsal]).toEqual([
				0,
				one.dataDir,
				false,
				expect.objectContaining({ ok: true, keys: 35, revision: 46 }),
			]);
		},
		8 * MINUTE,
	);

	test("a slot of the vote file that is damaged is told of, as the dump of the log does, and the folder is left as it is", async () => {
		const { dataDir } = cluster.member(2);
		const path = join(dataDir, "member/vote");
		const whole = await readFile(path);
		const said = async (at: number): Promise<ToolResult> => {
			const file = await open(path, "r+");
			await file.write(Buffer.of((whole[at] as number) ^ 1), 0, 1, at);
			await file.close();
			const damaged = await contents(dataDir);
			const told = await doctor(...folders(cluster.member(2)));
			expect(await contents(dataDir)).toEqual(damaged);
			return told;
		};
		expect((await doctor(...folders(cluster.member(2)))).stdout).not.toContain("slots of member/vote");
		// In the term of either slot.
		for (const at of [32, whole.length / 2 + 32]) {
			const { stdout } = await said(at);
			expect(stdout).toMatch(
				/note +\S+: one of the two slots of member\/vote fails its checksum; .*A crash while it was written explains it/,
			);
			expect(stdout).toContain("would start");
			const dump = await runTool(FLOTILLA_PROGRAM, ["log", "dump", dataDir]);
			expect(dump.stdout.split("\n").find((line) => line.includes('"type":"vote"'))).toContain('"damagedSlots":1');
			const file = await open(path, "r+");
			await file.write(whole, 0, whole.length, 0);
			await file.close();
		}
	});

	test("a folder that would not start says why; one that is none says so", async () => {
		const { dataDir } = cluster.member(1);
		const wal = join(dataDir, "member/wal");
		const [segment = ""] = (await readdir(wal)).filter((name) => name.endsWith(".wal")).sort();
		const file = await open(join(wal, segment), "r+");
		await file.write(Buffer.from("damage"), 0, 6, 300);
		await file.close();
		const { status, stdout } = await doctor(...folders(cluster.member(1)), "--data-dir", scratch);
		expect(status).toBe(1);
		expect(stdout).toContain("would not start. Cannot start (logDamaged)");
		expect(stdout).toContain("so it is no member's data folder");
	});

	test("a wrong call is told with the usage", async () => {
		for (const args of [["--nope"], ["--dry-run"], ["--cert", "a"], ["stray"]]) {
			const { status, stderr } = await doctor(...args);
			expect([status, stderr]).toEqual([2, expect.stringContaining("Usage: flotilla doctor")]);
		}
		expect((await doctor("--help")).stdout).toContain("Usage: flotilla doctor");
	});
});
