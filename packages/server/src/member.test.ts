import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { freePorts } from "./free-ports.ts";
import { get, put, TestCluster } from "./member.suite.ts";
import type { StartError } from "./member.ts";
import { LogOutput } from "./tap/log-output.ts";
import { Logger } from "./tap/logger.ts";

let cluster: TestCluster | null = null;

async function clusterOf(size: number, change: Parameters<typeof TestCluster.of>[1] = {}): Promise<TestCluster> {
	cluster = await TestCluster.of(size, change);
	return cluster;
}

afterEach(async () => {
	await cluster?.close();
	cluster = null;
});

function modes(folder: string): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => !entry.parentPath.includes("store.") && !entry.name.startsWith("store."))
		.map((entry) => `${entry.name} ${(statSync(join(entry.parentPath, entry.name)).mode & 0o777).toString(8)}`)
		.filter((line) => !/ (600|700)$/.test(line));
}

describe("one member", () => {
	test("serves soon after its start, and keeps its data folder to itself", async () => {
		// Alone it waits for nobody: far less than an election time-out passes, on a machine as busy as may be.
		const one = await clusterOf(1, { electionMs: 50_000 });
		const startedMs = performance.now();
		const [member] = await one.startAll();
		expect(performance.now() - startedMs).toBeLessThan(45_000);
		expect(member?.tap.count("ready")).toBe(1);
		const folder = one.configs[0]?.dataDir ?? "";
		expect(statSync(folder).mode & 0o777).toBe(0o700);
		expect(modes(folder)).toEqual([]);
		expect(statSync(join(folder, "tap.sock")).isSocket()).toBe(true);
	});

	test("answers a client that came before it was ready", async () => {
		const one = await clusterOf(1, { initialElectionTickAdvance: false });
		const member = await one.start(0);
		expect(member.status().published).toBe(false);
		expect((await put(one.client(0), "early", "bird")).revision).toBe(2);
		expect(member.status().published).toBe(true);
	});

	test("keeps what it acknowledged over restarts; term and revision never fall", async () => {
		const one = await clusterOf(1, { floorBytes: 20_000, snapshotCount: 10 });
		let last = { revision: 1, term: 0 };
		for (let life = 0; life < 4; life++) {
			const member = await one.start(0);
			const client = one.client(0);
			for (let n = 0; n < 60; n++) await put(client, `key ${n}`, `life ${life} ${"x".repeat(500)}`);
			const { revision, term } = await put(client, "last", String(life));
			expect(revision).toBe(last.revision + 61);
			expect(term).toBeGreaterThan(last.term);
			last = { revision, term };
			expect(await get(client, "key 0")).toMatch(`life ${life}`);
			expect(member.tap.count("floorWritten")).toBeGreaterThan(0);
			await one.stop(0);
		}
		await one.start(0);
		expect(await get(one.client(0), "last")).toBe("3");
	});

	test("warns of a data folder that others may enter, and uses it", async () => {
		const one = await clusterOf(1);
		const folder = one.configs[0]?.dataDir ?? "";
		mkdirSync(folder);
		chmodSync(folder, 0o755);
		await one.startAll();
		expect(statSync(folder).mode & 0o777).toBe(0o755);
		expect(statSync(join(folder, "member")).mode & 0o777).toBe(0o700);
	});

	test("does not start where a port is taken, leaves nothing open, and starts when it is free again", async () => {
		const one = await clusterOf(1);
		const [port] = await freePorts(1);
		const squatter = createServer();
		await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
		const change = { listenClientUrls: [`http://127.0.0.1:${port}`] };
		await expect(one.start(0, change)).rejects.toThrow(/EADDRINUSE/);
		expect(existsSync(one.configs[0]?.dataDir ?? "")).toBe(false);
		await new Promise((resolve) => squatter.close(resolve));
		const member = await one.start(0, change);
		await member.ready;
		expect(member.clientUrls).toEqual([`http://127.0.0.1:${port}`]);
	});

	test("stops at once while it is still alone, with calls waiting", async () => {
		const three = await clusterOf(3);
		const member = await three.start(0);
		const waiting = put(three.client(0), "k", "v", 120_000).catch((error: Error) => error);
		await new Promise((resolve) => setTimeout(resolve, 200));
		const startedMs = performance.now();
		await three.stop(0);
		expect(performance.now() - startedMs).toBeLessThan(60_000);
		expect(await member.ended).toEqual({ reason: "stopped" });
		expect(await waiting).toBeInstanceOf(Error);
	});
});

