/** A cluster of real processes whose clients and peers speak TLS, seen by etcdctl, curl and client libraries. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ClientOptions } from "ws";
import { NAMED } from "../src/client/channel.ts";
import { GatewaySocket } from "../src/client/gateway-socket.ts";
import { Certificates } from "../src/process/certificates.ts";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { ask } from "../src/process/request.ts";
import { RunningTool } from "../src/process/running-tool.ts";
import { haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const PYTHON = "/usr/bin/python3";
const havePython = spawnSync(PYTHON, ["-c", "import etcd3"]).status === 0;

/** Puts, reads, and prints what was read. */
function python(url: string, files: string): Promise<ToolResult> {
	const { hostname, port } = new URL(url);
	const script = `import etcd3
client = etcd3.client(host="${hostname}", port=${port}, ${files})
client.put("python", "v")
print(client.get("python")[0].decode())`;
	return runTool(PYTHON, ["-c", script]);
}

const tools = ["openssl", "etcdctl", "curl"].filter((name) => !haveProgram(name));

describe.skipIf(tools.length > 0)(`TLS${tools.length > 0 ? ` (without ${tools.join(", ")})` : ""}`, () => {
	let folder: string;
	let made: Certificates;
	let members: MemberProcess[] = [];
	let endpoints: string[] = [];

	const path = (name: string): string => join(folder, name);

	const etcdctl = (shown: string, ...args: string[]): Promise<ToolResult> => {
		const own = shown === "" ? [] : ["--cert", path(`${shown}.pem`), "--key", path(`${shown}.key`)];
		const common = ["--endpoints", endpoints.join(","), "--cacert", path("ca.pem"), "--dial-timeout=60s", "--command-timeout=60s"];
		return runTool("etcdctl", [...common, ...own, ...args], { environment: { ETCDCTL_API: "3" } });
	};
	/** One whose connections are refused tries again and again: it is not to try for long. */
	const refusedEtcdctl = (shown: string, ...args: string[]): Promise<ToolResult> =>
		etcdctl(shown, "--dial-timeout=1s", "--command-timeout=3s", ...args);
	const curl = (...args: string[]): Promise<ToolResult> => {
		const own = ["--cacert", path("ca.pem"), "--cert", path("client.pem"), "--key", path("client.key")];
		return runTool("curl", ["-sS", "-w", " %{http_version}", ...own, ...args]);
	};

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-tls-cluster-"));
		made = new Certificates(folder);
		for (const name of ["ca", "peer-ca", "stranger-ca"]) await made.authority(name);
		for (const name of ["server", "client", "reader", "revoked", "later"]) await made.issue(name, "ca");
		await made.issue("expired", "ca", { days: -1 });
		await made.issue("stranger", "stranger-ca");
		for (const name of ["p1", "p2", "p3"]) await made.issue(name, "peer-ca");
		await made.revoke("ca", "revoked");
		const ports = await freePorts(6);
		const url = (at: number): string => `https://127.0.0.1:${ports[at]}`;
		endpoints = [0, 1, 2].map(url);
		const initial = [0, 1, 2].map((at) => `p${at + 1}=${url(3 + at)}`).join(",");
		members = [0, 1, 2].map((at) => {
			const name = `p${at + 1}`;
			const clients = [
				"--cert-file",
				path("server.pem"),
				"--key-file",
				path("server.key"),
				"--trusted-ca-file",
				path("ca.pem"),
				"--client-cert-auth",
				"--client-crl-file",
				path("ca.crl"),
			];
			const peers = [
				"--peer-cert-file",
				path(`${name}.pem`),
				"--peer-key-file",
				path(`${name}.key`),
				"--peer-trusted-ca-file",
				path("peer-ca.pem"),
			];
			return new MemberProcess({
				name,
				program: FLOTILLA_PROGRAM,
				environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
				logFile: path(`${name}.log`),
				readyText: "serving client traffic securely",
				args: [
					...["--name", name, "--data-dir", path(name), "--initial-cluster", initial],
					...["--listen-client-urls", url(at), "--advertise-client-urls", url(at)],
					...["--listen-peer-urls", url(3 + at), "--initial-advertise-peer-urls", url(3 + at)],
					...clients,
					...peers,
					// The second one is served by the library.
					...(at === 1 && process.env.ETCD_GRPC_SERVER === undefined ? ["--grpc-server", "grpc-js"] : []),
					"--peer-client-cert-auth",
				],
			});
		});
		await Promise.all(members.map((member) => member.start()));
	});

	afterAll(async () => {
		await Promise.all(members.map((member) => member.dispose()));
		await rm(folder, { recursive: true, force: true });
	});

	test("etcdctl writes and reads with its certificate", async () => {
		expect(await etcdctl("client", "put", "greeting", "secret")).toMatchObject({ stdout: "OK\n", status: 0 });
		expect(await etcdctl("client", "get", "greeting")).toMatchObject({ stdout: "greeting\nsecret\n", status: 0 });
		expect((await etcdctl("client", "endpoint", "health")).status).toBe(0);
		expect((await etcdctl("client", "member", "list")).stdout).toContain(endpoints[0]);
	});

	test.each(["", "stranger", "expired", "revoked"])(
		"etcdctl gets nowhere with %j, each try costs one line, and nobody else notices",
		async (shown) => {
			const watched = members[0] as MemberProcess;
			const lines: string[] = [];
			void watched
				.waitForLine((line) => {
					if (line.includes("rejected connection")) lines.push(line);
					return false;
				}, 180_000)
				.catch(() => {});
			const result = await refusedEtcdctl(shown, "--endpoints", endpoints[0] as string, "get", "greeting");
			expect(result.status).not.toBe(0);
			expect(result.stdout).toBe("");
			await eventually("a line", async () => expect(lines.length).toBeGreaterThan(0));
			const addresses = lines.map((line) => (JSON.parse(line) as { address: string }).address);
			expect(new Set(addresses).size).toBe(addresses.length);
			if (shown === "revoked") expect(lines[0]).toContain("was revoked");
			expect(await etcdctl("client", "get", "greeting")).toMatchObject({ stdout: "greeting\nsecret\n", status: 0 });
		},
	);

	test("flotilla doctor and snapshot save say what keeps them out, and which flag mends it", async () => {
		const own = (name: string): string[] => ["--cert", path(`${name}.pem`), "--key", path(`${name}.key`)];
		const demand = "it demands a certificate of its clients (--client-cert-auth)";
		const wrongAuthority = `its certificate is not of the authority in ${path("peer-ca.pem")}: name the right one by --cacert FILE`;
		const plain = `it speaks TLS, and was asked without: name its authority by --cacert FILE; ${demand}, too: --cert FILE --key FILE`;
		const calls = endpoints.slice(0, 2).flatMap((endpoint): [flags: string[], asked: string, reason: string][] => {
			const bare = endpoint.replace("https://", "");
			return [
				[["--cacert", path("ca.pem")], endpoint, `${demand}, and none was named: --cert FILE --key FILE`],
				[[], bare, plain],
				[["--cacert", path("ca.pem"), ...own("stranger")], bare, `it does not take the certificate ${path("stranger.pem")}`],
				[["--cacert", path("peer-ca.pem"), ...own("client")], bare, wrongAuthority],
			];
		});
		const asking = calls.map(async ([flags, asked, reason]) => {
			// A machine may hold up a handshake for longer than the doctor waits for it.
			await eventually(reason, async () => {
				const found = await runTool(FLOTILLA_PROGRAM, ["doctor", "--endpoints", asked, ...flags]);
				expect([found.status, found.stdout]).toEqual([1, expect.stringContaining(`PROBLEM  ${asked} could not be asked: ${reason}`)]);
				expect(found.stdout).toContain("1. Ask again with what is named above");
				expect(found.stdout).not.toMatch(/routines|Start the member/);
			});
		});
		const [asked = ""] = endpoints;
		const saved = runTool(FLOTILLA_PROGRAM, ["snapshot", "save", "--endpoints", asked, "--cacert", path("ca.pem"), path("saved.snap")]);
		const nobody = runTool(FLOTILLA_PROGRAM, ["doctor", "--endpoints", asked, "--cacert", path("none.pem")]);
		await Promise.all(asking);
		expect(await saved).toMatchObject({
			status: 1,
			stderr: `Error: ${asked} could not be asked: ${demand}, and none was named: --cert FILE --key FILE\n`,
		});
		expect(await nobody).toMatchObject({ status: 1, stderr: expect.stringContaining(`--cacert ${path("none.pem")} cannot be read`) });
	});

	test("what is revoked, renewed and trusted later holds without a restart", async () => {
		expect((await etcdctl("later", "get", "greeting")).status).toBe(0);
		await made.revoke("ca", "later");
		const before = await shownBy(endpoints[0] as string);
		await made.issue("server", "ca");
		await made.issue("stranger", "stranger-ca");
		await appendFile(path("ca.pem"), await readFile(path("stranger-ca.pem")));
		await eventually("the new list", async () => expect((await refusedEtcdctl("later", "get", "greeting")).status).not.toBe(0));
		await eventually("the new certificate", async () => expect(await shownBy(endpoints[0] as string)).not.toBe(before));
		await eventually("the new authority", async () => expect((await refusedEtcdctl("stranger", "get", "greeting")).status).toBe(0));
		expect(await etcdctl("client", "get", "greeting")).toMatchObject({ stdout: "greeting\nsecret\n", status: 0 });
	});

	test("npm etcd3 and Python's etcd3 with certificates", async () => {
		const credentials = {
			rootCertificate: await readFile(path("ca.pem")),
			privateKey: await readFile(path("client.key")),
			certChain: await readFile(path("client.pem")),
		};
		const client = new Etcd3({ hosts: endpoints, credentials, grpcOptions: NAMED });
		await client.put("npm").value("over TLS");
		expect(await client.get("npm").string()).toBe("over TLS");
		client.close();
		if (!havePython) return;
		const files = `ca_cert="${path("ca.pem")}", cert_cert="${path("client.pem")}", cert_key="${path("client.key")}"`;
		expect(await python(endpoints[2] as string, files)).toEqual({ status: 0, stdout: "v\n", stderr: "" });
	});

	test("the common name of a certificate is the user, by our own front and by the library", async () => {
		const good = async (...args: string[]): Promise<void> => expect(await etcdctl("client", ...args)).toMatchObject({ status: 0 });
		await good("user", "add", "client", "--no-password");
		await good("user", "add", "root", "--no-password");
		await good("user", "add", "reader", "--no-password");
		await good("role", "add", "reads");
		await good("role", "grant-permission", "reads", "read", "greeting");
		await good("user", "grant-role", "reader", "reads");
		for (const user of ["root", "client"]) await good("user", "grant-role", user, "root");
		await good("auth", "enable");
		const doctor = (shown: string): Promise<ToolResult> => {
			const files = ["--cacert", path("ca.pem"), "--cert", path(`${shown}.pem`), "--key", path(`${shown}.key`)];
			return runTool(FLOTILLA_PROGRAM, ["doctor", "--endpoints", endpoints.join(","), ...files]);
		};
		await eventually("whoever may not compare the keys is told so, and not that all is well", async () => {
			const { status, stdout } = await doctor("reader");
			expect(stdout).toMatch(/UNSEEN {3}Whether the members hold the same keys was not looked at: .* \(etcdserver: permission denied\)/);
			expect(stdout).toMatch(/role root.*\nNothing that was looked at is wrong, but not everything could be looked at\.\n$/);
			expect(status).toBe(3);
		});
		await eventually("root is told that all is well", async () => {
			expect(await doctor("client")).toMatchObject({
				status: 0,
				stdout: expect.stringMatching(/hold the same keys[\s\S]*Nothing is wrong\.\n$/),
			});
		});
		for (const endpoint of endpoints) {
			const at = (shown: string, ...args: string[]): Promise<ToolResult> => etcdctl(shown, "--endpoints", endpoint, ...args);
			await eventually("known there", async () =>
				expect(await at("reader", "get", "greeting")).toMatchObject({ stdout: "greeting\nsecret\n", status: 0 }),
			);
			for (const args of [
				["put", "greeting", "x"],
				["get", "npm"],
				["user", "list"],
			]) {
				expect([args, (await at("reader", ...args)).stderr]).toEqual([args, expect.stringContaining("permission denied")]);
			}
			// Nobody is called that.
			expect((await at("stranger", "get", "greeting")).stderr).toContain("permission denied");
			expect(await at("client", "put", "by", "root")).toMatchObject({ status: 0 });
		}
		for (const flag of ["--http1.1", ...(process.env.ETCD_GRPC_SERVER === "grpc-js" ? [] : ["--http2"])]) {
			const refused = await curl(flag, `${endpoints[0]}/v3/kv/range`, "-d", "{}");
			expect(refused.stdout).toMatch(
				/^CommonName of client sending a request against gateway will be ignored and not used as expected\n? [\d.]+$/,
			);
			expect((await curl(flag, `${endpoints[0]}/health`)).stdout).toContain('"health":"true"');
		}
		await good("auth", "disable");
	});

	test("curl over HTTP/1.1 and HTTP/2: health, version and the gateway", async () => {
		const [url] = endpoints;
		for (const [flag, version] of [
			["--http1.1", "1.1"],
			["--http2", "2"],
		] as const) {
			// The library answers nothing but gRPC over HTTP/2.
			if (version === "2" && process.env.ETCD_GRPC_SERVER === "grpc-js") continue;
			expect((await curl(flag, `${url}/health`)).stdout).toBe(`{"health":"true","reason":""} ${version}`);
			expect((await curl(flag, `${url}/version`)).stdout).toContain('"etcdserver"');
			const key = Buffer.from("greeting").toString("base64");
			expect((await curl(flag, `${url}/v3/kv/range`, "-d", `{"key":"${key}"}`)).stdout).toContain(Buffer.from("secret").toString("base64"));
		}
		const none = await runTool("curl", ["-sS", "--cacert", path("ca.pem"), `${url}/health`]);
		expect(none.status).not.toBe(0);
		expect(none.stdout).toBe("");
	});

	/** Sends one request to a path of the gateway; resolves with so many lines or messages of the answer, 0: with all of them. */
	type Way = (url: string, method: string, request: object, count: number) => Promise<string[]>;
	const WAYS: Readonly<Record<string, Way>> = {
		"HTTP/1.1": async (url, method, request, count) => {
			const { text } = await ask(`${url}${method}`, { body: JSON.stringify(request), tls: made.files("client", "ca"), lines: count });
			return text.trimEnd().split("\n");
		},
		"HTTP/2": async (url, method, request, count) => {
			const own = ["--cacert", path("ca.pem"), "--cert", path("client.pem"), "--key", path("client.key")];
			const tool = new RunningTool("curl", ["-sSN", "--http2", ...own, `${url}${method}`, "-d", JSON.stringify(request)]);
			const lines = await eventually("the answer", async () => {
				const found = tool.stdout.split("\n").slice(0, -1);
				expect(count === 0 ? tool.status : found.length, tool.stderr).toBe(count);
				return found;
			});
			await tool.end();
			return lines;
		},
		WebSocket: async (url, method, request, count) => {
			const [ca, cert, key] = await Promise.all(["ca.pem", "client.pem", "client.key"].map((name) => readFile(path(name))));
			const socket = new GatewaySocket(url, method, [], { ca, cert, key } as ClientOptions);
			await socket.say(request);
			const messages: string[] = [];
			for (let message = await socket.hear(); message !== null; message = messages.length === count ? null : await socket.hear())
				messages.push(message);
			socket.end();
			return messages;
		},
	};

	test.each(Object.keys(WAYS))("streams of the gateway over TLS by %s: a watch, renewals, an election, a save", async (name) => {
		const way = WAYS[name] as Way;
		for (const [at, url] of endpoints.slice(0, 2).entries()) {
			// The library answers nothing but gRPC over HTTP/2.
			if (name === "HTTP/2" && (at === 1 || process.env.ETCD_GRPC_SERVER === "grpc-js")) continue;
			const one = async (path: string, request: object): Promise<{ header: { revision: string } }> =>
				JSON.parse((await WAYS["HTTP/1.1"]?.(url, path, request, 0))?.join("") ?? "");
			const results = async <T>(path: string, request: object, count: number): Promise<T[]> =>
				(await way(url, path, request, count)).map((line) => (JSON.parse(line) as { result: T }).result);
			const ID = String(700 + 10 * Object.keys(WAYS).indexOf(name) + at);
			const seat = base64(`seat ${ID}`);
			const [key, value] = [base64(`streams ${ID}`), base64("over TLS")];
			await one("/v3/lease/grant", { ID, TTL: "600" });
			await one("/v3/election/campaign", { name: seat, lease: ID, value: base64("chosen") });
			const { header } = await one("/v3/kv/put", { key, value });

			const watch = { create_request: { key, start_revision: header.revision } };
			expect(await results("/v3/watch", watch, 2)).toMatchObject([{ created: true }, { events: [{ kv: { key, value } }] }]);
			expect(await results("/v3/lease/keepalive", { ID }, 1)).toMatchObject([{ ID, TTL: "600" }]);
			expect(await results("/v3/election/observe", { name: seat }, 1)).toMatchObject([{ kv: { value: base64("chosen"), lease: ID } }]);
			const pieces = await results<{ blob: string }>("/v3/maintenance/snapshot", {}, 0);
			const saved = Buffer.concat(pieces.map(({ blob }) => Buffer.from(blob, "base64")));
			expect(createHash("sha256").update(saved.subarray(0, -32)).digest()).toEqual(saved.subarray(-32));
		}
	});

	const shownBy = async (url: string): Promise<string> => {
		const { stdout } = await runTool("openssl", [
			"s_client",
			"-connect",
			url.slice("https://".length),
			"-cert",
			path("client.pem"),
			"-key",
			path("client.key"),
		]);
		return /-----BEGIN CERTIFICATE-----[^-]+/.exec(stdout)?.[0] ?? "";
	};

	test("a member that comes back meets the others over TLS", async () => {
		await members[2]?.kill("SIGKILL");
		expect((await etcdctl("client", "put", "greeting", "again")).stdout).toBe("OK\n");
		await members[2]?.start();
		expect(await etcdctl("client", "--endpoints", endpoints[2] as string, "get", "greeting")).toMatchObject({
			stdout: "greeting\nagain\n",
		});
	});
});

