/**
 * Every flag of etcd 3.6 (etcd API 12.3 and 12.4): that its default may be given, and what comes of another value. It works, is
 * taken with a warning, or is refused with a text; nothing is passed over in silence.
 */
import { describe, expect, test } from "vitest";
import { type CommandLineOutcome, readCommandLine } from "./command-line.ts";
import { FEATURE_GATES, FLAG_TABLE, RENAMED_FLAGS, RENAMED_GATES } from "./flag-table.ts";

type Outcome =
	/** It changes what a member is started with. */
	{ readonly works: Readonly<Record<string, unknown>> } | "warns" | "refused" | { readonly text: string };

interface Case {
	readonly flag: string;
	readonly standard: string;
	readonly other: string;
	readonly outcome: Outcome;
	/** Flags without which it means nothing. */
	readonly beside: readonly string[];
}

const CASES: Case[] = [];
function flag(name: string, standard: string, other: string, outcome: Outcome, beside: readonly string[] = []): void {
	CASES.push({ flag: name, standard, other, outcome, beside });
}
const works = (options: Readonly<Record<string, unknown>>): Outcome => ({ works: options });

const URL = "http://127.0.0.1:7";
const CLIENT_CERT = ["--cert-file=c.pem", "--key-file=c.key"];
const PEER_CERT = ["--peer-cert-file=p.pem", "--peer-key-file=p.key"];
const SECURE = [
	...["--listen-client-urls=https://127.0.0.1:7", "--advertise-client-urls=https://127.0.0.1:7"],
	...["--listen-peer-urls=https://127.0.0.1:8", "--initial-advertise-peer-urls=https://127.0.0.1:8"],
];

// Member
flag("name", "default", "m1", works({ name: "m1" }));
flag("data-dir", "default.etcd", "d", works({ dataDir: "d" }));
flag("wal-dir", "", "w", "refused");
flag("snapshot-count", "10000", "5", works({ snapshotCount: 5 }));
flag("heartbeat-interval", "100", "50", works({ heartbeatMs: 50 }));
flag("election-timeout", "1000", "2000", works({ electionMs: 2_000 }));
flag("initial-election-tick-advance", "true", "false", works({ initialElectionTickAdvance: false }));
flag("listen-peer-urls", "http://localhost:2380", URL, works({ listenPeerUrls: [URL] }));
flag("listen-client-urls", "http://localhost:2379", URL, works({ listenClientUrls: [URL] }), [`--advertise-client-urls=${URL}`]);
flag("listen-client-http-urls", "", URL, works({ listenClientHttpUrls: [URL] }));
flag("max-snapshots", "5", "6", "warns");
flag("max-wals", "5", "6", "warns");
flag("memory-mlock", "false", "true", "refused");
flag("quota-backend-bytes", "0", "9", works({ quotaBackendBytes: 9 }));
flag("backend-bbolt-freelist-type", "map", "array", "warns");
flag("backend-batch-interval", "0s", "1s", "warns");
flag("backend-batch-limit", "0", "1", "warns");
flag("max-txn-ops", "128", "129", works({ maxTxnOps: 129 }));
flag("max-request-bytes", "1572864", "9", works({ maxRequestBytes: 9 }));
flag("max-concurrent-streams", "4294967295", "9", works({ maxConcurrentStreams: 9 }));
flag("grpc-keepalive-min-time", "5s", "6s", works({ keepaliveMinMs: 6_000 }));
flag("grpc-keepalive-interval", "2h", "1h", works({ keepaliveIntervalMs: 3_600_000 }));
flag("grpc-keepalive-timeout", "20s", "6s", works({ keepaliveTimeoutMs: 6_000 }));
flag("socket-reuse-port", "false", "true", "refused");
flag("socket-reuse-address", "false", "true", "warns");
flag("enable-grpc-gateway", "true", "false", works({ grpcGateway: false }));
flag("raft-read-timeout", "5s", "6s", "warns");
flag("raft-write-timeout", "5s", "6s", "warns");
flag("feature-gates", "", "SetMemberLocalAddr=true", {
	text: "--feature-gates=SetMemberLocalAddr=true is not supported by this version of flotilla",
});

