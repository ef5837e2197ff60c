/**
 * /metrics (etcd API 11.6): etcd's names, so that its dashboards and alert rules fit, and some of our own. Values are read where
 * they arise when somebody asks; nothing on the way of a request knows of this.
 */
import { METHODS } from "@flotilla/api";
import { NO_NODE, type NodeId } from "@flotilla/raft";
import { AlarmType } from "@flotilla/replica";
import type { Feature } from "./cli/features.ts";
import { Buckets, doubling } from "./metrics/buckets.ts";
import type { CallFigures, MethodFigures } from "./metrics/call-figures.ts";
import { counter, type Figure, gauge, histogram, type Labels, oneHistogram, type Sample } from "./metrics/figure.ts";
import type { MemberFigures } from "./metrics/member-figures.ts";
import { SnapshotFigures, type TransferFigures } from "./metrics/snapshot-figures.ts";
import type { PeerLinkStats } from "./peers/peer-link.ts";
import type { MemberPort } from "./services/member-port.ts";
import type { EventTap } from "./tap/event-tap.ts";

export interface MetricsSources {
	readonly member: MemberPort;
	readonly figures: MemberFigures;
	readonly calls: CallFigures;
	readonly tap: EventTap;
	readonly peers: () => readonly PeerLinkStats[];
	/** As Status shows it. */
	readonly quotaBytes: number;
	readonly serverVersion: string;
	/** `--metrics extensive`: handling times by method. */
	readonly extensive: boolean;
	readonly features: readonly Feature[];
}

export function memberFigures(sources: MetricsSources): Figure[] {
	return [
		...serverFigures(sources),
		...proposalFigures(sources),
		...diskFigures(sources),
		...storeFigures(sources),
		...leaseFigures(sources),
		...watchFigures(sources),
		...peerFigures(sources),
		...transferFigures(sources.tap),
		...callFigures(sources),
		...ownFigures(sources),
	];
}

const hex = (id: bigint): string => id.toString(16);

function serverFigures({ member, tap, quotaBytes, serverVersion, features, calls }: MetricsSources): Figure[] {
	const isLearner = (): boolean => member.members.some(({ id, learner }) => learner && id === member.memberId);
	const handled = (path: string, ok: boolean): number => {
		const codes = calls.methods.get(path)?.handled ?? [];
		return [...codes].reduce((sum, count, code) => ((code === 0) === ok ? sum + count : sum), 0);
	};
	const promote = "/etcdserverpb.Cluster/MemberPromote";
	return [
		gauge("etcd_server_has_leader", "1: a leader is known.", () => (member.status().leader === NO_NODE ? 0 : 1)),
		gauge("etcd_server_is_leader", "1: this member leads.", () => (member.status().leader === member.memberId ? 1 : 0)),
		gauge("etcd_server_is_learner", "1: this member is a learner.", () => (isLearner() ? 1 : 0)),
		counter("etcd_server_leader_changes_seen_total", "Leaders that were met one after the other.", () => tap.count("leaderChanged")),
		counter("etcd_server_learner_promote_successes", "Learners promoted through this member.", () => handled(promote, true)),
		counter("etcd_server_learner_promote_failures", "Promotions refused by this member.", () => handled(promote, false)),
		gauge("etcd_server_quota_backend_bytes", "Quota of the key space in bytes.", () => quotaBytes),
		gauge("etcd_server_id", "Id of this member.", () => [{ labels: { server_id: hex(member.memberId) }, value: 1 }]),
		gauge("etcd_server_version", "Level of the API.", () => [{ labels: { server_version: serverVersion }, value: 1 }]),
		gauge("etcd_server_go_version", "What runs the program.", () => [
			{ labels: { server_go_version: `node ${process.version}` }, value: 1 },
		]),
		gauge("etcd_server_feature_enabled", "1: the feature is on.", () =>
			features.map(({ name, stage, on }) => ({ labels: { name, stage }, value: on ? 1 : 0 })),
		),
		gauge("etcd_cluster_version", "Version of the cluster.", () => {
			const version = member.status().clusterVersion;
			return version === "" ? [] : [{ labels: { cluster_version: version.split(".").slice(0, 2).join(".") }, value: 1 }];
		}),
		gauge("etcd_debugging_server_alarms", "Alarms that are raised.", () =>
			member.alarms.map(({ member: id, alarm }) => ({
				labels: { server_id: hex(id), alarm_type: ALARMS[alarm] ?? String(alarm) },
				value: 1,
			})),
		),
		gauge("etcd_debugging_auth_revision", "Revision of users and roles.", () => member.auth.revision),
		counter("etcd_server_health_success", "Answers of /health that said true.", () => calls.healthy),
		counter("etcd_server_health_failures", "Answers of /health that said false.", () => calls.unhealthy),
		counter("etcd_server_client_requests_total", "Calls by what their clients call themselves.", () => [
			...[...calls.clients].map(([version, value]) => ({ labels: { type: "any", client_api_version: version }, value })),
			{ labels: { type: "unary", client_api_version: "any" }, value: calls.unaryStarted },
			{ labels: { type: "stream", client_api_version: "any" }, value: calls.streamsStarted },
		]),
	];
}

