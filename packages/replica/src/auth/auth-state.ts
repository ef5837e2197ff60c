/** Users, roles, tokens and the guard over them, as the state machine holds them together. */
import type { ByteOps } from "@flotilla/base";
import { decodeAuthCommand } from "./auth-command.ts";
import { AuthGuard } from "./auth-guard.ts";
import { AuthTable } from "./auth-table.ts";
import type { LeaseKeys } from "./auth-view.ts";
import type { AuthFault, Caller } from "./caller.ts";
import { TokenTable } from "./token-table.ts";

export interface TokenOptions {
	readonly ttlTicks: number;
	/** Tokens that entries up to here issued are forgotten. */
	readonly forgottenUpto: number;
}

/** What a command did: `issued` is told apart, since it leaves no trace in the state. */
export type AuthApplied = "changed" | "issued" | AuthFault | "malformed";

export class AuthState {
	readonly table = new AuthTable();
	readonly tokens: TokenTable;
	readonly guard: AuthGuard;
	private revisionBefore = 0;

	constructor(tokens: TokenOptions, bytes: ByteOps, leaseKeys: LeaseKeys) {
		this.tokens = new TokenTable(tokens.ttlTicks, tokens.forgottenUpto);
		this.guard = new AuthGuard(this.table, this.tokens, bytes, leaseKeys);
	}

	/** Another member's users and roles take the place of these: between the two calls they are loaded into the empty table. */
	beginInstall(): void {
		this.revisionBefore = this.table.revision;
		this.table.clear();
	}

	/** Tokens are those of the log, and some of it was skipped: what made them void may have been there. */
	installed(): void {
		this.guard.replaced();
		if (this.table.revision !== this.revisionBefore || !this.table.enabled) this.tokens.clear();
	}

	/** Administration needs root, but for a log-in. Throws `WireError` on malformed bytes, before anything was changed. */
	apply(payload: Uint8Array, caller: Caller, index: number): AuthApplied {
		const command = decodeAuthCommand(payload);
		if (command === null) return "malformed";
		if (command.kind === "authenticate") {
			const fault = this.table.apply(command);
			if (fault !== null) return fault;
			this.tokens.issue(command.tokenHash, command.user, index);
			return "issued";
		}
		const fault = this.guard.rootFault(caller) ?? this.table.apply(command);
		if (fault !== null) return fault;
		for (const user of this.table.takeOutdated()) this.tokens.dropUser(user);
		return "changed";
	}
}
