import { expect, test } from "vitest";
import { parse } from "yaml";
import { DEFAULT_MEMBER_OPTIONS } from "../member-config.ts";
import { type CommandLineOutcome, readCommandLine } from "./command-line.ts";
import { readConfigFile } from "./config-file.ts";
import type { Environment } from "./flags.ts";
import { bad } from "./parsed.ts";

const CLIENT = ["--listen-client-urls=http://127.0.0.1:1", "--advertise-client-urls=http://127.0.0.1:1"];
const SECURE_CLIENT = ["--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://127.0.0.1:1"];
const SECURE_PEER = ["--listen-peer-urls=https://127.0.0.1:2", "--initial-advertise-peer-urls=https://127.0.0.1:2"];

async function read(args: readonly string[], environment: Environment = {}, file: string | null = null): Promise<CommandLineOutcome> {
	return readCommandLine(args, environment, {
		readSettings: async (path) => (file === null ? bad(`open ${path}: no such file or directory`) : readConfigFile(file, parse)),
	});
}

async function options(args: readonly string[], environment: Environment = {}, file: string | null = null) {
	const outcome = await read(args, environment, file);
	if (outcome.kind !== "run") throw new Error(`not started: ${JSON.stringify(outcome)}`);
	return outcome.options;
}

/** What the caller sees of a refusal: exit status and the text that says why. */
function ending(outcome: CommandLineOutcome): { readonly exit: number; readonly text: string } {
	if (outcome.kind === "usageError") return { exit: 2, text: outcome.text };
	if (outcome.kind !== "refused") throw new Error(`not refused: ${outcome.kind}`);
	const last = outcome.notes.at(-1);
	if (last?.level === "fatal") return { exit: 1, text: `${last.msg} ${JSON.stringify(last.fields)}` };
	expect(last).toMatchObject({ level: "warn", msg: "failed to verify flags" });
	return { exit: 1, text: String(last?.fields.error) };
}

