/** From settings to what a member is started with: every rule that joins two settings, in the order in which etcd checks them. */
import { fail } from "@flotilla/base";
import { type AuthTokenOptions, DEFAULT_MEMBER_OPTIONS, type GrpcServer, type MemberConfig } from "../member-config.ts";
import type { AutoCompaction } from "../services/auto-compaction.ts";
import { LOG_LEVELS, type LogFormat, type LogLevel } from "../tap/logger.ts";
import { parseAuthToken } from "./auth-token.ts";
import { type Bootstrap, type BootstrapRequest, initialClusterOf } from "./bootstrap.ts";
import { FEATURE_GATES, type FlagRow } from "./flag-table.ts";
import type { LogNote } from "./flags.ts";
import { parseGoBoolean } from "./go-values.ts";
import { refuseAdvertising, refuseBinding, urlAddress } from "./member-urls.ts";
import { parseRetention } from "./retention.ts";
import { isStandard, type Settings } from "./settings.ts";
import { clientTls, peerTls, refuseTls, tlsWarnings } from "./tls-options.ts";

/** Everything of a member but its ids, which need a look at the data folder. */
export type MemberOptions = Omit<MemberConfig, keyof Bootstrap>;

export type OptionsOutcome =
	| { readonly ok: true; readonly options: MemberOptions; readonly bootstrap: BootstrapRequest; readonly notes: readonly LogNote[] }
	| { readonly ok: false; readonly error: string };

const MAX_ELECTION_MS = 50_000;

/** `fromFile`: the settings come from a configuration file, where advertised client URLs have their default all the same. */
export function memberOptions(settings: Settings, fromFile: boolean): OptionsOutcome {
	const error = refuseLogging(settings) ?? refuseUrls(settings) ?? refuseCombination(settings, fromFile) ?? refuseUnsupported(settings);
	if (error !== null) return { ok: false, error };
	const options = Object.freeze(buildOptions(settings));
	return { ok: true, options, bootstrap: bootstrapRequest(settings, options), notes: warnings(settings) };
}

function bootstrapRequest(settings: Settings, options: MemberOptions): BootstrapRequest {
	return {
		name: options.name,
		token: options.initialClusterToken,
		state: options.initialClusterState,
		initialCluster: naming(settings).initialCluster,
		initialClusterGiven: settings.isGiven("initial-cluster"),
		advertisedPeerUrls: options.initialAdvertisePeerUrls,
	};
}

function refuseLogging(settings: Settings): string | null {
	if (settings.text("logger") !== "zap") return `unknown logger option ${JSON.stringify(settings.text("logger"))}`;
	if (!isLogLevel(settings.text("log-level"))) return `unrecognized level: ${JSON.stringify(settings.text("log-level"))}`;
	const format = settings.text("log-format");
	if (format !== "json" && format !== "console") return `unknown log format: ${format}, supported values json, console`;
	const outputs = settings.list("log-outputs");
	if (outputs.length > 1 && outputs.includes("default")) return 'multi logoutput for "default" is not supported yet';
	if (outputs.includes("systemd/journal")) return "--log-outputs=systemd/journal is not supported by this version of flotilla";
	return null;
}

function refuseUrls(settings: Settings): string | null {
	for (const name of ["listen-peer-urls", "listen-client-urls", "listen-client-http-urls", "listen-metrics-urls"]) {
		const problem = refuseBinding(settings.list(name));
		if (problem !== null) return problem;
	}
	for (const name of ["initial-advertise-peer-urls", "advertise-client-urls"]) {
		const urls = settings.list(name);
		const problem = refuseAdvertising(urls);
		if (problem !== null) return `--${name} ${JSON.stringify(urls.join(","))} must be "host:port" (${problem})`;
	}
	return refuseOrigins(settings.list("cors")) ?? refuseSharedPort(settings);
}

function refuseOrigins(origins: readonly string[]): string | null {
	const wrong = origins.find((origin) => origin !== "*" && !/^https?:\/\/[^/\s]+$/.test(origin));
	return wrong === undefined ? null : `--cors ${JSON.stringify(wrong)} is no origin: need http://host[:port], https://host[:port] or *`;
}

/** Known before anything is made: the second listener could never be bound. */
function refuseSharedPort(settings: Settings): string | null {
	const peers = settings.list("listen-peer-urls");
	for (const name of ["listen-client-urls", "listen-client-http-urls", "listen-metrics-urls"]) {
		for (const url of settings.list(name)) {
			if (peers.some((peer) => sharePort(peer, url))) return `--listen-peer-urls and --${name} must not share a port (${url})`;
		}
	}
	return null;
}