describe("a log that cannot be written any more", () => {
	test("ends the member with a line that says so, and nothing more is acknowledged", async () => {
		const one = await clusterOf(1, { walSegmentBytes: 64 << 10 });
		const lines: string[] = [];
		const sink = {
			write: (chunk: string, done: (ok: boolean) => void) => done(lines.push(chunk) > 0),
			writeNow: (chunk: string) => void lines.push(chunk),
		};
		const logger = new Logger({ level: "fatal", wallMs: () => Date.now() }, [new LogOutput(sink, String)]);
		const member = await one.start(0, {}, { logger });
		await member.ready;
		const client = one.client(0);
		const folder = join(one.configs[0]?.dataDir ?? "", "member");
		for (let n = 0; n < 5; n++) await put(client, `before ${n}`, "x");
		const acknowledged: string[] = [];
		renameSync(join(folder, "wal"), join(folder, "elsewhere"));
		for (let n = 0; one.deaths.length === 0 && n < 200; n++) {
			const written = await put(client, `key ${n}`, "x".repeat(4_000), 2_000).catch(() => null);
			if (written !== null) acknowledged.push(`key ${n}`);
		}
		expect(await member.ended).toMatchObject({ reason: "failed" });
		expect(one.deaths.length).toBe(1);
		expect(one.deaths[0]).toMatch(/^Cannot write the log: .*ENOENT.*Mend the disk, then start again/);
		expect(lines.join("")).toMatch(/"level":"fatal".*"msg":"Cannot write the log: /);
		expect(acknowledged.length).toBeLessThan(200);
		await expect(put(client, "too late", "x", 1_000)).rejects.toThrow();
		one.members[0] = null;
	});
});

describe("the lock", () => {
	test("keeps a second member of the same process out, and is released at the end", async () => {
		const one = await clusterOf(1);
		await one.startAll();
		const [port] = await freePorts(1);
		const second = one.start(0, { listenPeerUrls: [`http://127.0.0.1:${port}`] });
		await expect(second).rejects.toThrow(/^Cannot start \(locked\): data directory is in use by another process\./);
		expect(await second.catch((error: StartError) => error.refusal?.code)).toBe("locked");
		expect((await put(one.client(0), "still", "here")).revision).toBe(2);
		await one.stop(0);
		await (await one.start(0)).ready;
	});

	test("SC-102 keeps a second process out: exit status 3, and a line that says why", async () => {
		const one = await clusterOf(1);
		await one.startAll();
		const ports = await freePorts(2);
		const urls = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
		const [peerUrl = ""] = one.configs[0]?.listenPeerUrls ?? [];
		const args = ["--data-dir", one.configs[0]?.dataDir ?? "", "--name", "m1", "--initial-cluster", `m1=${peerUrl}`];
		args.push("--listen-peer-urls", urls[0], "--initial-advertise-peer-urls", peerUrl);
		args.push("--listen-client-urls", urls[1], "--advertise-client-urls", urls[1]);
		const program = fileURLToPath(new URL("../../../bin/flotilla", import.meta.url));
		const { status, text } = await new Promise<{ status: unknown; text: string }>((resolve) => {
			execFile(program, args, { timeout: 120_000 }, (error, _stdout, stderr) => resolve({ status: error?.code ?? 0, text: stderr }));
		});
		expect(text).toMatch(/Cannot start \(locked\): data directory is in use by another process/);
		expect(status).toBe(3);
		expect(await get(one.client(0), "nothing")).toBe(null);
	});
});

describe("three members", () => {
	test("take writes anywhere, read them everywhere, and survive a restart of each", async () => {
		const three = await clusterOf(3);
		await three.startAll();
		for (const at of [0, 1, 2]) {
			const written = await put(three.client(at), `from ${at}`, "here");
			expect(written.member).toBe(three.configs[at]?.memberId);
		}
		for (const at of [0, 1, 2]) expect(await get(three.client(at), "from 2")).toBe("here");
		for (const at of [0, 1, 2]) {
			await three.stop(at);
			const other = (at + 1) % 3;
			await put(three.client(other), `without ${at}`, "here");
			await (await three.start(at)).ready;
			expect(await get(three.client(at), `without ${at}`)).toBe("here");
		}
		expect(three.deaths).toEqual([]);
	});

	test("SC-124 hand leadership over when the leader stops: writes go on", async () => {
		const three = await clusterOf(3);
		const members = await three.startAll();
		const leader = members.findIndex((member) => member.status().leader === member.memberId);
		const other = (leader + 1) % 3;
		const client = three.client(other);
		await put(client, "before", "x");
		const stopping = three.stop(leader);
		const writes: Promise<unknown>[] = [];
		for (let n = 0; n < 20; n++) writes.push(put(client, `during ${n}`, "x"));
		await Promise.all([...writes, stopping]);
		await put(client, "after", "x");
		expect(members[other]?.status().leader).not.toBe(three.configs[leader]?.memberId);
	});

	test("find the log of all of them after a stop of all", async () => {
		const three = await clusterOf(3);
		await three.startAll();
		await put(three.client(1), "k", "v");
		await Promise.all([0, 1, 2].map((at) => three.stop(at)));
		await three.startAll();
		for (const at of [0, 1, 2]) expect(await get(three.client(at), "k")).toBe("v");
	});

	test("SC-121 SC-072 do not take back a member whose data folder was lost: it may have voted", async () => {
		const three = await clusterOf(3);
		await three.startAll();
		await put(three.client(0), "k", "v");
		await three.stop(2);
		rmSync(three.configs[2]?.dataDir ?? "", { recursive: true });
		const member = await three.start(2);
		expect(await member.ended).toMatchObject({ reason: "failed" });
		expect(three.deaths.length).toBe(1);
		expect(three.deaths[0]).toMatch(/^member [0-9a-f]+ has already been bootstrapped, but its data folder was empty\. Restore/);
		expect(await get(three.client(0), "k")).toBe("v");
	});
});
