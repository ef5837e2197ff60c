import type { TapEventName } from "@flotilla/base";
import type { EventTap, TapRecord } from "./event-tap.ts";
import type { Logger, LogLevel } from "./logger.ts";

interface LogRule {
	readonly level: LogLevel;
	readonly msg: string | ((record: TapRecord) => string);
	/** Lines of etcd's that stand before it, with the same fields. */
	readonly before?: (record: TapRecord) => readonly string[];
	/** Fields by etcd's names. */
	readonly more?: (record: TapRecord) => Readonly<Record<string, unknown>>;
}

const CALLER = "tap/tap-log.ts";

/**
 * Which events become log lines, at which level and with which text. Where etcd has a line that tools wait for, its text is
 * used (etcd API 12.7). Events that come with every batch (commits, applies, syncs) have none: they live in the tap alone.
 */
export const LOG_RULES: Partial<Readonly<Record<TapEventName, LogRule>>> = {
	becameFollower: { level: "info", msg: (r) => `${hex(r.member)} became follower at term ${r.term}` },
	becamePreCandidate: { level: "info", msg: (r) => `${hex(r.member)} became pre-candidate at term ${r.term}` },
	becameCandidate: { level: "info", msg: (r) => `${hex(r.member)} became candidate at term ${r.term}` },
	becameLeader: { level: "info", msg: (r) => `${hex(r.member)} became leader at term ${r.term}` },
	leaderChanged: { level: "info", msg: (r) => `raft.node: ${hex(r.member)} elected leader ${field(r, "leader")} at term ${r.term}` },
	leaderLost: { level: "info", msg: (r) => `raft.node: ${hex(r.member)} lost leader ${field(r, "leader")} at term ${r.term}` },
	termRaised: { level: "debug", msg: (r) => `${hex(r.member)} moved to term ${r.term}` },
	voteGranted: { level: "info", msg: "granted a vote" },
	voteRejected: { level: "debug", msg: "rejected a vote" },
	configChanged: { level: "info", msg: (r) => `${hex(r.member)} switched to a new configuration` },
	manyVoters: { level: "warn", msg: "the cluster has more voters than advised: each write waits for a majority of them" },
	transferStarted: { level: "info", msg: "leadership transfer starting" },
	transferEnded: { level: "info", msg: "leadership transfer finished" },
	snapshotNeeded: { level: "info", msg: "a peer needs a snapshot" },
	snapshotRestored: { level: "info", msg: "restored a snapshot" },
	catchUpFromLog: { level: "info", msg: "a peer catches up from the log files" },
	proposalDropped: { level: "debug", msg: "proposal dropped" },

	memberPublished: { level: "info", msg: "published local member to cluster through raft" },
	clusterVersionSet: {
		level: "info",
		msg: "cluster version is updated",
		before: ({ fields: { former } }) => [
			former === "" ? "set initial cluster version" : "updated cluster version",
			"enabled capabilities for version",
		],
		more: (r) => ({ "cluster-version": field(r, "version").replace(/\.\d+$/, "") }),
	},
	alarmRaised: {
		level: "warn",
		msg: "alarm raised",
		// By the member at whose door the space ran out.
		before: ({ member, fields }) =>
			fields.alarm === "NOSPACE" && fields.member === member ? ["message exceeded backend quota; raising alarm"] : [],
	},
	alarmCleared: { level: "info", msg: "alarm disarmed" },
	compacted: { level: "info", msg: "finished scheduled compaction", more: (r) => ({ "compact-revision": r.fields.revision }) },
	defragmented: { level: "info", msg: "finished defragment" },
	authEnabled: { level: "info", msg: "enabled authentication" },
	authDisabled: { level: "info", msg: "disabled authentication" },
	leaseEnded: { level: "debug", msg: "a lease ended" },
	digestMismatch: { level: "error", msg: "state digest differs from another member's at the same applied index" },
	applySlow: {
		level: "warn",
		msg: "apply request took too long",
		more: (r) => ({ took: `${field(r, "tookMs")}ms`, "expected-duration": `${field(r, "expectedMs")}ms` }),
	},
	requestSlow: {
		level: "warn",
		msg: "request stats",
		more: (r) => ({ "time spent": `${field(r, "tookMs")}ms`, remote: r.fields.peer, "request size": r.fields.requestBytes }),
	},
	requestTimedOut: { level: "warn", msg: "request timed out" },

	walSlow: { level: "warn", msg: "slow write to the log" },
	walSegmentCut: { level: "info", msg: "created a new log segment" },
	walTornTail: { level: "warn", msg: "cut a torn tail from the log" },
	floorWritten: { level: "debug", msg: "wrote a store floor" },
	snapshotSent: { level: "info", msg: "sent a snapshot to a peer" },
	snapshotReceived: { level: "info", msg: "received a snapshot" },
	snapshotFailed: { level: "warn", msg: "the transfer of a snapshot ended early" },
	stateAwaited: {
		level: "warn",
		msg: "the store is lost and the log does not reach back far enough to make it again: waiting for the state of another member",
	},
	addressesIgnored: {
		level: "warn",
		msg: "the file that names the members and their peer addresses is not believed: the first configuration, the log and the store are asked instead",
	},
	recovered: { level: "info", msg: "recovered the log and the store" },
	clusterForced: {
		level: "warn",
		msg: "FORCED A NEW CLUSTER of this member alone: all others are removed for good; take --force-new-cluster off the command now",
	},

	peerConnected: { level: "info", msg: "established connection with remote peer" },
	peerDisconnected: { level: "warn", msg: "lost connection with remote peer" },
	peerRefused: { level: "warn", msg: "connection with remote peer refused" },
	peerDialFailed: { level: "warn", msg: "cannot connect to remote peer" },
	handshakeRefused: { level: "warn", msg: "rejected connection" },
	limitReached: { level: "warn", msg: "refused a client at a limit", more: (r) => ({ remote: r.fields.peer }) },
	clientCut: { level: "warn", msg: "ended the connection of a client", more: (r) => ({ remote: r.fields.peer }) },
	certificatesProblem: { level: "warn", msg: "certificates cannot be loaded anew; those loaded before stay in use" },
	peerQueueFull: { level: "warn", msg: "dropped messages to remote peer: its queue is full" },

	starting: { level: "info", msg: "starting etcd server" },
	listening: { level: "info", msg: "now serving peer/client/metrics" },
	ready: { level: "info", msg: "ready to serve client requests" },
	stopping: { level: "info", msg: "closing etcd server" },
	stopped: { level: "info", msg: "closed etcd server" },
};

