/**
 * A store is lost, or damaged, whose log no longer reaches back to the beginning (rule S6). A member of a cluster takes the state of
 * another one and comes back under its id; a member alone refuses by name, and leaves log and votes as they are.
 */
import { createHash } from "node:crypto";
import { cp, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { addMember } from "../src/client/member-changes.ts";
import { type ClusterMember, CUT_ALL_THE_TIME, FLOTILLA_PROGRAM, ProcessCluster } from "../src/process/cluster.ts";
import { runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const MINUTE = 60_000;
/** Reached only by what would never come, on a machine as busy as may be. */
const PATIENCE_MS = 3 * MINUTE;

const AWAITS = "waiting for the state of another member";
const RECEIVED = "received a snapshot";
const REFUSED =
	/Cannot start \(storeMismatch\): the store is not what it must be and the log does not reach back far enough to make it again\. store\.\d+: found .*; and a log from entry \d+ on, need a log from entry 2 on\. Log and votes are left as they are: restore the folder store\.\d+ from a copy, or: Keep the folder for examination; remove this member from the cluster/;

/** Each key until it is acknowledged: members elect and lag meanwhile. */
async function writeMuch(endpoint: string, prefix: string, count = 600): Promise<string[]> {
	const client = new KvClient(endpoint);
	const keys = Array.from({ length: count }, (_, n) => `${prefix}/${n}`);
	try {
		for (let n = 0; n < count; n += 100) {
			const part = keys.slice(n, n + 100);
			await Promise.all(part.map((key) => eventually(`a write of ${key}`, () => client.put(key, "x".repeat(400), { timeoutMs: 10_000 }))));
		}
	} finally {
		client.close();
	}
	return keys;
}

/** All members show one state, and these keys are in it. */
async function holdAll(endpoints: readonly string[], keys: readonly string[]): Promise<void> {
	const clients = endpoints.map((endpoint) => new KvClient(endpoint));
	try {
		const [first] = clients as [KvClient];
		const { header } = await eventually("a last write", () => first.put("last", "write", { timeoutMs: 3_000 }));
		const revision = Number(header.revision);
		const hashes = await Promise.all(clients.map((one) => eventually("a hash", () => one.hashKv(revision, { timeoutMs: 10_000 }))));
		expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
		for (const client of clients) {
			const { kvs } = await client.everything({ revision }, { timeoutMs: 30_000 });
			const held = new Set(kvs.map((kv) => kv.key.toString()));
			expect(keys.filter((key) => !held.has(key))).toEqual([]);
		}
	} finally {
		for (const client of clients) client.close();
	}
}

async function storeOf({ dataDir }: ClusterMember): Promise<string> {
	const stores = (await readdir(join(dataDir, "member"))).filter((name) => /^store\.\d+$/.test(name));
	expect(stores.length).toBe(1);
	return join(dataDir, "member", stores[0] as string);
}

/** Inverts a piece of the records that it holds, where a table of them begins. */
async function damage(store: string): Promise<void> {
	const tables = (await readdir(store)).filter((name) => name.endsWith(".ldb"));
	expect(tables.length).toBeGreaterThan(0);
	for (const name of tables) {
		const path = join(store, name);
		const file = await open(path, "r+");
		const piece = Buffer.alloc(Math.min(1_024, Math.floor((await stat(path)).size / 4)));
		await file.read(piece, 0, piece.length, 200);
		await file.write(
			piece.map((byte) => byte ^ 0x5a),
			0,
			piece.length,
			200,
		);
		await file.close();
	}
}

const LOSSES: Readonly<Record<string, (store: string) => Promise<void>>> = {
	emptied: (store) => rm(store, { recursive: true }),
	damaged: damage,
};

/** Whoever follows or leads, by its own word. */
async function placeOf(cluster: ProcessCluster, role: "leader" | "follower"): Promise<number> {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	try {
		return await eventually(`a ${role}`, async () => {
			const all = await Promise.all(clients.map((client) => client.status({ timeoutMs: 3_000 })));
			const place = all.findIndex(({ header, leader }) => leader !== "0" && (header.member_id === leader) === (role === "leader"));
			if (place < 0) throw new Error("nobody leads");
			return place;
		});
	} finally {
		for (const client of clients) client.close();
	}
}

test.each(["follower", "leader"] as const)(
	"a %s comes back under its id when its store is emptied and when it is damaged, while writes go on, and nothing is lost",
	async (role) => {
		const cluster = await ProcessCluster.start({ tuning: CUT_ALL_THE_TIME });
		try {
			const keys: string[] = [];
			for (const [how, lose] of Object.entries(LOSSES)) {
				const place = await placeOf(cluster, role);
				const lost = cluster.member(place);
				const present = cluster.endpoints.filter((_, at) => at !== place);
				keys.push(...(await writeMuch(present[0] as string, `before ${how}`)));
				await cluster.caughtUp();
				await lost.process.kill("SIGKILL");
				await lose(await storeOf(lost));
				const received = lost.process.waitForLine((line) => line.includes(RECEIVED), PATIENCE_MS);
				const [during] = await Promise.all([writeMuch(present[1] as string, `during ${how}`), lost.process.start(), received]);
				keys.push(...during);
				await holdAll(cluster.endpoints, keys);
				await storeOf(lost);
			}
		} finally {
			await cluster.dispose();
		}
	},
	10 * MINUTE,
);

test(
	"one other member that runs, and has no quorum, is enough to come back from, and then the two are one",
	async () => {
		const cluster = await ProcessCluster.start({ tuning: CUT_ALL_THE_TIME });
		try {
			const keys = await writeMuch(cluster.endpoints[0] as string, "all");
			await cluster.caughtUp();
			const place = await placeOf(cluster, "leader");
			const [lost, away, left] = [0, 1, 2].map((n) => cluster.member((place + n) % 3)) as [ClusterMember, ClusterMember, ClusterMember];
			await away.process.kill("SIGKILL");
			await lost.process.kill("SIGKILL");
			await rm(await storeOf(lost), { recursive: true });
			await lost.process.start();
			const two = [left, lost].map(({ clientUrl }) => clientUrl.slice("http://".length));
			keys.push(...(await writeMuch(two[0] as string, "two", 200)));
			await holdAll(two, keys);
			await away.process.start();
			await holdAll(cluster.endpoints, keys);
		} finally {
			await cluster.dispose();
		}
	},
	10 * MINUTE,
);

/** Its log begins with the state that it was sent, so it never reaches back to the beginning. */
test(
	"a member that joined waits while nobody is there, says so, serves nobody and can be stopped; when somebody comes it goes on by itself",
	async () => {
		const cluster = await ProcessCluster.start();
		const lost = await cluster.newcomer("m4");
		try {
			const client = new KvClient(cluster.endpoints[0] as string);
			await eventually("the addition", () => addMember(client, { peerUrl: lost.peerUrl })).finally(() => client.close());
			await lost.process.start();
			const keys = await writeMuch(cluster.endpoints[0] as string, "all", 200);
			await Promise.all([...cluster.members, lost].map(({ process }) => process.kill("SIGKILL")));
			await rm(await storeOf(lost), { recursive: true });
			const doctor = await runTool(FLOTILLA_PROGRAM, ["doctor", "--scratch", cluster.folder, "--data-dir", lost.dataDir], {
				timeoutMs: PATIENCE_MS,
			});
			expect([doctor.status, doctor.stdout]).toEqual([1, expect.stringContaining("start the member while another one runs")]);

			const waits = lost.process.waitForLine((line) => line.includes(AWAITS), PATIENCE_MS);
			lost.process.spawn();
			expect(await waits).toMatch(/"lacks":"the folder does not exist[^"]*".*member [0-9a-f]+ at http[^"]*ECONNREFUSED; member/);
			await expect(fetch(`${lost.clientUrl}/health`)).rejects.toThrow();
			expect(await lost.process.kill("SIGTERM")).toBe("SIGTERM");

			const again = lost.process.waitForLine((line) => line.includes(AWAITS), PATIENCE_MS);
			const ready = lost.process.start();
			await again;
			await Promise.all([ready, ...cluster.members.map(({ process }) => process.start())]);
			await holdAll([...cluster.endpoints, lost.clientUrl.slice("http://".length)], keys);
		} finally {
			await lost.process.dispose();
			await cluster.dispose();
		}
	},
	10 * MINUTE,
);

