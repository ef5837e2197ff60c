/**
 * Apply: what one committed command does to the replicated state. A pure function of state and entry, alike on every
 * member; it never throws for what a payload may hold.
 */
import type { HotCodec } from "@flotilla/api/hot";
import { assert, type ByteOps, type TapSink, unreachable, WireError } from "@flotilla/base";
import type { CompactResult, KeyValueStore, LeaseTable, PutResult, Refusal } from "@flotilla/mvcc";
import type { MembershipRequest, NodeId } from "@flotilla/raft";
import { AlarmAction, type AlarmCommand, AlarmTable, decodeAlarmCommand } from "./alarms.ts";
import { AuthState, type TokenOptions } from "./auth/auth-state.ts";
import type { AuthTable } from "./auth/auth-table.ts";
import { type Caller, NOBODY } from "./auth/caller.ts";
import { type CallFault, CommandKind, type CommandResult } from "./calls.ts";
import type { EnvelopeReader } from "./envelope.ts";
import { LeaseCommands, type LeaseWatcher } from "./lease/lease-commands.ts";
import type { LeaseCounts } from "./lease/lease-counts.ts";
import { decodeMember, readContext } from "./member-codec.ts";
import { MemberTable } from "./member-table.ts";
import { type AlarmEntry, AlarmType } from "./members.ts";
import { txnCost } from "./quota.ts";
import type { TableRow } from "./replica-interface.ts";
import { applySliced, type SlicedApply } from "./sliced-apply.ts";
import { loadTables, type Tables } from "./tables.ts";
import { decodeUtf8 } from "./utf8.ts";

/** A fault is definite: nothing was changed. */
export type ApplyOutcome = CommandResult | CallFault;

const CLUSTER_VERSION = /^\d{1,4}\.\d{1,4}\.\d{1,4}$/;

export interface StateMachineParts {
	readonly codec: HotCodec;
	readonly tap: TapSink;
	readonly bytes: ByteOps;
	readonly tokens: TokenOptions;
	/** Keys that one command changes in a turn. */
	readonly sliceKeys: number;
}

export class StateMachine implements Tables {
	store: KeyValueStore;
	members = new MemberTable();
	alarms = new AlarmTable();
	clusterVersion = "";
	/** Counts changes of the tables, so that what is derived from them can be kept. */
	tableChanges = 0;
	/** Peer addresses changed; the owner takes it and sets it back. */
	addressesChanged = false;
	readonly auth: AuthState;
	private readonly codec: HotCodec;
	private readonly tap: TapSink;
	private readonly leaseCommands: LeaseCommands;
	private readonly sliceKeys: number;

	constructor(store: KeyValueStore, { codec, tap, bytes, tokens, sliceKeys }: StateMachineParts, rows: readonly TableRow[]) {
		this.store = store;
		this.codec = codec;
		this.tap = tap;
		this.auth = new AuthState(tokens, bytes, (lease) => this.store.leases.get(lease)?.attachedKeys() ?? []);
		this.sliceKeys = sliceKeys;
		this.leaseCommands = new LeaseCommands(this, sliceKeys, tap);
		loadTables(rows, this);
	}

	get users(): AuthTable {
		return this.auth.table;
	}

	get leases(): LeaseTable {
		return this.store.leases;
	}

	get leaseCounts(): LeaseCounts {
		return this.leaseCommands.counts;
	}

	watchLeases(watcher: LeaseWatcher): void {
		this.leaseCommands.watcher = watcher;
	}

	/** Another member's state takes the place of this one, whole (rule N6). */
	install(store: KeyValueStore, rows: readonly TableRow[]): void {
		assert(store.revision >= this.store.revision, "the revision does not fall");
		this.store.dropAnswers();
		this.store = store;
		this.members = new MemberTable();
		this.alarms = new AlarmTable();
		this.clusterVersion = "";
		this.auth.beginInstall();
		loadTables(rows, this);
		this.auth.installed();
		this.tableChanges++;
		this.addressesChanged = true;
	}

