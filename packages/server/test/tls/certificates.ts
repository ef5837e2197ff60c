/** Authorities and certificates made by openssl, for tests. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
