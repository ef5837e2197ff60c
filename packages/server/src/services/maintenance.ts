/** The Maintenance service (etcd API, chapter 6). */
import { etcdserverpb } from "@flotilla/api";
import { assert } from "@flotilla/base";
import { NO_NODE } from "@flotilla/raft";
import { AlarmAction, AlarmType, CommandKind, encodeAlarmCommand } from "@flotilla/replica";
import { Grpc, type MethodHandler, type UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { isLearner, unary } from "./door.ts";
import { LongWork } from "./long-work.ts";
import type { OpenStreams } from "./open-streams.ts";
import { afterBarrier, propose } from "./replicated.ts";
import { snapshotMethod } from "./snapshot-stream.ts";

const ALARM_NAMES = { [AlarmType.none]: "NONE", [AlarmType.noSpace]: "NOSPACE", [AlarmType.corrupt]: "CORRUPT" } as const;

/** One hash at a time: each reads the whole key space. */
const HASHES = { runningMax: 1, waitingMax: 16 } as const;
/** A transfer that takes longer has failed: the leader itself gives it up after an election timeout. */
const TRANSFER_MS = 7_000;

export function maintenanceService(deps: ServiceDeps, streams: OpenStreams): ReadonlyArray<readonly [string, MethodHandler]> {
	const hashes = new LongWork(HASHES, deps.soon);
	return [
		unary("/etcdserverpb.Maintenance/Status", deps, (call) => call.respond(encodeStatus(deps))),
		unary("/etcdserverpb.Maintenance/Alarm", deps, (call) => alarm(call, deps)),
		unary("/etcdserverpb.Maintenance/Hash", deps, (call) => hash(call, deps)),
		unary("/etcdserverpb.Maintenance/HashKV", deps, (call) => hashKv(call, deps, hashes)),
		unary("/etcdserverpb.Maintenance/Defragment", deps, (call) => defragment(call, deps)),
		unary("/etcdserverpb.Maintenance/MoveLeader", deps, (call) => moveLeader(call, deps)),
		unary("/etcdserverpb.Maintenance/Downgrade", deps, (call) => downgrade(call, deps)),
		snapshotMethod(deps, streams),
	];
}

/** Space comes back by itself; there is nothing to do, and nothing is blocked. */
function defragment(call: UnaryCall, { tap }: ServiceDeps): void {
	tap.emit("defragmented", 0, 0);
	call.respond(etcdserverpb.DefragmentResponse.encode({}));
}

function encodeStatus(deps: ServiceDeps): Uint8Array {
	const { member, options } = deps;
	const status = member.status();
	const alarms = member.alarms.map(
		({ member: id, alarm }) => `${id === 0n ? "" : `memberID:${id} `}${alarm === AlarmType.none ? "" : `alarm:${ALARM_NAMES[alarm]} `}`,
	);
	return etcdserverpb.StatusResponse.encode({
		header: headerOf(member, member.store.revision),
		version: options.serverVersion,
		dbSize: member.storeBytes(),
		leader: status.leader,
		raftIndex: status.core.commit,
		raftTerm: status.durableTerm,
		raftAppliedIndex: status.appliedIndex,
		errors: [...(status.leader === NO_NODE ? [statusOf("noLeader").message] : []), ...alarms],
		dbSizeInUse: member.store.logicalBytes,
		isLearner: isLearner(deps),
		storageVersion: options.storageVersion,
		dbSizeQuota: options.quotaBytesShown,
		downgradeInfo: { enabled: false, targetVersion: "" },
	});
}

function alarm(call: UnaryCall, deps: ServiceDeps): void {
	const request = etcdserverpb.AlarmRequest.decode(call.request);
	if (![0, 1, 2].includes(request.action) || ![0, 1, 2].includes(request.alarm)) {
		call.fail({ code: Grpc.invalidArgument, message: "etcdserver: unknown alarm action or type" });
		return;
	}
	if (request.action === AlarmAction.get) askAlarms(call, deps, request);
	else
		deps.callers.admit(
			"root",
			call,
			() => askAlarms(call, deps, request),
			(fault) => call.fail(statusOf(fault)),
		);
}

function askAlarms(call: UnaryCall, deps: ServiceDeps, request: etcdserverpb.AlarmRequest): void {
	const command = { action: request.action as 0 | 1 | 2, member: request.memberID, alarm: request.alarm as 0 | 1 | 2 };
	propose(deps, call, CommandKind.alarm, encodeAlarmCommand(command), (result) => {
		assert(result.kind === "alarm", "an alarm is answered by an alarm");
		call.respond(
			etcdserverpb.AlarmResponse.encode({
				header: headerOf(deps.member, result.revision),
				alarms: result.alarms.map(({ member, alarm: type }) => ({ memberID: member, alarm: type })),
			}),
		);
	});
}

/** In the middle of a change of very many keys there is no state to hash: the answer comes behind it. */
function hash(call: UnaryCall, deps: ServiceDeps): void {
	let gone = false;
	call.onCancel(() => {
		gone = true;
	});
	const answer = (): void => {
		const { store } = deps.member;
		if (gone) return;
		if (store.changing) deps.afterTicks(1, answer);
		else call.respond(etcdserverpb.HashResponse.encode({ header: headerOf(deps.member, store.revision), hash: store.digest() }));
	};
	answer();
}

function hashKv(call: UnaryCall, deps: ServiceDeps, hashes: LongWork): void {
	const { member } = deps;
	const work = member.store.hashKv(etcdserverpb.HashKVRequest.decode(call.request).revision);
	if ("ok" in work) {
		call.fail(statusOf(work.code));
		return;
	}
	hashes.run(work, call, ({ hash, compactRevision, hashRevision, revision }) =>
		call.respond(etcdserverpb.HashKVResponse.encode({ header: headerOf(member, revision), hash, compactRevision, hashRevision })),
	);
}

/** Answered when the target leads, or when it is clear that it will not. */
function moveLeader(call: UnaryCall, deps: ServiceDeps): void {
	const { member } = deps;
	const { targetID } = etcdserverpb.MoveLeaderRequest.decode(call.request);
	if (member.status().leader !== member.memberId) {
		call.fail(statusOf("notLeader"));
		return;
	}
	if (!member.members.some(({ id, learner }) => id === targetID && !learner)) {
		call.fail(statusOf("badLeaderTransferee"));
		return;
	}
	const answer = (): void => call.respond(etcdserverpb.MoveLeaderResponse.encode({}));
	if (targetID === member.memberId) {
		answer();
		return;
	}
	let canceled = false;
	call.onCancel(() => {
		canceled = true;
	});
	member.transferLeadership(targetID);
	let patienceTicks = Math.ceil(Math.min(TRANSFER_MS, call.remainingMs) / member.tickMs);
	const look = (): void => {
		if (canceled) return;
		const { leader, core } = member.status();
		const givenUp = leader === member.memberId && core.transferee === NO_NODE;
		if (leader === targetID) answer();
		else if (givenUp || --patienceTicks <= 0) call.fail(statusOf("transferTimeout"));
		else deps.afterTicks(1, look);
	};
	deps.afterTicks(1, look);
}

/**
 * Deviation: no version below the present one can run on this format of the data, so no target is valid; etcd takes the one
 * that is one minor version older.
 */
function downgrade(call: UnaryCall, deps: ServiceDeps): void {
	const { member } = deps;
	const { VALIDATE, ENABLE, CANCEL } = etcdserverpb.DowngradeRequest_DowngradeAction;
	const { action, version } = etcdserverpb.DowngradeRequest.decode(call.request);
	const { clusterVersion } = member.status();
	if (action === CANCEL) {
		// Nothing runs, so there is nothing to cancel; the call succeeds all the same.
		const shown = clusterVersion.split(".").slice(0, 2).join(".");
		call.respond(etcdserverpb.DowngradeResponse.encode({ header: headerOf(member, member.store.revision), version: shown }));
		return;
	}
	if (action !== VALIDATE && action !== ENABLE) call.fail({ code: Grpc.unknown, message: "etcdserver: unknown method" });
	else if (!/^\d+\.\d+(\.\d+)?$/.test(version)) call.fail(statusOf("wrongDowngradeVersionFormat"));
	else
		afterBarrier(deps, call, () =>
			call.fail(statusOf(clusterVersion === "" ? "clusterVersionUnavailable" : "invalidDowngradeTargetVersion")),
		);
}