/** Its first configuration names nobody else, and of its log nothing is left that does. */
test(
	"a member that began alone asks those that came later",
	async () => {
		const cluster = await ProcessCluster.start({ size: 1, tuning: CUT_ALL_THE_TIME });
		const other = await cluster.newcomer("m2");
		try {
			const lost = cluster.member(0);
			const client = new KvClient(cluster.endpoints[0] as string);
			await eventually("the addition", () => addMember(client, { peerUrl: other.peerUrl })).finally(() => client.close());
			await other.process.start();
			const keys = await writeMuch(cluster.endpoints[0] as string, "all");
			await eventually("a cut of the log", async () => {
				const names = await readdir(join(lost.dataDir, "member", "wal"));
				expect(names.filter((name) => name.endsWith(".wal")).sort()[0], names.join()).not.toMatch(/^0+1?-|^0+[01]?\.wal$/);
			});
			await lost.process.kill("SIGKILL");
			await rm(await storeOf(lost), { recursive: true });
			const received = lost.process.waitForLine((line) => line.includes(RECEIVED), PATIENCE_MS);
			await Promise.all([lost.process.start(), received]);
			await holdAll([...cluster.endpoints, other.clientUrl.slice("http://".length)], keys);
		} finally {
			await other.process.dispose();
			await cluster.dispose();
		}
	},
	10 * MINUTE,
);

