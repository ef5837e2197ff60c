/**
 * A cluster's state saved to a file by etcdctl and by our own command, under load, and new clusters made from the file: real
 * processes throughout.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FLOTILLA_PROGRAM, ProcessCluster } from "../src/process/cluster.ts";
import { etcdctl, haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const ROOT = ["--user", "root:rootpw"];
const MINUTES = 60_000;

let folder: string;
let cluster: ProcessCluster;
let leader: string;
let follower: string;

const flotilla = (args: readonly string[]): Promise<ToolResult> => runTool(FLOTILLA_PROGRAM, ["snapshot", ...args]);

async function good(result: Promise<ToolResult>): Promise<string> {
	const { status, stdout, stderr } = await result;
	expect([status, stderr]).toEqual([0, expect.any(String)]);
	if (status !== 0) throw new Error(stderr);
	return stdout;
}

interface Status {
	readonly hash: number;
	readonly revision: number;
	readonly totalKey: number;
	readonly totalSize: number;
}

async function statusOf(file: string): Promise<Status> {
	return JSON.parse(await good(flotilla(["status", "-w", "json", file])));
}

/** All that can be seen of a state, by etcdctl: keys with their revisions, leases, users, roles. */
async function seen(endpoint: string, revision: number): Promise<unknown> {
	const json = async (args: readonly string[]): Promise<Record<string, unknown>> => {
		const { header: _header, ...rest } = JSON.parse(await good(etcdctl(endpoint, [...ROOT, "-w", "json", ...args])));
		return rest;
	};
	return {
		keys: await json(["get", "", "--from-key", "--rev", String(revision)]),
		before: await json(["get", "history", "--rev", "3"]),
		lease: await json(["lease", "timetolive", "4d2", "--keys"]).then((lease) => [lease.id, lease["granted-ttl"], lease.keys]),
		users: await good(etcdctl(endpoint, [...ROOT, "user", "list"])),
		user: await good(etcdctl(endpoint, [...ROOT, "user", "get", "ann", "--detail"])),
		role: await good(etcdctl(endpoint, [...ROOT, "role", "get", "reader"])),
		ann: await good(etcdctl(endpoint, ["--user", "ann:annpw", "get", "history"])),
		refused: (await etcdctl(endpoint, ["--user", "ann:annpw", "get", "other"])).stderr.includes("permission denied"),
	};
}

/** As a text: it has more digits than a number. */
async function clusterIdOf(endpoint: string): Promise<string> {
	const id = /"cluster_id":(\d+)/.exec(await good(etcdctl(endpoint, [...ROOT, "-w", "json", "get", "history"])))?.[1];
	if (id === undefined) throw new Error("no cluster id");
	return id;
}

async function restored(file: string, flags: readonly string[] = []): Promise<ProcessCluster> {
	const made = await ProcessCluster.create({ folder: await mkdtemp(join(folder, "restored-")) });
	const initialCluster = made.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
	for (const { name, peerUrl, dataDir } of made.members) {
		const where = ["--name", name, "--data-dir", dataDir, "--initial-cluster", initialCluster, "--initial-cluster-token", "test"];
		await good(flotilla(["restore", ...where, "--initial-advertise-peer-urls", peerUrl, ...flags, file]));
	}
	await Promise.all(made.members.map((member) => member.process.start()));
	return made;
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-saved-"));
	cluster = await ProcessCluster.start();
	const [one = "", two = ""] = cluster.endpoints;
	for (const value of ["one", "two", "three"]) await good(etcdctl(one, ["put", "history", value]));
	// A lease whose id is known: granted through the gateway.
	const grant = await fetch(`http://${one}/v3/lease/grant`, { method: "POST", body: JSON.stringify({ ID: "1234", TTL: "5000" }) });
	expect(grant.status).toBe(200);
	await good(etcdctl(one, ["put", "leased", "x", "--lease", "4d2"]));
	await good(etcdctl(one, ["put", "gone", "x"]));
	await good(etcdctl(one, ["del", "gone"]));
	for (const line of ["user add root:rootpw", "user grant-role root root", "user add ann:annpw", "role add reader"]) {
		await good(etcdctl(one, line.split(" ")));
	}
	await good(etcdctl(one, ["role", "grant-permission", "reader", "read", "history"]));
	await good(etcdctl(one, ["user", "grant-role", "ann", "reader"]));
	await good(etcdctl(one, ["auth", "enable"]));
	const states = JSON.parse(await good(etcdctl(cluster.endpoints, [...ROOT, "endpoint", "status", "-w", "json"])));
	const leads = (endpoint: string): boolean =>
		states.some((state: { Endpoint: string; Status: { leader: unknown; header: { member_id: unknown } } }) => {
			return state.Endpoint === endpoint && state.Status.leader === state.Status.header.member_id;
		});
	leader = cluster.endpoints.find(leads) ?? one;
	follower = cluster.endpoints.find((endpoint) => endpoint !== leader) ?? two;
}, 2 * MINUTES);