function sharePort(a: string, b: string): boolean {
	const [first, second] = [urlAddress(a), urlAddress(b)];
	if (first === null || second === null || first.port !== second.port || first.port === "0") return false;
	const everywhere = ["0.0.0.0", "::", "[::]"];
	return first.host === second.host || everywhere.includes(first.host) || everywhere.includes(second.host);
}

function refuseCombination(settings: Settings, fromFile: boolean): string | null {
	const discovers = ["discovery", "discovery-srv"].filter((name) => settings.text(name) !== "").length;
	const endpoints = settings.list("discovery-endpoints").length > 0;
	const bootstraps =
		discovers + (endpoints ? 1 : 0) + (settings.isGiven("initial-cluster") && settings.text("initial-cluster") !== "" ? 1 : 0);
	if (bootstraps > 1) {
		return 'multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery", "discovery-endpoints" or "discovery-srv"';
	}
	if ((settings.text("discovery-token") !== "") !== endpoints) return "both --discovery-token and --discovery-endpoints must be set";
	const state = settings.text("initial-cluster-state");
	if (state !== "new" && state !== "existing") return `unexpected clusterState ${JSON.stringify(state)}`;
	const [heartbeatMs, electionMs] = [settings.number("heartbeat-interval"), settings.number("election-timeout")];
	if (heartbeatMs === 0) return `--heartbeat-interval must be >0 (set to ${heartbeatMs}ms)`;
	if (electionMs === 0) return `--election-timeout must be >0 (set to ${electionMs}ms)`;
	if (5 * heartbeatMs > electionMs) {
		return `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]`;
	}
	if (electionMs > MAX_ELECTION_MS) {
		return `--election-timeout[${electionMs}ms] is too long, and should be set less than ${MAX_ELECTION_MS}ms`;
	}
	if (!fromFile && settings.isGiven("listen-client-urls") && !settings.isGiven("advertise-client-urls")) return ADVERTISE_REQUIRED;
	const mode = settings.text("auto-compaction-mode");
	if (mode === "") return "undefined auto-compaction-mode";
	if (mode !== "periodic" && mode !== "revision") return `unknown auto-compaction-mode ${JSON.stringify(mode)}`;
	const retention = parseRetention(mode, settings.text("auto-compaction-retention"));
	return retention.ok ? null : retention.reason;
}

export const ADVERTISE_REQUIRED = "--advertise-client-urls is required when --listen-client-urls is set explicitly";

function refuseUnsupported(settings: Settings): string | null {
	if (settings.text("discovery-fallback") === "proxy") {
		return 'v2 proxy is deprecated, and --discovery-fallback can\'t be configured as "proxy"';
	}
	if (!settings.flag("pre-vote")) {
		return "--pre-vote=false is not supported: without it a member that comes back from a partition deposes a healthy leader";
	}
	for (const [row, value] of settings.given) {
		if (row.support === "refused" && !isStandard(row, value)) return `--${row.name} is not supported by this version of flotilla`;
	}
	for (const { gate, on } of gates(settings)) {
		if (FEATURE_GATES[gate]?.support === "refused" && on !== FEATURE_GATES[gate]?.standard) {
			return `--feature-gates=${gate}=${on} is not supported by this version of flotilla`;
		}
	}
	const authToken = parseAuthToken(settings.text("auth-token"));
	return authToken.ok ? refuseSchemes(settings) : authToken.reason;
}

function refuseSchemes(settings: Settings): string | null {
	const tls = refuseTls(settings);
	if (tls !== null) return tls;
	for (const name of ["listen-client-urls", "listen-peer-urls", "initial-advertise-peer-urls", "advertise-client-urls"]) {
		const url = settings.list(name).find((url) => /^unixs?:/.test(url));
		if (url !== undefined) return `--${name}=${url}: Unix sockets are not supported by this version of flotilla`;
	}
	return null;
}

