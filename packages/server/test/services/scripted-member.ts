/** A member with a real key space and a script instead of consensus, and calls as a front would hand them to the services. */

import { randomBytes } from "node:crypto";
import { etcdserverpb, FAULTS } from "@flotilla/api";
import { createHotCodec } from "@flotilla/api/hot";
import { assert, fail, WireError } from "@flotilla/base";
import { DEFAULT_WATCH_LIMITS, MvccStore, type Sliced, WatchHub, wholly } from "@flotilla/mvcc";
import { type CoreStatus, NO_NODE } from "@flotilla/raft";
import {
	type AlarmEntry,
	AuthState,
	type CallFault,
	CommandKind,
	type CommandResult,
	decodeLeaseGrant,
	decodeLeaseRevoke,
	type LeaseCall,
	LeaseCounts,
	type MemberInfo,
	type MembershipCall,
	type ReadCall,
	type ReplicaStatus,
	type WriteCall,
} from "@flotilla/replica";
import { MALFORMED } from "../../src/front/etcd-texts.ts";
import type { HttpResponse, Status, StreamCall, UnaryCall } from "../../src/front/seam.ts";
import { nodeBytes } from "../../src/node-bytes.ts";
import type { Clock, StateExport, StatePart } from "../../src/ports.ts";
import type { Credentials } from "../../src/services/auth/credentials.ts";
import type { PasswordWork } from "../../src/services/auth/passwords.ts";
import { simpleTokens } from "../../src/services/auth/token-provider.ts";
import { createServices, type Services } from "../../src/services/create-services.ts";
import type { ServiceOptions } from "../../src/services/deps.ts";
import type { MemberPort } from "../../src/services/member-port.ts";

export const SELF = 0xffff_0000_0000_0001n;
export const CLUSTER = 0xcccc_0000_0000_0002n;
export const OTHER = 2n;
export const LEARNER = 3n;

const text = (value: string): Uint8Array => Buffer.from(value);

export function member(id: bigint, more: Partial<MemberInfo> = {}): MemberInfo {
	return {
		id,
		name: `m${id.toString(16)}`,
		peerUrls: [`http://p${id.toString(16)}:1`],
		clientUrls: [`http://c${id.toString(16)}:2`],
		learner: false,
		...more,
	};
}

/** Of events of one large revision. */
export const GATHERED_BYTES_MAX = 1 << 20;

export class ScriptedMember implements MemberPort {
	readonly memberId = SELF;
	readonly clusterId = CLUSTER;
	readonly tickMs = 10;
	store = new MvccStore({ keepEvents: true, valueCacheBytes: 1 << 20 }, { get: () => undefined }, nodeBytes);
	/** Watchers are behind: `readPast` has something to do. */
	readonly watches = new WatchHub({ ...DEFAULT_WATCH_LIMITS, gatheredBytesMax: GATHERED_BYTES_MAX }, this.store, {
		bytes: nodeBytes,
		wake() {},
	});
	members: readonly MemberInfo[] = [member(OTHER), member(SELF)];
	alarms: readonly AlarmEntry[] = [];
	readonly users = new AuthState({ ttlTicks: 30_000, forgottenUpto: 0 }, nodeBytes, () => []);
	readonly auth = this.users.guard;
	private readonly authListeners: Array<() => void> = [];
	leader = SELF;
	/** How long it has known none, when it knows none. */
	leaderless = 1_000;
	transferee = NO_NODE;
	/** Of the next write. */
	writeIndex = 1;
	appliedIndex = 40;
	durableTerm = 7;
	clusterVersion = "3.6.0";
	/** Set: writes (or reads) end so. "silence": never. */
	writeFault: CallFault | "silence" | null = null;
	readFault: CallFault | "silence" | null = null;
	readonly writes: WriteCall[] = [];
	readonly reads: ReadCall[] = [];
	readonly changes: MembershipCall[] = [];
	/** Set: changes of the members end so. "silence": never. */
	changeFault: CallFault | "silence" | null = null;
	readonly leaseCalls: LeaseCall[] = [];
	/** Set: questions about leases end so. "silence": never. */
	leaseFault: CallFault | "silence" | null = null;
	readonly canceled: Array<WriteCall | ReadCall | MembershipCall | LeaseCall> = [];
	readonly compactionWaiters: Array<() => void> = [];
	transferred: bigint[] = [];
	private readonly codec = createHotCodec(nodeBytes);