/** Writes the events of a tap to a logger. Returns the way to stop it. */
export function logTap(tap: EventTap, logger: Logger): () => void {
	const names = Object.keys(LOG_RULES) as TapEventName[];
	return tap.subscribe(
		names.filter((name) => logger.enabled((LOG_RULES[name] as LogRule).level)),
		(record) => {
			const { level, msg, before, more } = LOG_RULES[record.name] as LogRule;
			const fields = { ...logFields(record), ...more?.(record) };
			for (const line of before?.(record) ?? []) logger.write(level, line, fields, CALLER);
			logger.write(level, typeof msg === "string" ? msg : msg(record), fields, CALLER);
		},
	);
}

/** etcd writes field names with hyphens. */
function logFields(record: TapRecord): Record<string, unknown> {
	const fields: Record<string, unknown> = { event: record.name, "local-member-id": hex(record.member) };
	if (record.term > 0) fields.term = record.term;
	if (record.index > 0) fields.index = record.index;
	for (const [name, value] of Object.entries(record.fields)) {
		fields[name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)] = value;
	}
	return fields;
}

function field(record: TapRecord, name: string): string {
	const value = record.fields[name] ?? "unknown";
	return typeof value === "bigint" ? hex(value) : String(value);
}

function hex(id: bigint): string {
	return id.toString(16);
}