	/**
	 * What is not at its end comes back as the rest of the work. Order of the checks: the right to administrate, the corrupt alarm, the
	 * space alarm, the rights on keys, then what the state says (etcd API, order of checks). `told`: the outcome, to a client of this
	 * member. Otherwise nothing is read for it: what one request may ask for must not weigh on all members, and on each of their starts.
	 */
	apply(envelope: EnvelopeReader, term: number, index: number, told: boolean): ApplyOutcome | SlicedApply {
		try {
			return this.dispatch(envelope, term, index, told);
		} catch (error) {
			// Decoders throw before anything was changed; every member meets the same bytes and refuses alike.
			if (error instanceof WireError) return "malformed";
			throw error;
		}
	}

	/** A configuration entry: the core acts on the change itself, the table keeps who it is about. Never refuses. */
	applyMembership(request: MembershipRequest): void {
		this.members.change(request.changes, readContext(request.context).added);
		if (request.changes.length === 0) return;
		this.tableChanges++;
		this.addressesChanged = true;
	}

	private dispatch(envelope: EnvelopeReader, term: number, index: number, told: boolean): ApplyOutcome | SlicedApply {
		const kind = envelope.kind as CommandKind;
		switch (kind) {
			case CommandKind.put:
				return this.put(envelope, this.callerOf(envelope));
			case CommandKind.deleteRange:
				return this.deleteRange(envelope.payload, this.callerOf(envelope), told);
			case CommandKind.txn:
				return this.txn(envelope.payload, this.callerOf(envelope), told);
			case CommandKind.compact:
				return this.compact(envelope, term, index);
			case CommandKind.publish:
				return this.publish(envelope, term, index);
			case CommandKind.clusterVersion:
				return this.setClusterVersion(envelope.payload, term, index);
			case CommandKind.alarm:
				return this.alarm(envelope.payload, term, index);
			case CommandKind.memberUpdate:
				return this.updateMember(envelope.payload);
			case CommandKind.auth:
				return this.changeAuth(envelope, term, index);
			case CommandKind.leaseGrant:
				return this.leaseCommands.grant(envelope.payload, this.callerOf(envelope), index);
			case CommandKind.leaseRevoke:
				return this.leaseCommands.revoke(envelope.payload, this.callerOf(envelope), term, index);
			case CommandKind.leaseEnd:
				return this.leaseCommands.endExpired(envelope.payload, term, index);
			case CommandKind.leaseCheckpoint:
				return this.leaseCommands.checkpoint(envelope.payload, term);
			default:
				return unreachable(kind);
		}
	}

	/** Costs nothing while authentication is off. */
	private callerOf(envelope: EnvelopeReader): Caller {
		return this.auth.table.enabled ? { user: envelope.user, authRevision: envelope.authRevision } : NOBODY;
	}

	private put(envelope: EnvelopeReader, caller: Caller): ApplyOutcome {
		if (this.alarms.corrupt) return "corrupt";
		if (this.alarms.noSpace) return "noSpace";
		const request = this.codec.decodePutRequest(envelope.data, envelope.payloadAt);
		const fault = this.auth.guard.putFault(caller, request);
		if (fault !== null) return fault;
		const result: PutResult | Refusal = this.store.put(request);
		return result.ok ? { kind: "put", result } : result.code;
	}

	private deleteRange(payload: Uint8Array, caller: Caller, told: boolean): ApplyOutcome | SlicedApply {
		if (this.alarms.corrupt) return "corrupt";
		const request = this.codec.decodeDeleteRangeRequest(payload);
		const fault = this.auth.guard.deleteRangeFault(caller, request);
		if (fault !== null) return fault;
		return applySliced(this.store.deleteRangeSliced(request, told), this.sliceKeys, (result) => ({ kind: "deleteRange", result }));
	}

