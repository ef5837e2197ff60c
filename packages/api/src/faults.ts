/**
 * Every refusal of the API with the status code and the text that etcd sends. Clients match the texts letter by letter, so
 * they are protocol. Codes are those really sent: some differ from what etcd's own table declares (etcd API 9.3).
 */
import { GrpcStatus } from "./grpc-status.ts";

export interface Fault {
	readonly grpc: GrpcStatus;
	readonly text: string;
}

const {
	canceled,
	dataLoss,
	deadlineExceeded,
	failedPrecondition,
	internal,
	invalidArgument,
	notFound,
	outOfRange,
	permissionDenied,
	resourceExhausted,
	unauthenticated,
	unavailable,
	unimplemented,
	unknown,
} = GrpcStatus;

const REQUEST_FAULTS = {
	emptyKey: { grpc: invalidArgument, text: "etcdserver: key is not provided" },
	/** An operation without a union member is refused with this one too. */
	keyNotFound: { grpc: invalidArgument, text: "etcdserver: key not found" },
	valueProvided: { grpc: invalidArgument, text: "etcdserver: value is provided" },
	leaseProvided: { grpc: invalidArgument, text: "etcdserver: lease is provided" },
	tooManyOps: { grpc: invalidArgument, text: "etcdserver: too many operations in txn request" },
	duplicateKey: { grpc: invalidArgument, text: "etcdserver: duplicate key given in txn request" },
	invalidClientApiVersion: { grpc: invalidArgument, text: "etcdserver: invalid client api version" },
	invalidSortOption: { grpc: invalidArgument, text: "etcdserver: invalid sort option" },
	compacted: { grpc: outOfRange, text: "etcdserver: mvcc: required revision has been compacted" },
	futureRevision: { grpc: outOfRange, text: "etcdserver: mvcc: required revision is a future revision" },
	noSpace: { grpc: resourceExhausted, text: "etcdserver: mvcc: database space exceeded" },
	leaseNotFound: { grpc: notFound, text: "etcdserver: requested lease not found" },
	leaseExists: { grpc: failedPrecondition, text: "etcdserver: lease already exists" },
	leaseTtlTooLarge: { grpc: outOfRange, text: "etcdserver: too large lease TTL" },
	watchCanceled: { grpc: canceled, text: "etcdserver: watch canceled" },
	/** Bytes that are no request of their kind. The text goes on with what is wrong where that is known. */
	malformed: { grpc: internal, text: "grpc: error unmarshalling request: malformed protobuf" },
	/** The same in a stream. */
	malformedInStream: { grpc: internal, text: "grpc: failed to unmarshal the received message: malformed protobuf" },
	requestTooLarge: { grpc: invalidArgument, text: "etcdserver: request is too large" },
	rangeStreamSorted: { grpc: unimplemented, text: "RangeStream does not support custom sort orders" },
	rangeStreamFiltered: { grpc: unimplemented, text: "RangeStream does not support revision filters" },
} as const;

const CLUSTER_FAULTS = {
	memberExists: { grpc: failedPrecondition, text: "etcdserver: member ID already exist" },
	peerUrlExists: { grpc: failedPrecondition, text: "etcdserver: Peer URLs already exists" },
	/** Declared as FAILED_PRECONDITION by etcd, but sent as UNKNOWN. */
	notEnoughStartedMembers: {
		grpc: unknown,
		text: "etcdserver: re-configuration failed due to not enough started members",
	},
	badMemberUrls: { grpc: invalidArgument, text: "etcdserver: given member URLs are invalid" },
	memberNotFound: { grpc: notFound, text: "etcdserver: member not found" },
	memberNotLearner: { grpc: failedPrecondition, text: "etcdserver: can only promote a learner member" },
	learnerNotReady: {
		grpc: failedPrecondition,
		text: "etcdserver: can only promote a learner member which is in sync with leader",
	},
	tooManyLearners: { grpc: failedPrecondition, text: "etcdserver: too many learner members in cluster" },
	clusterIdMismatch: { grpc: failedPrecondition, text: "etcdserver: cluster ID mismatch" },
	unhealthyCluster: { grpc: unavailable, text: "etcdserver: unhealthy cluster" },
	notSupportedForLearner: { grpc: failedPrecondition, text: "etcdserver: rpc not supported for learner" },
	badLeaderTransferee: { grpc: failedPrecondition, text: "etcdserver: bad leader transferee" },
	transferTimeout: { grpc: unknown, text: "etcdserver: request timed out, leader transfer took too long" },
	notCapable: { grpc: failedPrecondition, text: "etcdserver: not capable" },
	wrongDowngradeVersionFormat: {
		grpc: invalidArgument,
		text: "etcdserver: wrong downgrade target version format",
	},
	invalidDowngradeTargetVersion: { grpc: invalidArgument, text: "etcdserver: invalid downgrade target version" },
	clusterVersionUnavailable: {
		grpc: failedPrecondition,
		text: "etcdserver: cluster version not found during downgrade",
	},
	downgradeInProcess: { grpc: failedPrecondition, text: "etcdserver: cluster has a downgrade job in progress" },
	noInflightDowngrade: { grpc: failedPrecondition, text: "etcdserver: no inflight downgrade job" },
} as const;