// Clustering
flag("initial-advertise-peer-urls", "http://localhost:2380", URL, works({ initialAdvertisePeerUrls: [URL] }));
flag("initial-cluster", "default=http://localhost:2380", `default=${URL}`, works({ initialCluster: `default=${URL}` }));
flag("initial-cluster-state", "new", "existing", works({ initialClusterState: "existing" }));
flag("initial-cluster-token", "etcd-cluster", "t", works({ initialClusterToken: "t" }));
flag("advertise-client-urls", "http://localhost:2379", URL, works({ advertiseClientUrls: [URL] }));
flag("discovery", "", "http://h/1", "refused");
flag("discovery-proxy", "", "http://h", "refused");
flag("discovery-token", "", "t", { text: "both --discovery-token and --discovery-endpoints must be set" });
flag("discovery-endpoints", "", "h:1", { text: "both --discovery-token and --discovery-endpoints must be set" });
flag("discovery-dial-timeout", "2s", "1s", "warns");
flag("discovery-request-timeout", "5s", "1s", "warns");
flag("discovery-keepalive-time", "2s", "1s", "warns");
flag("discovery-keepalive-timeout", "6s", "1s", "warns");
flag("discovery-insecure-transport", "true", "false", "warns");
flag("discovery-insecure-skip-tls-verify", "false", "true", "warns");
for (const name of ["cert", "key", "cacert", "user", "password"]) flag(`discovery-${name}`, "", "x", "refused");
flag("discovery-fallback", "exit", "proxy", { text: 'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"' });
flag("discovery-srv", "", "example.org", "refused");
flag("discovery-srv-name", "", "x", "refused");
flag("strict-reconfig-check", "true", "false", works({ strictReconfigCheck: false }));
flag("pre-vote", "true", "false", {
	text: "--pre-vote=false is not supported: without it a member that comes back from a partition deposes a healthy leader",
});
flag("auto-compaction-retention", "0", "5", works({ autoCompaction: { mode: "revision", retention: 5 } }), [
	"--auto-compaction-mode=revision",
]);
flag("auto-compaction-mode", "periodic", "revision", works({ autoCompaction: { mode: "revision", retention: 6 } }), [
	"--auto-compaction-retention=6",
]);
flag("max-learners", "1", "2", works({ maxLearners: 2 }));
flag("v2-deprecation", "write-only", "gone", "warns");

