/** Who may do what (etcd API 7.5, 7.8): the whole request is walked, with all its options, whatever of it will run. */
import type { ByteOps } from "@flotilla/base";
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "@flotilla/mvcc";
import type { AuthTable } from "./auth-table.ts";
import type { AuthView, KeyAccess, LeaseKeys } from "./auth-view.ts";
import { type AuthFault, type Caller, MEMBER_ITSELF } from "./caller.ts";
import { intervalOf, type KeyInterval, KeyIntervals } from "./key-intervals.ts";
import type { TokenReading, TokenTable } from "./token-table.ts";
import { RightsCache, type UserRights } from "./user-rights.ts";
import type { Role, User } from "./users.ts";

const EVERYTHING = new KeyIntervals([{ from: "", to: null }]);
const ALL_RIGHTS: UserRights = { root: true, readable: EVERYTHING, writable: EVERYTHING };
const NO_RANGE_END = new Uint8Array(0);

export class AuthGuard implements AuthView {
	private readonly table: AuthTable;
	private readonly tokens: TokenTable;
	private readonly bytes: ByteOps;
	private readonly leaseKeys: LeaseKeys;
	private readonly rights: RightsCache;

	constructor(table: AuthTable, tokens: TokenTable, bytes: ByteOps, leaseKeys: LeaseKeys) {
		this.table = table;
		this.tokens = tokens;
		this.bytes = bytes;
		this.leaseKeys = leaseKeys;
		this.rights = new RightsCache(table);
	}

	get enabled(): boolean {
		return this.table.enabled;
	}

	get revision(): number {
		return this.table.revision;
	}

	get userNames(): readonly string[] {
		return this.table.userNames;
	}

	get roleNames(): readonly string[] {
		return this.table.roleNames;
	}

	user(name: string): User | undefined {
		return this.table.user(name);
	}

	role(name: string): Role | undefined {
		return this.table.role(name);
	}

	userFault(caller: Caller): AuthFault | null {
		if (!this.enabled || isMember(caller) || caller.user !== "") return null;
		return "userEmpty";
	}

	rootFault(caller: Caller): AuthFault | null {
		if (!this.enabled || isMember(caller)) return null;
		if (caller.user === "") return "userEmpty";
		const rights = this.rights.of(caller.user);
		if (rights === null) return "userNotFound";
		return rights.root ? null : "permissionDenied";
	}

	rangeFault(caller: Caller, { key, rangeEnd }: Pick<RangeRequest, "key" | "rangeEnd">): AuthFault | null {
		if (!this.enabled) return null;
		const rights = this.standing(caller);
		if (typeof rights === "string") return rights;
		return verdict(this.mayRead(rights, key, rangeEnd));
	}

	putFault(caller: Caller, request: PutRequest): AuthFault | null {
		if (!this.enabled) return null;
		const rights = this.standing(caller);
		if (typeof rights === "string") return rights;
		return verdict(this.mayPut(rights, request));
	}

	deleteRangeFault(caller: Caller, request: DeleteRangeRequest): AuthFault | null {
		if (!this.enabled) return null;
		const rights = this.standing(caller);
		if (typeof rights === "string") return rights;
		return verdict(this.mayDelete(rights, request));
	}

	txnFault(caller: Caller, request: TxnRequest): AuthFault | null {
		// One that does nothing needs nothing, not even a credential.
		if (!this.enabled || isEmpty(request)) return null;
		const rights = this.standing(caller);
		if (typeof rights === "string") return rights;
		return verdict(this.mayRun(rights, request));
	}

	keysFault(caller: Caller, keys: Iterable<string>, access: KeyAccess): AuthFault | null {
		const fault = this.userFault(caller);
		if (fault !== null || !this.enabled) return fault;
		let rights: UserRights | null = null;
		for (const key of keys) {
			if (rights === null) {
				const standing = this.standing(caller);
				if (typeof standing === "string") return standing;
				rights = standing;
				// There may be a million keys.
				if (rights.root) return null;
			}
			if (!rightsOn(rights, access).covers(intervalOf(key, ""))) return "permissionDenied";
		}
		return null;
	}

	readToken(tokenHash: string, index: number): TokenReading {
		return this.tokens.read(tokenHash, index);
	}

	/** The table was replaced by that of another member's state. */
	replaced(): void {
		this.rights.forget();
	}

	/** What the caller may do with keys at all, or why nothing. In etcd's order: the credential's age comes before its user. */
	private standing(caller: Caller): UserRights | AuthFault {
		if (isMember(caller)) return ALL_RIGHTS;
		if (caller.authRevision === 0) return "userEmpty";
		if (caller.authRevision < this.table.revision) return "authOldRevision";
		const rights = this.rights.of(caller.user);
		if (rights === null) return "permissionDenied";
		return rights.root ? ALL_RIGHTS : rights;
	}

	private mayRead(rights: UserRights, key: Uint8Array, rangeEnd: Uint8Array): boolean {
		return rights.readable.covers(this.interval(key, rangeEnd));
	}

	private mayPut(rights: UserRights, { key, lease, prevKv }: PutRequest): boolean {
		const interval = this.interval(key, NO_RANGE_END);
		if (!rights.writable.covers(interval)) return false;
		if (prevKv && !rights.readable.covers(interval)) return false;
		if (lease === 0n || rights.root) return true;
		// The end of the lease would delete these keys, too.
		for (const other of this.leaseKeys(lease)) if (!rights.writable.covers(intervalOf(other, ""))) return false;
		return true;
	}

	private mayDelete(rights: UserRights, { key, rangeEnd, prevKv }: DeleteRangeRequest): boolean {
		const interval = this.interval(key, rangeEnd);
		return rights.writable.covers(interval) && (!prevKv || rights.readable.covers(interval));
	}

	private mayRun(rights: UserRights, { compare, success, failure }: TxnRequest): boolean {
		return (
			compare.every(({ key, rangeEnd }) => this.mayRead(rights, key, rangeEnd)) &&
			success.every((op) => this.mayDo(rights, op)) &&
			failure.every((op) => this.mayDo(rights, op))
		);
	}

	private mayDo(rights: UserRights, op: RequestOp): boolean {
		switch (op.kind) {
			case "range":
				return this.mayRead(rights, op.range.key, op.range.rangeEnd);
			case "put":
				return this.mayPut(rights, op.put);
			case "deleteRange":
				return this.mayDelete(rights, op.deleteRange);
			case "txn":
				return this.mayRun(rights, op.txn);
			case "none":
				return true;
		}
	}

	private interval(key: Uint8Array, rangeEnd: Uint8Array): KeyInterval {
		return intervalOf(this.bytes.latin1(key), rangeEnd.length === 0 ? "" : this.bytes.latin1(rangeEnd));
	}
}

function isMember(caller: Caller): boolean {
	return caller.authRevision === MEMBER_ITSELF.authRevision && caller.user === "";
}

function rightsOn(rights: UserRights, access: KeyAccess): KeyIntervals {
	return access === "read" ? rights.readable : rights.writable;
}

function verdict(allowed: boolean): AuthFault | null {
	return allowed ? null : "permissionDenied";
}

function isEmpty({ compare, success, failure }: TxnRequest): boolean {
	return compare.length === 0 && success.length === 0 && failure.length === 0;
}
