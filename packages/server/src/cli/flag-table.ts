/** Every flag of etcd 3.6 with its type, its default and what flotilla does with it. Data only; `flags.ts` reads it. */

export type FlagKind =
	| "string"
	| "boolean"
	| "uint"
	| "int"
	| "uint32"
	| "duration"
	/** Comma-separated URLs; the empty text keeps the default. */
	| "urls"
	/** Comma-separated texts. */
	| "list"
	/** One of `choices`. */
	| "choice"
	/** `A=true,B=false`, checked against `FEATURE_GATES`. */
	| "gates"
	/** Accepted with any value and forgotten, as etcd does with flags of its early versions. */
	| "forgotten";

/**
 * `used`: changes what a member does. `noEffect`: tunes a part that flotilla does not have or does another way; any valid value is
 * accepted, with a warning. `refused`: asks for something that is not there yet; only the default is accepted.
 */
export type FlagSupport = "used" | "noEffect" | "refused";

export const FLAG_GROUPS = ["Member", "Clustering", "Security", "Auth", "Logging", "Monitoring", "Tuning"] as const;
export type FlagGroup = (typeof FLAG_GROUPS)[number];

export interface FlagRow {
	readonly name: string;
	readonly group: FlagGroup;
	readonly kind: FlagKind;
	/** As text, in the form in which it could be given. */
	readonly standard: string;
	readonly support: FlagSupport;
	readonly help: string;
	readonly choices?: readonly string[];
	/** Other texts that mean the default. */
	readonly sameAsStandard?: readonly string[];
	/** Its value is nobody's business: no line of the log and no refusal shows it. */
	readonly secret?: true;
}

type Column = readonly [name: string, kind: FlagKind, standard: string, support: FlagSupport, help: string];

function rows(group: FlagGroup, columns: readonly Column[]): FlagRow[] {
	return columns.map(([name, kind, standard, support, help]) => ({ name, group, kind, standard, support, help, ...MORE[name] }));
}

const MORE: Readonly<Record<string, Pick<FlagRow, "choices" | "sameAsStandard" | "secret">>> = {
	"discovery-password": { secret: true },
	"discovery-user": { secret: true },
	"initial-cluster-state": { choices: ["new", "existing"] },
	"discovery-fallback": { choices: ["exit", "proxy"] },
	"grpc-server": { choices: ["native", "grpc-js"] },
	"v2-deprecation": { choices: ["write-only", "write-only-drop-data", "gone"] },
	"auto-compaction-retention": { sameAsStandard: ["", "0s", "0h", "0m"] },
};

const MEMBER = rows("Member", [
	["name", "string", "default", "used", "Name of this member, for people."],
	["data-dir", "string", "", "used", "Folder that holds everything of this member. Default: <name>.etcd"],
	["listen-peer-urls", "urls", "http://localhost:2380", "used", "Where to listen for other members."],
	["listen-client-urls", "urls", "http://localhost:2379", "used", "Where to listen for clients."],
	["listen-client-http-urls", "urls", "", "used", "Where to serve HTTP instead of on the client URLs."],
	["heartbeat-interval", "uint", "100", "used", "Milliseconds between the leader's heartbeats."],
	["election-timeout", "uint", "1000", "used", "Milliseconds without a leader before an election; at least 5 heartbeats."],
	["initial-election-tick-advance", "boolean", "true", "used", "Shorten the first election timeout after a start."],
	["snapshot-count", "uint", "10000", "used", "Log entries between two durable states of the store."],
	["quota-backend-bytes", "int", "0", "used", "Space for data in bytes. 0: 2 GiB. Negative: no limit."],
	["max-txn-ops", "uint", "128", "used", "Operations allowed on one level of a transaction."],
	["max-request-bytes", "uint", "1572864", "used", "Largest write request in bytes, encoded for the log."],
	["max-concurrent-streams", "uint32", "4294967295", "used", "Calls open at once on one connection. Not given: 16384."],
	["strict-reconfig-check", "boolean", "true", "used", "Refuse membership changes that would cost the quorum."],
	["wal-dir", "string", "", "refused", "A folder of its own for the log."],
	["unsafe-no-fsync", "boolean", "false", "noEffect", "flotilla always syncs before it answers."],
]);

