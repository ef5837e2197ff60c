/** The program as its users call it, against real clusters: short runs, every load, every output. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { etcdserverpb } from "@flotilla/api";
import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoadReport } from "../src/cli/load-command.ts";
import { Target } from "../src/client/target.ts";
import { haveEtcd, Trio } from "../src/compare/trio.ts";
import type { RunResult } from "../src/load/run.ts";
import type { LoadName } from "../src/load/settings.ts";
import type { CompareReport } from "../src/report/compare-report.ts";
import type { CostReport } from "../src/report/cost-report.ts";

const FLOTILLA = fileURLToPath(new URL("../../../bin/flotilla", import.meta.url));

/** Clusters that it starts draw their ports from the slice of the test's worker. */
const WORKER = process.env.VITEST_POOL_ID === undefined ? {} : { VITEST_POOL_ID: process.env.VITEST_POOL_ID };

interface Ending {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

function bench(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ending> {
	return new Promise((resolve, reject) => {
		const child = spawn(FLOTILLA, ["bench", ...args], { env: { PATH: process.env.PATH, ...WORKER, ...environment }, timeout: 400_000 });
		const output = { stdout: "", stderr: "" };
		for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text: string) => (output[name] += text));
		child.once("error", reject);
		child.once("close", (status) => resolve({ status, ...output }));
	});
}

let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-bench-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** To whoever does not lead and answers first. Says who that is. */
async function moveLeader(endpoints: readonly string[]): Promise<bigint> {
	const target = new Target(endpoints);
	try {
		const states = await target.states();
		const [leader, heir] = [states.find(({ leads }) => leads), states.find(({ leads }) => !leads)];
		if (leader === undefined || heir === undefined) return 0n;
		const at = new Target([leader.endpoint]);
		const request = etcdserverpb.MoveLeaderRequest.encode({ targetID: heir.memberId });
		// Either: it leads no more.
		await at.ask("/etcdserverpb.Maintenance/MoveLeader", request).catch(() => {});
		at.close();
		return heir.memberId;
	} finally {
		target.close();
	}
}

