/** Tokens and users on real processes: JWTs that any member signs and any other reads, starts, a state sent whole, and what is never written down. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { etcdserverpb as pb } from "@flotilla/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient, RpcError } from "../src/client/kv-client.ts";
import { CUT_ALL_THE_TIME, FLOTILLA_PROGRAM, ProcessCluster } from "../src/process/cluster.ts";
import { eventually } from "../src/process/wait.ts";

const AUTH = "/etcdserverpb.Auth";
const EMPTY = Buffer.alloc(0);

async function auth(client: KvClient, name: string, request: Uint8Array = EMPTY, token = ""): Promise<Buffer> {
	return client.raw(`${AUTH}/${name}`, Buffer.from(request), token === "" ? {} : { metadata: { token } });
}

/** root, and ann, who may do everything with the keys from a to b (excluded). */
async function enable(client: KvClient, annsPassword = "ann's"): Promise<void> {
	for (const [name, password] of [
		["root", "root's"],
		["ann", annsPassword],
	] as const) {
		await auth(client, "UserAdd", pb.AuthUserAddRequest.encode({ name, password }));
	}
	await auth(client, "UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: "root", role: "root" }));
	await auth(client, "RoleAdd", pb.AuthRoleAddRequest.encode({ name: "as" }));
	const perm = { permType: 2, key: Buffer.from("a"), rangeEnd: Buffer.from("b") } as const;
	await auth(client, "RoleGrantPermission", pb.AuthRoleGrantPermissionRequest.encode({ name: "as", perm }));
	await auth(client, "UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: "ann", role: "as" }));
	await auth(client, "AuthEnable");
}

async function logIn(client: KvClient, name: string, password = `${name}'s`): Promise<string> {
	return pb.AuthenticateResponse.decode(await auth(client, "Authenticate", pb.AuthenticateRequest.encode({ name, password }))).token;
}

/** What a put with this token comes to. */
async function putting(client: KvClient, key: string, token: string): Promise<string> {
	return client.put(key, "v", { metadata: { token } }).then(
		() => "done",
		(error: unknown) => (error instanceof RpcError ? error.text : String(error)),
	);
}

const DENIED = "etcdserver: permission denied";
const INVALID = "etcdserver: invalid auth token";

describe("JWT tokens", () => {
	let folder: string;
	let cluster: ProcessCluster;
	let clients: KvClient[];

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-keys-"));
		const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
		await writeFile(join(folder, "private.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
		await writeFile(join(folder, "public.pem"), publicKey.export({ type: "spki", format: "pem" }));
		const flag = `jwt,sign-method=ES256,pub-key=${join(folder, "public.pem")},priv-key=${join(folder, "private.pem")},ttl=1h`;
		cluster = await ProcessCluster.start({ flags: ["--auth-token", flag, "--bcrypt-cost", "4"] });
		clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
		await enable(clients[0] as KvClient);
		await cluster.caughtUp();
	});
	afterAll(async () => {
		for (const client of clients ?? []) client.close();
		await cluster?.dispose();
		await rm(folder, { recursive: true, force: true });
	});

	test("are good on every member, also after it started again", async () => {
		const token = await logIn(clients[0] as KvClient, "ann");
		expect(token.split(".")).toHaveLength(3);
		for (const client of clients)
			expect([await putting(client, "a1", token), await putting(client, "b1", token)]).toEqual(["done", DENIED]);
		const member = cluster.member(1);
		await member.process.kill("SIGKILL");
		await member.process.start();
		await eventually("a put at the member that is back", async () => {
			const outcome = await putting(clients[1] as KvClient, "a1", token);
			if (outcome !== "done") throw new Error(outcome);
		});
		expect(await putting(clients[1] as KvClient, `a1`, `${token.slice(0, -4)}AAAA`)).toBe(INVALID);
	});

	test("are too old for keys after any change of users, even root's, and still good for administration", async () => {
		const [root, ann] = [await logIn(clients[1] as KvClient, "root"), await logIn(clients[2] as KvClient, "ann")];
		await auth(clients[2] as KvClient, "RoleAdd", pb.AuthRoleAddRequest.encode({ name: "other" }), root);
		await cluster.caughtUp();
		for (const token of [root, ann])
			expect(await putting(clients[0] as KvClient, "a1", token)).toBe("etcdserver: revision of auth store is old");
		await auth(clients[0] as KvClient, "RoleDelete", pb.AuthRoleDeleteRequest.encode({ role: "other" }), root);
		await cluster.caughtUp();
		expect(await putting(clients[0] as KvClient, "a1", await logIn(clients[1] as KvClient, "ann"))).toBe("done");
	});

	test("a start with keys that do not do is refused in etcd's words", async () => {
		for (const [flag, text] of [
			["jwt,sign-method=RS256", "auth: missing key data"],
			[`jwt,sign-method=RS256,pub-key=${join(folder, "nothing.pem")}`, "auth: invalid auth options"],
			["jwt,sign-method=none", "auth: invalid auth options"],
		] as const) {
			const member = await ProcessCluster.create({ size: 1, flags: ["--auth-token", flag] });
			try {
				member.member(0).process.spawn();
				expect([flag, await member.member(0).process.exited()]).toEqual([flag, 1]);
				expect(member.member(0).process.tail).toContain(text);
			} finally {
				await member.dispose();
			}
		}
	});
});

describe("users and a member that was away for longer than the log", () => {
	test("come with the state; tokens and rights are then those of the others", async () => {
		const cluster = await ProcessCluster.start({ tuning: CUT_ALL_THE_TIME });
		const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
		try {
			const away = cluster.member(2);
			await away.process.kill("SIGKILL");
			await eventually("a leader among two", () => (clients[0] as KvClient).put("first", "v", { timeoutMs: 3_000 }));
			await enable(clients[0] as KvClient);
			const metadata = { token: await logIn(clients[0] as KvClient, "ann") };
			for (let n = 0; n < 3_000; n += 100) {
				await Promise.all(Array.from({ length: 100 }, () => (clients[1] as KvClient).put("a-many", "y".repeat(400), { metadata })));
			}
			const received = away.process.waitForLine((line) => line.includes("received a snapshot"), 180_000);
			await away.process.start();
			await received;
			const there = clients[2] as KvClient;
			const ann = await eventually("a login at the member that is back", () => logIn(there, "ann"));
			await cluster.caughtUp();
			expect([await putting(there, "a1", ann), await putting(there, "b1", ann), await putting(there, "a1", "")]).toEqual([
				"done",
				DENIED,
				INVALID,
			]);
			for (const client of clients) expect(await putting(client, "a1", ann)).toBe("done");
			const root = await logIn(clients[1] as KvClient, "root");
			const hashes = await Promise.all(clients.map((client) => eventually("a hash", () => hashAt(client, root))));
			expect(new Set(hashes).size).toBe(1);
			// Once more from its own disk.
			await away.process.kill("SIGKILL");
			await away.process.start();
			const again = await eventually("another login", () => logIn(there, "ann"));
			expect([await putting(there, "a1", again), await putting(there, "b1", again)]).toEqual(["done", DENIED]);
		} finally {
			for (const client of clients) client.close();
			await cluster.dispose();
		}
	});
});

async function hashAt(client: KvClient, token: string): Promise<number> {
	const { header } = await client.range("a1", {}, { metadata: { token } });
	return (await client.hashKv(Number(header.revision), { metadata: { token } })).hash;
}

describe("what is secret", () => {
	test("is in no log, answer, metric or dump, and in no file but as a hash", async () => {
		const cluster = await ProcessCluster.start({
			flags: ["--log-level", "debug", "--warning-unary-request-duration", "1ns", "--bcrypt-cost", "4"],
		});
		const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
		const [client] = clients as [KvClient];
		const passwords = ["canary-one", "canary-two", "canary-guess", "canary-gateway", "canary-broken", "canary-none"];
		const said: string[] = [];
		try {
			await enable(client, "canary-one");
			const root = await logIn(client, "root");
			const ann = await logIn(client, "ann", "canary-one");
			await putting(client, "a1", ann);
			await client.put("a2", "canary-value", { metadata: { token: ann } });
			await auth(client, "UserChangePassword", pb.AuthUserChangePasswordRequest.encode({ name: "ann", password: "canary-two" }), root);
			await cluster.caughtUp();
			const later = await logIn(clients[1] as KvClient, "ann", "canary-two");
			const refused = async (work: Promise<unknown>): Promise<void> => {
				await work.then(
					() => Promise.reject(new Error("was not refused")),
					(error: Error) => said.push(error.message),
				);
			};
			await refused(logIn(client, "ann", "canary-guess"));
			await refused(logIn(client, "canary-none", "x"));
			await refused(auth(client, "UserAdd", pb.AuthUserAddRequest.encode({ name: "ann", password: "canary-guess" }), root));
			await refused(auth(client, "UserAdd", pb.AuthUserAddRequest.encode({ name: "x", password: `canary-guess${"x".repeat(80)}` }), root));
			// Bytes that are no request, with a password in them.
			const broken = Buffer.concat([pb.AuthenticateRequest.encode({ name: "ann", password: "canary-broken" }), Buffer.from([0x0a, 0x7f])]);
			await refused(auth(client, "Authenticate", broken));
			for (const body of [
				'{"name":"ann","password":"canary-gateway"}',
				'{"name":"ann","password":"canary-gateway"',
				'{"name":5,"password":"canary-gateway"}',
				'{"password":"canary-gateway","unknown":"canary-gateway"}',
				'"canary-gateway"',
			]) {
				const response = await fetch(`${cluster.member(0).clientUrl}/v3/auth/authenticate`, { method: "POST", body });
				said.push(await response.text());
			}
			await refused(client.put("a1", "v", { metadata: { token: `${later}canary` } }));
			said.push(await (await fetch(`${cluster.member(0).clientUrl}/metrics`)).text());
			for (const { process } of cluster.members) await process.kill("SIGTERM");
			for (const { dataDir } of cluster.members) {
				said.push(execFileSync(FLOTILLA_PROGRAM, ["log", "dump", dataDir], { encoding: "utf8", maxBuffer: 64 << 20 }));
			}
			const tokens = [root, ann, later].map((token) => token.split(".")[0] as string);
			const secrets = [...passwords.filter((password) => password !== "canary-none"), "root's", ...tokens];
			const logs = await Promise.all(cluster.members.map(({ process }) => readFile(process.spec.logFile, "latin1")));
			// The requests did leave lines: there was something to leak into.
			expect(logs.join("").split("/etcdserverpb.Auth/Authenticate").length).toBeGreaterThan(3);
			for (const secret of secrets) {
				for (const [where, text] of [
					...logs.map((log) => ["a log", log] as const),
					...said.map((text) => ["what was said", text] as const),
				]) {
					if (text.includes(secret)) expect([where, secret, text.slice(0, 500)]).toEqual("nothing secret");
				}
			}
			for (const log of logs) expect(log.includes("canary-value")).toBe(false);
			expect(logs.join("").includes("$2b$")).toBe(false);
			expect(said.join("").includes("$2b$")).toBe(false);
			const files = await Promise.all(cluster.members.map(({ dataDir }) => contentsOf(dataDir)));
			// The data is there, so what was looked for would have been found.
			expect(files.every((content) => content.includes("canary-value") && content.includes("$2b$04$"))).toBe(true);
			for (const secret of secrets) for (const content of files) expect([secret, content.includes(secret)]).toEqual([secret, false]);
		} finally {
			for (const each of clients) each.close();
			await cluster.dispose();
		}
	});
});

async function contentsOf(folder: string): Promise<string> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	const files = entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), "latin1"));
	return (await Promise.all(files)).join("\n");
}
