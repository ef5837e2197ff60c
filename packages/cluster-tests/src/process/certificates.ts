/** Authorities and certificates made by openssl in one folder, and lists of those that were revoked. */
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TlsFiles } from "./request.ts";
import { runTool } from "./tools.ts";

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
export const LOCAL_NAMES = "IP:127.0.0.1,DNS:localhost";

export class Certificates {
	private readonly folder: string;

	constructor(folder: string) {
		this.folder = folder;
	}

	path(name: string): string {
		return join(this.folder, name);
	}

	async authority(name: string): Promise<void> {
		await this.openssl("req", "-x509", ...CURVE, "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`, "-days", "2");
		await writeFile(this.path(`${name}.index`), "");
		await writeFile(this.path(`${name}.cnf`), `[ca]\ndefault_ca=d\n[d]\ndatabase=${name}.index\nunique_subject=no\ndefault_md=sha256\n`);
	}

	/** `<name>.pem` and `<name>.key`, with the name as common name unless another subject is given. Negative `days`: it has expired. */
	async issue(
		name: string,
		ca: string,
		{ days = 2, names = LOCAL_NAMES, subject = `/CN=${name}` }: { days?: number; names?: string; subject?: string } = {},
	): Promise<void> {
		await this.openssl(
			"req",
			...CURVE,
			"-keyout",
			`${name}.key`,
			"-out",
			`${name}.csr`,
			"-subj",
			subject,
			"-addext",
			`subjectAltName=${names}`,
		);
		const signing = ["-CA", `${ca}.pem`, "-CAkey", `${ca}.key`, "-CAcreateserial", "-copy_extensions", "copyall"];
		await this.openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signing, "-days", String(days));
	}

	files(name: string, ca: string): TlsFiles {
		return { ca: this.path(`${ca}.pem`), cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
	}

	/** `<ca>.crl`: all that were revoked so far, and these. */
	async revoke(ca: string, ...names: string[]): Promise<void> {
		const signing = ["-config", `${ca}.cnf`, "-keyfile", `${ca}.key`, "-cert", `${ca}.pem`];
		for (const name of names) await this.openssl("ca", ...signing, "-revoke", `${name}.pem`);
		await appendFile(this.path(`${ca}.index`), "");
		await this.openssl("ca", ...signing, "-gencrl", "-crldays", "2", "-out", `${ca}.crl`);
	}

	private async openssl(...args: string[]): Promise<void> {
		const result = await runTool("openssl", args, { folder: this.folder });
		if (result.status !== 0) throw new Error(`openssl ${args[0]}: ${result.stderr}`);
	}
}