// Security and auth
flag("cert-file", "", "c.pem", works({ clientTls: { certFile: "c.pem" } }), ["--key-file=c.key"]);
flag("key-file", "", "c.key", works({ clientTls: { keyFile: "c.key" } }), ["--cert-file=c.pem"]);
flag("client-cert-file", "", "c.pem", "warns");
flag("client-key-file", "", "c.key", "warns");
flag("trusted-ca-file", "", "ca.pem", works({ clientTls: { trustedCaFile: "ca.pem" } }), CLIENT_CERT);
flag("client-crl-file", "", "crl", works({ clientTls: { crlFile: "crl" } }), [...CLIENT_CERT, "--client-cert-auth"]);
flag("client-cert-auth", "false", "true", works({ clientTls: { clientCertAuth: true } }), CLIENT_CERT);
flag("auto-tls", "false", "true", works({ clientTls: { selfSignedYears: 1 } }));
flag("client-cert-allowed-hostname", "", "h", works({ clientTls: { allowedHostNames: ["h"] } }), [...CLIENT_CERT, "--client-cert-auth"]);
flag("peer-cert-file", "", "p.pem", works({ peerTls: { certFile: "p.pem" } }), ["--peer-key-file=p.key"]);
flag("peer-key-file", "", "p.key", works({ peerTls: { keyFile: "p.key" } }), ["--peer-cert-file=p.pem"]);
flag("peer-client-cert-file", "", "d.pem", works({ peerTls: { dialCertFile: "d.pem" } }), [...PEER_CERT, "--peer-client-key-file=d.key"]);
flag("peer-client-key-file", "", "d.key", works({ peerTls: { dialKeyFile: "d.key" } }), [...PEER_CERT, "--peer-client-cert-file=d.pem"]);
flag("peer-trusted-ca-file", "", "ca.pem", works({ peerTls: { trustedCaFile: "ca.pem" } }), PEER_CERT);
flag("peer-crl-file", "", "crl", works({ peerTls: { crlFile: "crl" } }), PEER_CERT);
flag("peer-client-cert-auth", "false", "true", works({ peerTls: { clientCertAuth: true } }), PEER_CERT);
flag("peer-auto-tls", "false", "true", works({ peerTls: { selfSignedYears: 1 } }));
flag("peer-skip-client-san-verification", "false", "true", works({ peerTls: { skipClientSan: true } }), PEER_CERT);
flag("peer-cert-allowed-cn", "", "a", works({ peerTls: { allowedCommonNames: ["a"] } }), [...PEER_CERT, "--peer-client-cert-auth"]);
flag("peer-cert-allowed-hostname", "", "h", works({ peerTls: { allowedHostNames: ["h"] } }), [...PEER_CERT, "--peer-client-cert-auth"]);
flag("self-signed-cert-validity", "1", "2", works({ clientTls: { selfSignedYears: 2 } }), ["--auto-tls"]);
flag(
	"cipher-suites",
	"",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	works({ clientTls: { cipherSuites: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] } }),
	CLIENT_CERT,
);
flag("tls-min-version", "TLS1.2", "TLS1.3", works({ clientTls: { minVersion: "TLSv1.3" } }), CLIENT_CERT);
flag("tls-max-version", "", "TLS1.2", works({ clientTls: { maxVersion: "TLSv1.2" } }), CLIENT_CERT);
flag("cors", "*", "https://a.example", works({ corsOrigins: ["https://a.example"] }));
flag("host-whitelist", "*", "a.example", works({ hostWhitelist: ["a.example"] }));
flag(
	"auth-token",
	"simple",
	"jwt,sign-method=HS256,priv-key=k",
	works({ authToken: { kind: "jwt", signMethod: "HS256", privateKeyFile: "k" } }),
);
flag("bcrypt-cost", "10", "4", works({ bcryptCost: 4 }));
flag("auth-token-ttl", "300", "9", works({ authTokenTtlMs: 9_000 }));

// Monitoring, logging, other
flag("enable-pprof", "false", "true", works({ enablePprof: true }));
flag("metrics", "basic", "extensive", works({ metrics: "extensive" }));
flag("listen-metrics-urls", "", URL, works({ listenMetricsUrls: [URL] }));
flag("logger", "zap", "capnslog", { text: 'unknown logger option "capnslog"' });
flag("log-outputs", "default", "stdout", works({ logOutputs: ["stdout"] }));
flag("log-level", "info", "debug", works({ logLevel: "debug" }));
flag("log-format", "json", "console", works({ logFormat: "console" }));
flag("enable-log-rotation", "false", "true", "refused");
flag("log-rotation-config-json", '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}', "{}", "warns");
flag("warning-unary-request-duration", "300ms", "1s", works({ warningUnaryRequestMs: 1_000 }));
flag("warning-apply-duration", "100ms", "1s", works({ warningApplyMs: 1_000 }));
flag("watch-progress-notify-interval", "0s", "1s", works({ watchProgressMs: 1_000 }));
flag("corrupt-check-time", "0s", "1s", "warns");
flag("compact-hash-check-time", "1m", "1s", "warns");
flag("compaction-batch-limit", "0", "1", "warns");
flag("compaction-sleep-interval", "0", "1ms", "warns");
flag("bootstrap-defrag-threshold-megabytes", "0", "1", "warns");
flag("downgrade-check-time", "5s", "1s", "warns");
flag("snapshot-catchup-entries", "5000", "1", "warns");
flag("enable-distributed-tracing", "false", "true", "refused");
flag("distributed-tracing-address", "localhost:4317", "h:1", "warns");
flag("distributed-tracing-service-name", "etcd", "x", "warns");
flag("distributed-tracing-instance-id", "", "x", "warns");
flag("distributed-tracing-sampling-rate", "0", "1", "warns");
flag("force-new-cluster", "false", "true", works({ forceNewCluster: true }));
flag("unsafe-no-fsync", "false", "true", "warns");
flag("config-file", "", "c.yaml", { text: "c.yaml: no such file" });