afterAll(async () => {
	await cluster?.dispose();
	await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Puts without end, until the returned function is called. */
function load(endpoint: string): () => Promise<void> {
	let stopped = false;
	const run = async (): Promise<void> => {
		for (let round = 0; !stopped; round++) await etcdctl(endpoint, [...ROOT, "put", `load/${round % 7}`, `value ${round}`]);
	};
	const running = Promise.all([run(), run()]);
	return async () => {
		stopped = true;
		await running;
	};
}

describe.skipIf(!haveProgram("etcdctl"))("a state is saved", () => {
	test(
		"under load by etcdctl from the leader and by our own command from a follower, and makes a cluster of three that shows it",
		async () => {
			const stop = load(leader);
			const [byEtcdctl, own] = [join(folder, "etcdctl.db"), join(folder, "own.db")];
			await good(etcdctl(leader, [...ROOT, "snapshot", "save", byEtcdctl]));
			// A follower saves what it has: from here on that is no less.
			await cluster.caughtUp();
			await good(flotilla(["save", "--endpoints", follower, ...ROOT, own]));
			await stop();
			expect((await statusOf(own)).revision).toBeGreaterThanOrEqual((await statusOf(byEtcdctl)).revision);
			const clusters = new Set<string>([await clusterIdOf(leader)]);
			for (const file of [byEtcdctl, own]) {
				const { revision, totalSize } = await statusOf(file);
				expect(totalSize % 512).toBe(32);
				const made = await restored(file);
				try {
					const [first = "", second = "", third = ""] = made.endpoints;
					// The same on all of its members, and none that was there before.
					const ids = await Promise.all(made.endpoints.map(clusterIdOf));
					expect(new Set(ids).size).toBe(1);
					expect(clusters).not.toContain(ids[0]);
					clusters.add(ids[0] as string);
					const before = await seen(leader, revision);
					for (const endpoint of [first, third]) expect(await seen(endpoint, revision)).toEqual(before);
					// The revision goes on from there, the members are the new ones, the cluster is another one.
					const put = JSON.parse(await good(etcdctl(second, [...ROOT, "-w", "json", "put", "new", "x"])));
					expect(put.header.revision).toBe(revision + 1);
					const members = await good(etcdctl(second, [...ROOT, "member", "list"]));
					for (const { peerUrl } of made.members) expect(members).toContain(peerUrl);
					expect(members.trim().split("\n").length).toBe(3);
					// A restart finds it again, and no damage is mended by an empty store.
					await made.member(0).process.kill("SIGTERM");
					await made.member(0).process.start();
					expect(await seen(first, revision)).toEqual(before);
				} finally {
					await made.dispose();
				}
			}
		},
		5 * MINUTES,
	);

	test(
		"and with a raised revision all that was before is compacted, for reads and for watchers",
		async () => {
			const file = join(folder, "bumped.db");
			await good(flotilla(["save", "--endpoints", leader, ...ROOT, file]));
			const { revision } = await statusOf(file);
			const made = await restored(file, ["--bump-revision", "1000", "--mark-compacted"]);
			try {
				const [first = "", second = ""] = made.endpoints;
				const now = JSON.parse(await good(etcdctl(first, [...ROOT, "-w", "json", "get", "history"])));
				expect(now.header.revision).toBe(revision + 1000);
				expect(Buffer.from(now.kvs[0].value, "base64").toString()).toBe("three");
				const old = await etcdctl(second, [...ROOT, "get", "history", "--rev", String(revision + 5)]);
				expect(old.stderr).toContain("required revision has been compacted");
				const watch = await etcdctl(second, [...ROOT, "watch", "history", "--rev", String(revision + 1)], { timeoutMs: MINUTES });
				expect(watch.stdout + watch.stderr).toContain("required revision has been compacted");
				const put = JSON.parse(await good(etcdctl(second, [...ROOT, "-w", "json", "put", "history", "four"])));
				expect(put.header.revision).toBe(revision + 1001);
				// A clean stop makes a floor behind the raised revision, a crash replays what came after it.
				await made.member(1).process.kill("SIGTERM");
				await made.member(1).process.start();
				await made.member(1).process.kill("SIGKILL");
				await made.member(1).process.start();
				const again = JSON.parse(await good(etcdctl(second, [...ROOT, "-w", "json", "get", "history"])));
				expect(Buffer.from(again.kvs[0].value, "base64").toString()).toBe("four");
			} finally {
				await made.dispose();
			}
		},
		3 * MINUTES,
	);

	test(
		"from a learner",
		async () => {
			const learner = await cluster.newcomer("learner");
			try {
				await eventually("steady connections", () =>
					good(etcdctl(leader, [...ROOT, "member", "add", "learner", "--learner", `--peer-urls=${learner.peerUrl}`])),
				);
				await learner.process.start();
				const put = JSON.parse(await good(etcdctl(leader, [...ROOT, "-w", "json", "put", "other", "for the learner"])));
				const endpoint = learner.clientUrl.slice("http://".length);
				const file = join(folder, "learner.db");
				// It serves no login: the token is another member's, and it may be a moment behind.
				const revisionSaved = async (): Promise<number> => {
					const token = await fetch(`http://${leader}/v3/auth/authenticate`, {
						method: "POST",
						body: JSON.stringify({ name: "root", password: "rootpw" }),
					}).then((answer) => answer.json() as Promise<{ token: string }>);
					const headers = { Authorization: token.token };
					const answer = await fetch(`http://${endpoint}/v3/maintenance/snapshot`, { method: "POST", body: "{}", headers });
					const lines = (await answer.text()).trim().split("\n");
					await writeFile(file, Buffer.concat(lines.map((line) => Buffer.from(JSON.parse(line).result.blob, "base64"))));
					return (await statusOf(file)).revision;
				};
				await expect.poll(revisionSaved, { timeout: 120_000 }).toBeGreaterThanOrEqual(put.header.revision);
			} finally {
				await learner.process.dispose();
			}
		},
		2 * MINUTES,
	);

	test("only for root", async () => {
		const file = join(folder, "refused.db");
		const refused = await flotilla(["save", "--endpoints", leader, "--user", "ann:annpw", file]);
		expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("permission denied")]);
		const unnamed = await flotilla(["save", "--endpoints", leader, file]);
		expect([unnamed.status, unnamed.stderr]).toEqual([
			1,
			expect.stringContaining("authentication is on, and no user was named (--user NAME)"),
		]);
		expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false]);
	});

	test("a password comes from a file or a variable, and not only among the arguments", async () => {
		const [file, passwordFile] = [join(folder, "by-file.db"), join(folder, "password")];
		await writeFile(passwordFile, "rootpw\n");
		const run = (args: readonly string[], environment: Record<string, string> = {}): Promise<ToolResult> =>
			runTool(FLOTILLA_PROGRAM, [...args], { environment, timeoutMs: MINUTES });
		const save = ["snapshot", "save", "--endpoints", leader, "--user", "root"];
		const doctor = ["doctor", "--endpoints", leader, "--user", "root"];
		const variable = { ETCDCTL_PASSWORD: "rootpw" };
		for (const command of [[...save, file], doctor]) {
			const nowhere = await run(command);
			expect([nowhere.status, nowhere.stderr]).toEqual([2, expect.stringContaining("--user root needs a password")]);
			const wrong = await run(command, { ETCDCTL_PASSWORD: "wrong" });
			expect(wrong.status).toBe(1);
			expect(wrong.stderr + wrong.stdout).toContain("authentication failed, invalid user ID or password");
		}
		for (const [flags, environment] of [
			[["--password-file", passwordFile], {}],
			[[], variable],
		] as const) {
			expect(await run([...save, ...flags, file], environment)).toMatchObject({ status: 0, stderr: "" });
			expect((await run([...doctor, ...flags], environment)).stdout).not.toContain("does not answer");
		}
	});

	test("by a stream of the gateway, each message of it a result", async () => {
		const token = await fetch(`${cluster.member(0).clientUrl}/v3/auth/authenticate`, {
			method: "POST",
			body: JSON.stringify({ name: "root", password: "rootpw" }),
		}).then((answer) => answer.json() as Promise<{ token: string }>);
		const answer = await fetch(`${cluster.member(0).clientUrl}/v3/maintenance/snapshot`, {
			method: "POST",
			body: "{}",
			headers: { Authorization: token.token },
		});
		const results = (await answer.text())
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line).result);
		const file = join(folder, "gateway.db");
		await writeFile(file, Buffer.concat(results.map(({ blob }) => Buffer.from(blob, "base64"))));
		expect((await statusOf(file)).totalKey).toBeGreaterThan(5);
		expect(results.at(-1).remaining_bytes).toBe(undefined);
	});
});

