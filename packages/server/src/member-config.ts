/** All options of one member: one frozen object, read from flags, environment or file by the command line, or made by a test. */
import { assert } from "@flotilla/base";
import { DEFAULT_WATCH_LIMITS, type WatchLimits } from "@flotilla/mvcc";
import { DEFAULT_RAFT_CONFIG, type RaftLimits } from "@flotilla/raft";
import { APPLY_SLICE_KEYS } from "@flotilla/replica";
import type { AutoCompaction } from "./services/auto-compaction.ts";
import type { TlsConfig } from "./tls/tls-config.ts";

/** A member of the first configuration, as `--initial-cluster` names it. */
export interface InitialMember {
	/** Derived from the peer URLs and the cluster token, as etcd derives it. */
	readonly id: bigint;
	readonly name: string;
	readonly peerUrls: readonly string[];
}

export type GrpcServer = "native" | "grpc-js";

export type LogLevel = "debug" | "info" | "warn" | "error" | "panic" | "fatal";

/** Sort of tokens that are issued, and what it takes. */
export type AuthTokenOptions =
	/** Nobody can log in. */
	| { readonly kind: "none" }
	| { readonly kind: "simple" }
	| {
			readonly kind: "jwt";
			/** `RS256` and others. */
			readonly signMethod: string;
			/** Paths; empty: not given. */
			readonly publicKeyFile: string;
			readonly privateKeyFile: string;
			readonly ttlMs: number;
	  };

export interface MemberConfig {
	readonly name: string;
	/** Everything of this member lies below it. Absolute, or relative to the working directory at start. */
	readonly dataDir: string;

	readonly listenClientUrls: readonly string[];
	readonly advertiseClientUrls: readonly string[];
	readonly listenPeerUrls: readonly string[];
	readonly initialAdvertisePeerUrls: readonly string[];
	/** Empty, or URLs that serve only HTTP/1.1 instead of the client URLs. */
	readonly listenClientHttpUrls: readonly string[];
	readonly listenMetricsUrls: readonly string[];
	/** Origins that browsers may call from; `*`: all. */
	readonly corsOrigins: readonly string[];
	/** Host names that requests without TLS may carry; empty or `*`: any. */
	readonly hostWhitelist: readonly string[];
	/** The JSON gateway is served. */
	readonly grpcGateway: boolean;
	/** Profiles of the process are served, to anybody. */
	readonly enablePprof: boolean;
	/** Certificates for URLs of `https`; null: there are none. */
	readonly clientTls: TlsConfig | null;
	readonly peerTls: TlsConfig | null;

	/** This member included. Ignored once the data folder holds a member. */
	readonly initialCluster: readonly InitialMember[];
	readonly initialClusterState: "new" | "existing";
	/** Goes on alone with what its data folder holds; all other members are removed for good. */
	readonly forceNewCluster: boolean;
	readonly initialClusterToken: string;
	readonly memberId: bigint;
	readonly clusterId: bigint;

	readonly heartbeatMs: number;
	readonly electionMs: number;
	/** Counts the first election timeout forward when the member starts. */
	readonly initialElectionTickAdvance: boolean;
	/** Least distance between two floors, in entries. */
	readonly snapshotCount: number;
	/** As given: 0 means the default of 2 GiB, below 0 none. */
	readonly quotaBackendBytes: number;
	readonly maxTxnOps: number;
	readonly maxRequestBytes: number;
	readonly maxConcurrentStreams: number;
	/** Clients that ping more often lose their connection; those that are silent for so long are pinged, and must answer in time. */
	readonly keepaliveMinMs: number;
	readonly keepaliveIntervalMs: number;
	readonly keepaliveTimeoutMs: number;
	/** Who speaks gRPC with clients: our own HTTP/2, or the library that it is compared with. */
	readonly grpcServer: GrpcServer;
	readonly strictReconfigCheck: boolean;
	readonly maxLearners: number;
	/** A connection counts for the check of a change after so long, as with etcd. Tests make it small. */
	readonly steadyMs: number;
	readonly warningApplyMs: number;
	readonly warningUnaryRequestMs: number;
	/** How often a watcher that asked for it hears that nothing happened. */
	readonly watchProgressMs: number;
	/** What watchers may take. Tests make it small. */
	readonly watchLimits: WatchLimits;

	readonly authToken: AuthTokenOptions;
	/** Life of a simple token since its last use at this member. */
	readonly authTokenTtlMs: number;
	readonly bcryptCost: number;

	/** Size of a segment of the log. Tests make it small. */
	readonly walSegmentBytes: number;
	/** Writes of the log in flight (rule W2). */
	readonly walDepth: number;
	/** Kept of the log behind a floor, for members that were away: at least so many entries, and at least so many bytes. */
	readonly walKeepEntries: number;
	readonly walKeepBytes: number;
	/** Entries kept in memory besides; members that lag a little are served from there. */
	readonly logMemoryEntries: number;
	/** What may wait in the core, where it is less than its defaults. Tests make it small. */
	readonly coreLimits: Partial<RaftLimits>;
	/** Records that travel together when a member is sent the whole state. Tests make it small. */
	readonly snapshotPartBytes: number;
	/** Rest between two of those parts. Tests make it long, to cut a transfer in its middle. */
	readonly snapshotPartPauseMs: number;
	/** Keys that one command changes in a turn, at most. Tests make it small. */
	readonly applySliceKeys: number;
	/** Nothing is applied while more bytes of records wait for the store. Tests make it small. */
	readonly unstoredBytesMax: number;
	/** Bytes of log between two floors, whatever `snapshotCount` says. */
	readonly floorBytes: number;

