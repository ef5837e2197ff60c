import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { JwtTokens } from "./jwt.ts";
import { type SigningKeys, signingKeys } from "./jwt-keys.ts";

const wall = { nowMs: 1_700_000_000_000, monotonicMs: () => 0, wallMs: () => wall.nowMs };

interface Pem {
	readonly privateKey: Buffer;
	readonly publicKey: Buffer;
}

function pem({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): Pem {
	return {
		privateKey: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })),
		publicKey: Buffer.from(publicKey.export({ type: "spki", format: "pem" })),
	};
}

const rsa = pem(generateKeyPairSync("rsa", { modulusLength: 2_048 }));
const otherRsa = pem(generateKeyPairSync("rsa", { modulusLength: 2_048 }));
const PAIRS: Readonly<Record<string, Pem>> = {
	RS256: rsa,
	RS384: rsa,
	RS512: rsa,
	PS256: rsa,
	PS384: rsa,
	PS512: rsa,
	ES256: pem(generateKeyPairSync("ec", { namedCurve: "prime256v1" })),
	ES384: pem(generateKeyPairSync("ec", { namedCurve: "secp384r1" })),
	ES512: pem(generateKeyPairSync("ec", { namedCurve: "secp521r1" })),
	EdDSA: pem(generateKeyPairSync("ed25519")),
};
const SECRET = Buffer.from("a shared secret of some length");

function inFile(path: string, content: Buffer | null | undefined) {
	return content ? { path, content } : null;
}

function keysOf(method: string, texts: { publicKey?: Buffer; privateKey?: Buffer }): SigningKeys {
	const keys = signingKeys(method, { publicKey: inFile("pub.pem", texts.publicKey), privateKey: inFile("priv.pem", texts.privateKey) });
	if (typeof keys === "string") throw new Error(keys);
	return keys;
}

function provider(signMethod: string, keys: SigningKeys, ttlMs = 300_000): JwtTokens {
	return new JwtTokens({ signMethod, ttlMs, keys, clock: wall });
}

