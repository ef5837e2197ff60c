import type { DeleteRangeRequest, LeaseId, PutRequest, RangeRequest, TxnRequest } from "@flotilla/mvcc";
import type { AuthFault, Caller } from "./caller.ts";
import type { TokenReading } from "./token-table.ts";
import type { Role, User } from "./users.ts";

export type KeyAccess = "read" | "write";

/** Keys that a lease is attached to, in the index's form. None for a lease that does not exist. */
export type LeaseKeys = (lease: LeaseId) => Iterable<string>;

/**
 * What is asked of users and roles: at the door for reads, at apply for everything else. Null is always: allowed. Everything
 * is allowed while authentication is off.
 */
export interface AuthView {
	readonly enabled: boolean;
	readonly revision: number;
	/** In byte order. */
	readonly userNames: readonly string[];
	readonly roleNames: readonly string[];
	user(name: string): User | undefined;
	role(name: string): Role | undefined;

	/** The caller comes with some credential. */
	userFault(caller: Caller): AuthFault | null;
	/** The caller has the role root. Does not look at the revision (etcd API 7.5). */
	rootFault(caller: Caller): AuthFault | null;
	/** All of these look at the revision: a credential that is older than the last change of users and roles is refused. */
	rangeFault(caller: Caller, request: Pick<RangeRequest, "key" | "rangeEnd">): AuthFault | null;
	putFault(caller: Caller, request: PutRequest): AuthFault | null;
	deleteRangeFault(caller: Caller, request: DeleteRangeRequest): AuthFault | null;
	/** Both branches, all levels and all compares, whatever of it will run. */
	txnFault(caller: Caller, request: TxnRequest): AuthFault | null;
	/** For the keys of leases: in the index's form. Without any the caller needs a credential and nothing else. */
	keysFault(caller: Caller, keys: Iterable<string>, access: KeyAccess): AuthFault | null;

	/** Whose simple token has this hash (one character a byte), its entry being at `index`. Counts as a use of it. */
	readToken(tokenHash: string, index: number): TokenReading;
}