	readonly autoCompaction: AutoCompaction;
	/** `extensive`: handling times by method. */
	readonly metrics: "basic" | "extensive";
	/** As `--feature-gates` names them; they are shown, and those that change what a member does are settings of their own. */
	readonly featureGates: Readonly<Record<string, boolean>>;
	readonly logLevel: LogLevel;
	readonly logFormat: "json" | "console";
	/** `stderr`, `stdout`, `default` or file paths. */
	readonly logOutputs: readonly string[];
}

/** What a member uses where nothing else is said; the rest has no default. */
export const DEFAULT_MEMBER_OPTIONS = {
	listenClientHttpUrls: [],
	listenMetricsUrls: [],
	corsOrigins: ["*"],
	hostWhitelist: ["*"],
	grpcGateway: true,
	enablePprof: false,
	clientTls: null,
	peerTls: null,
	initialClusterState: "new",
	forceNewCluster: false,
	initialClusterToken: "etcd-cluster",
	heartbeatMs: 100,
	electionMs: 1_000,
	initialElectionTickAdvance: true,
	snapshotCount: 10_000,
	quotaBackendBytes: 0,
	maxTxnOps: 128,
	maxRequestBytes: 1_572_864,
	maxConcurrentStreams: 16_384,
	keepaliveMinMs: 5_000,
	keepaliveIntervalMs: 2 * 3_600_000,
	keepaliveTimeoutMs: 20_000,
	grpcServer: "native",
	strictReconfigCheck: true,
	maxLearners: 1,
	steadyMs: 5_000,
	warningApplyMs: 100,
	warningUnaryRequestMs: 300,
	watchProgressMs: 600_000,
	authToken: { kind: "simple" },
	authTokenTtlMs: 300_000,
	bcryptCost: 10,
	watchLimits: DEFAULT_WATCH_LIMITS,
	walSegmentBytes: 16 << 20,
	walDepth: 2,
	walKeepEntries: 5_000,
	walKeepBytes: 512 << 20,
	logMemoryEntries: DEFAULT_RAFT_CONFIG.memoryEntriesMax,
	coreLimits: {},
	snapshotPartBytes: 1 << 20,
	snapshotPartPauseMs: 0,
	floorBytes: 16 << 20,
	applySliceKeys: APPLY_SLICE_KEYS,
	unstoredBytesMax: 64 << 20,
	autoCompaction: { mode: "off" },
	metrics: "basic",
	featureGates: {},
	logLevel: "info",
	logFormat: "json",
	logOutputs: ["default"],
} as const satisfies Partial<MemberConfig>;

/** Length of one tick of the core; heartbeat and election intervals are rounded to whole ticks. */
export const TICK_MS = 10;
/** A message may be larger than the request inside: etcd allows the same. */
export const MESSAGE_OVERHEAD_BYTES = 512 << 10;
/** Writes are refused while more committed entries than this are not applied; etcd's number. */
export const APPLY_BACKLOG_MAX = 5_000;
/** Of clients, by kind: writes, reads, questions about leases. */
export const PENDING_CALLS_MAX = 10_000;
export const DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024;

/** States what the builder of a configuration has already checked politely; a failure here is a bug of the caller. */
export function assertMemberConfig(config: MemberConfig): void {
	assert(config.dataDir !== "", "a member needs a data folder");
	assert(config.memberId !== 0n, "a member id must not be 0");
	assert(config.heartbeatMs > 0, "the heartbeat interval must be positive");
	assert(config.electionMs >= 5 * config.heartbeatMs, "the election timeout must be at least five heartbeat intervals");
	assert(config.snapshotCount > 0, "a floor needs at least one entry");
	assert(config.applySliceKeys > 0, "a slice changes at least one key");
	assert(
		config.initialClusterState === "existing" || config.initialCluster.some((member) => member.id === config.memberId),
		"the first configuration of a new cluster contains this member",
	);
}

/** Quota in logical bytes as the replica takes it: 0 is none. */
export function quotaBytes(config: MemberConfig): number {
	if (config.quotaBackendBytes < 0) return 0;
	return config.quotaBackendBytes === 0 ? DEFAULT_QUOTA_BYTES : config.quotaBackendBytes;
}

/**
 * Leases shorter than one and a half election timeouts could end before a new leader knows of their renewals; in whole seconds,
 * and with etcd's way of rounding (etcd API 4.1).
 */
export function leaseTtlMinSeconds({ electionMs, heartbeatMs }: Pick<MemberConfig, "electionMs" | "heartbeatMs">): number {
	const electionHeartbeats = Math.floor(electionMs / heartbeatMs);
	return Math.ceil((Math.floor((3 * electionHeartbeats) / 2) * heartbeatMs) / 1_000);
}