const CLUSTERING = rows("Clustering", [
	["initial-advertise-peer-urls", "urls", "http://localhost:2380", "used", "Where other members reach this one."],
	["initial-cluster", "string", "default=http://localhost:2380", "used", "All first members: name=URL,name=URL."],
	["initial-cluster-state", "choice", "new", "used", "new: found a cluster. existing: join one. Ignored once there is data."],
	["initial-cluster-token", "string", "etcd-cluster", "used", "Keeps clusters apart: goes into all ids."],
	["advertise-client-urls", "urls", "http://localhost:2379", "used", "Where clients reach this member. Needed with --listen-client-urls."],
	["max-learners", "int", "1", "used", "Learners allowed in the cluster."],
	["pre-vote", "boolean", "true", "used", "Ask before disturbing a leader. Cannot be switched off."],
	["force-new-cluster", "boolean", "false", "used", "The quorum is lost: go on alone with what this member holds. Once; docs/recovery.md."],
	["auto-compaction-retention", "string", "0", "used", "History to keep: hours, a duration, or revisions. 0: all."],
	["auto-compaction-mode", "string", "periodic", "used", "periodic or revision: how to read the retention."],
	["discovery", "string", "", "refused", "Discovery URL (v2)."],
	["discovery-fallback", "choice", "exit", "noEffect", "What to do when discovery (v2) fails."],
	["discovery-proxy", "string", "", "refused", "HTTP proxy on the way to discovery (v2)."],
	["discovery-srv", "string", "", "refused", "DNS domain that lists the first members."],
	["discovery-srv-name", "string", "", "refused", "Suffix of the DNS service name."],
	["discovery-token", "string", "", "refused", "Discovery (v3): token of the cluster to found."],
	["discovery-endpoints", "list", "", "refused", "Discovery (v3): endpoints of the service."],
	["discovery-dial-timeout", "duration", "2s", "noEffect", "Discovery (v3)."],
	["discovery-request-timeout", "duration", "5s", "noEffect", "Discovery (v3)."],
	["discovery-keepalive-time", "duration", "2s", "noEffect", "Discovery (v3)."],
	["discovery-keepalive-timeout", "duration", "6s", "noEffect", "Discovery (v3)."],
	["discovery-insecure-transport", "boolean", "true", "noEffect", "Discovery (v3)."],
	["discovery-insecure-skip-tls-verify", "boolean", "false", "noEffect", "Discovery (v3)."],
	["discovery-cert", "string", "", "refused", "Discovery (v3): client certificate."],
	["discovery-key", "string", "", "refused", "Discovery (v3): key of the client certificate."],
	["discovery-cacert", "string", "", "refused", "Discovery (v3): authorities."],
	["discovery-user", "string", "", "refused", "Discovery (v3): name[:password]."],
	["discovery-password", "string", "", "refused", "Discovery (v3): password."],
]);

const SECURITY = rows("Security", [
	["cert-file", "string", "", "used", "Certificate for clients."],
	["key-file", "string", "", "used", "Key of that certificate."],
	["client-cert-file", "string", "", "noEffect", "Members do not call themselves over the network."],
	["client-key-file", "string", "", "noEffect", "Members do not call themselves over the network."],
	["client-cert-auth", "boolean", "false", "used", "Demand certificates of clients."],
	["client-crl-file", "string", "", "used", "Revoked client certificates."],
	["client-cert-allowed-hostname", "list", "", "used", "Host names allowed in client certificates."],
	["trusted-ca-file", "string", "", "used", "Authorities for clients."],
	["auto-tls", "boolean", "false", "used", "Make a certificate for clients at the first start."],
	["peer-cert-file", "string", "", "used", "Certificate for peers."],
	["peer-key-file", "string", "", "used", "Key of that certificate."],
	["peer-client-cert-file", "string", "", "used", "Certificate of this member as a client of its peers."],
	["peer-client-key-file", "string", "", "used", "Key of that certificate."],
	["peer-client-cert-auth", "boolean", "false", "used", "Demand certificates of peers."],
	["peer-crl-file", "string", "", "used", "Revoked peer certificates."],
	["peer-trusted-ca-file", "string", "", "used", "Authorities for peers."],
	["peer-auto-tls", "boolean", "false", "used", "Make one for peers, who then trust anybody's."],
	["peer-cert-allowed-cn", "list", "", "used", "Common names allowed in peer certificates."],
	["peer-cert-allowed-hostname", "list", "", "used", "Host names allowed in peer certificates."],
	["peer-skip-client-san-verification", "boolean", "false", "used", "Do not check the names in peer certificates."],
	["self-signed-cert-validity", "uint", "1", "used", "Years that certificates made at start are valid."],
	["cipher-suites", "list", "", "used", "Cipher suites of TLS 1.2, by their names in Go."],
	["tls-min-version", "string", "TLS1.2", "used", "Lowest TLS version."],
	["tls-max-version", "string", "", "used", "Highest TLS version."],
	["cors", "list", "*", "used", "Origins that browsers may call from."],
	["host-whitelist", "list", "*", "used", "Host names that HTTP requests without TLS may carry."],
]);

