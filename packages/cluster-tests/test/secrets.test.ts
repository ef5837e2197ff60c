/**
 * Canaries: secrets of every kind, used on every way in, and then looked for in all that a member says or keeps. Passwords over gRPC
 * and in the log are in auth-tokens.test.ts; here are signed tokens, keys of certificates, the gateway, the event tap and the tools.
 */
import { createHmac, generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { etcdserverpb as pb } from "@flotilla/api";
import { freePorts, readTap, TAP_SOCKET } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { decodeMessage } from "../src/client/protocol.ts";
import { Certificates } from "../src/process/certificates.ts";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { haveProgram, runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const JWT_KEY = "canary-jwt-key-0123456789abcdef0123456789abcdef";
const PASSWORDS = {
	root: "canary-root",
	ann: "canary-ann",
	changed: "canary-changed",
	guess: "canary-guess",
	header: "canary-header",
	variable: "canary-variable",
};

interface Answer {
	readonly status: number;
	readonly body: string;
}

describe.skipIf(!haveProgram("openssl"))("a member with users, signed tokens and TLS (needs openssl)", () => {
	let folder: string;
	let dataDir: string;
	let member: MemberProcess;
	let secureUrl: string;
	let plain: KvClient;
	let stopTap: () => void;
	/** All that the member said to anybody. */
	const said: string[] = [];
	/** By name: what must be nowhere. */
	const secrets = new Map<string, string>(Object.entries(PASSWORDS));

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-secrets-"));
		dataDir = join(folder, "data");
		const made = new Certificates(folder);
		await made.authority("ca");
		await made.issue("server", "ca");
		await writeFile(join(folder, "jwt.key"), JWT_KEY);
		secrets.set("the key of tokens", JWT_KEY);
		secrets.set("the key of tokens, encoded", Buffer.from(JWT_KEY).toString("base64url"));
		secrets.set("the key of the certificate", middleOf(await readFile(join(folder, "server.key"), "utf8")));
		const [secure = 0, open = 0, peer = 0] = await freePorts(3);
		secureUrl = `https://127.0.0.1:${secure}`;
		const urls = `${secureUrl},http://127.0.0.1:${open}`;
		member = new MemberProcess({
			name: "secretive",
			program: FLOTILLA_PROGRAM,
			environment: { FLOTILLA_STOP_WITH_STDIN: "1", ETCD_ROOT_PASSWORD: PASSWORDS.variable },
			logFile: join(folder, "member.log"),
			readyText: "ready to serve client requests",
			args: [
				...["--name", "m", "--data-dir", dataDir, "--initial-cluster", `m=http://127.0.0.1:${peer}`],
				...["--listen-client-urls", urls, "--advertise-client-urls", urls],
				...["--listen-peer-urls", `http://127.0.0.1:${peer}`, "--initial-advertise-peer-urls", `http://127.0.0.1:${peer}`],
				...["--cert-file", made.path("server.pem"), "--key-file", made.path("server.key")],
				...["--auth-token", `jwt,sign-method=HS256,priv-key=${join(folder, "jwt.key")},ttl=1h`, "--bcrypt-cost", "4"],
				// Everything that can be told is told.
				...["--log-level", "debug", "--warning-unary-request-duration", "1ns", "--warning-apply-duration", "1ns", "--metrics", "extensive"],
			],
		});
		await member.start();
		const tap = { event: (event: object) => void said.push(JSON.stringify(event)), closed: () => {} };
		stopTap = readTap(join(dataDir, TAP_SOCKET), { names: null, recent: 10_000 }, tap);
		plain = new KvClient(`127.0.0.1:${open}`);
	});
	afterAll(async () => {
		stopTap?.();
		plain?.close();
		await member?.dispose();
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	});

	/** By the gateway, over TLS. */
	function gateway(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const call = request(`${secureUrl}${path}`, { method: "POST", rejectUnauthorized: false, headers }, (response) => {
				let text = "";
				response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
				response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
			});
			call.once("error", reject);
			call.end(body);
		});
	}

	/** What the gateway answered counts as said, but for tokens that were asked for. */
	async function ask(path: string, body: object | string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
		const answer = await gateway(path, typeof body === "string" ? body : JSON.stringify(body), headers);
		said.push(answer.body);
		return answer;
	}

	async function logIn(name: string, password: string): Promise<string> {
		const { status, body } = await gateway("/v3/auth/authenticate", JSON.stringify({ name, password }));
		expect(status, body).toBe(200);
		const { token } = JSON.parse(body) as { token: string };
		const [, claims = "", signature = ""] = token.split(".");
		expect(
			createHmac("sha256", JWT_KEY)
				.update(token.slice(0, token.lastIndexOf(".")))
				.digest("base64url"),
		).toBe(signature);
		secrets.set(`the claims of token ${secrets.size} of ${name}`, claims);
		secrets.set(`the signature of token ${secrets.size} of ${name}`, signature);
		return token;
	}

	test("users are made and log in by the gateway, and are refused with every kind of mistake", async () => {
		const { root, ann, changed, guess, header } = PASSWORDS;
		for (const [name, password] of [
			["root", root],
			["ann", ann],
		] as const) {
			expect((await ask("/v3/auth/user/add", { name, password })).status).toBe(200);
		}
		await ask("/v3/auth/user/grant", { user: "root", role: "root" });
		expect((await ask("/v3/auth/enable", {})).status).toBe(200);
		const authorization = await logIn("root", root);
		await logIn("ann", ann);
		expect((await ask("/v3/auth/user/changepw", { name: "ann", password: changed }, { authorization })).status).toBe(200);
		const anns = await logIn("ann", changed);
		for (const [path, body, headers] of [
			["/v3/auth/authenticate", { name: "ann", password: guess }, {}],
			["/v3/auth/authenticate", { name: "ann", password: guess, more: guess }, {}],
			["/v3/auth/authenticate", `{"name":"ann","password":"${guess}`, {}],
			["/v3/auth/authenticate", `["${guess}"]`, {}],
			["/v3/auth/user/add", { name: "ann", password: guess }, { authorization }],
			["/v3/auth/user/add", { name: "bob", password: `${guess}${"x".repeat(100)}` }, { authorization }],
			["/v3/auth/user/add", { name: "bob", password: guess }, { authorization: anns }],
			["/v3/auth/user/changepw", { name: "nobody", password: guess }, { authorization }],
			["/v3/kv/put", { key: "YQ==", value: "YQ==" }, { authorization: header }],
			["/v3/kv/put", { key: "YQ==", value: "YQ==" }, { authorization: `Bearer ${anns}x` }],
			["/v3/kv/put", { key: "YQ==", value: "YQ==" }, { authorization: anns }],
			["/v3/watch", { create_request: { key: "YQ==" } }, { authorization: header }],
			[`/v3/nothing/${"x".repeat(10)}`, { password: guess }, { authorization: header }],
		] as const) {
			await refusedBy(ask(path, body, { ...headers, "grpc-timeout": "2S" }));
		}
	});

	/** A watcher is refused in the first line of its stream. */
	async function refusedBy(answer: Promise<Answer>): Promise<void> {
		const { status, body } = await answer;
		expect([status >= 400 || body.includes('"canceled":true'), body]).toEqual([true, body]);
	}

	test("the same by gRPC, with tokens in its metadata", async () => {
		const token = await logIn("root", PASSWORDS.root);
		const call = (method: string, message: Uint8Array, metadata: Readonly<Record<string, string>>): Promise<unknown> =>
			plain.raw(`/etcdserverpb.${method}`, Buffer.from(message), { metadata }).then(
				(answer) => said.push(answer.toString("latin1")),
				(error: Error) => said.push(error.message),
			);
		const add = pb.AuthUserAddRequest.encode({ name: "carl", password: PASSWORDS.guess });
		const put = pb.PutRequest.encode({ key: Buffer.from("a"), value: Buffer.from("b") });
		for (const metadata of [{ token }, { token: PASSWORDS.header }, { authorization: `Bearer ${token}` }, { token: `${token}x` }]) {
			await call("Auth/UserAdd", add, metadata);
			await call("KV/Put", put, metadata);
			await call("Auth/UserGet", pb.AuthUserGetRequest.encode({ name: "ann" }), metadata);
			// Its answer is more than one message.
			const state = plain.stream("/etcdserverpb.Maintenance/Snapshot", { metadata });
			state.send(Buffer.alloc(0));
			state.halfClose();
			said.push((await state.end()).message);
			const pieces = state.messages.map((piece) => decodeMessage<{ blob: Buffer }>("etcdserverpb.SnapshotResponse", piece).blob);
			said.push(Buffer.concat(pieces).toString("latin1"));
		}
		expect(said.some((text) => text.startsWith("FLTLSNAP"))).toBe(true);
		await call("KV/Put", Buffer.concat([put, Buffer.from([0x0a, 0x7f])]), { token });
	});

	test("metrics, probes, dumps, saved states and the doctor", async () => {
		for (const path of ["/metrics", "/health?serializable=true", "/readyz?verbose", "/version", "/debug/vars"]) {
			const response = await fetch(`http://${plain.address}${path}`);
			said.push(await response.text());
		}
		const user = ["--user", `root:${PASSWORDS.root}`];
		const saved = join(folder, "saved");
		for (const args of [
			["snapshot", "save", "--endpoints", plain.address, ...user, saved],
			["snapshot", "save", "--endpoints", plain.address, "--user", `root:${PASSWORDS.guess}`, join(folder, "not-saved")],
			["snapshot", "status", saved],
			["doctor", "--endpoints", plain.address, ...user, "--json"],
			["doctor", "--endpoints", plain.address, "--user", `root:${PASSWORDS.guess}`],
			["log", "dump", dataDir],
			["log", "dump", "--words", "--entries", "--data-bytes", "100000", dataDir],
		]) {
			const { stdout, stderr } = await runTool(FLOTILLA_PROGRAM, args);
			said.push(stdout, stderr);
		}
		expect((await stat(saved)).size).toBeGreaterThan(0);
		said.push(await readFile(saved, "latin1"));
	});

	test("a key that is encrypted cannot be read, and the refusal holds nothing of it", async () => {
		const passphrase = "canary-passphrase";
		const { privateKey } = generateKeyPairSync("ec", {
			namedCurve: "prime256v1",
			publicKeyEncoding: { type: "spki", format: "pem" },
			privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase },
		});
		await writeFile(join(folder, "locked.key"), privateKey);
		secrets.set("an encrypted key", middleOf(privateKey));
		secrets.set("its passphrase", passphrase);
		const args = ["--name=x", `--data-dir=${join(folder, "never")}`, `--cert-file=${join(folder, "server.pem")}`];
		const { status, stdout, stderr } = await runTool(FLOTILLA_PROGRAM, [...args, `--key-file=${join(folder, "locked.key")}`]);
		expect(status).toBe(1);
		said.push(stdout, stderr);
	});

	test("nothing of it was said, and no file but the users' own holds more than a hash", async () => {
		await eventually("the tap to have told of the calls", async () => {
			if (!said.some((text) => text.includes('"requestSlow"'))) throw new Error("not yet");
		});
		await member.kill("SIGTERM");
		const log = await eventually("the last line", async () => {
			const text = await readFile(member.spec.logFile, "latin1");
			if (!text.includes("closed etcd server")) throw new Error("not yet");
			return text;
		});
		// There was something to leak into, and what was looked for would have been found.
		expect(log).toContain("/etcdserverpb.Auth/UserChangePassword");
		expect(log).toContain("ETCD_ROOT_PASSWORD");
		expect(secrets.size).toBe(Object.keys(PASSWORDS).length + 5 + 2 * 4);
		const files = await contentsOf(dataDir);
		expect(files.some(({ content }) => content.includes("$2b$04$"))).toBe(true);
		for (const [name, secret] of secrets) {
			expect(secret.length, name).toBeGreaterThan(8);
			expect([name, log.includes(secret)]).toEqual([name, false]);
			for (const text of said) if (text.includes(secret)) expect([name, text.slice(0, 500)]).toEqual("nothing secret");
			for (const { path, content } of files) expect([name, path, content.includes(secret)]).toEqual([name, path, false]);
		}
		for (const text of [log, ...said.filter((each) => !each.startsWith("FLTLSNAP"))]) expect(text.includes("$2b$")).toBe(false);
	});
});

/** Of a PEM file: what is in none of its kind but this one. */
function middleOf(pem: string): string {
	const [, second = ""] = pem.split("\n").filter((line) => !line.startsWith("-"));
	return second.slice(0, 40);
}

async function contentsOf(folder: string): Promise<ReadonlyArray<{ readonly path: string; readonly content: string }>> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
	return Promise.all(files.map(async (path) => ({ path, content: await readFile(path, "latin1") })));
}