const ALARMS: Readonly<Record<number, string>> = { [AlarmType.noSpace]: "NOSPACE", [AlarmType.corrupt]: "CORRUPT" };

function proposalFigures({ member, figures }: MetricsSources): Figure[] {
	return [
		gauge("etcd_server_proposals_committed_total", "Index of the last committed entry.", () => member.status().core.commit),
		gauge("etcd_server_proposals_applied_total", "Index of the last applied entry.", () => member.status().appliedIndex),
		gauge("etcd_server_proposals_pending", "Client calls that wait for the cluster.", () => figures.callsOpen()),
		counter("etcd_server_proposals_failed_total", "Writes that ended without an outcome.", () => figures.proposalsFailed),
		counter("etcd_server_read_indexes_failed_total", "Reads that failed at their barrier.", () => figures.readsFailed),
		counter("etcd_server_slow_read_indexes_total", "Reads whose barrier took too long.", () => figures.readsTimedOut),
		counter("etcd_server_slow_apply_total", "Turns in which applying took longer than the warning time.", () => figures.slowApplies),
		histogram("etcd_server_apply_duration_seconds", "Time of a turn's applying.", () => [
			[{ version: "v3", op: "turn", success: "true" }, figures.applySeconds],
		]),
	];
}

function diskFigures({ member, figures }: MetricsSources): Figure[] {
	return [
		oneHistogram("etcd_disk_wal_fsync_duration_seconds", "Time until a write to the log was durable.", figures.walSyncSeconds),
		oneHistogram("etcd_disk_wal_write_duration_seconds", "The same: the log writes and syncs in one step.", figures.walSyncSeconds),
		gauge("etcd_disk_wal_write_bytes_total", "Bytes written to the log.", () => figures.walBytes),
		oneHistogram("etcd_disk_backend_commit_duration_seconds", "Time of a batch of records to the store.", figures.batchSeconds),
		oneHistogram("flotilla_store_floor_duration_seconds", "Time of a floor, from its capture until it was durable.", figures.floorSeconds),
		gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes on disk.", () => member.storeBytes()),
		gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Logical bytes, which the quota counts.", () => member.store.logicalBytes),
		gauge("etcd_mvcc_db_open_read_transactions", "Long reads that hold compaction back.", () => member.store.openReads),
	];
}

function storeFigures({ member }: MetricsSources): Figure[] {
	const counts = () => member.store.counts;
	return [
		counter("etcd_mvcc_range_total", "Ranges.", () => counts().ranges),
		counter("etcd_mvcc_put_total", "Puts.", () => counts().puts),
		counter("etcd_mvcc_delete_total", "Keys deleted.", () => counts().deletes),
		counter("etcd_mvcc_txn_total", "Transactions.", () => counts().txns),
		gauge("etcd_debugging_mvcc_total_put_size_in_bytes", "Bytes of all records put.", () => counts().putBytes),
		gauge("etcd_debugging_mvcc_keys_total", "Keys.", () => member.store.keyCount),
		gauge("etcd_debugging_mvcc_current_revision", "Revision.", () => member.store.revision),
		gauge("etcd_debugging_mvcc_compact_revision", "Revision of the last compaction.", () => member.store.compactRevision),
		counter("etcd_debugging_mvcc_db_compaction_keys_total", "Records removed by compaction.", () => counts().compactedRecords),
	];
}

function leaseFigures({ member }: MetricsSources): Figure[] {
	const { leaseCounts } = member;
	const ttls = (): Buckets => {
		const buckets = new Buckets(doubling(1, leaseCounts.ttls.length - 1));
		buckets.counts.set(leaseCounts.ttls);
		buckets.sum = leaseCounts.ttlSum;
		buckets.count = leaseCounts.granted;
		return buckets;
	};
	return [
		counter("etcd_debugging_lease_granted_total", "Leases granted.", () => leaseCounts.granted),
		counter("etcd_debugging_lease_revoked_total", "Leases that were given back or expired.", () => leaseCounts.ended),
		counter("etcd_debugging_lease_renewed_total", "Renewals that this member granted as the leader.", () => leaseCounts.renewed),
		histogram("etcd_debugging_lease_ttl_total", "Seconds that leases were granted with.", () => [[{}, ttls()]]),
		counter("etcd_debugging_server_lease_expired_total", "Leases that expired while this member led.", () => leaseCounts.expired),
	];
}

