import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Revocations } from "../../src/tls/revocations.ts";
import { Authority, type Certificate } from "./certificates.ts";

let authority: Authority;
let other: Authority;
beforeAll(() => {
	authority = new Authority();
	other = new Authority("another authority");
});
afterAll(() => {
	authority.remove();
	other.remove();
});

const shown = ({ certFile }: Certificate) => ({ raw: new X509Certificate(readFileSync(certFile)).raw });

describe("a list of revoked certificates", () => {
	test.each(["PEM", "DER"] as const)("names them by issuer and serial number (%s)", (form) => {
		const [good, bad, worse] = [authority.issue("good"), authority.issue("bad"), authority.issue("worse")];
		const list = new Revocations(readFileSync(authority.revoke([bad, worse], form)));
		expect(list.revokedIn(shown(good))).toBeNull();
		for (const revoked of [bad, worse]) {
			const { serialNumber } = new X509Certificate(readFileSync(revoked.certFile));
			expect(list.revokedIn(shown(revoked))?.replace(/number 00/, "number ")).toBe(
				`the certificate with the serial number ${serialNumber.toLowerCase()} was revoked`,
			);
		}
	});

	test("says nothing of another authority's certificate with the same serial number, and holds when it is out of date", () => {
		const revoked = authority.issue("revoked");
		const mine = new Revocations(readFileSync(authority.revoke([revoked], "PEM", -1)));
		const foreign = new Revocations(readFileSync(other.revoke([other.issue("x")])));
		expect(mine.revokedIn(shown(revoked))).not.toBeNull();
		expect(foreign.revokedIn(shown(revoked))).toBeNull();
	});

	test("reaches up the chain, which ends with an authority that is its own issuer", () => {
		const [leaf, between] = [authority.issue("leaf"), authority.issue("between")];
		const list = new Revocations(readFileSync(authority.revoke([between])));
		const root: { raw: Buffer; issuerCertificate?: unknown } = shown({ certFile: authority.caFile, keyFile: "" });
		root.issuerCertificate = root;
		expect(list.revokedIn({ ...shown(leaf), issuerCertificate: { ...shown(between), issuerCertificate: root as never } })).not.toBeNull();
		expect(list.revokedIn({ ...shown(leaf), issuerCertificate: root as never })).toBeNull();
	});

	test("lets nobody in whose certificate it cannot read", () => {
		const list = new Revocations(readFileSync(authority.revoke([])));
		expect(list.revokedIn({ raw: Buffer.from([0x30, 0x80, 0, 0]) })).toContain("cannot be read");
	});

	test("may be empty, and must be one", () => {
		const empty = new Authority("has revoked nothing");
		expect(new Revocations(readFileSync(empty.revoke([]))).count).toBe(0);
		empty.remove();
		const whole = readFileSync(authority.revoke([], "DER"));
		for (const bytes of [
			Buffer.from("rubbish"),
			Buffer.from("-----BEGIN NONSENSE-----"),
			Buffer.alloc(0),
			readFileSync(authority.caFile),
			whole.subarray(1),
		]) {
			expect(() => new Revocations(bytes)).toThrow();
		}
		for (let end = 0; end < whole.length; end++) expect(() => new Revocations(whole.subarray(0, end))).toThrow();
	});
});
