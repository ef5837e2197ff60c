/**
 * The calls that locks and elections make inside the member, on behalf of whoever called them. Their refusals reach the client as
 * UNKNOWN with the usual text (etcd API 8.1).
 */
import { etcdserverpb, type FaultCode } from "@flotilla/api";
import { assert } from "@flotilla/base";
import {
	type DeleteRangeResult,
	type LeaseId,
	PLAIN_RANGE,
	type RangeRequest,
	type RangeResult,
	type TxnResult,
	Unanswered,
	type WatchMessage,
} from "@flotilla/mvcc";
import { CommandKind, type CommandResult, encodeLeaseGrant } from "@flotilla/replica";
import { type CallContext, Grpc, type Status } from "../../front/seam.ts";
import { innerStatus } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { afterBarrier, propose } from "../replicated.ts";

/** A read under way: at its barrier, or at the door. */
interface OpenRead {
	callOff: () => void;
}

/** Ends a watch that is open. */
export interface OpenWatch {
	/** The receiver takes messages again. */
	drained(): void;
	close(): void;
}

export class InnerClient {
	private readonly deps: ServiceDeps;
	private readonly call: CallContext;
	private readonly refuse: (status: Status) => void;
	/** What is called off when the client leaves: an observer asks again and again for as long as its client stays. */
	private readonly openReads = new Set<OpenRead>();

	constructor(deps: ServiceDeps, call: CallContext, refuse: (status: Status) => void) {
		this.deps = deps;
		this.call = call;
		this.refuse = refuse;
		call.onCancel(() => {
			for (const read of this.openReads) read.callOff();
			this.openReads.clear();
		});
	}

	/** The client may leave meanwhile: what was begun is seen to its end, so that it can be undone. */
	txn(request: Partial<etcdserverpb.TxnRequest>, done: (result: TxnResult) => void): void {
		this.propose(CommandKind.txn, etcdserverpb.TxnRequest.encode(request), (command) => {
			assert(command.kind === "txn", "a transaction is answered by a transaction");
			done(soon(command.result));
		});
	}

	delete(key: Uint8Array, done: (result: DeleteRangeResult) => void): void {
		this.propose(CommandKind.deleteRange, etcdserverpb.DeleteRangeRequest.encode({ key }), (command) => {
			assert(command.kind === "deleteRange", "a delete is answered by a delete");
			done(soon(command.result));
		});
	}

	/** A lease of its own for a client that brings none. Nobody keeps it alive. */
	grant(seconds: number, done: (lease: LeaseId) => void): void {
		const { member, options } = this.deps;
		const grant = { id: member.drawLeaseId(), ttl: Math.max(seconds, options.leaseTtlMinSeconds) };
		this.propose(CommandKind.leaseGrant, encodeLeaseGrant(grant), () => done(grant.id));
	}

	/** Of the newest state; called off when the client leaves. */
	get(request: Partial<RangeRequest>, done: (result: RangeResult) => void): void {
		const { deps } = this;
		const range = { ...PLAIN_RANGE, ...request };
		const open: OpenRead = { callOff() {} };
		this.openReads.add(open);
		const refuse = (status: Status): void => {
			this.openReads.delete(open);
			this.refuse(status);
		};
		const refuseFault = (fault: FaultCode): void => refuse(innerStatus(fault));
		const asked = {
			...this.steady(),
			onCancel: (listener: () => void) => {
				open.callOff = listener;
			},
			fail: (status: Status) => refuse({ ...status, code: Grpc.unknown }),
		};
		const read = (): void =>
			deps.callers.identify(
				asked,
				({ caller }) => {
					const fault = deps.member.auth.rangeFault(caller, range);
					if (fault !== null) {
						refuseFault(fault);
						return;
					}
					const result = deps.member.store.range(range);
					this.openReads.delete(open);
					if (result.ok) done(result);
					else this.refuse(innerStatus(result.code));
				},
				refuseFault,
			);
		afterBarrier(deps, asked, read);
	}

	/** `take` as that of a stream of watchers. The right to read was asked for by the read before. */
	watch(
		range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; readonly startRevision: number },
		take: (message: WatchMessage) => boolean,
	): OpenWatch {
		const stream = this.deps.member.watches.openStream({ take });
		stream.create({ ...range, watchId: 0n, prevKv: false, noPut: false, noDelete: false, fragment: false, progressNotify: false });
		return stream;
	}

	private propose(kind: CommandKind, payload: Uint8Array, done: (command: CommandResult) => void): void {
		propose(this.deps, { ...this.steady(), fail: this.refuse }, kind, payload, done, (fault) => this.refuse(innerStatus(fault)));
	}

	/** The call without its end. */
	private steady(): CallContext {
		const { call } = this;
		const { path, peer } = call;
		return {
			path,
			peer,
			remainingMs: Number.POSITIVE_INFINITY,
			metadata: (key) => call.metadata(key),
			...(call.commonName === undefined ? {} : { commonName: call.commonName }),
			onCancel() {},
		};
	}
}

/** What locks and elections ask for is a key or two. */
function soon<T extends object>(result: T | Unanswered<T>): T {
	return result instanceof Unanswered ? result.whole() : result;
}