	status(): ReplicaStatus {
		const core = { commit: 41, transferee: this.transferee } as CoreStatus;
		return {
			core,
			appliedIndex: this.appliedIndex,
			durableTerm: this.durableTerm,
			leader: this.leader,
			published: true,
			clusterVersion: this.clusterVersion,
		};
	}

	get leaderlessTicks(): number {
		return this.leader === NO_NODE ? this.leaderless : 0;
	}

	onAuthChange(listener: () => void): void {
		this.authListeners.push(listener);
	}
	/** Users or roles changed. */
	tellAuthChange(): void {
		for (const listener of this.authListeners) listener();
	}

	storeBytes(): number {
		return 123_456;
	}

	write(call: WriteCall): void {
		this.writes.push(call);
		if (this.writeFault === "silence") return;
		queueMicrotask(() => {
			this.store.dropAnswers();
			const fault = this.writeFault as CallFault | null;
			const outcome = fault ?? this.apply(call);
			this.show();
			call.done(
				typeof outcome === "string" ? { ok: false, fault: outcome } : { ok: true, index: this.writeIndex, term: 1, command: outcome },
			);
		});
	}

	read(call: ReadCall): void {
		this.reads.push(call);
		if (this.readFault === "silence") return;
		const fault = this.readFault;
		queueMicrotask(() => call.done(fault === null ? { ok: true } : { ok: false, fault }));
	}

	changeMembership(call: MembershipCall): void {
		this.changes.push(call);
		if (this.changeFault === "silence") return;
		queueMicrotask(() => {
			const fault = this.changeFault as CallFault | null;
			if (fault === null) this.change(call);
			call.done(fault === null ? { ok: true } : { ok: false, fault });
		});
	}

	/** Nobody's time passes here: what is left is all but a millisecond. */
	askLease(call: LeaseCall): void {
		this.leaseCalls.push(call);
		if (this.leaseFault === "silence") return;
		queueMicrotask(() => {
			const fault = this.leaseFault as CallFault | null;
			const grantedTtl = this.store.leases.get(call.lease)?.ttl ?? 0;
			const remainingMs = Math.max(0, grantedTtl * 1_000 - (call.op === "look" ? 1 : 0));
			call.done(fault === null ? { ok: true, grantedTtl, remainingMs } : { ok: false, fault });
		});
	}

	drawLeaseId(): bigint {
		return 0x1234n + BigInt(this.store.leases.count);
	}

	listLeases(): Sliced<readonly bigint[]> {
		return { step: () => true, result: () => this.store.leases.ids(), abandon() {} };
	}
	readonly leaseCounts = new LeaseCounts();

	cancel(call: WriteCall | ReadCall | MembershipCall | LeaseCall): void {
		this.canceled.push(call);
	}

	/** What the next export hands out, part by part; null: another one runs. */
	parts: StatePart[] | null = [];
	exportsClosed = 0;
	exportState(): StateExport | null {
		const { parts } = this;
		if (parts === null) return null;
		return {
			next: (done) => {
				const part = parts.shift();
				if (part !== undefined) queueMicrotask(() => done(part));
			},
			close: () => void this.exportsClosed++,
		};
	}
	afterCompaction(done: () => void): void {
		this.compactionWaiters.push(done);
	}

	transferLeadership(to: bigint): boolean {
		this.transferred.push(to);
		this.transferee = to;
		return true;
	}