describe("loads on a flotilla of three", () => {
	let trio: Trio;
	beforeAll(async () => {
		trio = await Trio.start("flotilla");
	});
	afterAll(() => trio?.dispose());

	const short = (load: LoadName, ...more: string[]): string[] => [
		...[load, "--endpoints", trio.endpoints.join(","), "--seconds", "1", "--warm-up", "0", "--json", "-"],
		...more,
	];
	const measure = async (load: LoadName, flags: readonly string[]): Promise<RunResult> => {
		const { status, stdout, stderr } = await bench(short(load, "--clients", "6", ...flags));
		expect([status, stderr.match(/FAILED|DOUBT/)], stderr).toEqual([0, null]);
		const { runs } = JSON.parse(stdout) as LoadReport;
		expect(runs).toHaveLength(1);
		const [run] = runs as [RunResult];
		expect(run).toMatchObject({ failed: 0, doubt: null, settings: { load, clients: 6 } });
		expect(run.operations).toBeGreaterThan(0);
		expect(run.latency.p50Us).toBeGreaterThan(0);
		expect(run.latency.p50Us).toBeLessThanOrEqual(run.latency.maxUs);
		expect(run.points).toHaveLength(1);
		return run;
	};

	describe("that leave the revision as it is", () => {
		test.each([
			["range", ["--keys", "10"]],
			["range", ["--serializable", "--to", "all", "--connections", "3"]],
			["lease-keepalive", []],
		] as const)("%s %j", async (load, flags) => {
			// Keys and leases are made before.
			expect((await measure(load, flags)).revisionMoved).toBe(0);
		});
	});

	test("a warm-up is a point of its own, and no part of the result", async () => {
		const { status, stdout, stderr } = await bench([...short("put"), "--warm-up", "1"]);
		expect(status, stderr).toBe(0);
		const [run] = (JSON.parse(stdout) as LoadReport).runs as [RunResult];
		expect(run.points.map(({ warmUp }) => warmUp)).toEqual([true, false]);
		expect(run.operations).toBeLessThan(run.revisionMoved);
	});

	// All at once: what is looked at is what the program does and says, not how fast.
	describe.concurrent("that write", () => {
		test.each([
			["put", []],
			["mixed", ["--keys", "10", "--reads", "0.5"]],
			["txn", []],
			["put", ["--to", "follower"]],
			["put", ["--rate", "50"]],
		] as const)("%s %j", async (load, flags) => {
			expect((await measure(load, flags)).revisionMoved).toBeGreaterThan(0);
		});
	});

	// They count events: nobody else may write meanwhile.
	describe("that watch", () => {
		test.each([
			["watch-fanout", ["--streams", "2"]],
			["watch-latency", ["--rate", "20"]],
		] as const)("%s %j", async (load, flags) => {
			expect((await measure(load, flags)).revisionMoved).toBeGreaterThan(0);
		});
	});

	test("with the members' taps: stages of a write, and a page that needs nothing else", async () => {
		const page = join(folder, "page.html");
		const { status, stdout, stderr } = await bench(short("put", "--clients", "8", "--taps", trio.dataDirs.join(","), "--html", page));
		expect(status, stderr).toBe(0);
		const { stages } = JSON.parse(stdout) as LoadReport;
		expect(stages?.batches).toBeGreaterThan(0);
		expect(stages?.stages.map(({ name }) => name)).toEqual([
			"queue",
			"append",
			"fsync",
			"replicate",
			"commit",
			"apply",
			"respond",
			"whole",
		]);
		const whole = stages?.stages.at(-1)?.p50Us ?? 0;
		expect(whole).toBeGreaterThan(0);
		expect(stderr).toContain("stages of a write");
		const html = await readFile(page, "utf8");
		expect(html.match(/<svg/g)).toHaveLength(2);
		expect(html).toContain("Stages of a write");
		expect(html).not.toMatch(/(src|href)=|NaN|undefined/);
		const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html)?.[1] ?? "";
		expect(JSON.parse(data)).toEqual(JSON.parse(stdout));
	});

	test("what happens to the cluster meanwhile stands on the axis of the figures: changes of leader", async () => {
		const page = join(folder, "events.html");
		const args = ["put", "--endpoints", trio.endpoints.join(","), "--clients", "4", "--to", "all", "--seconds", "4", "--warm-up", "0"];
		let over = false;
		const ended = bench([...args, "--taps", trio.dataDirs.join(","), "--json", "-", "--html", page]).finally(() => (over = true));
		const leaders = new Set<string>();
		while (!over) {
			leaders.add((await moveLeader(trio.endpoints)).toString(16));
			await new Promise((resolve) => setTimeout(resolve, 300));
		}
		const { status, stdout, stderr } = await ended;
		expect(status, stderr).toBe(0);
		const { events, runs } = JSON.parse(stdout) as LoadReport;
		const points = (runs[0] as RunResult).points;
		const [firstMs, lastMs] = [points[0]?.atMs ?? Number.NaN, (points.at(-1)?.atMs ?? Number.NaN) + (points.at(-1)?.lengthMs ?? 0)];
		const meanwhile = events.filter(({ atMs }) => atMs >= firstMs && atMs <= lastMs);
		expect(meanwhile.filter(({ text }) => text === "hands over leadership").length).toBeGreaterThan(0);
		const led = meanwhile.filter(({ text }) => /^leads term \d+$/.test(text));
		expect(led.filter(({ member }) => leaders.has(member)).length).toBeGreaterThan(0);
		expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).sort((a, b) => a - b));
		const html = await readFile(page, "utf8");
		for (const { member, text } of led) expect(html).toContain(`<title>${member} ${text}</title>`);
		expect(html).toContain("Events of the cluster");
	});

	test("a sweep has a step for each doubling, and a knee", async () => {
		const page = join(folder, "sweep.html");
		const { status, stdout, stderr } = await bench(short("put", "--clients", "4", "--sweep", "--html", page));
		expect(status, stderr).toBe(0);
		const { runs, knee } = JSON.parse(stdout) as LoadReport;
		expect(runs.map(({ settings }) => settings.clients)).toEqual([1, 2, 4]);
		expect(stderr.match(/<- knee/g)).toHaveLength(1);
		expect(await readFile(page, "utf8")).toContain(`knee: ${runs[knee ?? -1]?.settings.clients} clients`);
	});

	test("endpoints come from etcdctl's variable, and progress comes while it runs", async () => {
		const args = ["put", "--seconds", "2", "--warm-up", "1"];
		const { status, stdout, stderr } = await bench(args, { ETCDCTL_ENDPOINTS: trio.endpoints.join(",") });
		expect(status, stderr).toBe(0);
		expect(stdout).toMatch(/^put: 1 clients on 1 connections to the leader, closed loop/);
		expect(stdout).toMatch(/latency p50 .*, p90 .*, p99 .*, p99\.9 .*, max /);
		expect(stdout).toMatch(/client: \d+ % of a processor, its loop \d+ % busy/);
		expect(stderr.match(/^(warm-up|measure) /gm)).toHaveLength(3);
	});
});