const AVAILABILITY_FAULTS = {
	noLeader: { grpc: unavailable, text: "etcdserver: no leader" },
	notLeader: { grpc: failedPrecondition, text: "etcdserver: not leader" },
	leaderChanged: { grpc: unavailable, text: "etcdserver: leader changed" },
	stopped: { grpc: unavailable, text: "etcdserver: server stopped" },
	timeout: { grpc: unavailable, text: "etcdserver: request timed out" },
	timeoutLeaderFailed: {
		grpc: unavailable,
		text: "etcdserver: request timed out, possibly due to previous leader failure",
	},
	timeoutConnectionLost: {
		grpc: unavailable,
		text: "etcdserver: request timed out, possibly due to connection lost",
	},
	timeoutWaitAppliedIndex: {
		grpc: unavailable,
		text: "etcdserver: request timed out, waiting for the applied index took too long",
	},
	/** A snapshot skipped the range in which the request may have been committed (rule F5): to clients a time-out. */
	outcomeUnknown: { grpc: unavailable, text: "etcdserver: request timed out" },
	/** Declared as RESOURCE_EXHAUSTED by etcd, but sent as UNKNOWN. */
	tooManyRequests: { grpc: unknown, text: "etcdserver: too many requests" },
	/** The same to clients: the log tells which limit it was. */
	applyBacklog: { grpc: unknown, text: "etcdserver: too many requests" },
	tooManyLongReads: { grpc: unknown, text: "etcdserver: too many requests" },
	tooManyPasswords: { grpc: unknown, text: "etcdserver: too many requests" },
	corrupt: { grpc: dataLoss, text: "etcdserver: corrupt cluster" },
	/** With the spelling and the code of the 3.6 line; API level 3.7 sends CANCELLED and one l. */
	canceled: { grpc: unknown, text: "etcdserver: request cancelled" },
	deadlineExceeded: { grpc: deadlineExceeded, text: "context deadline exceeded" },
	/** A write that waited for a leader until its deadline and was never proposed. */
	noLeaderDeadline: { grpc: deadlineExceeded, text: "context deadline exceeded" },
	proposalDropped: { grpc: unknown, text: "raft proposal dropped" },
	notPrimaryLessor: { grpc: unknown, text: "not a primary lessor" },
} as const;

const AUTH_FAULTS = {
	rootUserNotExist: { grpc: failedPrecondition, text: "etcdserver: root user does not exist" },
	rootRoleNotExist: { grpc: failedPrecondition, text: "etcdserver: root user does not have root role" },
	userExists: { grpc: failedPrecondition, text: "etcdserver: user name already exists" },
	/** Also the answer to a call without a token while authentication is on. */
	userEmpty: { grpc: invalidArgument, text: "etcdserver: user name is empty" },
	userNotFound: { grpc: failedPrecondition, text: "etcdserver: user name not found" },
	roleExists: { grpc: failedPrecondition, text: "etcdserver: role name already exists" },
	roleNotFound: { grpc: failedPrecondition, text: "etcdserver: role name not found" },
	roleEmpty: { grpc: invalidArgument, text: "etcdserver: role name is empty" },
	authFailed: { grpc: invalidArgument, text: "etcdserver: authentication failed, invalid user ID or password" },
	noPasswordUser: { grpc: unknown, text: "auth: authentication failed, password was given for no password user" },
	permissionNotGiven: { grpc: invalidArgument, text: "etcdserver: permission not given" },
	permissionDenied: { grpc: permissionDenied, text: "etcdserver: permission denied" },
	roleNotGranted: { grpc: failedPrecondition, text: "etcdserver: role is not granted to the user" },
	permissionNotGranted: { grpc: failedPrecondition, text: "etcdserver: permission is not granted to the role" },
	authNotEnabled: { grpc: failedPrecondition, text: "etcdserver: authentication is not enabled" },
	invalidAuthToken: { grpc: unauthenticated, text: "etcdserver: invalid auth token" },
	invalidAuthManagement: { grpc: invalidArgument, text: "etcdserver: invalid auth management" },
	authOldRevision: { grpc: invalidArgument, text: "etcdserver: revision of auth store is old" },
	verifyOnlyKey: { grpc: unknown, text: "auth: token signing attempted with verify-only key" },
	passwordTooLong: { grpc: unknown, text: "bcrypt: password length exceeds 72 bytes" },
} as const;

/** Faults of the lock, election and health services. Faults of the calls that they make inside are sent as UNKNOWN with their text. */
const SERVICE_FAULTS = {
	electionNotLeader: { grpc: unknown, text: "election: not leader" },
	electionNoLeader: { grpc: unknown, text: "election: no leader" },
	leaderMissing: { grpc: unknown, text: '"leader" field must be provided' },
	sessionExpired: { grpc: unknown, text: "mutex: session is expired" },
	unknownService: { grpc: notFound, text: "unknown service" },
} as const;

const TABLE = {
	...REQUEST_FAULTS,
	...CLUSTER_FAULTS,
	...AVAILABILITY_FAULTS,
	...AUTH_FAULTS,
	...SERVICE_FAULTS,
};

export type FaultCode = keyof typeof TABLE;

/** A superset of the refusals of the key space and of the replica's call faults: any of those can be looked up. */
export const FAULTS: Readonly<Record<FaultCode, Fault>> = TABLE;

/** Reasons in a watch response that cancels a watcher at its creation (etcd API 9.3); never the status of the stream. */
export const WATCH_CANCEL_REASONS = {
	duplicateWatchId: "mvcc: duplicate watch ID provided on the WatchStream",
	emptyRange: "mvcc: watcher range is empty",
	compacted: FAULTS.compacted.text,
} as const;
