/** `--cipher-suites`: the names by which Go, and so etcd, knows them. */
import { getCiphers } from "node:tls";

/** Always on where TLS 1.3 is: as in Go, nobody chooses among them. */
const TLS13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

const OPENSSL_NAMES: Readonly<Record<string, string>> = {
	TLS_RSA_WITH_RC4_128_SHA: "RC4-SHA",
	TLS_RSA_WITH_3DES_EDE_CBC_SHA: "DES-CBC3-SHA",
	TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
	TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
	TLS_RSA_WITH_AES_128_CBC_SHA256: "AES128-SHA256",
	TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
	TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
	TLS_ECDHE_ECDSA_WITH_RC4_128_SHA: "ECDHE-ECDSA-RC4-SHA",
	TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
	TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
	TLS_ECDHE_RSA_WITH_RC4_128_SHA: "ECDHE-RSA-RC4-SHA",
	TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: "ECDHE-RSA-DES-CBC3-SHA",
	TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
	TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
	TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: "ECDHE-ECDSA-AES128-SHA256",
	TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: "ECDHE-RSA-AES128-SHA256",
	TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
	TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
	TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
	TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
	TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: "ECDHE-RSA-CHACHA20-POLY1305",
	TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
	TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: "ECDHE-ECDSA-CHACHA20-POLY1305",
	TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
};

/** Of a name that is none, or of one that this Node.js was built without. */
export function unknownCipherSuite(names: readonly string[]): string | null {
	const built = new Set(getCiphers());
	const isBuilt = (name: string): boolean => Object.hasOwn(OPENSSL_NAMES, name) && built.has((OPENSSL_NAMES[name] ?? "").toLowerCase());
	return names.find((name) => !TLS13.includes(name) && !isBuilt(name)) ?? null;
}

/** As Node.js takes them; empty: its own choice. */
export function cipherList(names: readonly string[]): string {
	if (names.length === 0) return "";
	const older = names.filter((name) => !TLS13.includes(name)).map((name) => OPENSSL_NAMES[name] ?? "");
	return [...TLS13, ...new Set(older)].join(":");
}