describe.skipIf(!haveProgram("etcdctl"))("--auto-tls and --peer-auto-tls", () => {
	let folder: string;
	let members: MemberProcess[] = [];
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-auto-tls-"));
	});
	afterAll(async () => {
		await Promise.all(members.map((member) => member.dispose()));
		await rm(folder, { recursive: true, force: true });
	});

	test("three members make certificates, meet, serve libraries that trust them, keep them, and let nobody else read a file", async () => {
		const ports = await freePorts(6);
		const url = (at: number): string => `https://127.0.0.1:${ports[at]}`;
		const initial = [0, 1, 2].map((at) => `a${at}=${url(3 + at)}`).join(",");
		members = [0, 1, 2].map(
			(at) =>
				new MemberProcess({
					name: `a${at}`,
					program: FLOTILLA_PROGRAM,
					environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
					logFile: join(folder, `a${at}.log`),
					readyText: "serving client traffic securely",
					args: [
						...["--name", `a${at}`, "--data-dir", join(folder, `a${at}`), "--initial-cluster", initial, "--auto-tls", "--peer-auto-tls"],
						...["--listen-client-urls", url(at), "--advertise-client-urls", url(at)],
						...["--listen-peer-urls", url(3 + at), "--initial-advertise-peer-urls", url(3 + at)],
					],
				}),
		);
		await Promise.all(members.map((member) => member.start()));
		const certificate = (at: number): string => join(folder, `a${at}`, "fixtures", "client", "cert.pem");
		const client = new Etcd3({ hosts: url(0), credentials: { rootCertificate: await readFile(certificate(0)) } });
		await client.put("a").value("b");
		client.close();
		const get = ["--endpoints", url(1), "--cacert", certificate(1), "--command-timeout=60s", "get", "a", "--print-value-only"];
		expect(await runTool("etcdctl", get, { environment: { ETCDCTL_API: "3" } })).toMatchObject({ stdout: "b\n", status: 0 });
		const distrusting = await runTool("etcdctl", ["--endpoints", url(1), "--cacert", certificate(0), "get", "a"], {
			environment: { ETCDCTL_API: "3" },
		});
		expect(distrusting.status).not.toBe(0);
		if (havePython) expect(await python(url(2), `ca_cert="${certificate(2)}"`)).toEqual({ status: 0, stdout: "v\n", stderr: "" });
		const before = await readFile(certificate(1), "utf8");
		await members[1]?.kill("SIGTERM");
		await members[1]?.start();
		expect(await readFile(certificate(1), "utf8")).toBe(before);
		for (const at of [0, 1, 2]) {
			const names = await readdir(join(folder, `a${at}`), { recursive: true });
			expect(names.length).toBeGreaterThan(10);
			for (const name of names) {
				const found = await stat(join(folder, `a${at}`, name)).catch(() => null);
				// A file of the log or the store may be gone by now.
				if (found !== null) expect([name, (found.mode & 0o777).toString(8)]).toEqual([name, found.isDirectory() ? "700" : "600"]);
			}
		}
	});

	test("a certificate for another name is refused by whoever dials", async () => {
		if (!haveProgram("openssl")) return;
		const made = new Certificates(folder);
		await made.authority("ca");
		await made.issue("elsewhere", "ca", { names: "DNS:elsewhere.example" });
		const [port, peerPort] = await freePorts(2);
		const member = new MemberProcess({
			name: "elsewhere",
			program: FLOTILLA_PROGRAM,
			environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
			logFile: join(folder, "elsewhere.log"),
			readyText: "serving client traffic securely",
			args: [
				...["--data-dir", join(folder, "elsewhere"), "--cert-file", made.path("elsewhere.pem"), "--key-file", made.path("elsewhere.key")],
				...["--listen-client-urls", `https://127.0.0.1:${port}`, "--advertise-client-urls", `https://127.0.0.1:${port}`],
				...["--listen-peer-urls", `http://127.0.0.1:${peerPort}`, "--initial-advertise-peer-urls", `http://127.0.0.1:${peerPort}`],
			],
		});
		members.push(member);
		await member.start();
		const get = ["--endpoints", `https://127.0.0.1:${port}`, "--cacert", made.path("ca.pem"), "--dial-timeout=1s", "get", "a"];
		const refused = await runTool("etcdctl", get, { environment: { ETCDCTL_API: "3" } });
		expect([refused.status === 0, refused.stdout]).toEqual([false, ""]);
		const insecure = await runTool("etcdctl", [...get, "--insecure-skip-tls-verify", "--dial-timeout=60s", "--command-timeout=60s"], {
			environment: { ETCDCTL_API: "3" },
		});
		expect(insecure.status).toBe(0);
	});
});
