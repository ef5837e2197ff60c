/** `bin/flotilla` as a process: what it prints, how it ends, and that a refused call leaves nothing behind. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePorts } from "../../src/free-ports.ts";
import { FLOTILLA, logLines, Program, run } from "./program.ts";

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-main-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

interface Single {
	readonly args: readonly string[];
	readonly dataDir: string;
	readonly clientUrl: string;
	readonly clientPort: number;
}

async function single(name = "solo"): Promise<Single> {
	const [clientPort, peerPort] = (await freePorts(2)) as [number, number];
	const [clientUrl, peerUrl] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
	const dataDir = join(folder, name);
	const args = [
		...[`--name=${name}`, `--data-dir=${dataDir}`, `--listen-client-urls=${clientUrl}`, `--advertise-client-urls=${clientUrl}`],
		...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`, `--initial-cluster=${name}=${peerUrl}`],
	];
	return { args, dataDir, clientUrl, clientPort };
}

test("--version has etcd's four lines on standard output", async () => {
	const { end, stdout, stderr } = await run(["--version"]);
	expect({ end, stderr }).toEqual({ end: 0, stderr: "" });
	expect(stdout).toMatch(/^etcd Version: 3\.6\.\d+\nGit SHA: .+\nGo Version: .+\nGo OS\/Arch: \w+\/\w+\n$/);
});

for (const flag of ["-h", "--help", "help"]) {
	test(`${flag} prints the usage on standard error and the flags on standard output`, async () => {
		const { end, stdout, stderr } = await run([flag]);
		expect(end).toBe(0);
		expect(stderr).toMatch(/^Usage:\n/);
		expect(stdout).toContain("--initial-cluster-token 'etcd-cluster'");
	});
}

test("an unknown flag: the text, the usage, status 2, nothing written", async () => {
	const { end, stdout, stderr } = await run(["--data-dir=x", "--nope=1"], { folder });
	expect({ end, stdout }).toEqual({ end: 2, stdout: "" });
	expect(stderr).toMatch(/^flag provided but not defined: -nope\nUsage:\n/);
	expect(await readdir(folder)).toEqual([]);
});

test("flags that contradict each other: one log line says it, status 1, nothing written", async () => {
	const { end, stderr } = await run(["--data-dir=x", "--election-timeout=400"], { folder });
	expect(end).toBe(1);
	expect(logLines(stderr).at(-1)).toMatchObject({
		level: "warn",
		msg: "failed to verify flags",
		error: "--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]",
	});
	expect(await readdir(folder)).toEqual([]);
});

test("one port for clients and peers: said before anything is made", async () => {
	const shared = [
		"--listen-client-urls=http://127.0.0.1:7",
		"--advertise-client-urls=http://127.0.0.1:7",
		"--listen-peer-urls=http://0.0.0.0:7",
	];
	const { end, stderr } = await run(["--data-dir=x", ...shared], { folder });
	expect(end).toBe(1);
	expect(stderr).toContain("--listen-peer-urls and --listen-client-urls must not share a port (http://127.0.0.1:7)");
	expect(await readdir(folder)).toEqual([]);
});

test("credentials in a URL are not repeated", async () => {
	const { end, stdout, stderr } = await run(["--listen-client-urls=http://user:sekrit@127.0.0.1:7"], { folder });
	expect(end).not.toBe(0);
	expect(stdout + stderr).not.toContain("sekrit");
});

test("a flag and a variable for one setting: a fatal line, status 1, nothing written", async () => {
	const { end, stderr } = await run(["--name=x"], { folder, environment: { ETCD_NAME: "y" } });
	expect(end).toBe(1);
	expect(logLines(stderr).at(-1)).toMatchObject({ level: "fatal", "environment-variable": "ETCD_NAME" });
	expect(await readdir(folder)).toEqual([]);
});

test("a name that the first configuration does not have: discovery failed, status 1, nothing written", async () => {
	const { end, stderr } = await run(["--name=x1", "--data-dir=x", "--initial-cluster=y=http://127.0.0.1:1"], { folder });
	expect(end).toBe(1);
	const error = `couldn't find local name "x1" in the initial cluster configuration`;
	expect(logLines(stderr).at(-1)).toMatchObject({ level: "fatal", msg: "discovery failed", error });
	expect(await readdir(folder)).toEqual([]);
});

test("a configuration file that is missing or wrong is named, nothing written", async () => {
	const missing = await run(["--config-file=gone.yaml"], { folder });
	expect(missing.end).toBe(1);
	expect(logLines(missing.stderr).at(-1)?.error).toContain("open gone.yaml: no such file or directory");
	await writeFile(join(folder, "bad.yaml"), "heartbeat-interval: often\n");
	const wrong = await run([], { folder, environment: { ETCD_CONFIG_FILE: "bad.yaml" } });
	expect(wrong.end).toBe(1);
	expect(logLines(wrong.stderr).at(-1)?.error).toMatch(/^bad\.yaml: cannot use "often" as heartbeat-interval/);
	expect(await readdir(folder)).toEqual(["bad.yaml"]);
});

test("a log file that cannot be opened is named, and nothing else is made", async () => {
	const { args } = await single();
	const { end, stderr } = await run([...args, `--log-outputs=${join(folder, "no", "folder.log")}`]);
	expect(end).toBe(1);
	expect(logLines(stderr).at(-1)).toMatchObject({ level: "fatal", msg: "failed to open the log outputs" });
	expect(await readdir(folder)).toEqual([]);
});

test("a data folder that cannot be made is said in one line, status 1", async () => {
	const { args } = await single();
	await writeFile(join(folder, "solo"), "a file");
	const { end, stderr } = await run(args);
	expect(end).toBe(1);
	expect(logLines(stderr).at(-1)).toMatchObject({
		level: "fatal",
		msg: "cannot start",
		error: expect.stringMatching(/^ENOTDIR: .*solo\/member/),
	});
});

test("a data folder where nothing can be made is said at once", async () => {
	const { args } = await single();
	const { end, stderr } = await run([...args.filter((arg) => !arg.startsWith("--data-dir")), "--data-dir=/proc/nobody"]);
	expect(end).toBe(1);
	expect(logLines(stderr).at(-1)).toMatchObject({ level: "fatal", msg: "cannot start", error: expect.stringMatching(/^ENOENT: .*nobody/) });
});

test("where nothing can be made, restore and start-local say so at once, too", async () => {
	await writeFile(join(folder, "file"), "no snapshot");
	const restore = await run(["snapshot", "restore", "--data-dir=/proc/nobody/x", join(folder, "file")]);
	expect(restore).toMatchObject({ end: 1, stderr: expect.stringMatching(/^Error: ENOENT: .*\/proc\/nobody/) });
	const local = await run(["start-local", "--data-dir=/proc/nobody/x"]);
	expect(local).toMatchObject({ end: 1, stderr: expect.stringMatching(/^flotilla: ENOENT: .*\/proc\/nobody/) });
});

test.each([
	["its store", "snap/db", Buffer.alloc(64)],
	["its log", "wal/0000000000000000-0000000000000000.wal", Buffer.from("04000000000000840804100000000000", "hex")],
])("a data folder of etcd, known by %s, is left as it is, and the way from there is named", async (_what, file, content) => {
	const { args, dataDir } = await single();
	const path = join(dataDir, "member", file);
	await mkdir(dirname(path), { recursive: true });
	await writeFile(path, content);
	const before = await readdir(folder, { recursive: true });
	for (const more of [[], ["--force-new-cluster"], ["--auto-tls"], ["--initial-cluster-state=existing"]]) {
		const { end, stderr } = await run([...args, ...more]);
		expect([more, end, logLines(stderr).at(-1)?.error]).toEqual([
			more,
			3,
			`Cannot start (ofEtcd): this is a data folder of etcd, and nothing in it was changed. member/${file}: found a file of etcd, need the data folder of a member of flotilla, or an empty one. Name another --data-dir, and have flotilla migrate copy the data from the etcd that runs on this one.`,
		]);
	}
	expect(await readdir(folder, { recursive: true })).toEqual(before);
});

test("keys of tokens and certificates that do not do are said before anything is made", async () => {
	const { args } = await single();
	const [gone, bad] = [join(folder, "gone.pem"), join(folder, "bad.pem")];
	await writeFile(bad, "no key");
	for (const [more, text] of [
		[[`--auth-token=jwt,sign-method=RS256,priv-key=${gone}`], `auth: invalid auth options: cannot read ${gone} (ENOENT)`],
		[["--auth-token=jwt,sign-method=RS256"], "auth: missing key data"],
		[
			["--auto-tls", `--auth-token=jwt,sign-method=RS256,pub-key=${bad}`],
			`auth: invalid auth options: no key that RS256 can use stands in ${bad}`,
		],
		[["--auto-tls", `--peer-cert-file=${gone}`, `--peer-key-file=${gone}`], `ENOENT: no such file or directory, open '${gone}'`],
	] as const) {
		const { end, stderr } = await run([...args, ...more]);
		expect([end, logLines(stderr).at(-1)?.error]).toEqual([1, text]);
		expect(await readdir(folder)).toEqual(["bad.pem"]);
	}
});

test("an empty name is in no cluster", async () => {
	const { args } = await single();
	const { end, stderr } = await run([
		...args.filter((arg) => !arg.startsWith("--name") && !arg.startsWith("--initial-cluster=")),
		"--name=",
	]);
	expect(end).toBe(1);
	expect(logLines(stderr).at(-1)).toMatchObject({
		msg: "discovery failed",
		error: `couldn't find local name "" in the initial cluster configuration`,
	});
});

test("a port that is taken is said in Go's words, status 1", async () => {
	const { args, clientPort } = await single();
	const server = createServer();
	await new Promise<void>((listening) => server.listen(clientPort, "127.0.0.1", () => listening()));
	try {
		const { end, stderr } = await run(args);
		expect(end).toBe(1);
		const error = `listen tcp 127.0.0.1:${clientPort}: bind: address already in use`;
		expect(logLines(stderr).at(-1)).toMatchObject({ level: "fatal", msg: "discovery failed", error });
	} finally {
		server.close();
	}
});

test("a member by a configuration file: starts, says so as etcd does, ends from the signal, and starts again", async () => {
	const { dataDir, clientUrl } = await single();
	const peerUrl = `http://127.0.0.1:${(await freePorts(1))[0]}`;
	const file = join(folder, "member.yaml");
	await writeFile(
		file,
		[
			"name: solo",
			`data-dir: ${dataDir}`,
			`listen-client-urls: ${clientUrl}`,
			`advertise-client-urls: ${clientUrl}`,
			`listen-peer-urls: ${peerUrl}`,
			`initial-advertise-peer-urls: ${peerUrl}`,
			`initial-cluster: solo=${peerUrl}`,
			`log-outputs: [${JSON.stringify(join(folder, "member.log"))}]`,
		].join("\n"),
	);
	for (const [round, signal] of (["SIGTERM", "SIGINT"] as const).entries()) {
		await using member = new Program(FLOTILLA, ["--config-file", file, "--name=ignored"]);
		await waitForHealth(clientUrl, member);
		member.signal(signal);
		expect((await member.ended).end).toBe(signal);
		const lines = logLines(await readFile(join(folder, "member.log"), "utf8"));
		const messages = lines.map(({ msg }) => msg);
		const wanted = [
			"Running: ",
			"starting an etcd server",
			"starting etcd server",
			"now serving peer/client/metrics",
			"ready to serve client requests",
			"serving client traffic insecurely; this is strongly discouraged!",
			"received signal; shutting down",
			"closing etcd server",
			"closed etcd server",
		];
		const places = wanted.map((msg) => messages.indexOf(msg, messages.lastIndexOf("Running: ")));
		expect(Math.min(...places), `missing in round ${round}: ${wanted[places.indexOf(-1)]}`).toBeGreaterThanOrEqual(0);
		expect(places).toEqual(places.toSorted((a, b) => a - b));
	}
});

test.each([
	["takes it", 0, { level: "info", msg: "successfully notified init daemon" }],
	["does not", 1, { level: "error", msg: "failed to notify systemd for readiness" }],
] as const)("an init daemon that waits hears that the member serves, and the log says whether it %s", async (_what, status, line) => {
	const { args } = await single();
	// In place of systemd's own program: what it was told stands in a file.
	const told = join(folder, "told");
	await writeFile(join(folder, "systemd-notify"), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >${told}\nexit ${status}\n`, { mode: 0o755 });
	const environment = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: "/run/nobody" };
	await using member = new Program(FLOTILLA, args, { environment });
	await member.said(new RegExp(line.msg));
	expect(await readFile(told, "utf8")).toBe(`/run/nobody --ready --pid=${member.pid}\n`);
	const lines = logLines(member.stderr);
	const place = (msg: string): number => lines.findIndex((each) => each.msg === msg);
	expect(place("ready to serve client requests")).toBeLessThan(place("notifying init daemon"));
	expect(lines[place(line.msg)]).toMatchObject(line);
	expect(place("notifying init daemon")).toBeLessThan(place(line.msg));
});

test("a log for people has columns", async () => {
	const { args } = await single();
	await using member = new Program(FLOTILLA, [...args, "--log-format=console"]);
	await member.said(/ready to serve client requests/);
	expect(member.stderr).toMatch(
		/^\d{4}-\d\d-\d\dT[\d:.]+Z\tinfo\ttap\/tap-log\.ts\tready to serve client requests\t\{"event":"ready",.*\}$/m,
	);
	expect(logLines(member.stderr)).toEqual([]);
});

test("HTTP on URLs of its own, without the gateway, for the origins and the host names that are allowed", async () => {
	const { args, clientUrl } = await single();
	const httpUrl = `http://127.0.0.1:${(await freePorts(1))[0]}`;
	const more = [
		`--listen-client-http-urls=${httpUrl}`,
		"--cors=https://a.example",
		"--host-whitelist=127.0.0.1",
		"--enable-grpc-gateway=false",
	];
	await using member = new Program(FLOTILLA, [...args, ...more]);
	await waitForHealth(httpUrl, member);
	const ask = (headers: Readonly<Record<string, string>>, path = "/version"): Promise<readonly [number | undefined, string | undefined]> =>
		new Promise((resolve, reject) => {
			get(httpUrl, { headers, path }, (response) => {
				response.resume();
				resolve([response.statusCode, response.headers["access-control-allow-origin"]]);
			}).once("error", reject);
		});
	expect(await ask({ origin: "https://a.example" })).toEqual([200, "https://a.example"]);
	expect(await ask({ origin: "https://b.example" })).toEqual([200, undefined]);
	expect(await ask({ host: "elsewhere.example" })).toEqual([421, undefined]);
	expect(await ask({ host: "elsewhere.example" }, "http://127.0.0.1:1/version")).toEqual([200, undefined]);
	expect(await ask({ host: "127.0.0.1" }, "http://elsewhere.example/version")).toEqual([421, undefined]);
	await expect(fetch(`${clientUrl}/version`)).rejects.toThrow();
	expect((await fetch(`${httpUrl}/v3/kv/range`, { method: "POST", body: '{"key":"YQ=="}' })).status).toBe(404);
	const traffic = logLines(member.stderr).flatMap(({ msg, traffic: kind }) => (msg.startsWith("serving client traffic") ? [kind] : []));
	expect(traffic).toEqual(["grpc", "http"]);
});

test("flags that name another member than the data folder are refused with status 3", async () => {
	const { args, dataDir } = await single();
	const clientUrl = args.find((arg) => arg.startsWith("--listen-client-urls="))?.split("=")[1] as string;
	{
		await using member = new Program(FLOTILLA, args);
		await waitForHealth(clientUrl, member);
		member.signal("SIGTERM");
		await member.ended;
	}
	const { end, stderr } = await run([...args, "--initial-cluster-token=another"]);
	expect(end).toBe(3);
	const last = logLines(stderr).at(-1);
	expect(last).toMatchObject({ level: "fatal", msg: "cannot start" });
	expect(last?.error).toMatch(/^Cannot start \(foreign\): the data folder belongs to another/);
	// Flags that say nothing of the cluster are no contradiction: the folder knows.
	const silent = args.filter((arg) => !arg.startsWith("--initial-cluster="));
	await using member = new Program(FLOTILLA, [...silent, "--initial-cluster-token=another"]);
	await waitForHealth(clientUrl, member);
	const dump = await run(["log", "dump", dataDir]);
	expect(dump.end).toBe(0);
	expect(dump.stdout).toMatch(/^\{"type":"identity","file":"identity","cluster":"[0-9a-f]+","member":"[0-9a-f]+","log":"[0-9a-f]+"\}\n/);
	const words = await run(["log", "dump", "--words", dataDir]);
	expect(words.stdout).toMatch(/^identity: cluster [0-9a-f]+, member [0-9a-f]+, log [0-9a-f]+\nvote: /);
});

test("a second signal does not wait for the stop", async () => {
	const { args, clientUrl } = await single();
	// Without its only companion the member never serves, and a request that waits for that holds the stop up.
	const cluster = `${args.find((arg) => arg.startsWith("--initial-cluster="))},other=http://127.0.0.1:1`;
	await using member = new Program(FLOTILLA, [...args.filter((arg) => !arg.startsWith("--initial-cluster=")), cluster]);
	await member.said(/now serving peer\/client\/metrics/);
	const waiting = fetch(`${clientUrl}/health`).catch(() => null);
	await member.said(/became pre-candidate/);
	member.signal("SIGTERM");
	await member.said(/received signal; shutting down/);
	member.signal("SIGINT");
	const { end, stderr } = await member.ended;
	expect(end).toBe("SIGINT");
	expect(stderr).not.toContain("closed etcd server");
	await waiting;
});

test("a member that belongs to another process stops when that one is gone", async () => {
	const { args, clientUrl } = await single();
	await using member = new Program(FLOTILLA, args, { environment: { FLOTILLA_STOP_WITH_STDIN: "1" } });
	await waitForHealth(clientUrl, member);
	member.type(null);
	const { end, stderr } = await member.ended;
	expect(end).toBe(0);
	expect(logLines(stderr).map(({ msg }) => msg)).toContain("closed etcd server");
});

test("without being told so, the end of standard input means nothing", async () => {
	const { args, clientUrl } = await single();
	await using member = new Program(FLOTILLA, args);
	member.type(null);
	await waitForHealth(clientUrl, member);
	expect(member.running).toBe(true);
});

test("the log is dumped while its member writes: whole each time, and in the end with every write that was acknowledged", async () => {
	const { args, clientUrl, dataDir } = await single();
	await using member = new Program(FLOTILLA, args);
	await waitForHealth(clientUrl, member);
	const acknowledged = new Map<string, string>();
	let writing = true;
	const writers = Array.from({ length: 8 }, async (_, writer) => {
		for (let n = 0; writing; n++) {
			const [key, value] = [`k${writer}/${n}`, "v".repeat(500 * writer)];
			const body = JSON.stringify({ key: btoa(key), value: btoa(value) });
			const { status } = await fetch(`${clientUrl}/v3/kv/put`, { method: "POST", body });
			expect(status).toBe(200);
			acknowledged.set(key, value);
		}
	});
	for (let round = 0; round < 3; round++) {
		const { end, stdout } = await run(["log", "dump", "--value-bytes", "10", dataDir]);
		expect([end, stdout.split("\n").filter((line) => line.includes('"problem"'))]).toEqual([0, []]);
	}
	writing = false;
	await Promise.all(writers);
	const { end, stdout } = await run(["log", "dump", dataDir]);
	expect(end).toBe(0);
	const puts = stdout
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line) as { kind?: string; index: number; operation: { key: string; value?: string } })
		.filter(({ kind }) => kind === "put");
	expect(puts.map(({ index }) => index)).toEqual(puts.map(({ index }) => index).toSorted((a, b) => a - b));
	const logged = new Map(puts.map(({ operation: { key, value = "" } }) => [key, value]));
	expect(logged).toEqual(acknowledged);
});

for (const [args, problem] of [
	[["log"], "unknown command: log"],
	[["log", "eat", "x"], "unknown command: log eat"],
	[["log", "dump"], "need one data folder"],
	[["log", "dump", "a", "b"], "need one data folder"],
	[["log", "dump", "--value-bytes=x", "y"], "--value-bytes x: need a whole number"],
	[["log", "dump", "--words", "--data-bytes=x", "y"], "--data-bytes x: need a whole number"],
	[["log", "dump", "--entries", "y"], "--entries needs --words"],
	[["log", "dump", "--words", "--value-bytes=3", "y"], "--value-bytes does not go with --words"],
	[["log", "dump", "--nope", "y"], "Unknown option '--nope'"],
	[["log", "dump", "/nowhere"], "there is no member in /nowhere"],
] as const) {
	test(`refused with status 2: flotilla ${args.join(" ")}`, async () => {
		const { end, stdout, stderr } = await run(args);
		expect({ end, stdout }).toEqual({ end: 2, stdout: "" });
		expect(stderr).toContain(problem);
	});
}

async function waitForHealth(clientUrl: string, member: Program): Promise<void> {
	const deadline = performance.now() + 100_000;
	for (;;) {
		const status = await fetch(`${clientUrl}/health`).then(
			(response) => response.status,
			() => 0,
		);
		if (status === 200) return;
		if (!member.running) throw new Error(`it ended: ${member.stderr}`);
		if (performance.now() > deadline) throw new Error(`it is not healthy: ${member.stderr}`);
		await new Promise((next) => setTimeout(next, 20));
	}
}

test("doctor, and saving a state, end where a port takes connections and never says a word", async () => {
	const silent = createServer((socket) => void socket.on("error", () => {}));
	await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
	const endpoint = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
	try {
		const [asked, saved] = await Promise.all([
			run(["doctor", "--endpoints", endpoint]),
			run(["snapshot", "save", "--endpoints", endpoint, join(folder, "state.db")]),
		]);
		expect([asked.end, asked.stdout]).toEqual([1, expect.stringContaining(`${endpoint} does not answer`)]);
		expect([saved.end, await readdir(folder)]).toEqual([1, []]);
	} finally {
		silent.close();
	}
});