function tokenOf(tokens: JwtTokens, user = "ann", revision = 7): string {
	const made = tokens.make(user, revision);
	if (made.kind !== "signed") throw new Error("not signed");
	return made.token;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** With the secret, whatever it claims. */
function forged(header: unknown, claims: unknown): string {
	const data = `${part(header)}.${part(claims)}`;
	return `${data}.${createHmac("sha256", SECRET).update(data).digest("base64url")}`;
}

describe("JWT tokens", () => {
	test.each(["HS256", "HS384", "HS512", ...Object.keys(PAIRS)])("%s: what one member signs, another one reads", (method) => {
		const pair = PAIRS[method];
		const signer = provider(method, keysOf(method, pair === undefined ? { privateKey: SECRET } : pair));
		const reader = provider(method, keysOf(method, pair === undefined ? { privateKey: SECRET } : { publicKey: pair.publicKey }));
		const token = tokenOf(signer);
		expect(reader.read(token)).toEqual({ kind: "caller", caller: { user: "ann", authRevision: 7 }, fresh: false });
		const [head, , signature] = token.split(".") as [string, string, string];
		expect(JSON.parse(Buffer.from(head, "base64url").toString())).toEqual({ alg: method, typ: "JWT" });
		expect(reader.read(`${head}.${part({ username: "root", revision: 7, exp: 9e9 })}.${signature}`)).toEqual({ kind: "invalid" });
		if (pair !== undefined) expect(reader.make("ann", 7)).toEqual({ kind: "refused", fault: "verifyOnlyKey" });
	});

	test("claims are those of etcd, and end after their time", () => {
		const tokens = provider("HS256", keysOf("HS256", { privateKey: SECRET }), 60_000);
		const token = tokenOf(tokens, "größe", 9);
		const claims = JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString()) as unknown;
		expect(claims).toEqual({ username: "größe", revision: 9, exp: 1_700_000_060 });
		for (const [atMs, kind] of [
			[0, "caller"],
			[59_999, "caller"],
			[60_000, "invalid"],
			[1e12, "invalid"],
			[0, "caller"],
		] as const) {
			wall.nowMs = 1_700_000_000_000 + atMs;
			expect([atMs, tokens.read(token).kind]).toEqual([atMs, kind]);
		}
	});

	test("one that begins later is none until then", () => {
		const tokens = provider("HS256", keysOf("HS256", { privateKey: SECRET }));
		const token = forged({ alg: "HS256" }, { username: "ann", revision: 7, exp: 9_000_000_000, nbf: 1_700_000_010 });
		for (const [atMs, kind] of [
			[9_999, "invalid"],
			[10_000, "caller"],
		] as const) {
			wall.nowMs = 1_700_000_000_000 + atMs;
			expect([atMs, tokens.read(token).kind]).toEqual([atMs, kind]);
		}
	});

	test("a token is none when its method, its claims or its form are not what they must be", () => {
		const tokens = provider("HS256", keysOf("HS256", { privateKey: SECRET }));
		const head = { alg: "HS256", typ: "JWT" };
		const claims = { username: "ann", revision: 7, exp: 9_000_000_000 };
		expect(tokens.read(forged(head, claims)).kind).toBe("caller");
		expect(tokens.read(forged({ alg: "HS256" }, { ...claims, extra: true })).kind).toBe("caller");
		for (const [header, body] of [
			[{ alg: "none" }, claims],
			[{ alg: "HS384" }, claims],
			[{ typ: "JWT" }, claims],
			[{ ...head, crit: ["x"] }, claims],
			[[], claims],
			[head, { ...claims, username: undefined }],
			[head, { ...claims, username: 5 }],
			[head, { ...claims, username: "x".repeat(9_000) }],
			[head, { ...claims, revision: undefined }],
			[head, { ...claims, revision: "7" }],
			[head, { ...claims, revision: 0 }],
			[head, { ...claims, revision: 1.5 }],
			[head, { ...claims, revision: Number.MAX_SAFE_INTEGER }],
			[head, { ...claims, exp: undefined }],
			[head, { ...claims, exp: "9000000000" }],
			[head, { ...claims, exp: 5 }],
			[head, { ...claims, nbf: 8_000_000_000 }],
			[head, { ...claims, nbf: "x" }],
			[head, null],
			[head, [claims]],
			[head, "text"],
		] as const) {
			expect([body, tokens.read(forged(header, body)).kind]).toEqual([body, "invalid"]);
		}
		const good = forged(head, claims);
		for (const bad of [
			"",
			".",
			"..",
			"a.b",
			"a.b.c.d",
			`${good}.x`,
			good.slice(0, -1),
			`${good}=`,
			good.replace(".", ". "),
			"é.é.é",
			"x".repeat(9_000),
		]) {
			expect([bad, tokens.read(bad).kind]).toEqual([bad, "invalid"]);
		}
		const unsigned = `${part({ alg: "none" })}.${part(claims)}.`;
		expect(tokens.read(unsigned).kind).toBe("invalid");
	});

	test("a public key is no shared secret", () => {
		const reader = provider("RS256", keysOf("RS256", rsa));
		const data = `${part({ alg: "HS256" })}.${part({ username: "root", revision: 7, exp: 9e9 })}`;
		expect(reader.read(`${data}.${createHmac("sha256", rsa.publicKey).update(data).digest("base64url")}`).kind).toBe("invalid");
		const asRs = `${part({ alg: "RS256" })}.${part({ username: "root", revision: 7, exp: 9e9 })}`;
		expect(reader.read(`${asRs}.${sign("sha256", Buffer.from(asRs), otherRsa.privateKey).toString("base64url")}`).kind).toBe("invalid");
		expect(reader.read(`${asRs}.${sign("sha256", Buffer.from(asRs), rsa.privateKey).toString("base64url")}`).kind).toBe("caller");
	});

	test("keys that do not do are refused in etcd's words", () => {
		const refusal = (method: string, publicKey: Buffer | null, privateKey: Buffer | null) =>
			signingKeys(method, { publicKey: inFile("pub.pem", publicKey), privateKey: inFile("priv.pem", privateKey) });
		const es256 = PAIRS.ES256 as Pem;
		expect(refusal("RS256", null, null)).toBe("auth: missing key data");
		expect(refusal("HS256", Buffer.from("x"), null)).toBe("auth: missing key data");
		expect(refusal("HS256", null, Buffer.alloc(0))).toBe("auth: missing key data");
		expect(refusal("RS256", otherRsa.publicKey, rsa.privateKey)).toBe("auth: public and private keys don't match");
		for (const [method, publicKey, privateKey, blamed] of [
			["RS256", null, Buffer.from("nonsense"), "priv.pem"],
			["RS256", es256.publicKey, null, "pub.pem"],
			["RS256", es256.publicKey, rsa.privateKey, "pub.pem"],
			["ES384", es256.publicKey, null, "pub.pem"],
			["EdDSA", null, rsa.privateKey, "priv.pem"],
		] as const) {
			expect(refusal(method, publicKey, privateKey)).toBe(`auth: invalid auth options: no key that ${method} can use stands in ${blamed}`);
		}
		expect(refusal("XX", null, null)).toBe("auth: invalid auth options");
	});
});