const AUTH = rows("Auth", [
	["auth-token", "string", "simple", "used", "Tokens of logins: simple, or jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE[,ttl=5m]."],
	["auth-token-ttl", "uint", "300", "used", "Seconds that a simple token lives since its last use."],
	["bcrypt-cost", "uint", "10", "used", "Cost of password hashes, 4 to 31: each step doubles the work."],
]);

const LOGGING = rows("Logging", [
	["logger", "string", "zap", "used", "Only zap: JSON lines in that logger's form."],
	["log-level", "string", "info", "used", "debug, info, warn, error, panic or fatal."],
	["log-outputs", "list", "default", "used", "default, stderr, stdout or file paths."],
	["log-format", "string", "json", "used", "json, or console: columns for people."],
	["enable-log-rotation", "boolean", "false", "refused", "Rotate a log file."],
	[
		"log-rotation-config-json",
		"string",
		'{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
		"noEffect",
		"How to rotate it.",
	],
	["warning-apply-duration", "duration", "100ms", "used", "Warn about an apply that takes longer."],
	["warning-unary-request-duration", "duration", "300ms", "used", "Warn about a call that takes longer."],
]);

const MONITORING = rows("Monitoring", [
	["listen-metrics-urls", "urls", "", "used", "More URLs for metrics and health."],
	["metrics", "string", "basic", "used", "basic or extensive."],
	["enable-pprof", "boolean", "false", "used", "Profiles over HTTP."],
	["enable-distributed-tracing", "boolean", "false", "refused", "Send traces."],
	["distributed-tracing-address", "string", "localhost:4317", "noEffect", "Where to send traces."],
	["distributed-tracing-service-name", "string", "etcd", "noEffect", "Name of the service in traces."],
	["distributed-tracing-instance-id", "string", "", "noEffect", "Name of this member in traces."],
	["distributed-tracing-sampling-rate", "int", "0", "noEffect", "Traces in a million calls."],
	["corrupt-check-time", "duration", "0s", "noEffect", "flotilla compares digests all the time."],
	["compact-hash-check-time", "duration", "1m0s", "noEffect", "flotilla compares digests all the time."],
]);

const TUNING = rows("Tuning", [
	["grpc-server", "choice", "native", "used", "Who serves gRPC: native, or grpc-js, slower and made by others."],
	["enable-grpc-gateway", "boolean", "true", "used", "Serve the JSON gateway."],
	["feature-gates", "gates", "", "used", "Features by name: A=true,B=false."],
	["grpc-keepalive-min-time", "duration", "5s", "used", "Shortest time between a client's pings."],
	["grpc-keepalive-interval", "duration", "2h", "used", "Time between pings to a client."],
	["grpc-keepalive-timeout", "duration", "20s", "used", "Patience for a client's answer to a ping."],
	["watch-progress-notify-interval", "duration", "0s", "used", "Time between progress notes on quiet watches."],
	["socket-reuse-port", "boolean", "false", "refused", "Share a port with other processes."],
	["socket-reuse-address", "boolean", "false", "noEffect", "Always on: Node sets it on every listener."],
	["memory-mlock", "boolean", "false", "refused", "Keep all memory from being swapped out."],
	["raft-read-timeout", "duration", "5s", "noEffect", "flotilla's peers watch their connections themselves."],
	["raft-write-timeout", "duration", "5s", "noEffect", "flotilla's peers watch their connections themselves."],
	["max-snapshots", "uint", "5", "noEffect", "flotilla keeps no snapshot files."],
	["max-wals", "uint", "5", "noEffect", "The log is kept by entries, bytes and age."],
	["snapshot-catchup-entries", "uint", "5000", "noEffect", "The log is kept by entries, bytes and age."],
	["backend-bbolt-freelist-type", "string", "map", "noEffect", "Detail of etcd's store."],
	["backend-batch-interval", "duration", "0s", "noEffect", "Detail of etcd's store."],
	["backend-batch-limit", "int", "0", "noEffect", "Detail of etcd's store."],
	["bootstrap-defrag-threshold-megabytes", "uint", "0", "noEffect", "Detail of etcd's store."],
	["compaction-batch-limit", "int", "0", "noEffect", "flotilla compacts in slices of its own."],
	["compaction-sleep-interval", "duration", "0s", "noEffect", "flotilla compacts in slices of its own."],
	["downgrade-check-time", "duration", "5s", "noEffect", "There is nothing to downgrade to."],
	["v2-deprecation", "choice", "write-only", "noEffect", "There is no v2 store."],
]);