/** Old names with `experimental-` in front that 3.6 still takes. */
const OLD_NAMES = [
	...["initial-corrupt-check", "corrupt-check-time", "compact-hash-check-enabled", "compact-hash-check-time", "enable-lease-checkpoint"],
	...["enable-lease-checkpoint-persist", "compaction-batch-limit", "compaction-sleep-interval", "watch-progress-notify-interval"],
	...["warning-apply-duration", "warning-unary-request-duration", "peer-skip-client-san-verification", "memory-mlock"],
	...["txn-mode-write-with-shared-buffer", "bootstrap-defrag-threshold-megabytes", "snapshot-catchup-entries", "downgrade-check-time"],
	...["stop-grpc-service-on-defrag", "enable-distributed-tracing", "distributed-tracing-address", "distributed-tracing-service-name"],
	...["distributed-tracing-instance-id", "distributed-tracing-sampling-rate"],
];
const ANCIENT = [
	...["cluster-active-size", "cluster-remove-delay", "cluster-sync-interval", "config", "force", "max-result-buffer", "max-retry-attempts"],
	...["peer-heartbeat-interval", "peer-election-timeout", "retry-interval", "snapshot", "v", "vv"],
];
/** Gate, whether it is on by itself, and what comes of the other value. */
const GATES: ReadonlyArray<readonly [string, boolean, "warns" | "refused"]> = [
	["StopGRPCServiceOnDefrag", false, "refused"],
	["InitialCorruptCheck", false, "warns"],
	["CompactHashCheck", false, "warns"],
	["LeaseCheckpoint", false, "warns"],
	["LeaseCheckpointPersist", false, "warns"],
	["SetMemberLocalAddr", false, "refused"],
	["TxnModeWriteWithSharedBuffer", true, "warns"],
];

const NAMED = ["--name=default", "--data-dir=default.etcd"];

function read(args: readonly string[]): Promise<CommandLineOutcome> {
	return readCommandLine(args, {}, { readSettings: async () => ({ ok: false, reason: "no such file" }) });
}

/** What a caller sees: the options and what was warned of, or why not. */
async function outcomeOf(args: readonly string[]) {
	const outcome = await read(args);
	if (outcome.kind === "run") {
		const warnings = outcome.notes.filter(({ level }) => level === "warn").map(({ msg }) => msg);
		return {
			options: { ...outcome.options, ...outcome.bootstrap },
			warnings: warnings.filter((msg) => !msg.includes("default name")),
			error: null,
		};
	}
	if (outcome.kind !== "refused") return { options: {}, warnings: [], error: outcome.kind === "usageError" ? outcome.text : outcome.kind };
	return { options: {}, warnings: [], error: String(outcome.notes.at(-1)?.fields.error) };
}

async function check(name: string, value: string, outcome: Outcome, beside: readonly string[]): Promise<void> {
	const { options, warnings, error } = await outcomeOf([...NAMED, ...beside, `--${name}=${value}`]);
	const current = name.replace(/^experimental-/, "");
	if (outcome === "warns") expect([error, warnings]).toEqual([null, [`--${current} has no effect in flotilla`]]);
	else if (outcome === "refused") expect(error).toBe(`--${current} is not supported by this version of flotilla`);
	else if ("text" in outcome) expect(error).toBe(outcome.text);
	else {
		expect([error, warnings]).toEqual([null, []]);
		expect(options).toMatchObject(outcome.works);
		// Without it the member would be another one.
		expect((await outcomeOf([...NAMED, ...beside.filter((each) => !each.startsWith(`--${name}=`))])).options).not.toMatchObject(
			outcome.works,
		);
	}
}

/** Beside certificates the URLs that use them, else there would be a warning of that. */
const withUrls = (beside: readonly string[]): readonly string[] =>
	beside.some((each) => each.includes("-file=")) ? [...SECURE_OF(beside), ...beside] : beside;
const SECURE_OF = (beside: readonly string[]): readonly string[] =>
	SECURE.filter((url) => (beside.some((each) => each.startsWith("--peer")) ? url.includes("peer") : url.includes("client")));