function buildOptions(settings: Settings): MemberOptions {
	const { name, peerUrls } = naming(settings);
	return {
		name,
		dataDir: settings.text("data-dir") || `${name}.etcd`,
		listenClientUrls: settings.list("listen-client-urls"),
		advertiseClientUrls: settings.list("advertise-client-urls"),
		listenPeerUrls: settings.list("listen-peer-urls"),
		initialAdvertisePeerUrls: peerUrls,
		listenClientHttpUrls: settings.list("listen-client-http-urls"),
		listenMetricsUrls: settings.list("listen-metrics-urls"),
		corsOrigins: settings.list("cors").length === 0 ? ["*"] : settings.list("cors"),
		hostWhitelist: settings.list("host-whitelist"),
		grpcGateway: settings.flag("enable-grpc-gateway"),
		enablePprof: settings.flag("enable-pprof"),
		clientTls: clientTls(settings),
		peerTls: peerTls(settings),
		initialClusterState: settings.text("initial-cluster-state") as "new" | "existing",
		initialClusterToken: settings.text("initial-cluster-token"),
		forceNewCluster: settings.flag("force-new-cluster"),
		heartbeatMs: settings.number("heartbeat-interval"),
		electionMs: settings.number("election-timeout"),
		initialElectionTickAdvance: settings.flag("initial-election-tick-advance"),
		snapshotCount: settings.number("snapshot-count") || DEFAULT_MEMBER_OPTIONS.snapshotCount,
		quotaBackendBytes: settings.number("quota-backend-bytes"),
		maxTxnOps: settings.number("max-txn-ops"),
		maxRequestBytes: settings.number("max-request-bytes"),
		// Deviation: without the flag etcd announces no limit, and one connection can then hold any amount of memory.
		maxConcurrentStreams: settings.isGiven("max-concurrent-streams")
			? settings.number("max-concurrent-streams")
			: DEFAULT_MEMBER_OPTIONS.maxConcurrentStreams,
		// 0: what the gRPC library of etcd takes by itself.
		keepaliveMinMs: settings.number("grpc-keepalive-min-time") || 300_000,
		keepaliveIntervalMs: settings.number("grpc-keepalive-interval") || DEFAULT_MEMBER_OPTIONS.keepaliveIntervalMs,
		keepaliveTimeoutMs: settings.number("grpc-keepalive-timeout") || DEFAULT_MEMBER_OPTIONS.keepaliveTimeoutMs,
		grpcServer: settings.text("grpc-server") as GrpcServer,
		strictReconfigCheck: settings.flag("strict-reconfig-check"),
		maxLearners: settings.number("max-learners"),
		steadyMs: DEFAULT_MEMBER_OPTIONS.steadyMs,
		warningApplyMs: settings.number("warning-apply-duration"),
		warningUnaryRequestMs: settings.number("warning-unary-request-duration"),
		watchProgressMs: Math.max(MIN_PROGRESS_MS, settings.number("watch-progress-notify-interval") || DEFAULT_MEMBER_OPTIONS.watchProgressMs),
		authToken: authTokenOf(settings),
		authTokenTtlMs: settings.number("auth-token-ttl") * 1_000 || DEFAULT_MEMBER_OPTIONS.authTokenTtlMs,
		bcryptCost: isBcryptCost(settings.number("bcrypt-cost")) ? settings.number("bcrypt-cost") : DEFAULT_MEMBER_OPTIONS.bcryptCost,
		watchLimits: DEFAULT_MEMBER_OPTIONS.watchLimits,
		walSegmentBytes: DEFAULT_MEMBER_OPTIONS.walSegmentBytes,
		walDepth: DEFAULT_MEMBER_OPTIONS.walDepth,
		walKeepEntries: DEFAULT_MEMBER_OPTIONS.walKeepEntries,
		walKeepBytes: DEFAULT_MEMBER_OPTIONS.walKeepBytes,
		logMemoryEntries: DEFAULT_MEMBER_OPTIONS.logMemoryEntries,
		coreLimits: DEFAULT_MEMBER_OPTIONS.coreLimits,
		snapshotPartBytes: DEFAULT_MEMBER_OPTIONS.snapshotPartBytes,
		snapshotPartPauseMs: DEFAULT_MEMBER_OPTIONS.snapshotPartPauseMs,
		floorBytes: DEFAULT_MEMBER_OPTIONS.floorBytes,
		applySliceKeys: DEFAULT_MEMBER_OPTIONS.applySliceKeys,
		unstoredBytesMax: DEFAULT_MEMBER_OPTIONS.unstoredBytesMax,
		autoCompaction: autoCompactionOf(settings),
		metrics: settings.text("metrics") === "extensive" ? "extensive" : "basic",
		featureGates: Object.fromEntries(gates(settings).map(({ gate, on }) => [gate, on])),
		logLevel: settings.text("log-level") as LogLevel,
		logFormat: settings.text("log-format") as LogFormat,
		logOutputs: settings.list("log-outputs").length === 0 ? ["default"] : settings.list("log-outputs"),
	};
}