function watchFigures({ member }: MetricsSources): Figure[] {
	const { watches } = member;
	return [
		gauge("etcd_debugging_mvcc_watch_stream_total", "Streams of watchers.", () => watches.counts.streams),
		gauge("etcd_debugging_mvcc_watcher_total", "Watchers.", () => watches.counts.watchers),
		gauge("etcd_debugging_mvcc_slow_watcher_total", "Watchers that are behind.", () => watches.counts.behind),
		counter("etcd_debugging_mvcc_events_total", "Events handed to watchers.", () => watches.counts.events),
		gauge("flotilla_watch_queued_bytes", "Bytes of events that wait for the readers of streams.", () => watches.queuedBytes),
	];
}

function peerFigures({ member, figures, peers }: MetricsSources): Figure[] {
	const each = (read: (stats: PeerLinkStats) => number, label: "To" | "From"): Sample[] =>
		peers().map((stats) => ({ labels: { [label]: hex(stats.peer) }, value: read(stats) }));
	const between = (read: (stats: PeerLinkStats) => number): Sample[] =>
		peers().map((stats) => ({ labels: { Local: hex(member.memberId), Remote: hex(stats.peer) }, value: read(stats) }));
	return [
		gauge("etcd_network_active_peers", "1: connected.", () => between(({ connected }) => (connected ? 1 : 0))),
		gauge("etcd_network_known_peers", "Other members.", () => between(() => 1)),
		counter("etcd_network_disconnected_peers_total", "Connections to a peer that were lost.", () =>
			between(({ disconnects }) => disconnects),
		),
		gauge("flotilla_peer_queued_bytes", "Bytes that wait for a peer.", () => each(({ queuedBytes }) => queuedBytes, "To")),
		counter("etcd_network_peer_sent_bytes_total", "Bytes sent.", () => each(({ sentBytes }) => sentBytes, "To")),
		counter("etcd_network_peer_sent_failures_total", "Messages dropped.", () => each(({ droppedMessages }) => droppedMessages, "To")),
		counter("etcd_network_peer_received_bytes_total", "Bytes received.", () => each(({ receivedBytes }) => receivedBytes, "From")),
		counter("etcd_network_peer_received_failures_total", "Connections closed because of what came on them.", () =>
			each(({ receiveFaults }) => receiveFaults, "From"),
		),
		counter("etcd_server_heartbeat_send_failures_total", "Messages to peers that were dropped.", () =>
			peers().reduce((sum, { droppedMessages }) => sum + droppedMessages, 0),
		),
		histogram("etcd_network_peer_round_trip_time_seconds", "Heartbeats there and back.", () =>
			[...figures.roundTrips.seconds].map(([peer, buckets]) => [{ To: hex(peer) }, buckets] as const),
		),
	];
}

function transferFigures(tap: EventTap): Figure[] {
	const { sent, received } = new SnapshotFigures(tap);
	const each = (by: ReadonlyMap<NodeId, TransferFigures>, label: "To" | "From", read: (figures: TransferFigures) => number) => () =>
		[...by].map(([peer, figures]) => ({ labels: { [label]: hex(peer) }, value: read(figures) }));
	const seconds = (by: ReadonlyMap<NodeId, TransferFigures>, label: "To" | "From") => () =>
		[...by].map(([peer, figures]) => [{ [label]: hex(peer) }, figures.seconds] as const);
	const name = (end: string): string => `etcd_network_snapshot_${end}`;
	return [
		counter(
			name("send_success"),
			"States sent whole.",
			each(sent, "To", ({ succeeded }) => succeeded),
		),
		counter(
			name("send_failures"),
			"States whose sending ended early.",
			each(sent, "To", ({ failed }) => failed),
		),
		gauge(
			name("send_inflights_total"),
			"States that are being sent.",
			each(sent, "To", ({ underWay }) => underWay),
		),
		histogram(name("send_total_duration_seconds"), "Time of a state's sending.", seconds(sent, "To")),
		counter(
			name("receive_success"),
			"States received whole.",
			each(received, "From", ({ succeeded }) => succeeded),
		),
		counter(
			name("receive_failures"),
			"States whose receiving ended early.",
			each(received, "From", ({ failed }) => failed),
		),
		histogram(name("receive_total_duration_seconds"), "Time from a state's first part until it was in use.", seconds(received, "From")),
	];
}