	put(key: string, value = "v"): void {
		const result = this.store.put({ key: text(key), value: text(value), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
		assert(result.ok, "a plain put succeeds");
		this.show();
	}

	/** The end of a turn: what was applied is shown to watchers. */
	show(): void {
		this.watches.publish(this.store, this.store.takeEvents());
		this.watches.deliver();
	}

	readPast(): void {
		while (this.watches.catchUp());
	}

	private apply(call: WriteCall): CommandResult | CallFault {
		const { codec, store } = this;
		const caller = { user: call.user, authRevision: call.authRevision };
		if (call.kind === CommandKind.put) {
			const fault = this.auth.putFault(caller, codec.decodePutRequest(call.payload));
			if (fault !== null) return fault;
			const result = store.put(codec.decodePutRequest(call.payload));
			return result.ok ? { kind: "put", result } : result.code;
		}
		if (call.kind === CommandKind.deleteRange) {
			return { kind: "deleteRange", result: wholly(store.deleteRangeSliced(codec.decodeDeleteRangeRequest(call.payload))) };
		}
		if (call.kind === CommandKind.txn) {
			const result = wholly(store.txnSliced(codec.decodeTxnRequest(call.payload)));
			return result.ok ? { kind: "txn", result } : result.code;
		}
		if (call.kind === CommandKind.compact) {
			const result = store.compact(codec.decodeCompactionRequest(call.payload).revision);
			return result.ok ? { kind: "compact", result } : result.code;
		}
		if (call.kind === CommandKind.alarm) {
			const { memberID, alarm } = etcdserverpb.AlarmRequest.decode(call.payload);
			return { kind: "alarm", alarms: [{ member: memberID, alarm: alarm as 1 }], revision: store.revision };
		}
		if (call.kind === CommandKind.auth) {
			const applied = this.users.apply(call.payload, caller, this.writeIndex);
			return applied === "changed" || applied === "issued" ? { kind: "done", revision: store.revision } : applied;
		}
		if (call.kind === CommandKind.leaseGrant) {
			const { id, ttl } = decodeLeaseGrant(call.payload) as { id: bigint; ttl: number };
			const lease = store.leases.grant(id, ttl, this.writes.length);
			return typeof lease === "string" ? lease : { kind: "leaseGranted", id, ttl, revision: store.revision };
		}
		if (call.kind === CommandKind.leaseRevoke) {
			const result = store.endLease(decodeLeaseRevoke(call.payload) as bigint);
			return result.ok ? { kind: "done", revision: result.revision } : result.code;
		}
		return fail("no other kind is written by the services", { kind: call.kind });
	}

	private change({ change }: MembershipCall): void {
		switch (change.kind) {
			case "add":
				this.members = [...this.members, change.member].sort((a, b) => (a.id < b.id ? -1 : 1));
				return;
			case "remove":
				this.members = this.members.filter(({ id }) => id !== change.id);
				return;
			case "promote":
				this.members = this.members.map((each) => (each.id === change.id ? { ...each, learner: false } : each));
				return;
			case "update":
				this.members = this.members.map((each) => (each.id === change.id ? { ...each, peerUrls: change.peerUrls } : each));
		}
	}
}

export type Answer = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly status: Status };

/** What a front makes of one request. */
export class ScriptedCall implements UnaryCall {
	peer = "127.0.0.1:1";
	readonly path: string;
	readonly request: Uint8Array;
	readonly remainingMs: number;
	commonName: string | undefined = undefined;
	answer: Answer | null = null;
	private readonly given: Readonly<Record<string, string>>;
	private readonly cancelListeners: Array<() => void> = [];
	private told: () => void = () => {};
	readonly answered: Promise<void>;

	constructor(path: string, request: Uint8Array, metadata: Readonly<Record<string, string>> = {}, remainingMs = Number.POSITIVE_INFINITY) {
		this.path = path;
		this.request = request;
		this.given = metadata;
		this.remainingMs = remainingMs;
		this.answered = new Promise((resolve) => {
			this.told = resolve;
		});
	}

