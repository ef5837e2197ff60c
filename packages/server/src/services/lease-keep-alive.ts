/**
 * A stream of renewals (etcd API 4.5): one answer to each request, in order, while many of them are under way. A lease that does
 * not exist is answered with no time; what keeps a renewal from being decided ends the stream. A client that asks faster than it
 * is answered, or does not read, is made to wait.
 */
import type { FaultCode, HotCodec } from "@flotilla/api";
import type { LeaseId } from "@flotilla/mvcc";
import { type Caller, LeaseCall } from "@flotilla/replica";
import { Grpc, type StreamCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";

/** Renewals of one stream that are under way; the next ones wait. */
const UNDER_WAY_MAX = 1_024;
/** Requests of one stream without an answer: at the upper bound no more is read of it, at the lower one again. */
const WAITING_MAX = 4_096;
const WAITING_LOW = 2_048;
const OK = { code: Grpc.ok, message: "" } as const;

interface Renewal {
	readonly id: LeaseId;
	/** Null until it is under way. */
	call: LeaseCall | null;
	answer: Uint8Array | null;
	fault: FaultCode | null;
}

export function keepAlive(call: StreamCall, deps: ServiceDeps, codec: HotCodec): void {
	new KeepAliveStream(call, deps, codec).begin();
}

class KeepAliveStream {
	private readonly call: StreamCall;
	private readonly deps: ServiceDeps;
	private readonly codec: HotCodec;
	/** Oldest first; those from `started` on are not under way yet. */
	private waiting: Renewal[] = [];
	private head = 0;
	private started = 0;
	private halfClosed = false;
	private writable = true;
	/** Nothing is read of it now. */
	private held = false;
	private over = false;
	/** A renewal may be refused while it is started. */
	private flushing = false;
	private flushDue = false;

	constructor(call: StreamCall, deps: ServiceDeps, codec: HotCodec) {
		this.call = call;
		this.deps = deps;
		this.codec = codec;
	}

	begin(): void {
		const { call } = this;
		call.onMessage((message) => this.receive(message));
		call.onHalfClose(() => {
			this.halfClosed = true;
			this.flush();
		});
		call.onDrain(() => {
			this.writable = true;
			this.flush();
		});
		call.onCancel(() => this.close());
	}

	private receive(message: Uint8Array): void {
		const id = this.codec.decodeKeepAliveRequest(message);
		if (this.over) return;
		this.waiting.push({ id, call: null, answer: null, fault: null });
		if (!this.held && this.waiting.length - this.head >= WAITING_MAX) {
			this.held = true;
			this.call.holdBack();
		}
		this.startNext();
	}

	private startNext(): void {
		while (this.started < this.waiting.length && this.started - this.head < UNDER_WAY_MAX) {
			this.start(this.waiting[this.started++] as Renewal);
		}
	}

	private start(renewal: Renewal): void {
		const { member } = this.deps;
		// The revision before the renewal, as etcd shows it.
		const { revision } = member.store;
		const refuse = (fault: FaultCode): void => {
			renewal.fault = fault;
			this.flush();
		};
		this.deps.callers.identify(
			this.call,
			({ caller }) => {
				const fault = this.keysFault(caller, renewal.id);
				if (fault === null) this.ask(renewal, revision);
				else refuse(fault);
			},
			refuse,
		);
	}

	private keysFault(caller: Caller, lease: LeaseId): FaultCode | null {
		const { auth, store } = this.deps.member;
		return auth.enabled ? auth.keysFault(caller, store.leases.get(lease)?.attachedKeys() ?? [], "write") : null;
	}

	private ask(renewal: Renewal, revision: number): void {
		if (this.over) return;
		const { member } = this.deps;
		renewal.call = new LeaseCall("renew", renewal.id, 0, (outcome) => {
			if (outcome.ok) {
				renewal.answer = this.codec.encodeKeepAliveResponse(headerOf(member, revision), renewal.id, outcome.grantedTtl);
			} else renewal.fault = outcome.fault;
			this.flush();
		});
		member.askLease(renewal.call);
	}

	private flush(): void {
		this.flushDue = true;
		if (this.flushing) return;
		this.flushing = true;
		while (this.flushDue) {
			this.flushDue = false;
			this.flushAnswered();
		}
		this.flushing = false;
	}

	private flushAnswered(): void {
		while (!this.over && this.writable && this.head < this.started) {
			const { answer, fault } = this.waiting[this.head] as Renewal;
			if (fault !== null) {
				this.close();
				this.call.end(statusOf(fault));
				return;
			}
			if (answer === null) break;
			this.head++;
			this.writable = this.call.send(answer);
		}
		if (this.over) return;
		if (this.head === this.waiting.length || this.head > WAITING_MAX) {
			this.waiting = this.waiting.slice(this.head);
			this.started -= this.head;
			this.head = 0;
		}
		this.startNext();
		if (this.held && this.waiting.length - this.head <= WAITING_LOW) {
			this.held = false;
			this.call.readOn();
		}
		if (!this.halfClosed || this.waiting.length > 0) return;
		this.close();
		this.call.end(OK);
	}

	/** Nobody listens any more: what is under way is called off. */
	private close(): void {
		if (this.over) return;
		this.over = true;
		for (const { answer, call, fault } of this.waiting.slice(this.head, this.started)) {
			if (call !== null && answer === null && fault === null) this.deps.member.cancel(call);
		}
		this.waiting = [];
		this.head = 0;
		this.started = 0;
	}
}