describe("a file", () => {
	test("of a save that broke off never stands under the final name", async () => {
		const server = createServer((_request, response) => {
			response.writeHead(200, { "content-type": "application/grpc" });
			// One message of the stream (blob of 4 bytes), then the connection is gone.
			response.write(Buffer.from([0, 0, 0, 0, 6, 0x1a, 4, 1, 2, 3, 4]), () => response.stream.session?.destroy());
		});
		await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
		const { port } = server.address() as { port: number };
		const file = join(folder, "broken.db");
		await writeFile(file, "the former one");
		const { status } = await flotilla(["save", "--endpoints", `127.0.0.1:${port}`, file]);
		server.close();
		expect(status).toBe(1);
		expect(await readFile(file, "utf8")).toBe("the former one");
		expect(existsSync(`${file}.part`)).toBe(false);
	});

	test("that is damaged makes no data folder, and the text says where it is damaged", async () => {
		const file = join(folder, "whole.db");
		await good(flotilla(["save", "--endpoints", leader, ...ROOT, file]));
		const whole = await readFile(file);
		const dataDir = join(folder, "never");
		const attempt = async (bytes: Uint8Array, flags: readonly string[] = []): Promise<string> => {
			const other = join(folder, "damaged.db");
			await writeFile(other, bytes);
			const { status, stderr } = await flotilla(["restore", "--data-dir", dataDir, ...flags, other]);
			expect([status, existsSync(dataDir)]).toEqual([1, false]);
			return stderr;
		};
		const flipped = Buffer.from(whole);
		flipped.writeUInt8((flipped[200] as number) ^ 1, 200);
		expect(await attempt(flipped)).toMatch(/section at byte \d+: checksum is/);
		expect(await attempt(flipped, ["--skip-hash-check"])).toMatch(/section at byte \d+: checksum is/);
		expect(await attempt(whole.subarray(0, whole.length - 512))).toMatch(/beyond the end of the file/);
		expect(await attempt(whole.subarray(0, whole.length - 32))).toMatch(/no digest at its end/);
		expect(await attempt(new Uint8Array(0))).toMatch(/is empty/);
		expect((await readdir(folder)).filter((name) => name.includes("restoring"))).toEqual([]);
		const elsewhere = await flotilla(["restore", "--data-dir", dataDir, "--wal-dir", join(folder, "wal"), file]);
		expect([elsewhere.status, elsewhere.stderr.split("\n")[0], existsSync(dataDir)]).toEqual([
			2,
			"--wal-dir is not supported: the log of a member lies in its data folder",
			false,
		]);
		await good(flotilla(["restore", "--data-dir", dataDir, file]));
		// Keys and hashes of passwords: nobody but the owner reads them, whatever the umask.
		for (const name of ["", ...(await readdir(dataDir, { recursive: true }))]) {
			const found = await stat(join(dataDir, name));
			expect([name, (found.mode & 0o777).toString(8)]).toEqual([name, found.isDirectory() ? "700" : "600"]);
		}
		expect((await flotilla(["restore", "--data-dir", dataDir, file])).stderr).toContain("not empty or could not be read");
	});
});