const FORGOTTEN: readonly FlagRow[] = [
	"cluster-active-size",
	"cluster-remove-delay",
	"cluster-sync-interval",
	"config",
	"force",
	"max-result-buffer",
	"max-retry-attempts",
	"peer-heartbeat-interval",
	"peer-election-timeout",
	"retry-interval",
	"snapshot",
	"v",
	"vv",
].map((name) => ({ name, group: "Tuning", kind: "forgotten", standard: "", support: "noEffect", help: "" }));

export const CONFIG_FILE_FLAG: FlagRow = {
	name: "config-file",
	group: "Member",
	kind: "string",
	standard: "",
	support: "used",
	help: "YAML or JSON file. With it, all other flags and the environment are ignored.",
};

export const VERSION_FLAG: FlagRow = {
	name: "version",
	group: "Member",
	kind: "boolean",
	standard: "false",
	support: "used",
	help: "Print the version and exit.",
};

export const FLAG_TABLE: readonly FlagRow[] = [
	...MEMBER,
	CONFIG_FILE_FLAG,
	VERSION_FLAG,
	...CLUSTERING,
	...SECURITY,
	...AUTH,
	...LOGGING,
	...MONITORING,
	...TUNING,
	...FORGOTTEN,
];

/** Old names that etcd 3.6 still takes: `experimental-<x>` for a flag `<x>`. */
export const RENAMED_FLAGS: readonly string[] = [
	"bootstrap-defrag-threshold-megabytes",
	"compact-hash-check-time",
	"compaction-batch-limit",
	"compaction-sleep-interval",
	"corrupt-check-time",
	"distributed-tracing-address",
	"distributed-tracing-instance-id",
	"distributed-tracing-sampling-rate",
	"distributed-tracing-service-name",
	"downgrade-check-time",
	"enable-distributed-tracing",
	"max-learners",
	"memory-mlock",
	"peer-skip-client-san-verification",
	"snapshot-catchup-entries",
	"warning-apply-duration",
	"warning-unary-request-duration",
	"watch-progress-notify-interval",
];

/** Old names of features: `experimental-<key>` switches the gate. */
export const RENAMED_GATES: Readonly<Record<string, string>> = {
	"compact-hash-check-enabled": "CompactHashCheck",
	"enable-lease-checkpoint": "LeaseCheckpoint",
	"enable-lease-checkpoint-persist": "LeaseCheckpointPersist",
	"initial-corrupt-check": "InitialCorruptCheck",
	"stop-grpc-service-on-defrag": "StopGRPCServiceOnDefrag",
	"txn-mode-write-with-shared-buffer": "TxnModeWriteWithSharedBuffer",
};

const LEASE_TIME_KEPT = "what is left of a lease always outlives leaders and restarts";
const ALWAYS_COMPARED = "members compare a digest of their whole state all the time";

/**
 * etcd 3.6's gates. `noEffect`: either value is accepted, and a value that is not etcd's standard is told of in the log, with the
 * reason why it changes nothing.
 */
export const FEATURE_GATES: Readonly<Record<string, FeatureGate>> = {
	AllAlpha: { standard: false, support: "refused" },
	AllBeta: { standard: false, support: "noEffect", reason: "of these features each member has all that it can have" },
	CompactHashCheck: { standard: false, support: "noEffect", reason: ALWAYS_COMPARED },
	InitialCorruptCheck: { standard: false, support: "noEffect", reason: ALWAYS_COMPARED },
	LeaseCheckpoint: { standard: false, support: "noEffect", reason: LEASE_TIME_KEPT },
	LeaseCheckpointPersist: { standard: false, support: "noEffect", reason: LEASE_TIME_KEPT },
	SetMemberLocalAddr: { standard: false, support: "refused" },
	StopGRPCServiceOnDefrag: { standard: false, support: "refused" },
	TxnModeWriteWithSharedBuffer: { standard: true, support: "noEffect", reason: "a transaction reads without a copy of anything" },
};

export interface FeatureGate {
	readonly standard: boolean;
	readonly support: FlagSupport;
	readonly reason?: string;
}
