/** One client port for everything: gRPC, JSON and probes, over HTTP/1.1 and HTTP/2, plain and with TLS, by the tools that people have. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeMessage } from "../src/client/protocol.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { haveProgram, runTool } from "../src/process/tools.ts";

const LOAD = 300;
const SOON = { timeoutMs: 60_000 };

describe.each([
	["plain", "http", [], ["--http2-prior-knowledge"]],
	["with TLS", "https", ["--auto-tls"], ["-k", "--http2"]],
] as const)("%s", (_name, scheme, flags, overHttp2) => {
	let cluster: ProcessCluster;
	let url: string;
	let folder: string;
	const curlTrust = scheme === "https" ? ["-k"] : [];

	beforeAll(async () => {
		const [port] = await freePorts(1);
		url = `${scheme}://127.0.0.1:${port}`;
		folder = await mkdtemp(join(tmpdir(), "flotilla-port-"));
		cluster = await ProcessCluster.start({ size: 1, flags: ["--listen-client-urls", url, "--advertise-client-urls", url, ...flags] });
	});
	afterAll(async () => {
		await cluster.dispose();
		await rm(folder, { recursive: true, force: true });
	});

	async function curl(
		path: string,
		...args: string[]
	): Promise<{ readonly version: string; readonly status: string; readonly body: string }> {
		const { stdout, stderr } = await runTool("curl", ["-sS", "-w", "\n%{http_version} %{http_code}", ...args, `${url}${path}`], SOON);
		const [, body = "", version = "", status = ""] = /^([\s\S]*)\n(\S+) (\d+)$/.exec(stdout) ?? [stdout, stderr];
		return { version, status, body };
	}

	async function revision(): Promise<number> {
		const { body } = await curl("/v3/maintenance/status", ...curlTrust, "-d", "{}");
		return Number((JSON.parse(body) as { header: { revision: string } }).header.revision);
	}

	describe.skipIf(!haveProgram("curl"))("curl (needs curl)", () => {
		test.each([
			["HTTP/1.1", "1.1", [...curlTrust, "--http1.1"]],
			["HTTP/2", "2", overHttp2],
		] as const)("over %s: a probe, a write and a read, and what is not there", async (_protocol, version, args) => {
			expect(await curl("/health", ...args)).toMatchObject({ version, status: "200", body: expect.stringContaining('"health":"true"') });
			const value = Buffer.from(`by ${version}`).toString("base64");
			const put = await curl("/v3/kv/put", ...args, "-d", JSON.stringify({ key: "Zm9v", value }));
			expect([put.version, put.status]).toEqual([version, "200"]);
			const got = await curl("/v3/kv/range", ...args, "-d", '{"key":"Zm9v"}');
			expect((JSON.parse(got.body) as { kvs: Array<{ value: string }> }).kvs[0]?.value).toBe(value);
			expect(await curl("/nowhere", ...args)).toMatchObject({ version, status: "404" });
		});
	});

	test.skipIf(!haveProgram("etcdctl"))("etcdctl (needs Debian's etcd-client)", async () => {
		// The certificate vouches for itself.
		const trust = scheme === "https" ? ["--cacert", join(cluster.member(0).dataDir, "fixtures/client/cert.pem")] : [];
		const ask = (...args: string[]) =>
			runTool("etcdctl", ["--endpoints", url, "--command-timeout=60s", ...trust, ...args], { ...SOON, environment: { ETCDCTL_API: "3" } });
		expect(await ask("put", "by", "etcdctl")).toMatchObject({ status: 0, stdout: "OK\n" });
		expect(await ask("get", "by", "--print-value-only")).toMatchObject({ status: 0, stdout: "etcdctl\n" });
	});

	test.skipIf(!haveProgram("h2load") || !haveProgram("curl"))(
		"h2load (needs Debian's nghttp2-client, and curl): each call has moved the revision",
		async () => {
			const message = encodeMessage("etcdserverpb.PutRequest", { key: Buffer.from("load"), value: Buffer.from("x") });
			const framed = Buffer.alloc(5 + message.length);
			framed.writeUInt32BE(message.length, 1);
			message.copy(framed, 5);
			await writeFile(join(folder, "put"), framed);
			const before = await revision();
			const { status, stdout } = await runTool(
				"h2load",
				[
					...["-n", String(LOAD), "-c", "3", "-m", "10", "-d", join(folder, "put")],
					...["-H", "content-type: application/grpc", "-H", "te: trailers", `${url}/etcdserverpb.KV/Put`],
				],
				SOON,
			);
			expect([status, stdout]).toEqual([0, expect.stringContaining(`${LOAD} succeeded, 0 failed, 0 errored`)]);
			expect(await revision()).toBe(before + LOAD);
		},
	);
});