	metadata(key: string): string | undefined {
		return this.given[key];
	}
	onCancel(listener: () => void): void {
		this.cancelListeners.push(listener);
	}
	get cancelListenerCount(): number {
		return this.cancelListeners.length;
	}
	cancel(): void {
		for (const listener of this.cancelListeners) listener();
	}
	respond(bytes: Uint8Array): void {
		this.take({ ok: true, bytes });
	}
	fail(status: Status): void {
		this.take({ ok: false, status });
	}

	private take(answer: Answer): void {
		assert(this.answer === null, "a call is answered once");
		this.answer = answer;
		this.told();
	}
}

export class ScriptedStream implements StreamCall {
	readonly path: string;
	readonly peer = "127.0.0.1:1";
	readonly remainingMs = Number.POSITIVE_INFINITY;
	readonly sent: Uint8Array[] = [];
	ended: Status | null = null;
	/** Nothing is read of it. */
	held = false;
	/** Messages that it takes before it asks to wait. */
	room = Number.POSITIVE_INFINITY;
	private readonly given: Readonly<Record<string, string>>;
	/** What came while nothing was read. */
	private readonly waiting: Uint8Array[] = [];
	private listener: (message: Uint8Array) => void = () => {};
	private drained: () => void = () => {};
	private canceled: () => void = () => {};

	constructor(path: string, metadata: Readonly<Record<string, string>> = {}) {
		this.path = path;
		this.given = metadata;
	}
	metadata(key: string): string | undefined {
		return this.given[key];
	}
	onCancel(listener: () => void): void {
		this.canceled = listener;
	}
	onMessage(listener: (message: Uint8Array) => void): void {
		this.listener = listener;
	}
	holdBack(): void {
		this.held = true;
	}
	readOn(): void {
		this.held = false;
		queueMicrotask(() => this.deliver());
	}
	onHalfClose(): void {}
	onDrain(listener: () => void): void {
		this.drained = listener;
	}
	send(message: Uint8Array): boolean {
		this.sent.push(message);
		this.room--;
		return this.room > 0;
	}
	/** Its client has read everything, and reads so many more. */
	drain(room = Number.POSITIVE_INFINITY): void {
		this.room = room;
		this.drained();
	}
	cancel(): void {
		this.canceled();
	}
	end(status: Status): void {
		this.ended = status;
	}
	receive(message: Uint8Array): void {
		this.waiting.push(message);
		this.deliver();
	}

	/** As an adapter does it: bytes that are no protobuf end the call, and its handler is told. */
	private deliver(): void {
		while (!this.held && this.ended === null) {
			const message = this.waiting.shift();
			if (message === undefined) return;
			try {
				this.listener(message);
			} catch (error) {
				if (!(error instanceof WireError)) throw error;
				this.ended = MALFORMED;
				this.canceled();
			}
		}
	}
}

export class HandClock implements Clock {
	nowMs = 1_000;
	monotonicMs(): number {
		return this.nowMs;
	}
	wallMs(): number {
		return 1_700_000_000_000 + this.nowMs;
	}
}

/** Counts what would be slow. */
export class PlainPasswords implements PasswordWork {
	work = 0;
	overloaded = false;
	hash(password: string, cost: number, done: (hash: string | null) => void): void {
		this.work++;
		setImmediate(() => done(this.overloaded ? null : `plain ${cost} ${password}`));
	}
	compare(password: string, hash: string, done: (same: boolean | null) => void): void {
		this.work++;
		setImmediate(() => done(this.overloaded ? null : hash.replace(/^plain \d+ /, "") === password));
	}
}

/** Services over a scripted member. Turns of the loop happen when the test says so, or by themselves. */
export class ServiceHouse {
	readonly clock = new HandClock();
	readonly passwords = new PlainPasswords();
	readonly credentials: Credentials;
	readonly member = new ScriptedMember();
	readonly services: Services;
	/** Names of the events that the services emitted. */
	readonly told: string[] = [];
	/** Work for a later turn, held until `turn` unless `running`. */
	private readonly later: Array<() => void> = [];
	/** What waits for more than one tick. */
	private timers: Array<{ readonly atTick: number; readonly work: () => void }> = [];
	private tick = 0;
	running = true;