describe.skipIf(!existsSync("/usr/bin/openssl"))("a member behind TLS, with users (needs openssl)", () => {
	let member: ChildProcess;
	let endpoint: string;
	const path = (name: string): string => join(folder, name);

	beforeAll(async () => {
		const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
		const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
		openssl("req", "-x509", ...curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2");
		openssl("req", ...curve, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=own", "-addext", "subjectAltName=IP:127.0.0.1");
		openssl(
			"x509",
			"-req",
			"-in",
			"own.csr",
			"-out",
			"own.pem",
			..."-CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copyall -days 2".split(" "),
		);
		const [client = 0, peer = 0] = await freePorts(2);
		endpoint = `https://127.0.0.1:${client}`;
		const peerUrl = `http://127.0.0.1:${peer}`;
		const args = [
			...["--name", "m1", "--data-dir", path("m1"), "--initial-cluster", `m1=${peerUrl}`],
			...["--listen-client-urls", endpoint, "--advertise-client-urls", endpoint],
			...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
			...["--cert-file", path("own.pem"), "--key-file", path("own.key"), "--trusted-ca-file", path("ca.pem"), "--client-cert-auth"],
		];
		member = spawn(FLOTILLA, args, { stdio: ["pipe", "ignore", "pipe"], env: { PATH: process.env.PATH, FLOTILLA_STOP_WITH_STDIN: "1" } });
		await new Promise<void>((resolve, reject) => {
			let said = "";
			member.stderr?.setEncoding("utf8").on("data", (text: string) => {
				said += text;
				if (said.includes("ready to serve client requests")) resolve();
			});
			member.once("exit", () => reject(new Error(said)));
		});
	});
	afterAll(() => void member?.kill("SIGKILL"));

	const files = (): string[] => ["--cacert", path("ca.pem"), "--cert", path("own.pem"), "--key", path("own.key")];
	const put = (...more: string[]): Promise<Ending> => bench(["put", "--endpoints", endpoint, "--seconds", "1", "--warm-up", "0", ...more]);

	test("is measured with its authority and a certificate, and refuses without", async () => {
		const [known, stranger, nameless] = (await Promise.all([
			put(...files()),
			put("--cert", path("own.pem"), "--key", path("own.key")),
			put("--cacert", path("ca.pem")),
		])) as [Ending, Ending, Ending];
		expect(known.status, known.stderr).toBe(0);
		expect(known.stdout).toContain("client: ");
		expect([stranger.status, stranger.stderr]).toEqual([1, expect.stringMatching(/cannot connect to https:.*(certificate|self-signed)/)]);
		expect(nameless.status).toBe(1);
	});

	test("takes the calls of a user who logs in, and nobody else's once users are asked for", async () => {
		const [ca, cert, key] = await Promise.all(["ca.pem", "own.pem", "own.key"].map((name) => readFile(path(name))));
		const target = new Target([endpoint], {
			tls: { ca: ca as Buffer, cert: cert as Buffer, key: key as Buffer, trustAnybody: false },
			user: null,
		});
		const auth = (method: string, message: Uint8Array): Promise<unknown> => target.ask(`/etcdserverpb.Auth/${method}`, message);
		await auth("UserAdd", etcdserverpb.AuthUserAddRequest.encode({ name: "root", password: "secret" }));
		await auth("RoleAdd", etcdserverpb.AuthRoleAddRequest.encode({ name: "root" }));
		await auth("UserGrantRole", etcdserverpb.AuthUserGrantRoleRequest.encode({ user: "root", role: "root" }));
		await auth("AuthEnable", etcdserverpb.AuthEnableRequest.encode({}));
		target.close();
		await writeFile(path("password"), "secret\n");
		const [known, stranger, wrong] = (await Promise.all([
			put(...files(), "--user", "root", "--password-file", path("password")),
			put(...files()),
			put(...files(), "--user", "root:wrong"),
		])) as [Ending, Ending, Ending];
		expect([known.status, known.stderr.match(/FAILED/)], known.stderr).toEqual([0, null]);
		// By the name in its certificate, which is no user's.
		expect([stranger.status, stranger.stdout + stranger.stderr]).toEqual([
			1,
			expect.stringMatching(/etcdserver: (permission denied|user name)/),
		]);
		expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining("authentication failed, invalid user ID or password")]);
	});
});

// These have clusters of their own, or none: they run side by side.
test.concurrent("compare that is told to end takes its clusters and their folders along", async () => {
	const child = spawn(FLOTILLA, ["bench", "compare", "--rows", "put-1", "--seconds", "100"], {
		env: { PATH: process.env.PATH, ...WORKER, TMPDIR: folder },
	});
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
	const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
	await expect.poll(() => said, { timeout: 240_000 }).toContain("round 1/3: put-1");
	const folders = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.startsWith("flotilla-bench-"));
	expect(await folders()).not.toEqual([]);
	child.kill("SIGTERM");
	expect(await ended).toBe("SIGTERM");
	expect(await folders()).toEqual([]);
});

