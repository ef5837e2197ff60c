/** What every call passes before its handler sees it (etcd API, order of checks for a unary call). */
import { isUtf8 } from "node:buffer";
import { METHODS } from "@flotilla/api";
import { runLate } from "../front/handler-errors.ts";
import { type CallContext, Grpc, type MethodHandler, type Status, type UnaryCall, type UnaryHandler } from "../front/seam.ts";
import { statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";

/** Calls that a learner answers; ranges only when they are serializable, which its handler looks at. */
const ON_LEARNERS: ReadonlySet<string> = new Set([
	"/etcdserverpb.Maintenance/Status",
	"/etcdserverpb.Maintenance/Snapshot",
	"/etcdserverpb.KV/Range",
	"/etcdserverpb.KV/RangeStream",
]);

/** Lets a call pass, or says why not. */
export function refusalAtDoor(path: string, call: CallContext, deps: ServiceDeps): Status | null {
	if (!ON_LEARNERS.has(path) && isLearner(deps)) return statusOf("notSupportedForLearner");
	const version = call.metadata("client-api-version");
	// Values of headers come with one character a byte.
	if (version !== undefined && version !== "" && !isUtf8(Buffer.from(version, "latin1"))) return statusOf("invalidClientApiVersion");
	if (needsLeader(call) && isLeaderless(deps)) return statusOf("noLeader");
	return null;
}

/**
 * Without a leader for an election timeout: what etcd calls having none, since it notices no sooner. This member knows of a broken
 * connection within milliseconds; clients of the leader that died come here in that very moment, and a watch of the Go client
 * that is told of no leader then ends for good.
 */
function isLeaderless({ member, options }: ServiceDeps): boolean {
	return member.leaderlessTicks >= options.electionTicks;
}

/** Its client wants no service from a member that knows no leader. */
export function needsLeader(call: CallContext): boolean {
	return call.metadata("hasleader") === "true";
}

const ADMINISTRATION: ReadonlySet<string> = new Set(["etcdserverpb.Cluster", "etcdserverpb.Maintenance"]);

export function unary(path: string, deps: ServiceDeps, handle: UnaryHandler): readonly [string, MethodHandler] {
	const need = needAtDoor(path);
	const empty = METHODS.get(path)?.request.fields.length === 0 ? METHODS.get(path)?.request : undefined;
	const guarded = (call: UnaryCall): void => {
		// No handler reads a request that says nothing; bytes that are none of it are refused all the same.
		if (empty !== undefined && call.request.length > 0) empty.decode(call.request);
		const refusal = refusalAtDoor(path, call, deps);
		if (refusal !== null) call.fail(refusal);
		else if (need === null) handle(call);
		else admit(call, need);
	};
	const admit = (call: UnaryCall, need: "user" | "root"): void => {
		let late = false;
		const work = (): void => handle(call);
		const admitted = (): void => (late ? runLate(work, (status) => call.fail(status)) : work());
		deps.callers.admit(need, call, admitted, (fault) => call.fail(statusOf(fault)));
		late = true;
	};
	return [path, { shape: "unary", handle: guarded }];
}

/**
 * What a caller must be before the handler is asked at all. Elsewhere the handler asks, later in the order of checks: after
 * fields and barrier, or at apply.
 */
export function needAtDoor(path: string): "user" | "root" | null {
	const method = METHODS.get(path);
	if (method === undefined || !ADMINISTRATION.has(method.service)) return null;
	return method.access === "root" || method.access === "user" ? method.access : null;
}

/** A call of the API that this version does not carry out: said so, whatever its shape. */
export function unimplemented(path: string): readonly [string, MethodHandler] {
	const method = METHODS.get(path);
	const status = notServed(path);
	if (method?.shape === "unary" || method === undefined) return [path, { shape: "unary", handle: (call) => call.fail(status) }];
	return [path, { shape: "stream", clientStreams: method.shape === "bidi", serverStreams: true, handle: (call) => call.end(status) }];
}

/** Known, sound, and nothing that this version can do. */
export function notServed(path: string): Status {
	return { code: Grpc.unimplemented, message: `${path.slice(1)} is not implemented in this version` };
}

export function isLearner({ member }: ServiceDeps): boolean {
	for (const { id, learner } of member.members) if (learner && id === member.memberId) return true;
	return false;
}
