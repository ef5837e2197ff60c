/**
 * JWT tokens (etcd API 7.4): signed claims, so that no member has to remember anything. The method is that of the flag: a
 * token that names another one, or none, is no token. Their end is the one thing here that is told by the wall clock, to
 * the second that the claims name: like etcd's, a member lends no time for clocks that differ.
 */
import { hash } from "node:crypto";
import type { Caller } from "@flotilla/replica";
import type { Clock } from "../../ports.ts";
import type { SigningKeys } from "./jwt-keys.ts";
import { INVALID, type NewToken, type TokenAnswer, type TokenProvider } from "./token-provider.ts";

const TOKEN_BYTES_MAX = 8_192;
/** Verified tokens that are known by their hash: a signature costs fifty times a look into a map. */
const VERIFIED_MAX = 4_096;

interface Claims {
	readonly caller: Caller;
	readonly expSeconds: number;
	readonly notBeforeSeconds: number;
}

export interface JwtOptions {
	readonly signMethod: string;
	readonly ttlMs: number;
	readonly keys: SigningKeys;
	readonly clock: Clock;
}

export class JwtTokens implements TokenProvider {
	private readonly options: JwtOptions;
	private readonly verified = new Map<string, Claims>();

	constructor(options: JwtOptions) {
		this.options = options;
	}

	/** Old revisions are told by the permission checks; administration does not ask for them (etcd API 7.5). */
	read(token: string): TokenAnswer {
		if (token.length > TOKEN_BYTES_MAX) return INVALID;
		const claims = this.claimsOf(token);
		if (claims === null) return INVALID;
		const nowSeconds = this.options.clock.wallMs() / 1_000;
		if (nowSeconds >= claims.expSeconds || nowSeconds < claims.notBeforeSeconds) return INVALID;
		return { kind: "caller", caller: claims.caller, fresh: false };
	}

	make(username: string, revision: number): NewToken {
		const { keys, signMethod, clock, ttlMs } = this.options;
		if (keys.sign === null) return { kind: "refused", fault: "verifyOnlyKey" };
		const exp = Math.floor((clock.wallMs() + ttlMs) / 1_000);
		const signed = `${encoded({ alg: signMethod, typ: "JWT" })}.${encoded({ exp, revision, username })}`;
		return { kind: "signed", token: `${signed}.${keys.sign(signed).toString("base64url")}` };
	}

	private claimsOf(token: string): Claims | null {
		const tokenHash = hash("sha256", token, "base64");
		const known = this.verified.get(tokenHash);
		if (known !== undefined) return known;
		const claims = this.verify(token);
		if (claims === null) return null;
		if (this.verified.size >= VERIFIED_MAX) {
			const [oldest] = this.verified.keys();
			if (oldest !== undefined) this.verified.delete(oldest);
		}
		this.verified.set(tokenHash, claims);
		return claims;
	}

	private verify(token: string): Claims | null {
		const parts = token.split(".");
		if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return null;
		const [head, body, signature] = parts as [string, string, string];
		const header = decoded(head);
		if (header?.alg !== this.options.signMethod || header.crit !== undefined) return null;
		if (!this.options.keys.verify(`${head}.${body}`, Buffer.from(signature, "base64url"))) return null;
		return readClaims(decoded(body));
	}
}

/** Presence and type of each: a signature says who wrote it, not that it makes sense. */
function readClaims(claims: Readonly<Record<string, unknown>> | null): Claims | null {
	if (claims === null) return null;
	const { username, revision, exp, nbf = 0 } = claims;
	if (typeof username !== "string" || username.length > TOKEN_BYTES_MAX) return null;
	// The greatest safe integer is not a client's to claim: it marks what a member does by itself.
	if (typeof revision !== "number" || !Number.isSafeInteger(revision) || revision < 1 || revision === Number.MAX_SAFE_INTEGER) return null;
	if (typeof exp !== "number" || !Number.isFinite(exp)) return null;
	if (typeof nbf !== "number" || !Number.isFinite(nbf)) return null;
	return { caller: { user: username, authRevision: revision }, expSeconds: exp, notBeforeSeconds: nbf };
}

function encoded(value: unknown): string {
	return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decoded(part: string): Readonly<Record<string, unknown>> | null {
	try {
		const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
		return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
	} catch {
		return null;
	}
}