test.concurrent("a call that is wrong ends with status 2 and the usage, one that meets nobody with 1", async () => {
	const wrong = await bench(["fly"]);
	expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
	expect(wrong.stderr).toMatch(/^fly is no load\n\nUsage: flotilla bench/);
	const help = await bench(["--help"]);
	expect([help.status, help.stderr]).toEqual([0, ""]);
	const nobody = await bench(["put", "--endpoints", "127.0.0.1:1"]);
	expect([nobody.status, nobody.stderr]).toEqual([1, expect.stringContaining("cannot connect to 127.0.0.1:1")]);
	const row = await bench(["compare", "--rows", "none"]);
	expect([row.status, row.stderr]).toEqual([2, expect.stringContaining("there is no row none")]);
});

test.concurrent("compare --with: flotilla beside itself, by whom it is asked and how, and each one's share of the first", async () => {
	const page = join(folder, "costs.html");
	const args = [
		"compare",
		"--rounds",
		"1",
		"--seconds",
		"2",
		"--warm-up",
		"0",
		"--rows",
		"put-32,range-256,txn-256",
		"--json",
		"-",
		"--html",
		page,
	];
	const { status, stdout, stderr } = await bench([...args, "--with", "plain,auth,auth+tls+metrics"]);
	expect(status, stderr).toBe(0);
	const { names, notes, values } = JSON.parse(stdout) as CostReport;
	expect(names).toEqual(["plain", "auth", "auth+tls+metrics"]);
	expect(notes.filter((note) => / read [1-9]\d* times$/.test(note))).toEqual([
		expect.stringContaining("the metrics of auth+tls+metrics were read"),
	]);
	expect(values.map(({ row, value }) => `${row} ${value.name}`)).toEqual(
		["put-32", "range-256", "txn-256"].flatMap((row) => [`${row} rate`, `${row} cpuPer100k`]),
	);
	for (const { sides } of values) {
		expect(sides.map(({ name }) => name)).toEqual(names);
		const [base] = sides[0]?.values ?? [];
		for (const { values: reached, ratios } of sides) {
			expect(reached[0]).toBeGreaterThan(0);
			expect(ratios).toEqual([expect.closeTo((reached[0] as number) / (base as number))]);
		}
	}
	expect(stderr).toMatch(/^ {2}auth\+tls\+metrics +[\d,.]+\/s {2}\d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\)$/m);
	const html = await readFile(page, "utf8");
	expect(html).toContain("<th>auth+tls+metrics</th>");
	expect(html).not.toMatch(/NaN|undefined/);
});

test.skipIf(!haveEtcd()).concurrent("the same loads on an etcd of three, leases included (needs Debian's etcd-server)", async () => {
	const trio = await Trio.start("etcd");
	try {
		const measure = async (load: LoadName): Promise<void> => {
			const args = [load, "--endpoints", trio.endpoints.join(","), "--clients", "6", "--seconds", "1", "--warm-up", "0", "--json", "-"];
			const { status, stdout, stderr } = await bench(args);
			expect([status, stderr.match(/FAILED|DOUBT/)], stderr).toEqual([0, null]);
			const [run] = (JSON.parse(stdout) as LoadReport).runs;
			expect(run).toMatchObject({ failed: 0, doubt: null, settings: { load } });
			expect(run?.operations).toBeGreaterThan(0);
		};
		await Promise.all((["put", "lease-keepalive", "watch-fanout"] as const).map(measure));
	} finally {
		await trio.dispose();
	}
});

test.skipIf(!haveEtcd()).concurrent("compare: both clusters, the same rows, ratios and goals (needs Debian's etcd-server)", async () => {
	const page = join(folder, "compare.html");
	const args = [
		"compare",
		"--rounds",
		"1",
		"--seconds",
		"1",
		"--warm-up",
		"0",
		"--rows",
		"txn-256,open-80,watch-fanout,watch-latency",
		"--json",
		"-",
		"--html",
		page,
	];
	const { status, stdout, stderr } = await bench(args);
	expect(status, stderr).toBe(0);
	const { values, notes } = JSON.parse(stdout) as CompareReport;
	expect(notes.filter((note) => note.includes("not installed"))).toEqual([]);
	// The open loop takes its pace from the row of 256 streams.
	expect([...new Set(values.map(({ row }) => row))]).toEqual(["put-256", "open-80", "txn-256", "watch-fanout", "watch-latency"]);
	for (const { flotilla, etcd, ratios, value } of values) {
		expect([flotilla.length, etcd.length, ratios.length]).toEqual([1, 1, 1]);
		expect(Math.min(...(flotilla as number[]), ...(etcd as number[])), value.name).toBeGreaterThan(0);
		expect(ratios[0]).toBeCloseTo((flotilla[0] as number) / (etcd[0] as number));
	}
	const html = await readFile(page, "utf8");
	expect(html).toContain("txn (compare and put), 256 clients");
	expect(html).not.toMatch(/NaN|undefined/);
});
