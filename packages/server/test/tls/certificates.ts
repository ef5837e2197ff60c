/** Authorities and certificates made by openssl, for tests. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_TLS_FILES, type TlsConfig } from "../../src/tls/tls-config.ts";

export interface Certificate {
	readonly certFile: string;
	readonly keyFile: string;
}

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A folder with one authority in it, and what that has signed. */
export class Authority {
	readonly folder: string = mkdtempSync(join(tmpdir(), "flotilla-tls-"));
	readonly caFile = join(this.folder, "ca.pem");
	private made = 0;

	constructor(name = "flotilla test authority") {
		this.openssl("req", "-x509", ...CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-subj", `/CN=${name}`, "-days", "2");
	}

	/** `names`: as in `subjectAltName`. Negative `days`: it has expired. */
	issue(commonName: string, names = "IP:127.0.0.1,DNS:localhost", days = 2): Certificate {
		const base = `c${++this.made}`;
		this.openssl("req", ...CURVE, "-keyout", `${base}.key`, "-out", `${base}.csr`, "-subj", `/CN=${commonName}`);
		writeFileSync(join(this.folder, `${base}.ext`), names === "" ? "basicConstraints=CA:FALSE\n" : `subjectAltName=${names}\n`);
		const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${base}.ext`, "-days", String(days)];
		this.openssl("x509", "-req", "-in", `${base}.csr`, "-out", `${base}.pem`, ...signing);
		return { certFile: join(this.folder, `${base}.pem`), keyFile: join(this.folder, `${base}.key`) };
	}

	/** The list of all that were revoked so far, with these. `days` below 0: it is out of date. */
	revoke(certificates: readonly Certificate[], form: "PEM" | "DER" = "PEM", days = 2): string {
		const config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nunique_subject=no\ndefault_md=sha256\n";
		writeFileSync(join(this.folder, "ca.cnf"), config);
		appendFileSync(join(this.folder, "index.txt"), "");
		const signing = ["-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem"];
		for (const { certFile } of certificates) this.openssl("ca", ...signing, "-revoke", certFile);
		const times = days < 0 ? ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"] : ["-crldays", String(days)];
		const name = `${++this.made}.crl`;
		this.openssl("ca", ...signing, "-gencrl", ...times, "-out", name);
		if (form === "DER") this.openssl("crl", "-in", name, "-outform", "DER", "-out", name);
		return join(this.folder, name);
	}

	/** A side that shows `certificate` and demands one of this authority. */
	config(certificate: Certificate, more: Partial<TlsConfig> = {}): TlsConfig {
		return { ...NO_TLS_FILES, ...certificate, trustedCaFile: this.caFile, clientCertAuth: true, ...more };
	}

	remove(): void {
		rmSync(this.folder, { recursive: true, force: true });
	}

	private openssl(...args: string[]): void {
		execFileSync("openssl", args, { cwd: this.folder, stdio: "pipe" });
	}
}