	constructor(options: Partial<ServiceOptions> = {}, credentials: Partial<Credentials> = {}) {
		const { clock, passwords } = this;
		this.credentials = { tokens: simpleTokens(randomBytes), passwords, bcryptCost: 10, certificateNames: true, clock, ...credentials };
		this.services = createServices({
			member: this.member,
			credentials: this.credentials,
			bytes: nodeBytes,
			options: {
				serverVersion: "3.6.14",
				storageVersion: "3.6.0",
				maxTxnOps: 128,
				quotaBytesShown: 2 ** 31,
				warningUnaryRequestMs: 300,
				electionTicks: 100,
				watchProgressTicks: 60_000,
				watchFragmentBytes: 2_097_152,
				leaseTtlMinSeconds: 2,
				...options,
			},
			soon: (work) => this.defer(work),
			tap: { emit: (name) => void this.told.push(name) },
			afterTicks: (ticks, work) => this.afterTicks(ticks, work),
			newMemberId: (urls) => BigInt(urls.join().length),
		});
	}

	start(call: ScriptedCall): ScriptedCall {
		const handler = this.services.methods.get(call.path);
		assert(handler?.shape === "unary", "a unary method of this path is there");
		handler.handle(call);
		return call;
	}

	stream(path: string, metadata: Readonly<Record<string, string>> = {}): ScriptedStream {
		const handler = this.services.methods.get(path);
		assert(handler?.shape === "stream", "a stream of this path is there");
		const call = new ScriptedStream(path, metadata);
		handler.handle(call);
		return call;
	}

	async call(path: string, request: Uint8Array, metadata: Readonly<Record<string, string>> = {}): Promise<Answer> {
		const call = this.start(new ScriptedCall(path, request, metadata));
		await call.answered;
		return call.answer as Answer;
	}

	/** The answer's bytes; fails the test when it was refused. */
	async ok(path: string, request: Uint8Array): Promise<Uint8Array> {
		const answer = await this.call(path, request);
		if (!answer.ok) throw new Error(`${path}: ${answer.status.code} ${answer.status.message}`);
		return answer.bytes;
	}

	async refusal(path: string, request: Uint8Array, metadata: Readonly<Record<string, string>> = {}): Promise<Status> {
		const answer = await this.call(path, request, metadata);
		if (answer.ok) throw new Error(`${path} was not refused`);
		return answer.status;
	}

	http(path: string, query = ""): Promise<HttpResponse> {
		const route = this.services.http.get(path);
		assert(route !== undefined, "a route of this path is there");
		return new Promise((resolve) =>
			route.handle({ method: "GET", path, query: new URLSearchParams(query), headers: new Map(), body: new Uint8Array(0) }, resolve),
		);
	}

	/** One turn of a loop that does not run by itself. False when there was nothing to do. */
	turn(): boolean {
		const works = this.later.splice(0);
		for (const work of works) work();
		return works.length > 0;
	}

	/** So many ticks go by. */
	pass(ticks: number): void {
		for (const end = this.tick + ticks; this.tick < end; ) {
			this.tick++;
			const due = this.timers.filter(({ atTick }) => atTick <= this.tick);
			this.timers = this.timers.filter(({ atTick }) => atTick > this.tick);
			for (const { work } of due) work();
		}
	}

	get timersOpen(): number {
		return this.timers.length;
	}

	private afterTicks(ticks: number, work: () => void): () => void {
		if (ticks <= 1) {
			this.defer(work);
			return () => {};
		}
		const timer = { atTick: this.tick + ticks, work };
		this.timers.push(timer);
		return () => {
			this.timers = this.timers.filter((other) => other !== timer);
		};
	}

	private defer(work: () => void): void {
		if (this.running) setImmediate(work);
		else this.later.push(work);
	}
}

export function statusOf(fault: keyof typeof FAULTS): Status {
	return { code: FAULTS[fault].grpc, message: FAULTS[fault].text };
}