for (const [args, exit, text] of [
	[["--nope"], 2, "flag provided but not defined: -nope"],
	[["-nope=1"], 2, "flag provided but not defined: -nope"],
	[["---x"], 2, "bad flag syntax: ---x"],
	[["-=x"], 2, "bad flag syntax: -=x"],
	[["--heartbeat-interval"], 2, "flag needs an argument: -heartbeat-interval"],
	[["--heartbeat-interval", "abc"], 2, 'invalid value "abc" for flag -heartbeat-interval: parse error'],
	[["--heartbeat-interval=-1"], 2, 'invalid value "-1" for flag -heartbeat-interval: parse error'],
	[
		["--heartbeat-interval", "99999999999999999999"],
		2,
		'invalid value "99999999999999999999" for flag -heartbeat-interval: value out of range',
	],
	[["--grpc-keepalive-min-time", "5"], 2, 'invalid value "5" for flag -grpc-keepalive-min-time: parse error'],
	[["--strict-reconfig-check=maybe"], 2, 'invalid boolean value "maybe" for -strict-reconfig-check: parse error'],
	[["--initial-cluster-state", "bogus"], 2, 'invalid value "bogus" for flag -initial-cluster-state: invalid value'],
	[["--feature-gates=X=true"], 2, 'invalid value "X=true" for flag -feature-gates: unrecognized feature gate: X'],
	[
		["--max-concurrent-streams", "abc"],
		2,
		'invalid value "abc" for flag -max-concurrent-streams: strconv.ParseUint: parsing "abc": invalid syntax',
	],
	[
		["--listen-client-urls", "127.0.0.1:2399"],
		2,
		'invalid value "127.0.0.1:2399" for flag -listen-client-urls: parse "127.0.0.1:2399": first path segment in URL cannot contain colon',
	],
	[["foo"], 1, '"foo" is not a valid flag'],
	[["--name", "a", "foo", "--nope"], 1, '"foo" is not a valid flag'],
	[["--strict-reconfig-check", "false"], 1, '"false" is not a valid flag'],
	[["--", "--name"], 1, '"--name" is not a valid flag'],
	[["-"], 1, '"-" is not a valid flag'],
	[["--listen-client-urls", "http://127.0.0.1:1"], 1, "--advertise-client-urls is required when --listen-client-urls is set explicitly"],
	[["--heartbeat-interval", "0"], 1, "--heartbeat-interval must be >0 (set to 0ms)"],
	[["--election-timeout", "0"], 1, "--election-timeout must be >0 (set to 0ms)"],
	[["--election-timeout", "400"], 1, "--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]"],
	[["--election-timeout", "60000"], 1, "--election-timeout[60000ms] is too long, and should be set less than 50000ms"],
	[
		["--initial-cluster", "a=http://127.0.0.1:1", "--discovery-srv", "x"],
		1,
		'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery", "discovery-endpoints" or "discovery-srv"',
	],
	[["--discovery-token", "x"], 1, "both --discovery-token and --discovery-endpoints must be set"],
	[["--discovery-srv", "x"], 1, "--discovery-srv is not supported by this version of flotilla"],
	[["--discovery-fallback", "proxy"], 1, 'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"'],
	[["--listen-peer-urls", "http://example.com:1"], 1, "expected IP in URL for binding (http://example.com:1)"],
	[
		["--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://127.0.0.1:1"],
		1,
		"TLS key/cert (--cert-file, --key-file) must be provided for client url https://127.0.0.1:1 with HTTPS scheme",
	],
	[
		["--listen-client-urls=http://127.0.0.1:1", "--advertise-client-urls=http://:1"],
		1,
		'--advertise-client-urls "http://:1" must be "host:port" (unexpected empty host (http://:1))',
	],
	[["--logger", "capnslog"], 1, 'unknown logger option "capnslog"'],
	[["--log-level", "loud"], 1, 'unrecognized level: "loud"'],
	[["--log-format", "xml"], 1, "unknown log format: xml, supported values json, console"],
	[["--log-outputs", "default,stdout"], 1, 'multi logoutput for "default" is not supported yet'],
	[["--auto-compaction-mode", "x"], 1, 'unknown auto-compaction-mode "x"'],
	[["--auto-compaction-mode", ""], 1, "undefined auto-compaction-mode"],
	[["--auto-compaction-retention", "1x"], 1, 'error parsing CompactionRetention: time: invalid duration "1x"'],
	[
		["--auto-compaction-mode=revision", "--auto-compaction-retention=-5"],
		1,
		'error parsing CompactionRetention: time: invalid duration "-5"',
	],
	[["--cert-file", "a.pem"], 1, "KeyFile and CertFile must both be present[key: , cert: a.pem]"],
	[["--peer-key-file", "a.key"], 1, "KeyFile and CertFile must both be present[key: a.key, cert: ]"],
	[["--tls-min-version", "TLS1.1"], 1, 'unexpected TLS version "TLS1.1"'],
	[["--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"], 1, "min version (TLS1.3) is greater than max version (TLS1.2)"],
	[
		["--listen-peer-urls", "https://127.0.0.1:1"],
		1,
		"cannot listen on TLS for https://127.0.0.1:1: KeyFile and CertFile are not presented",
	],
	[["--cipher-suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_NOPE"], 1, 'unexpected TLS cipher suite "TLS_NOPE"'],
	[
		["--cipher-suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "--tls-min-version=TLS1.3"],
		1,
		"cipher suites cannot be configured when only TLS1.3 is enabled",
	],
	[
		["--peer-cert-allowed-cn", "a", "--peer-cert-allowed-hostname", "b"],
		1,
		"AllowedCN and AllowedHostname are mutually exclusive (cn=[a], hostname=[b])",
	],
	[["--auto-tls", "--self-signed-cert-validity", "0"], 1, "selfSignedCertValidity is invalid,it should be greater than 0"],
	[
		["--auto-tls", "--client-cert-auth"],
		1,
		"--auto-tls lets everybody in, in spite of --client-cert-auth: give --cert-file and --key-file as well, or take it away",
	],
	[
		["--auto-tls", "--trusted-ca-file=ca.pem", "--client-crl-file=ca.crl", "--client-cert-allowed-hostname=h"],
		1,
		"--auto-tls lets everybody in, in spite of --trusted-ca-file, --client-crl-file, --client-cert-allowed-hostname: give --cert-file and --key-file as well, or take them away",
	],
	[
		["--peer-auto-tls", "--peer-client-cert-auth", "--peer-trusted-ca-file=ca.pem", "--peer-crl-file=ca.crl"],
		1,
		"--peer-auto-tls lets everybody in, in spite of --peer-client-cert-auth, --peer-trusted-ca-file, --peer-crl-file: give --peer-cert-file and --peer-key-file as well, or take them away",
	],
	[
		["--peer-auto-tls", "--peer-cert-allowed-cn=a"],
		1,
		"--peer-auto-tls lets everybody in, in spite of --peer-cert-allowed-cn: give --peer-cert-file and --peer-key-file as well, or take it away",
	],
	[
		["--peer-auto-tls", "--peer-cert-allowed-hostname=a"],
		1,
		"--peer-auto-tls lets everybody in, in spite of --peer-cert-allowed-hostname: give --peer-cert-file and --peer-key-file as well, or take it away",
	],
	[["--auth-token", "jwt,x=y"], 1, "auth: invalid auth options"],
	[["--auth-token", "jwt,sign-method=none"], 1, "auth: invalid auth options"],
	[["--auth-token", "jwt,sign-method=RS256,sign-method=RS256"], 1, "auth: invalid auth options"],
	[["--auth-token", "jwt,sign-method=RS256,ttl=abc"], 1, "auth: invalid auth options"],
	[["--auth-token", "simple,x"], 1, "auth: invalid auth options"],
	[["--auth-token", "other"], 1, "auth: invalid auth options"],
	[["--feature-gates=SetMemberLocalAddr=true"], 1, "--feature-gates=SetMemberLocalAddr=true is not supported by this version of flotilla"],
	[
		["--pre-vote=false"],
		1,
		"--pre-vote=false is not supported: without it a member that comes back from a partition deposes a healthy leader",
	],
	[
		["--warning-apply-duration=1s", "--experimental-warning-apply-duration=1s"],
		1,
		"both --experimental-warning-apply-duration and --warning-apply-duration flags are set. Use only --warning-apply-duration",
	],
] as Array<[string[], number, string]>) {
	test(`flotilla ${args.join(" ")} ends with ${exit}: ${text}`, async () => expect(ending(await read(args))).toEqual({ exit, text }));
}

for (const args of [["-h"], ["--help"], ["-help"], ["--name", "a", "--help", "--nope"]]) {
	test(`${args.join(" ")} asks for help`, async () => expect(await read(args)).toEqual({ kind: "help" }));
}

test("--version wins over a wrong combination, but not over a stray argument", async () => {
	expect(await read(["--version", "--heartbeat-interval=0"])).toEqual({ kind: "version" });
	expect(await read(["--version=true"])).toEqual({ kind: "version" });
	expect(ending(await read(["--version", "x"])).exit).toBe(1);
});

test("without flags everything has etcd's default, save the limit of streams", async () => {
	const outcome = await read([]);
	expect(outcome).toMatchObject({
		kind: "run",
		bootstrap: { initialCluster: "default=http://localhost:2380", initialClusterGiven: false },
		options: {
			name: "default",
			dataDir: "default.etcd",
			listenClientUrls: ["http://localhost:2379"],
			advertiseClientUrls: ["http://localhost:2379"],
			listenPeerUrls: ["http://localhost:2380"],
			initialAdvertisePeerUrls: ["http://localhost:2380"],
			initialClusterState: "new",
			initialClusterToken: "etcd-cluster",
			heartbeatMs: 100,
			electionMs: 1_000,
			initialElectionTickAdvance: true,
			snapshotCount: 10_000,
			quotaBackendBytes: 0,
			maxTxnOps: 128,
			maxRequestBytes: 1_572_864,
			maxConcurrentStreams: 16_384,
			strictReconfigCheck: true,
			maxLearners: 1,
			warningApplyMs: 100,
			warningUnaryRequestMs: 300,
			watchProgressMs: 600_000,
			watchLimits: DEFAULT_MEMBER_OPTIONS.watchLimits,
			logLevel: "info",
			logFormat: "json",
			logOutputs: ["default"],
		},
	});
});

test("each form of a flag is taken, and the last of several wins", async () => {
	const given = await options([
		"-name=a",
		"--data-dir",
		"d",
		"--heartbeat-interval=50",
		"--heartbeat-interval",
		"60",
		"--name",
		"b",
		...CLIENT,
	]);
	expect(given).toMatchObject({ name: "b", dataDir: "d", heartbeatMs: 60, listenClientUrls: ["http://127.0.0.1:1"] });
});

test("an explicit value of the stream limit is taken as it is", async () => {
	expect((await options(["--max-concurrent-streams", "4294967295"])).maxConcurrentStreams).toBe(4_294_967_295);
});

test("booleans need = to be switched off", async () => {
	const given = await options(["--strict-reconfig-check=false", "--initial-election-tick-advance=f", "--pre-vote"]);
	expect(given).toMatchObject({ strictReconfigCheck: false, initialElectionTickAdvance: false });
});

test("a snapshot count of 0 is the default, as with etcd", async () => {
	expect((await options(["--snapshot-count=0"])).snapshotCount).toBe(10_000);
});

test("defaults that are given explicitly are accepted, whatever the flag", async () => {
	const args = [
		"--auto-compaction-retention=0",
		"--auth-token=simple",
		"--bcrypt-cost=10",
		"--grpc-keepalive-min-time=5000ms",
		"--cert-file=",
		"--client-cert-auth=false",
		"--cors=*",
		"--host-whitelist=",
		"--metrics=basic",
		"--enable-pprof=false",
		"--tls-min-version=TLS1.2",
		"--listen-metrics-urls=",
		"--feature-gates=LeaseCheckpoint=false,TxnModeWriteWithSharedBuffer=true",
		"--log-format=json",
	];
	const outcome = await read(args);
	expect(outcome.kind).toBe("run");
});

test("tuning of parts that flotilla does not have is accepted with a warning", async () => {
	const outcome = await read([
		"--max-wals=7",
		"--unsafe-no-fsync",
		"--backend-batch-interval=10ms",
		"--experimental-initial-corrupt-check=true",
	]);
	expect(outcome.kind).toBe("run");
	const warned = outcome.kind === "run" ? outcome.notes.filter((note) => note.level === "warn").map((note) => note.msg) : [];
	expect(warned).toEqual(
		expect.arrayContaining([
			"--max-wals has no effect in flotilla",
			"--unsafe-no-fsync has no effect in flotilla",
			"--backend-batch-interval has no effect in flotilla",
		]),
	);
});

test("old names of flags are followed", async () => {
	expect((await options(["--experimental-warning-apply-duration=250ms"])).warningApplyMs).toBe(250);
});

test("flags that etcd forgot take no value and do nothing", async () => {
	expect((await read(["--force", "-v", "--snapshot=9"])).kind).toBe("run");
});

test("the initial cluster follows name and advertised URLs when it is not given", async () => {
	const outcome = await read(["--name=x", "--initial-advertise-peer-urls=http://127.0.0.1:7,http://127.0.0.1:6"]);
	expect(outcome).toMatchObject({
		bootstrap: { initialCluster: "x=http://127.0.0.1:6,x=http://127.0.0.1:7", initialClusterGiven: false },
	});
});

test("the environment fills in what the flags leave open", async () => {
	const given = await options(["--name=a"], { ETCD_HEARTBEAT_INTERVAL: "50", ETCD_DATA_DIR: "d", PATH: "/bin" });
	expect(given).toMatchObject({ name: "a", heartbeatMs: 50, dataDir: "d" });
});

test("an empty variable counts as unset", async () => {
	expect((await options(["--name=a"], { ETCD_HEARTBEAT_INTERVAL: "", ETCD_NAME: "" })).name).toBe("a");
});

test("a flag and a variable for one setting are fatal", async () => {
	const outcome = await read(["--name=a"], { ETCD_NAME: "b", ETCD_HEARTBEAT_INTERVAL: "abc" });
	expect(ending(outcome)).toEqual({
		exit: 1,
		text:
			"conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag)) " +
			'{"environment-variable":"ETCD_NAME"}',
	});
});

test("a variable that cannot be read is named", async () => {
	const outcome = await read([], { ETCD_HEARTBEAT_INTERVAL: "abc" });
	expect(ending(outcome)).toEqual({ exit: 1, text: 'invalid value "abc" for ETCD_HEARTBEAT_INTERVAL: parse error' });
});

test("unknown variables and ETCD_VERSION only give a warning", async () => {
	const outcome = await read(["--name=a"], { ETCD_NOPE: "1", ETCD_VERSION: "3.5", ETCDCTL_API: "3" });
	expect(outcome.kind === "run" && outcome.notes.filter((note) => note.level === "warn").slice(0, 2)).toEqual([
		{ level: "warn", msg: "unrecognized environment variable", fields: { "environment-variable": "ETCD_NOPE" } },
		{ level: "warn", msg: "cannot set special environment variable", fields: { key: "ETCD_VERSION", value: "3.5" } },
	]);
});

test("what is secret in arguments, variables and files is in no line", async () => {
	const args = ["--discovery-password=canary", "-discovery-user", "canary:canary", "--discovery=http://canary:canary@h/x", "--name", "a"];
	const environment = { ETCD_ROOT_PASSWORD: "canary", ETCD_DISCOVERY_USER: "canary", ETCD_DISCOVERY_PROXY: "http://canary@h" };
	const outcomes = [
		await read(args),
		await read(["--name=a"], { ...environment, ETCD_DISCOVERY_PASSWORD: "canary" }),
		await read(["--discovery-password=canary"], { ETCD_DISCOVERY_PASSWORD: "canary" }),
		await read(["--config-file=c"], {}, "discovery-config: {password: [canary]}"),
		await read(["--config-file=c"], {}, "discovery-password: canary"),
		await read(["--listen-client-urls=http://canary:canary@127.0.0.1"]),
		await read(["--name=a"], { ETCD_LISTEN_CLIENT_URLS: "http://canary:canary@127.0.0.1" }),
	];
	for (const outcome of outcomes) expect(JSON.stringify(outcome)).not.toContain("canary");
	const [running] = outcomes[0]?.kind === "refused" ? outcomes[0].notes : [];
	expect(running?.fields.args).toEqual([
		...["flotilla", "--discovery-password=***", "-discovery-user", "***", "--discovery=http://***@h/x", "--name", "a"],
	]);
});

test("with a configuration file flags and variables do not count", async () => {
	const file = "name: f\nheartbeat-interval: 70\nlisten-client-urls: http://127.0.0.1:5,http://127.0.0.1:4\nnope: 1\n";
	const given = await options(
		["--config-file=c.yml", "--name=a", "--heartbeat-interval=0"],
		{ ETCD_NAME: "b", ETCD_ELECTION_TIMEOUT: "1" },
		file,
	);
	expect(given).toMatchObject({
		name: "f",
		heartbeatMs: 70,
		electionMs: 1_000,
		listenClientUrls: ["http://127.0.0.1:4", "http://127.0.0.1:5"],
	});
});

test("the file may come from the environment and be JSON", async () => {
	const given = await options([], { ETCD_CONFIG_FILE: "c.json" }, '{"name": "j", "log-outputs": ["stdout"], "pre-vote": true}');
	expect(given).toMatchObject({ name: "j", logOutputs: ["stdout"] });
});

test("durations in a file are nanoseconds", async () => {
	expect((await options(["--config-file=c"], {}, "warning-apply-duration: 200000000\n")).warningApplyMs).toBe(200);
});

for (const [name, file, error] of [
	["durations as text", "grpc-keepalive-min-time: 5s", 'c: cannot use "5s" as grpc-keepalive-min-time: need a whole number of nanoseconds'],
	["a text for a number", "heartbeat-interval: abc", 'c: cannot use "abc" as heartbeat-interval: need a whole number'],
	["a text for a list", "log-outputs: stdout", 'c: cannot use "stdout" as log-outputs: need a list of texts'],
	["a list for a text", "name: [a]", 'c: cannot use ["a"] as name: need a text'],
	[
		"a wrong URL",
		"listen-client-urls: ftp://a:1",
		"c: unexpected error setting up listen-client-urls: URL scheme must be http, https, unix, or unixs: ftp://a:1",
	],
	["a wrong state", "initial-cluster-state: bogus", 'unexpected clusterState "bogus"'],
	["a wrong combination", "heartbeat-interval: 0", "--heartbeat-interval must be >0 (set to 0ms)"],
	["TLS", "client-transport-security:\n  cert-file: a.pem", "KeyFile and CertFile must both be present[key: , cert: a.pem]"],
	["TLS between peers", "peer-transport-security: {key-file: a.key}", "KeyFile and CertFile must both be present[key: a.key, cert: ]"],
	["socket options", "socket-options: {reuse-port: true}", "--socket-reuse-port is not supported by this version of flotilla"],
	["two documents", "name: a\n---\nname: b\n", "c: cannot use it: need one YAML document, and it holds several"],
	["no map", "- a", "c: cannot use it: need a map of flag names to values"],
] as Array<[string, string, string]>) {
	test(`a configuration file is refused: ${name}`, async () =>
		expect(ending(await read(["--config-file=c"], {}, file))).toEqual({ exit: 1, text: error }));
}

test("a configuration file that is no YAML or not there is refused", async () => {
	expect(ending(await read(["--config-file=c"], {}, "name: ["))).toMatchObject({
		exit: 1,
		text: expect.stringContaining("c: cannot read it as YAML: "),
	});
	expect(ending(await read(["--config-file=c"]))).toMatchObject({ exit: 1, text: expect.stringContaining("no such file or directory") });
});

test("unset values, empty sections and plain security defaults in a file are fine", async () => {
	const file = "name: a\nwal-dir:\nclient-transport-security:\n  cert-file: ''\n  client-cert-auth: false\n";
	expect((await options(["--config-file=c"], {}, file)).name).toBe("a");
	expect((await options(["--config-file=c"], {}, "")).name).toBe("default");
});

test("words that objects have by themselves are like any other unknown one", async () => {
	const words = ["__proto__", "toString", "constructor", "hasOwnProperty"];
	for (const word of words) {
		for (const value of ["x", "{a: 1}"]) {
			const sections = ["client-transport-security", "peer-transport-security", "socket-options", "discovery-config"];
			for (const file of [`${word}: ${value}\n`, ...sections.map((section) => `${section}: {${word}: ${value}}\n`)]) {
				expect((await options(["--config-file=c"], {}, `name: a\n${file}`)).name).toBe("a");
			}
		}
		expect(ending(await read([`--feature-gates=${word}=true`])).text).toContain(`unrecognized feature gate: ${word}`);
		expect(ending(await read([`--tls-min-version=${word}`])).text).toBe(`unexpected TLS version "${word}"`);
		expect(ending(await read([`--cipher-suites=${word}`])).text).toBe(`unexpected TLS cipher suite "${word}"`);
		expect(ending(await read([`--${word}=1`]))).toEqual({ exit: 2, text: `flag provided but not defined: -${word}` });
	}
});

test("a URL that is named twice counts once, from flags, variables and files", async () => {
	const twice = (port: number): string => `http://127.0.0.1:${port},http://127.0.0.1:${port + 1}, http://127.0.0.1:${port}`;
	const once = (port: number): string[] => [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
	const names = ["listen-client-urls", "listen-peer-urls", "listen-metrics-urls", "listen-client-http-urls"];
	const wanted = {
		...{ listenClientUrls: once(10), listenPeerUrls: once(20), listenMetricsUrls: once(30), listenClientHttpUrls: once(40) },
		...{ advertiseClientUrls: once(50), initialAdvertisePeerUrls: once(60) },
	};
	const all = [...names, "advertise-client-urls", "initial-advertise-peer-urls"].map((name, at) => [name, twice(10 * (at + 1))] as const);
	expect(await options(all.map(([name, urls]) => `--${name}=${urls}`))).toMatchObject(wanted);
	const variables = all.map(([name, urls]) => [`ETCD_${name.toUpperCase().replaceAll("-", "_")}`, urls] as const);
	expect(await options([], Object.fromEntries(variables))).toMatchObject(wanted);
	expect(await options(["--config-file=c"], {}, all.map(([name, urls]) => `${name}: ${urls}\n`).join(""))).toMatchObject(wanted);
});

test("certificates come from flags and from the file's sections alike", async () => {
	const clients = ["--cert-file=a.pem", "--key-file=a.key", "--trusted-ca-file=ca.pem", "--client-cert-auth", "--tls-max-version=TLS1.2"];
	const peers = ["--peer-cert-file=p.pem", "--peer-key-file=p.key", "--peer-trusted-ca-file=pca.pem", "--peer-cert-allowed-cn=x,y"];
	const { clientTls, peerTls } = await options([...clients, ...peers, "--peer-client-cert-auth"]);
	expect(clientTls).toMatchObject({ certFile: "a.pem", keyFile: "a.key", trustedCaFile: "ca.pem", clientCertAuth: true });
	expect(clientTls).toMatchObject({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2", skipClientSan: true });
	expect(peerTls).toMatchObject({ certFile: "p.pem", clientCertAuth: true, allowedCommonNames: ["x", "y"], skipClientSan: false });
	const file =
		"client-transport-security: {cert-file: a.pem, key-file: a.key}\npeer-transport-security: {cert-file: p.pem, key-file: p.key}";
	const fromFile = await options(["--config-file=c"], {}, file);
	expect(fromFile).toMatchObject({ clientTls: { certFile: "a.pem", clientCertAuth: false }, peerTls: { keyFile: "p.key" } });
	expect(await options(["--client-cert-auth"])).toMatchObject({ clientTls: null, peerTls: null });
});

for (const [args, warnings] of [
	[["--auto-tls", "--client-cert-auth=false", "--trusted-ca-file=", "--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], []],
	[
		["--auto-tls", "--cert-file=a.pem", "--key-file=a.key", "--trusted-ca-file=ca.pem", "--client-crl-file=ca.crl", ...SECURE_CLIENT],
		["ignoring client auto TLS since certs given"],
	],
	[
		["--peer-auto-tls", "--peer-cert-file=a.pem", "--peer-key-file=a.key", "--peer-client-cert-auth", ...SECURE_PEER],
		["ignoring peer auto TLS since certs given"],
	],
	[
		["--peer-auto-tls", "--peer-client-cert-file=a.pem", "--peer-client-key-file=a.key"],
		["ignoring --peer-client-cert-file: --peer-auto-tls makes that certificate, too"],
	],
	[
		["--cert-file=a.pem", "--key-file=a.key", "--client-crl-file=ca.crl", "--client-cert-allowed-hostname=h", ...SECURE_CLIENT],
		[
			"--client-crl-file has no effect: without --client-cert-auth or --trusted-ca-file nobody is asked for a certificate",
			"--client-cert-allowed-hostname has no effect: without --client-cert-auth or --trusted-ca-file nobody is asked for a certificate",
		],
	],
	[
		["--peer-cert-file=a.pem", "--peer-key-file=a.key", "--peer-crl-file=ca.crl", "--peer-cert-allowed-cn=a", ...SECURE_PEER],
		["--peer-cert-allowed-cn has no effect: without --peer-client-cert-auth or --peer-trusted-ca-file nobody is asked for a certificate"],
	],
	[
		["--cert-file=a.pem", "--key-file=a.key", "--client-cert-auth", ...CLIENT],
		[
			"scheme is http or unix while key and cert files are present; ignoring key and cert files",
			"scheme is http or unix while --client-cert-auth is enabled; ignoring client cert auth for this URL",
		],
	],
	[
		["--peer-cert-file=a.pem", "--peer-key-file=a.key", "--peer-client-cert-auth"],
		[
			"scheme is HTTP while key and cert files are present; ignoring key and cert files",
			"scheme is HTTP while --peer-client-cert-auth is enabled; ignoring client cert auth for this URL",
		],
	],
] as Array<[string[], string[]]>) {
	test(`of TLS that does not come to be: ${args.join(" ")}`, async () => {
		const outcome = await read(["--name=a", "--data-dir=d", ...args]);
		if (outcome.kind !== "run") throw new Error(`not started: ${JSON.stringify(outcome)}`);
		expect(outcome.notes.filter(({ level }) => level === "warn").map(({ msg }) => msg)).toEqual(warnings);
	});
}

test("how often clients may ping, and when they are pinged; 0 is what gRPC takes by itself", async () => {
	expect(await options([])).toMatchObject({ keepaliveMinMs: 5_000, keepaliveIntervalMs: 7_200_000, keepaliveTimeoutMs: 20_000 });
	const zeros = ["--grpc-keepalive-min-time=0s", "--grpc-keepalive-interval=0s", "--grpc-keepalive-timeout=0s"];
	expect(await options(zeros)).toMatchObject({ keepaliveMinMs: 300_000, keepaliveIntervalMs: 7_200_000, keepaliveTimeoutMs: 20_000 });
	expect(await options(["--grpc-keepalive-min-time=1s"])).toMatchObject({ keepaliveMinMs: 1_000 });
});