describe("flags of etcd 3.6", () => {
	test("are all here, and there is one more", () => {
		const known = FLAG_TABLE.filter(({ kind }) => kind !== "forgotten").map(({ name }) => name);
		expect(known.toSorted()).toEqual([...CASES.map((each) => each.flag), "grpc-server", "version"].toSorted());
		expect(FLAG_TABLE.flatMap(({ kind, name }) => (kind === "forgotten" ? [name] : [])).toSorted()).toEqual(ANCIENT.toSorted());
		// 3.5 had the number of learners under such a name.
		expect([...RENAMED_FLAGS, ...Object.keys(RENAMED_GATES)].toSorted()).toEqual([...OLD_NAMES, "max-learners"].toSorted());
		expect(
			Object.keys(FEATURE_GATES)
				.filter((name) => !name.startsWith("All"))
				.toSorted(),
		).toEqual(GATES.map(([name]) => name).toSorted());
	});

	test.each(CASES.map((each) => [`--${each.flag}=${each.standard}`, each] as const))(
		"%s is what it is without",
		async (given, { flag: name }) => {
			const beside = name === "listen-client-urls" ? ["--advertise-client-urls=http://localhost:2379"] : [];
			const { options, warnings, error } = await outcomeOf([...NAMED, ...beside, given]);
			expect([error, warnings]).toEqual([null, []]);
			const without = (await outcomeOf(NAMED)).options;
			// Given or not is asked of these two alone.
			expect({ ...options, initialClusterGiven: false, maxConcurrentStreams: 0 }).toEqual({
				...without,
				initialClusterGiven: false,
				maxConcurrentStreams: 0,
			});
		},
	);

	test.each(CASES.map((each) => [`--${each.flag}=${each.other}`, each] as const))(
		"%s",
		async (_given, { flag: name, other, outcome, beside }) => {
			await check(name, other, outcome, withUrls(beside));
		},
	);

	test("of versions before are unknown, as in 3.6", async () => {
		for (const name of ["enable-v2", "proxy", "debug"]) expect((await read([`--${name}=x`])).kind).toBe("usageError");
	});
});

describe("old names", () => {
	const renamed = CASES.filter((each) => OLD_NAMES.includes(each.flag));
	test.each(renamed.map((each) => [`--experimental-${each.flag}=${each.other}`, each] as const))(
		"%s",
		async (_given, { flag: name, other, outcome, beside }) => {
			await check(`experimental-${name}`, other, outcome, withUrls(beside));
			const { error } = await outcomeOf([`--experimental-${name}=${other}`, `--${name}=${other}`]);
			expect(error).toBe(`both --experimental-${name} and --${name} flags are set. Use only --${name}`);
		},
	);

	test.each(Object.entries(RENAMED_GATES))("--experimental-%s is the gate %s", async (name, gate) => {
		const standard = FEATURE_GATES[gate]?.standard === true;
		expect((await outcomeOf([...NAMED, `--experimental-${name}=${standard}`])).error).toBe(null);
		const asGate = await outcomeOf([...NAMED, `--feature-gates=${gate}=${!standard}`]);
		expect(await outcomeOf([...NAMED, `--experimental-${name}=${!standard}`])).toEqual(asGate);
	});
});

describe("feature gates", () => {
	test.each(GATES)("%s", async (gate, standard, other) => {
		expect(await outcomeOf([...NAMED, `--feature-gates=${gate}=${standard}`])).toMatchObject({ error: null, warnings: [] });
		const setting = `--feature-gates=${gate}=${!standard}`;
		expect(await outcomeOf([...NAMED, setting])).toMatchObject(
			other === "warns"
				? { error: null, warnings: [`${setting} has no effect in flotilla`] }
				: { error: `${setting} is not supported by this version of flotilla` },
		);
	});
});

test.each(ANCIENT)("--%s is forgotten with a warning", async (name) => {
	expect(await outcomeOf([...NAMED, `--${name}=1`])).toMatchObject({ error: null, warnings: [`--${name} has no effect in flotilla`] });
});

test("log outputs that are not there are refused", async () => {
	expect((await outcomeOf(["--log-outputs=systemd/journal"])).error).toBe(
		"--log-outputs=systemd/journal is not supported by this version of flotilla",
	);
});
