import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { expect, test } from "vitest";
import { makeFolders } from "../../src/make-folders.ts";
import { cipherList, unknownCipherSuite } from "../../src/tls/cipher-suites.ts";
import { makeSelfSigned, selfSigned } from "../../src/tls/self-signed.ts";

const NOW = Date.UTC(2026, 5, 1);

test("a certificate that vouches for itself names its hosts and addresses, and is no authority", () => {
	const { certificate, key } = makeSelfSigned(["localhost", "127.0.0.1", "::1", "fd00:1::2:3", "::ffff:1.2.3.4"], NOW, NOW + 1_000);
	const read = new X509Certificate(certificate);
	expect(read.verify(read.publicKey)).toBe(true);
	expect(read.checkIssued(read)).toBe(true);
	expect(read.ca).toBe(false);
	for (const address of ["127.0.0.1", "::1", "fd00:1::2:3"]) expect([address, read.checkIP(address)]).toEqual([address, address]);
	expect(read.checkIP("127.0.0.2")).toBeUndefined();
	expect(read.checkHost("localhost")).toBe("localhost");
	expect([Date.parse(read.validFrom), Date.parse(read.validTo)]).toEqual([NOW, NOW + 1_000]);
	createSecureContext({ cert: certificate, key });
});

test("years behind 2049 and no names at all can be written, too; every serial number is positive", () => {
	for (let round = 0; round < 50; round++) {
		const read = new X509Certificate(makeSelfSigned([], NOW, Date.UTC(2051, 0, 1)).certificate);
		expect(Date.parse(read.validTo)).toBe(Date.UTC(2051, 0, 1));
		expect(read.serialNumber).toMatch(/^[0-7][0-9A-F]{31}$/);
	}
});

test("it is made once, and nobody else reads it", () => {
	const folder = mkdtempSync(join(tmpdir(), "flotilla-self-"));
	try {
		const place = join(folder, "fixtures", "client");
		makeFolders(place);
		const { certFile, keyFile } = selfSigned(place, ["localhost"], 2, NOW);
		expect([place, certFile, keyFile].map((path) => (statSync(path).mode & 0o777).toString(8))).toEqual(["700", "600", "600"]);
		const before = readFileSync(certFile, "utf8");
		expect(Math.round((Date.parse(new X509Certificate(before).validTo) - NOW) / 86_400_000)).toBe(730);
		selfSigned(place, ["elsewhere"], 1, NOW + 1);
		expect(readFileSync(certFile, "utf8")).toBe(before);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("cipher suites go by Go's names; those of TLS 1.3 are always on", () => {
	expect(unknownCipherSuite(["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])).toBeNull();
	expect(unknownCipherSuite(["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"])).toBe("ECDHE-RSA-AES128-GCM-SHA256");
	expect(unknownCipherSuite([""])).toBe("");
	expect(cipherList([])).toBe("");
	expect(cipherList(["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"])).toBe(
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305",
	);
	createSecureContext({ ciphers: cipherList(["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]) });
});
