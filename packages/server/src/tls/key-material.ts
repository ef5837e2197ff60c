/** Certificates, keys and authorities as they were read: whether they are what they should be, and if not, which file is to blame. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

export interface NamedFile {
	readonly name: string;
	/** Null: none is given. */
	readonly content: Buffer | null;
}

export interface KeyMaterial {
	readonly pairs: ReadonlyArray<{ readonly cert: NamedFile; readonly key: NamedFile }>;
	readonly authorities: NamedFile;
}

/** Throws with the name of the file. OpenSSL's own words name none, and of authorities that cannot be read Node.js says nothing at all. */
export function verifyKeyMaterial({ pairs, authorities }: KeyMaterial): void {
	for (const { cert, key } of pairs) {
		if (cert.content === null || key.content === null) continue;
		const pair = { cert: cert.content, key: key.content };
		attempt(cert.name, () => createSecureContext({ cert: pair.cert }));
		attempt(key.name, () => createSecureContext({ key: pair.key }));
		attempt(`${cert.name} and ${key.name}`, () => createSecureContext(pair));
	}
	const { name, content } = authorities;
	if (content !== null) attempt(name, () => readAuthorities(content));
}

function readAuthorities(content: Buffer): void {
	const blocks = content.toString("latin1").match(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.*?(?:-----END [A-Z0-9 ]*CERTIFICATE-----|$)/gs);
	if (blocks === null) throw new Error("no certificate stands in it");
	for (const block of blocks) new X509Certificate(block);
}

function attempt(names: string, work: () => unknown): void {
	try {
		work();
	} catch (error) {
		throw new Error(`${names}: ${error instanceof Error ? error.message : String(error)}`);
	}
}
