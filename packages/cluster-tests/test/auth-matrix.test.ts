/**
 * Every call of the API by every sort of caller, with tokens of both kinds and by the names of certificates, at the leader and at a
 * follower, over gRPC and through the gateway, streams by POST and by WebSocket: what is refused is what the rights of the caller say,
 * in etcd's words. The calls are those of the method table.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FAULTS, METHODS, etcdserverpb as pb, type RpcPath } from "@flotilla/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Certificates } from "../src/process/certificates.ts";
import { haveProgram } from "../src/process/tools.ts";
import {
	BARE,
	BY_CERTIFICATE,
	BY_JWT,
	BY_SIMPLE_TOKEN,
	expectedFor,
	LET_IN,
	type MatrixCaller,
	NAME_IGNORED,
	verdictOf,
} from "./auth-matrix.callers.ts";
import { House, type Way } from "./auth-matrix.house.ts";
import { type Case, ROWS } from "./auth-matrix.rows.ts";

const DISABLE = "/etcdserverpb.Auth/AuthDisable";
const EMPTY = new Uint8Array(0);
const PREPARE_MS = 600_000;

function matrixOf(callers: readonly MatrixCaller[], house: () => House): void {
	for (const [path] of METHODS) {
		for (const each of ROWS[path as RpcPath]) {
			test(`${path.slice(1)} ${each.what ?? ""}`, async () => {
				const asking = callers.filter((caller) => path !== DISABLE || !caller.root);
				const verdicts: Record<string, string> = {};
				const wanted: Record<string, string> = {};
				const judge = async (caller: MatrixCaller): Promise<void> => {
					await Promise.all(
						waysFor(path, caller).map(async (way) => {
							const verdict = verdictOf(await house().call(way, caller, path, each.request), each);
							verdicts[`${caller.name}: ${way}`] = verdict;
							wanted[`${caller.name}: ${way}`] = wantedBy(way, caller, each);
						}),
					);
				};
				// Whoever may comes last: what is done then is no longer there to be refused.
				for (const may of [false, true])
					await Promise.all(asking.filter((caller) => (expectedFor(caller, each) === LET_IN) === may).map(judge));
				expect(verdicts).toEqual(wanted);
			});
		}
	}

	test("root turns it off, and nobody is asked any more", async () => {
		const [root, nobody] = [
			callers.find(({ user, token }) => user === "root" && token !== ""),
			callers.find(({ standing }) => standing === "none"),
		];
		if (root === undefined || nobody === undefined) throw new Error("root and nobody are to be among them");
		expect(await house().call("follower", root, DISABLE, EMPTY)).toBe("");
		expect(await house().call("follower", nobody, "/etcdserverpb.Maintenance/Hash", EMPTY)).toBe("");
		const login = pb.AuthenticateRequest.encode({ name: "root" });
		expect(await house().call("follower", nobody, "/etcdserverpb.Auth/Authenticate", login)).toBe(FAULTS.authNotEnabled.text);
	});
}

function waysFor(path: string, { certificate }: MatrixCaller): readonly Way[] {
	const method = METHODS.get(path);
	if (method === undefined || method.gatewayPaths.length === 0) return ["leader", "follower"];
	return method.shape === "unary" || certificate !== BARE ? ["leader", "follower", "gateway"] : ["leader", "follower", "gateway", "socket"];
}

/** The gateway serves nobody whose certificate names him. */
function wantedBy(way: Way, caller: MatrixCaller, each: Case): string {
	return way === "gateway" && caller.certificate !== BARE ? NAME_IGNORED : expectedFor(caller, each);
}

describe("who may call what, with simple tokens", () => {
	let house: House;
	beforeAll(async () => {
		house = await House.open({ size: 3 }, async (opened) => {
			opened.tokens.set("garbage", "abcdefghijklmnopqrstuvwx.17");
			for (const name of ["deleted", "idle", "reader", "writer", "both", "root", "operator"])
				opened.tokens.set(name, await opened.logIn(name));
		});
	}, PREPARE_MS);
	afterAll(() => house?.close());

	matrixOf(BY_SIMPLE_TOKEN, () => house);

	test("what the method table says of a call is what its row says", () => {
		for (const [path, { access }] of METHODS) {
			const needs = ROWS[path as RpcPath].map(({ need }) => need);
			const [first] = needs;
			if (access === "open") expect([path, first]).toEqual([path, "open"]);
			if (access === "root") expect([path, needs.every((need) => need === "root")]).toEqual([path, true]);
			if (access === "user") expect([path, needs.includes("open")]).toEqual([path, false]);
			if (access === "keyRead" || access === "keyWrite") expect([path, needs.every((need) => need === "root")]).toEqual([path, false]);
		}
	});
});

describe("who may call what, with JWTs", () => {
	let folder: string;
	let house: House;
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-matrix-"));
		const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
		await writeFile(join(folder, "private.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
		await writeFile(join(folder, "public.pem"), publicKey.export({ type: "spki", format: "pem" }));
		const flag = `jwt,sign-method=ES256,pub-key=${join(folder, "public.pem")},priv-key=${join(folder, "private.pem")},ttl=1h`;
		house = await House.open({ size: 2, flags: ["--auth-token", flag] }, async (opened) => {
			opened.tokens.set("of before", await opened.logIn("both"));
		});
		for (const name of ["idle", "reader", "both", "root"]) house.tokens.set(name, await house.logIn(name));
		const claims = claimsOf(house.tokens.get("root") ?? "");
		house.tokens.set("stranger", signed({ ...claims, username: "deleted" }, privateKey));
		house.tokens.set("expired", signed({ ...claims, exp: Math.floor(Date.now() / 1_000) - 60 }, privateKey));
		house.tokens.set("forged", signed(claims, generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey));
		house.tokens.set("unsigned", `${encoded({ alg: "none", typ: "JWT" })}.${encoded(claims)}.`);
	}, PREPARE_MS);
	afterAll(async () => {
		await house?.close();
		await rm(folder, { recursive: true, force: true });
	});

	matrixOf(BY_JWT, () => house);
});

describe.skipIf(!haveProgram("openssl"))("who may call what, by the names of certificates (needs openssl)", () => {
	let folder: string;
	let house: House;
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "flotilla-matrix-tls-"));
		const certificates = new Certificates(folder);
		await certificates.authority("ca");
		for (const name of ["server", "stranger", "idle", "reader", "writer", "both", "root"]) await certificates.issue(name, "ca");
		await certificates.issue(BARE, "ca", { subject: "/O=nobody" });
		house = await House.open({ size: 2, certificates }, async (opened) => {
			opened.tokens.set("garbage", "abcdefghijklmnopqrstuvwx.17");
			for (const name of ["reader", "root"]) opened.tokens.set(name, await opened.logIn(name));
		});
	}, PREPARE_MS);
	afterAll(async () => {
		await house?.close();
		await rm(folder, { recursive: true, force: true });
	});

	matrixOf(BY_CERTIFICATE, () => house);
});

const encoded = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString("base64url");

function claimsOf(token: string): object {
	return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as object;
}

function signed(claims: object, key: KeyObject): string {
	const text = `${encoded({ alg: "ES256", typ: "JWT" })}.${encoded(claims)}`;
	return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
