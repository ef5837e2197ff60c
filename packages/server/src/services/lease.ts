/** The Lease service (etcd API, chapter 4). */
import { createHotCodec, etcdserverpb, type FaultCode } from "@flotilla/api";
import { assert, concatBytes } from "@flotilla/base";
import { type LeaseId, STRIDE, sliced } from "@flotilla/mvcc";
import { type Caller, CommandKind, encodeLeaseGrant, encodeLeaseRevoke } from "@flotilla/replica";
import type { MethodHandler, UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { unary } from "./door.ts";
import { keepAlive } from "./lease-keep-alive.ts";
import { LongWork } from "./long-work.ts";
import type { MemberPort } from "./member-port.ts";
import type { OpenStreams } from "./open-streams.ts";
import { askLease, type LeaseTime, propose } from "./replicated.ts";

const NO_LEASE_TTL = -1;
/** Lists of all leases that are made side by side, and that wait for it. */
const LISTS = { runningMax: 2, waitingMax: 64 };

export function leaseService(deps: ServiceDeps, streams: OpenStreams): ReadonlyArray<readonly [string, MethodHandler]> {
	const work = new LongWork(LISTS, deps.soon);
	const codec = createHotCodec(deps.bytes);
	return [
		unary("/etcdserverpb.Lease/LeaseGrant", deps, (call) => grant(call, deps)),
		unary("/etcdserverpb.Lease/LeaseRevoke", deps, (call) => revoke(call, deps)),
		unary("/etcdserverpb.Lease/LeaseTimeToLive", deps, (call) => timeToLive(call, deps)),
		unary("/etcdserverpb.Lease/LeaseLeases", deps, (call) => leases(call, deps, work)),
		streams.bidi("/etcdserverpb.Lease/LeaseKeepAlive", (call) => keepAlive(call, deps, codec)),
	];
}

function grant(call: UnaryCall, deps: ServiceDeps): void {
	const { member, options } = deps;
	const { ID, TTL } = etcdserverpb.LeaseGrantRequest.decode(call.request);
	// Chosen and raised here, since the log holds what is to be done and not how to find it out.
	const id = ID === 0n ? member.drawLeaseId() : ID;
	const ttl = Math.max(TTL, options.leaseTtlMinSeconds);
	propose(deps, call, CommandKind.leaseGrant, encodeLeaseGrant({ id, ttl }), (command) => {
		assert(command.kind === "leaseGranted", "a grant is answered by a grant");
		const header = headerOf(member, command.revision);
		call.respond(etcdserverpb.LeaseGrantResponse.encode({ header, ID: command.id, TTL: command.ttl }));
	});
}

function revoke(call: UnaryCall, deps: ServiceDeps): void {
	const { ID } = etcdserverpb.LeaseRevokeRequest.decode(call.request);
	propose(deps, call, CommandKind.leaseRevoke, encodeLeaseRevoke(ID), (command) => {
		assert(command.kind === "done", "a revoke has no result of its own");
		call.respond(etcdserverpb.LeaseRevokeResponse.encode({ header: headerOf(deps.member, command.revision) }));
	});
}

/** Time is the leader's; keys are this member's, which has applied what the leader had. */
function timeToLive(call: UnaryCall, deps: ServiceDeps): void {
	const { bytes, member } = deps;
	const { ID, keys } = etcdserverpb.LeaseTimeToLiveRequest.decode(call.request);
	const answer = ({ grantedTtl, remainingMs }: LeaseTime): void => {
		const header = headerOf(member, member.store.revision);
		const lease = member.store.leases.get(ID);
		if (grantedTtl === 0 || lease === undefined) {
			call.respond(etcdserverpb.LeaseTimeToLiveResponse.encode({ header, ID, TTL: NO_LEASE_TTL }));
			return;
		}
		call.respond(
			etcdserverpb.LeaseTimeToLiveResponse.encode({
				...{ header, ID, grantedTTL: grantedTtl, TTL: wholeSeconds(remainingMs) },
				keys: keys ? lease.keys().map((key) => bytes.fromLatin1(key)) : [],
			}),
		);
	};
	const refuse = (fault: FaultCode): void => call.fail(statusOf(fault));
	deps.callers.identify(
		call,
		({ caller }) =>
			askLease(deps, call, "look", ID, (time) => {
				// Rights are those of the moment of the answer, over the keys that it names.
				const named = keys ? (member.store.leases.get(ID)?.attachedKeys() ?? []) : [];
				const fault = member.auth.keysFault(caller, named, "read");
				if (fault === null) answer(time);
				else refuse(fault);
			}),
		refuse,
	);
}

/** Rounded down; some of the clock's present tick has passed, so that a fresh lease of 10 seconds has 9, as from etcd. */
function wholeSeconds(remainingMs: number): number {
	return Math.max(0, Math.ceil(remainingMs / 1_000) - 1);
}

/** At one member, in slices: a list of a hundred thousand leases holds nobody up. */
function leases(call: UnaryCall, deps: ServiceDeps, work: LongWork): void {
	const { callers, member } = deps;
	etcdserverpb.LeaseLeasesRequest.decode(call.request);
	const refuse = (fault: FaultCode): void => call.fail(statusOf(fault));
	callers.identify(
		call,
		({ caller }) =>
			work.run(sliced(encodeLeases(member, caller)), call, (encoded) => {
				if (typeof encoded === "string") refuse(encoded);
				else call.respond(encoded);
			}),
		refuse,
	);
}

/** Whoever may not read a key may not know of the lease that it hangs on, and so not of the list. */
function* encodeLeases(member: MemberPort, caller: Caller): Generator<void, Uint8Array | FaultCode> {
	const { auth, store } = member;
	const header = headerOf(member, store.revision);
	const judgedAt = auth.revision;
	const stranger = auth.keysFault(caller, [], "read");
	if (stranger !== null) return stranger;
	const list = member.listLeases();
	while (!list.step(STRIDE)) yield;
	const ids = list.result();
	const pieces = [etcdserverpb.LeaseLeasesResponse.encode({ header })];
	for (let at = 0; at < ids.length; at += STRIDE) {
		const part = ids.slice(at, at + STRIDE);
		const fault = auth.enabled ? auth.keysFault(caller, keysOf(part, member), "read") : null;
		if (fault !== null) return fault;
		pieces.push(etcdserverpb.LeaseLeasesResponse.encode({ leases: part.map((ID) => ({ ID })) }));
		yield;
	}
	// Fields of a message that are repeated may stand in pieces.
	return auth.enabled && auth.revision !== judgedAt ? "authOldRevision" : concatBytes(pieces);
}

function* keysOf(leases: readonly LeaseId[], { store }: MemberPort): Iterable<string> {
	for (const id of leases) yield* store.leases.get(id)?.attachedKeys() ?? [];
}