const GRPC_CODES = [
	"OK",
	"Canceled",
	"Unknown",
	"InvalidArgument",
	"DeadlineExceeded",
	"NotFound",
	"AlreadyExists",
	"PermissionDenied",
	"ResourceExhausted",
	"FailedPrecondition",
	"Aborted",
	"OutOfRange",
	"Unimplemented",
	"Internal",
	"Unavailable",
	"DataLoss",
	"Unauthenticated",
];
const GRPC_TYPES = { unary: "unary", serverStream: "server_stream", bidi: "bidi_stream" } as const;

/** All methods and codes from the start, so that rates work at once. */
function callFigures({ calls, extensive }: MetricsSources): Figure[] {
	const rows = [...METHODS.values()].map(({ path, service, name, shape }) => {
		const labels: Labels = { grpc_type: GRPC_TYPES[shape], grpc_service: service, grpc_method: name };
		return { labels, method: calls.methods.get(path) as MethodFigures };
	});
	const total = (read: (method: MethodFigures) => number) => () => rows.map(({ labels, method }) => ({ labels, value: read(method) }));
	const watchFailed = (): number => {
		const ends = calls.methods.get("/etcdserverpb.Watch/Watch")?.handled ?? [];
		return [...ends].reduce((sum, count, code) => (code > 1 ? sum + count : sum), 0);
	};
	const figures = [
		counter(
			"grpc_server_started_total",
			"Calls begun.",
			total(({ started }) => started),
		),
		counter(
			"grpc_server_msg_received_total",
			"Messages received.",
			total(({ received }) => received),
		),
		counter(
			"grpc_server_msg_sent_total",
			"Messages sent.",
			total(({ sent }) => sent),
		),
		counter("grpc_server_handled_total", "Calls ended, by code.", () =>
			rows.flatMap(({ labels, method }) =>
				GRPC_CODES.map((grpc_code, code) => ({ labels: { ...labels, grpc_code }, value: method.handled[code] ?? 0 })),
			),
		),
		counter("etcd_network_client_grpc_received_bytes_total", "Bytes of requests.", () => calls.receivedBytes),
		counter("etcd_network_client_grpc_sent_bytes_total", "Bytes of answers.", () => calls.sentBytes),
		counter("etcd_network_server_stream_failures_total", "Streams that this member ended with an error.", () => [
			{ labels: { Type: "send", API: "watch" }, value: watchFailed() },
		]),
		histogram("etcd_server_range_duration_seconds", "Time of a Range, its barrier included.", () => [
			[{ success: "true" }, (calls.methods.get("/etcdserverpb.KV/Range") as MethodFigures).seconds],
		]),
		histogram("etcd_disk_backend_defrag_duration_seconds", "Time of a Defragment.", () => [
			[{}, (calls.methods.get("/etcdserverpb.Maintenance/Defragment") as MethodFigures).seconds],
		]),
		histogram("etcd_mvcc_hash_rev_duration_seconds", "Time of a HashKV.", () => [
			[{}, (calls.methods.get("/etcdserverpb.Maintenance/HashKV") as MethodFigures).seconds],
		]),
		histogram("etcd_mvcc_hash_duration_seconds", "Time of a Hash.", () => [
			[{}, (calls.methods.get("/etcdserverpb.Maintenance/Hash") as MethodFigures).seconds],
		]),
		gauge("etcd_disk_defrag_inflight", "0: Defragment has nothing to do and blocks nothing.", () => 0),
	];
	if (!extensive) return figures;
	const handling = histogram("grpc_server_handling_seconds", "Time of unary calls.", () =>
		rows.map(({ labels, method }) => [labels, method.seconds] as const),
	);
	return [...figures, handling];
}

function ownFigures({ member, tap }: MetricsSources): Figure[] {
	return [
		gauge("flotilla_compaction_pending", "1: records of a compaction wait to be removed.", () => (member.store.compactionPending ? 1 : 0)),
		gauge("flotilla_store_unstored_bytes", "Bytes of records applied and not yet handed to the disk.", () => member.store.unstoredBytes),
		counter("flotilla_digest_mismatches_total", "Comparisons between members that found a difference.", () => tap.count("digestMismatch")),
		counter("flotilla_tap_events_total", "Events of the event tap.", () => tap.total),
	];
}
