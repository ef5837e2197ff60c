/** A cluster of real processes whose clients and peers speak TLS, seen by etcdctl and curl. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { MemberProcess } from "../src/process/member-process.ts";
import { haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";

const tools = ["openssl", "etcdctl", "curl"].filter((name) => !haveProgram(name));

describe.skipIf(tools.length > 0)(`TLS${tools.length > 0 ? ` (without ${tools.join(", ")})` : ""}`, () => {
	let folder: string;
	let members: MemberProcess[] = [];
	let endpoints: string[] = [];

	async function openssl(...args: string[]): Promise<void> {
		const result = await runTool("openssl", args);
		if (result.status !== 0) throw new Error(result.stderr);
	}

	const path = (name: string): string => join(folder, name);

	async function authority(name: string): Promise<void> {
		const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(`${name}.key`)];
		await openssl("req", "-x509", ...key, "-out", path(`${name}.pem`), "-subj", `/CN=${name}`, "-days", "2");
	}

	async function certificate(name: string, ca: string, days = "2"): Promise<void> {
		const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(`${name}.key`)];
		const names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
		await openssl("req", ...key, "-out", path(`${name}.csr`), "-subj", `/CN=${name}`, "-addext", names);
		const signing = ["-CA", path(`${ca}.pem`), "-CAkey", path(`${ca}.key`), "-CAcreateserial", "-copy_extensions", "copyall"];
		await openssl("x509", "-req", "-in", path(`${name}.csr`), "-out", path(`${name}.pem`), ...signing, "-days", days);
	}

	const etcdctl = (shown: string, ...args: string[]): Promise<ToolResult> => {
		const own = shown === "" ? [] : ["--cert", path(`${shown}.pem`), "--key", path(`${shown}.key`)];
		const common = ["--endpoints", endpoints.join(","), "--cacert", path("ca.pem"), "--dial-timeout=1s", "--command-timeout=3s"];
		return runTool("etcdctl", [...common, ...own, ...args], { environment: { ETCDCTL_API: "3" } });
	};
	const curl = (...args: string[]): Promise<ToolResult> => {
		const own = ["--cacert", path("ca.pem"), "--cert", path("client.pem"), "--key", path("client.key")];
		return runTool("curl", ["-sS", "-w", " %{http_version}", ...own, ...args]);
	};

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-tls-cluster-"));
		for (const name of ["ca", "peer-ca", "stranger-ca"]) await authority(name);
		await certificate("server", "ca");
		await certificate("client", "ca");
		await certificate("expired", "ca", "-1");
		await certificate("stranger", "stranger-ca");
		for (const name of ["p1", "p2", "p3"]) await certificate(name, "peer-ca");
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

	test.each(["", "stranger", "expired"])("etcdctl gets nowhere with %j", async (shown) => {
		const result = await etcdctl(shown, "get", "greeting");
		expect(result.status).not.toBe(0);
		expect(result.stdout).toBe("");
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

	test("a member that comes back meets the others over TLS", async () => {
		await members[2]?.kill("SIGKILL");
		expect((await etcdctl("client", "put", "greeting", "again")).stdout).toBe("OK\n");
		await members[2]?.start();
		expect(await etcdctl("client", "--endpoints", endpoints[2] as string, "get", "greeting")).toMatchObject({
			stdout: "greeting\nagain\n",
		});
	});
});