/** Names and contents of the log's files and of the file that says whose they are; what stands in a spare one is nobody's. */
async function promised({ dataDir }: ClusterMember): Promise<string> {
	const folder = join(dataDir, "member");
	const files = (await readdir(join(folder, "wal"))).filter((name) => name.endsWith(".wal")).sort();
	expect(files.length).toBeGreaterThan(0);
	const hash = createHash("sha256");
	for (const name of ["identity", ...files.map((file) => join("wal", file))]) hash.update(name).update(await readFile(join(folder, name)));
	return hash.digest("hex");
}

test(
	"a member alone refuses as often as it is started, promises nothing new, and comes back by a copy",
	async () => {
		const cluster = await ProcessCluster.start({ size: 1, tuning: CUT_ALL_THE_TIME });
		try {
			const lost = cluster.member(0);
			const keys = await writeMuch(cluster.endpoints[0] as string, "alone");
			await lost.process.kill("SIGKILL");
			const store = await storeOf(lost);
			const copy = join(cluster.folder, "copy");
			await rename(store, copy);
			const before = await promised(lost);
			for (let attempt = 0; attempt < 2; attempt++) {
				lost.process.spawn();
				expect(await lost.process.exited()).not.toBe(0);
				expect(lost.process.tail).toMatch(REFUSED);
				expect(await promised(lost)).toBe(before);
			}
			const doctor = await runTool(FLOTILLA_PROGRAM, ["doctor", "--scratch", cluster.folder, "--data-dir", lost.dataDir], {
				timeoutMs: PATIENCE_MS,
			});
			expect([doctor.status, doctor.stdout]).toEqual([1, expect.stringMatching(REFUSED)]);
			await rm(store, { recursive: true, force: true });
			await cp(copy, store, { recursive: true });
			await lost.process.start();
			await holdAll(cluster.endpoints, keys);
		} finally {
			await cluster.dispose();
		}
	},
	10 * MINUTE,
);