function authTokenOf(settings: Settings): AuthTokenOptions {
	const parsed = parseAuthToken(settings.text("auth-token"));
	return parsed.ok ? parsed.value : fail("what was refused is not built", { flag: "auth-token" });
}

function isBcryptCost(cost: number): boolean {
	return cost >= BCRYPT_COST_MIN && cost <= BCRYPT_COST_MAX;
}

const BCRYPT_COST_MIN = 4;
const BCRYPT_COST_MAX = 31;

function autoCompactionOf(settings: Settings): AutoCompaction {
	const retention = parseRetention(settings.text("auto-compaction-mode"), settings.text("auto-compaction-retention"));
	return retention.ok ? retention.value : { mode: "off" };
}

function naming(settings: Settings): { name: string; peerUrls: readonly string[]; initialCluster: string } {
	const name = settings.text("name");
	const peerUrls = settings.list("initial-advertise-peer-urls");
	// Deviation: etcd follows the advertised URLs only if the name is not the default one, and refuses to start otherwise.
	const follows = !settings.isGiven("initial-cluster");
	return { name, peerUrls, initialCluster: follows ? initialClusterOf(name || DEFAULT_NAME, peerUrls) : settings.text("initial-cluster") };
}

/** The name that a cluster of one is made for where the flag is empty: so an empty name is not found in it, as with etcd. */
const DEFAULT_NAME = "default";
const MIN_PROGRESS_MS = 100;
const RECOMMENDED_REQUEST_BYTES = 10 << 20;
const RECOMMENDED_QUOTA_BYTES = 8 * 1024 * 1024 * 1024;

function warnings(settings: Settings): readonly LogNote[] {
	const notes: LogNote[] = [];
	const warn = (msg: string, fields: Readonly<Record<string, unknown>>): void => void notes.push({ level: "warn", msg, fields });
	for (const [row, value] of settings.given) {
		if (row.support === "noEffect" && !isStandard(row, value)) warn(`--${row.name} has no effect in flotilla`, { reason: reasonOf(row) });
	}
	for (const { gate, on } of gates(settings)) {
		const { standard, support, reason } = FEATURE_GATES[gate] ?? {};
		if (support === "noEffect" && on !== standard) warn(`--feature-gates=${gate}=${on} has no effect in flotilla`, { reason });
	}
	notes.push(...tlsWarnings(settings));
	if (settings.text("name") === "default") {
		warn("members that share the default name are hard to tell apart: set --name", { name: settings.text("name") });
	}
	if (settings.text("data-dir") === "") {
		warn("'data-dir' was empty; using default", { "data-dir": `${settings.text("name")}.etcd` });
	}
	const progressMs = settings.number("watch-progress-notify-interval");
	if (progressMs > 0 && progressMs < MIN_PROGRESS_MS) {
		warn("adjusting watch progress notify interval to minimum period", { "min-watch-progress-notify-interval": `${MIN_PROGRESS_MS}ms` });
	}
	const quotaBytes = settings.number("quota-backend-bytes");
	if (quotaBytes > RECOMMENDED_QUOTA_BYTES) {
		warn("quota exceeds maximum recommended value", {
			"quota-size-bytes": quotaBytes,
			"quota-maximum-size-bytes": RECOMMENDED_QUOTA_BYTES,
		});
	}
	const requestBytes = settings.number("max-request-bytes");
	if (requestBytes > RECOMMENDED_REQUEST_BYTES) {
		warn("exceeded recommended request limit", {
			"max-request-bytes": requestBytes,
			"recommended-request-bytes": RECOMMENDED_REQUEST_BYTES,
		});
	}
	const cost = settings.number("bcrypt-cost");
	if (!isBcryptCost(cost)) {
		warn("use default bcrypt cost instead of the invalid given cost", {
			"min-cost": BCRYPT_COST_MIN,
			"max-cost": BCRYPT_COST_MAX,
			"default-cost": DEFAULT_MEMBER_OPTIONS.bcryptCost,
			"given-cost": cost,
		});
	}
	return notes;
}

function reasonOf(row: FlagRow): string {
	return row.kind === "forgotten" ? "etcd forgot this flag, too" : row.help;
}

function gates(settings: Settings): ReadonlyArray<{ readonly gate: string; readonly on: boolean }> {
	return settings.list("feature-gates").map((setting) => {
		const [gate = "", text = ""] = setting.split("=", 2);
		const parsed = parseGoBoolean(text);
		return { gate, on: parsed.ok && parsed.value };
	});
}

function isLogLevel(text: string): text is LogLevel {
	return LOG_LEVELS.some((level) => level === text);
}