	private txn(payload: Uint8Array, caller: Caller, told: boolean): ApplyOutcome | SlicedApply {
		if (this.alarms.corrupt) return "corrupt";
		const request = this.codec.decodeTxnRequest(payload);
		if (this.alarms.noSpace && txnCost(request) > 0) return "noSpace";
		const fault = this.auth.guard.txnFault(caller, request);
		if (fault !== null) return fault;
		return applySliced(this.store.txnSliced(request, told), this.sliceKeys, (result) =>
			result.ok ? { kind: "txn", result } : result.code,
		);
	}

	private compact(envelope: EnvelopeReader, term: number, index: number): ApplyOutcome {
		const fault = this.auth.guard.rootFault(this.callerOf(envelope));
		if (fault !== null) return fault;
		if (this.alarms.corrupt) return "corrupt";
		const { revision } = this.codec.decodeCompactionRequest(envelope.payload);
		const result: CompactResult | Refusal = this.store.compact(revision);
		if (!result.ok) return result.code;
		this.tap.emit("compacted", term, index, { revision });
		return { kind: "compact", result };
	}

	private publish(envelope: EnvelopeReader, term: number, index: number): ApplyOutcome {
		const { name, clientUrls } = decodeMember(envelope.payload);
		const member = this.members.publish(envelope.origin, name, clientUrls, envelope.incarnation);
		if (member === null) return "memberNotFound";
		this.tableChanges++;
		this.tap.emit("memberPublished", term, index, { member: member.id, name, clientUrls: clientUrls.join(",") });
		return { kind: "publish", member };
	}

	private setClusterVersion(payload: Uint8Array, term: number, index: number): ApplyOutcome {
		const version = decodeUtf8(payload);
		if (!CLUSTER_VERSION.test(version)) return "malformed";
		if (version !== this.clusterVersion) {
			const former = this.clusterVersion;
			this.clusterVersion = version;
			this.tableChanges++;
			this.tap.emit("clusterVersionSet", term, index, { version, former });
		}
		return { kind: "done", revision: this.store.revision };
	}

	private alarm(payload: Uint8Array, term: number, index: number): ApplyOutcome {
		const command = decodeAlarmCommand(payload);
		if (command === null) return "malformed";
		const alarms = this.changeAlarms(command, term, index);
		return { kind: "alarm", alarms, revision: this.store.revision };
	}

	private changeAlarms(command: AlarmCommand, term: number, index: number): readonly AlarmEntry[] {
		const { action, member, alarm } = command;
		switch (action) {
			case AlarmAction.get:
				return this.alarms.find(alarm);
			case AlarmAction.activate:
				if (alarm === AlarmType.none) return [];
				if (this.alarms.raise(member, alarm)) this.alarmChanged("alarmRaised", member, alarm, term, index);
				return [{ member, alarm }];
			case AlarmAction.deactivate:
				if (!this.alarms.clear(member, alarm)) return [];
				this.alarmChanged("alarmCleared", member, alarm, term, index);
				return [{ member, alarm }];
			default:
				return unreachable(action);
		}
	}

	private alarmChanged(event: "alarmRaised" | "alarmCleared", member: NodeId, alarm: AlarmType, term: number, index: number): void {
		this.tableChanges++;
		this.tap.emit(event, term, index, { member, alarm: alarm === AlarmType.noSpace ? "NOSPACE" : "CORRUPT" });
	}

	private updateMember(payload: Uint8Array): ApplyOutcome {
		const { id, peerUrls } = decodeMember(payload);
		const outcome = this.members.update(id, peerUrls);
		if (outcome !== "ok") return outcome;
		this.tableChanges++;
		this.addressesChanged = true;
		return { kind: "done", revision: this.store.revision };
	}

	private changeAuth(envelope: EnvelopeReader, term: number, index: number): ApplyOutcome {
		const { table } = this.auth;
		const wasEnabled = table.enabled;
		const applied = this.auth.apply(envelope.payload, this.callerOf(envelope), index);
		if (applied === "changed") {
			this.tableChanges++;
			if (table.enabled !== wasEnabled)
				this.tap.emit(table.enabled ? "authEnabled" : "authDisabled", term, index, { revision: table.revision });
		} else if (applied !== "issued") return applied;
		return { kind: "done", revision: this.store.revision };
	}
}
