/** The Maintenance service (etcd API, chapter 6). */
import { etcdserverpb } from "@flotilla/api";
import { assert } from "@flotilla/base";
import { AlarmType, CommandKind, encodeAlarmCommand } from "@flotilla/replica";
import { Grpc, type MethodHandler, type UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { isLearner, unary, unimplemented } from "./door.ts";
import { runSliced } from "./long-work.ts";
import { propose } from "./replicated.ts";

const ALARM_NAMES = { [AlarmType.none]: "NONE", [AlarmType.noSpace]: "NOSPACE", [AlarmType.corrupt]: "CORRUPT" } as const;

export function maintenanceService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	return [
		unary("/etcdserverpb.Maintenance/Status", deps, (call) => call.respond(encodeStatus(deps))),
		unary("/etcdserverpb.Maintenance/Alarm", deps, (call) => alarm(call, deps)),
		unary("/etcdserverpb.Maintenance/Hash", deps, (call) => {
			const { store } = deps.member;
			call.respond(etcdserverpb.HashResponse.encode({ header: headerOf(deps.member, store.revision), hash: store.digest() }));
		}),
		unary("/etcdserverpb.Maintenance/HashKV", deps, (call) => hashKv(call, deps)),
		// Space comes back by itself; there is nothing to do, and nothing is blocked.
		unary("/etcdserverpb.Maintenance/Defragment", deps, (call) => call.respond(etcdserverpb.DefragmentResponse.encode({}))),
		unary("/etcdserverpb.Maintenance/MoveLeader", deps, (call) => moveLeader(call, deps)),
		unary("/etcdserverpb.Maintenance/Downgrade", deps, (call) => downgrade(call, deps)),
		unimplemented("/etcdserverpb.Maintenance/Snapshot"),
	];
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
		errors: [...(status.leader === 0n ? [statusOf("noLeader").message] : []), ...alarms],
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

function hashKv(call: UnaryCall, deps: ServiceDeps): void {
	const { member } = deps;
	const work = member.store.hashKv(etcdserverpb.HashKVRequest.decode(call.request).revision);
	if ("ok" in work) {
		call.fail(statusOf(work.code));
		return;
	}
	runSliced(work, call, deps.soon, ({ hash, compactRevision, hashRevision, revision }) =>
		call.respond(etcdserverpb.HashKVResponse.encode({ header: headerOf(member, revision), hash, compactRevision, hashRevision })),
	);
}

/** Answered when the target leads; the client's deadline ends the waiting. */
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
	const look = (): void => {
		if (canceled) return;
		const { leader } = member.status();
		if (leader === targetID) answer();
		else if (leader === member.memberId && member.status().core.transferee === 0n) call.fail(statusOf("transferTimeout"));
		else deps.afterTicks(1, look);
	};
	deps.afterTicks(1, look);
}

function downgrade(call: UnaryCall, deps: ServiceDeps): void {
	const { action, version } = etcdserverpb.DowngradeRequest.decode(call.request);
	if (action === etcdserverpb.DowngradeRequest_DowngradeAction.CANCEL) {
		// Nothing runs, so there is nothing to cancel; the call answers all the same.
		call.respond(etcdserverpb.DowngradeResponse.encode({ header: headerOf(deps.member, deps.member.store.revision), version: "" }));
		return;
	}
	if (action !== 0 && action !== 1) {
		call.fail({ code: Grpc.unknown, message: "etcdserver: unknown method" });
		return;
	}
	if (!/^\d+\.\d+(\.\d+)?$/.test(version)) {
		call.fail(statusOf("wrongDowngradeVersionFormat"));
		return;
	}
	// This is the first version that there is: nothing lies below it.
	call.fail(statusOf(deps.member.status().clusterVersion === "" ? "clusterVersionUnavailable" : "invalidDowngradeTargetVersion"));
}
