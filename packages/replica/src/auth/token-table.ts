/**
 * Simple tokens of this process life (etcd API 7.4). Which tokens exist every member learns from the log, so a token is good
 * on all of them; how long one still lives is each member's own matter, counted in ticks since its last use there. Nothing of
 * this is part of the state: a start forgets the tokens of before, and clients log in again.
 */
import { assert } from "@flotilla/base";

/** Of all users, and of one: whoever logs in again and again drives out the own tokens first. */
const TOKENS_MAX = 65_536;
const USER_TOKENS_MAX = 8_192;
const SWEEP_TICKS = 1_000;

interface Token {
	readonly user: string;
	/** Of the entry that issued it. */
	readonly index: number;
	lastUseTick: number;
}

export type TokenReading = { readonly kind: "user"; readonly user: string } | { readonly kind: "unknown" };

const UNKNOWN: TokenReading = { kind: "unknown" };

export class TokenTable {
	private readonly ttlTicks: number;
	/** What entries up to here issued was issued to an earlier process life. */
	private readonly forgottenUpto: number;
	private readonly tokens = new Map<string, Token>();
	/** Hashes by user, the least lately used first. */
	private readonly byUser = new Map<string, Set<string>>();
	private tick = 0;

	constructor(ttlTicks: number, forgottenUpto: number) {
		this.ttlTicks = ttlTicks;
		this.forgottenUpto = forgottenUpto;
	}

	get size(): number {
		return this.tokens.size;
	}

	issue(tokenHash: string, user: string, index: number): void {
		if (index <= this.forgottenUpto || this.tokens.has(tokenHash)) return;
		const own = this.byUser.get(user) ?? new Set();
		this.byUser.set(user, own);
		if (own.size >= USER_TOKENS_MAX) this.dropOldest(own);
		else if (this.tokens.size >= TOKENS_MAX) this.dropOldest(this.largest());
		own.add(tokenHash);
		this.tokens.set(tokenHash, { user, index, lastUseTick: this.tick });
	}

	/** Counts as a use. */
	read(tokenHash: string, index: number): TokenReading {
		const token = this.tokens.get(tokenHash);
		if (token === undefined || token.index !== index) return UNKNOWN;
		if (this.isExpired(token)) {
			this.drop(tokenHash, token);
			return UNKNOWN;
		}
		token.lastUseTick = this.tick;
		const own = this.byUser.get(token.user);
		assert(own !== undefined, "a token is among those of its user");
		own.delete(tokenHash);
		own.add(tokenHash);
		return { kind: "user", user: token.user };
	}

	dropUser(user: string): void {
		for (const tokenHash of this.byUser.get(user) ?? []) this.tokens.delete(tokenHash);
		this.byUser.delete(user);
	}

	clear(): void {
		this.tokens.clear();
		this.byUser.clear();
	}

	onTick(): void {
		this.tick++;
		if (this.tick % SWEEP_TICKS === 0) this.sweep();
	}

	private sweep(): void {
		for (const own of [...this.byUser.values()]) {
			for (const tokenHash of own) {
				const token = this.tokens.get(tokenHash) as Token;
				if (!this.isExpired(token)) break;
				this.drop(tokenHash, token);
			}
		}
	}

	private isExpired({ lastUseTick }: Token): boolean {
		return this.tick - lastUseTick >= this.ttlTicks;
	}

	private drop(tokenHash: string, { user }: Token): void {
		this.tokens.delete(tokenHash);
		const own = this.byUser.get(user);
		own?.delete(tokenHash);
		if (own?.size === 0) this.byUser.delete(user);
	}

	private dropOldest(own: Set<string>): void {
		const [oldest] = own;
		assert(oldest !== undefined, "a full set holds a token");
		this.tokens.delete(oldest);
		own.delete(oldest);
	}

	private largest(): Set<string> {
		let largest = new Set<string>();
		for (const own of this.byUser.values()) if (own.size > largest.size) largest = own;
		return largest;
	}
}
