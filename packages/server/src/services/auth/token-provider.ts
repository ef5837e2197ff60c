/** Tokens as the door sees them (etcd API 7.4): who one stands for, and how a new one is made. */
import { hash } from "node:crypto";
import type { FaultCode } from "@flotilla/api";
import type { AuthView, Caller } from "@flotilla/replica";

export type TokenAnswer =
	/** `fresh`: checked against the present users and roles, so that it may be checked again when those change. */
	| { readonly kind: "caller"; readonly caller: Caller; readonly fresh: boolean }
	/** The member may learn of it when it has applied this index. */
	| { readonly kind: "later"; readonly index: number }
	| { readonly kind: "invalid" };

export type NewToken =
	/** All members must learn of its hash; the token is `letters`, a dot and the index of the entry that tells them. */
	| { readonly kind: "replicated"; readonly letters: string; readonly hash: string }
	| { readonly kind: "signed"; readonly token: string }
	| { readonly kind: "refused"; readonly fault: FaultCode };

export interface TokenProvider {
	read(token: string, auth: AuthView): TokenAnswer;
	/** For a user whose password was checked at this revision of users and roles. */
	make(user: string, authRevision: number): NewToken;
}

export const INVALID: TokenAnswer = { kind: "invalid" };

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** 52^24 tokens: 136 bits. */
const TOKEN_LETTERS = 24;
const SIMPLE_TOKEN = /^([a-zA-Z]{1,64})\.([0-9]{1,16})$/;

/** `--auth-token simple`. `random`: so many bytes that nobody can foretell. */
export function simpleTokens(random: (count: number) => Uint8Array): TokenProvider {
	return {
		read(token, auth) {
			const [, letters, digits] = SIMPLE_TOKEN.exec(token) ?? [];
			if (letters === undefined || digits === undefined) return INVALID;
			const index = Number(digits);
			const reading = auth.readToken(hashOf(letters), index);
			if (reading.kind === "unknown") return { kind: "later", index };
			return { kind: "caller", caller: { user: reading.user, authRevision: auth.revision }, fresh: true };
		},
		make() {
			const letters = randomLetters(random);
			return { kind: "replicated", letters, hash: hashOf(letters) };
		},
	};
}

/** `--auth-token=`: nobody can log in. */
export const noTokens: TokenProvider = {
	read: () => INVALID,
	make: () => ({ kind: "refused", fault: "authFailed" }),
};

/** One character a byte. Tables are asked for hashes, so that no comparison tells how much of a token was guessed. */
function hashOf(letters: string): string {
	// In one call: it is made for every request, and an object for it costs six times the hash.
	return hash("sha256", letters, "binary");
}

function randomLetters(random: (count: number) => Uint8Array): string {
	let letters = "";
	while (letters.length < TOKEN_LETTERS) {
		// Each letter as likely as any other: bytes above the last whole round of the alphabet are thrown away.
		for (const byte of random(TOKEN_LETTERS)) {
			if (byte < 208 && letters.length < TOKEN_LETTERS) letters += LETTERS[byte % LETTERS.length];
		}
	}
	return letters;
}
